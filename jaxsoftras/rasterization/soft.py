"""Soft silhouettes and soft images of faces in NDC."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, probability, texture
from jaxsoftras import conorm as conorms
from jaxsoftras.kernels import dispatch, pairs, shading
from jaxsoftras.kernels.options import (
    Aggregation,
    Distance,
    FrontFace,
    Implementation,
    Interpolation,
    RasterOptions,
)
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.rasterization import fragments, inputs, known_faces, large_faces
from jaxsoftras.rasterization.attributes import (
    FaceAttributes,
    FaceLight,
    as_kernel_attributes,
    check_images,
)


@jax.custom_jvp
def _opacity(total: jax.Array) -> jax.Array:
    """``1 - exp(-total)``, whose derivative keeps its digits where alpha nears 1.

    JAX takes the derivative of `expm1` from its result, ``expm1(x) + 1``.
    """
    return -jnp.expm1(-total)


@_opacity.defjvp
def _(primals, tangents):
    (total,), (change,) = primals, tangents
    return _opacity(total), change * jnp.exp(-total)


@guesses.answers
def silhouette(
    face_vertices: ArrayLike,
    image_size: int | tuple[int, int],
    *,
    sigma: ArrayLike = 1e-4,
    dist_eps: float = 1e-4,
    distance: Distance = "euclidean",
    squared: bool = True,
    distribution: str | probability.Distribution = "logistic",
    conorm: str | conorms.Conorm = "probabilistic",
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders soft silhouettes: the probability that some face covers a pixel.

    ``alpha = 1 - prod_j (1 - sigmoid(s_j / sigma))`` with ``s_j`` the squared distance
    (NDC) from the pixel centre to the boundary of face j, negated outside of the face
    (eq. 1 and 4 of Liu et al., 2019, arXiv:1904.01786). The product runs over all
    faces, whatever their orientation and order; there is no limit to their number.
    ``distribution`` and ``conorm`` replace the sigmoid and the product (Petersen et
    al., 2022, arXiv:2204.13845).

    Differentiable in ``face_vertices`` and ``sigma``, with bitwise repeatable results.
    Composes with `jax.jit`, `jax.vmap`, `jax.grad` and `jax.shard_map`; `jax.jvp` of
    `jax.grad` gives Hessian-vector products.

    A face covers nothing and receives no gradient if a corner is not finite, is farther
    than 1e8 from the origin or, where there are depths, lies on or behind the camera's
    plane (depth < 1e-18). Outside of traces, a warning tells of corners that are NaN.

    Args:
        face_vertices: ``[..., F, 3, 2]`` or ``[..., F, 3, 3]`` corners of the faces,
            NDC: x right, y up, the image being ``[-1, 1]^2``; and their depth.
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness, positive: a scalar, or one per image (of the shape of the
            leading axes); NDC squared or, unless ``squared``, NDC. It may be traced, so
            a schedule does not recompile.
        dist_eps: probability at which a face's influence ends, in (0, 0.5); a static
            number. Larger is faster.
        distance: ``"euclidean"``, to the boundary; ``"barycentric"``, the least
            barycentric coordinate instead; ``"hard"``, 1 inside and 0 outside.
        squared: whether the probability is a function of the squared distance.
        distribution: a name in `probability.DISTRIBUTIONS`, or a `Distribution`; its
            CDF is the probability map.
        conorm: the T-conorm that aggregates: a name in `conorm.CONORMS`, or a `Conorm`.
        implementation: ``"reference"``, ``"xla"``, or the kernels ``"triton"``,
            ``"mosaic"`` or ``"pallas"`` (the better of the two) for NVIDIA GPUs and the
            default distribution and conorm; None chooses the fastest that runs on the
            default device.

    Returns:
        ``[..., H, W]`` alpha in [0, 1], of the dtype of ``face_vertices`` (half
        precision is computed in single); row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.

    Example:
        >>> import jax.numpy as jnp, jaxsoftras
        >>> triangle = jnp.array([[[-0.9, -0.9], [0.9, -0.9], [0.0, 0.9]]])
        >>> alpha = jaxsoftras.silhouette(triangle, image_size=4)
        >>> alpha.shape
        (4, 4)
        >>> print(alpha.round(1)[3])
        [1. 1. 1. 1.]
    """
    options = RasterOptions(
        distance=distance,
        squared=bool(squared),
        distribution=distribution,
        conorm=conorm,
        dist_eps=dist_eps,
        implementation=implementation,
    )
    inputs.check_positive(sigma=sigma)
    face_vertices = inputs.as_corners(face_vertices)
    return _silhouette(
        options,
        checks.as_image_size(image_size),
        face_vertices,
        sigma=checks.as_argument(sigma),
        large=known_faces.have_far_corners(face_vertices),
    )


@functools.partial(jax.jit, static_argnames=("options", "size", "large"))
def _silhouette(
    options: RasterOptions,
    size: tuple[int, int],
    face_vertices: ArrayLike,
    *,
    sigma: ArrayLike,
    large: bool,
) -> jax.Array:
    """`silhouette` of arguments whose values have been checked, compiled once."""
    corners, batch, dtype = inputs.as_faces(face_vertices, depth=False)
    height, width = size
    sigmas = inputs.as_image_numbers("sigma", sigma, batch, corners.dtype)
    corners, sigmas = inputs.match_sharding(corners, sigmas)
    if corners.shape[-1] == 3:
        _, valid = pairs.drawable_faces(corners)
        corners = jnp.where(valid[..., None, None], corners[..., :2], jnp.inf)
    if large:
        corners = large_faces.bring_near(corners, perspective=False).corners
    task = Task(height, width, options)
    blend = dispatch.choose("blend", options.implementation, task, corners.dtype)
    total = blend(Scene(corners, sigmas, jnp.ones_like(sigmas)), task).total
    if options.soft_silhouette:
        alpha = _opacity(total)
    else:
        assert isinstance(options.conorm, conorms.Conorm)
        alpha = conorms.aggregate(options.conorm, total)
    return alpha.reshape(*batch, height, width).astype(dtype)


@guesses.answers
def rasterize(
    face_vertices: ArrayLike,
    face_attributes: FaceAttributes,
    image_size: int | tuple[int, int],
    *,
    sigma: ArrayLike = 1e-4,
    gamma: ArrayLike = 1e-4,
    background: ArrayLike = 0.0,
    background_epsilon: float = 1e-3,
    near: float | None = None,
    far: float | None = None,
    aggregation: Aggregation = "softmax",
    distance: Distance = "euclidean",
    squared: bool = True,
    distribution: str | probability.Distribution = "logistic",
    conorm: str | conorms.Conorm = "probabilistic",
    dist_eps: float = 1e-4,
    double_sided: bool = True,
    front_face: FrontFace | None = None,
    interpolation: Interpolation = "perspective",
    face_light: FaceLight | None = None,
    wrap: texture.Wrap | None = None,
    transparent: bool = False,
    supersampling: int = 1,
    match_softras: bool = False,
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders soft images: attributes blended over depth, and alpha.

    Alpha is defined as in `silhouette`. An attribute (a colour channel, or any other
    number) is ``C = sum_j w_j C_j + w_b C_b`` with the weights ``w_j`` proportional to
    ``D_j exp(zn_j / gamma)`` and the background's weight to ``exp(epsilon / gamma)``,
    where ``D_j`` is the probability of face j at the pixel, ``C_j`` its attribute, and
    ``zn_j = (far - z_j) / (far - near)`` its nearness (eq. 2 and 3 of Liu et al., 2019,
    arXiv:1904.01786). A face colours no pixel at which its depth ``z_j`` is out of
    [near, far]; alpha does not look at depth, except that a face with a corner at or
    behind the camera's plane (depth < 1e-18) is not drawn at all.

    Gradients reach vertices (x, y and depth), attributes, textures, light, background,
    sigma and gamma, and are complete: they include the change of depth and attributes
    as a face slides under a pixel. Results repeat bit for bit. Composes with `jax.jit`,
    `jax.vmap`, `jax.grad` and `jax.shard_map`; `jax.jvp` of `jax.grad` gives
    Hessian-vector products. The weights are stable for any gamma.

    A face is not drawn, and receives no gradient, if a corner is not finite, or a
    texture coordinate is not. Outside of traces, a warning tells of corners that are
    NaN.

    docs/fidelity.md lists where this departs from the original, and how to match it.

    Args:
        face_vertices: ``[..., F, 3, 3]`` corners, NDC (x right, y up, the image being
            ``[-1, 1]^2``) and depth in world units, growing away from the camera.
        face_attributes: ``[..., F, C]`` per face, ``[..., F, 3, C]`` at the corners, a
            `SurfaceTexture` or a `UVTexture` (whose image may be one for all; under
            `jax.jit` with a batch on several devices XLA then gathers the batch, and
            does not if every mesh has a copy, by `jnp.broadcast_to`).
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness of the probability map; see `silhouette`.
        gamma: sharpness of the choice among depths, positive: a scalar, or one per
            image; may be traced. Small values approach the nearest face.
        background: attributes of the background: a scalar, ``[C]``, ``[..., C]``, or
            an image ``[H, W, C]`` or ``[..., H, W, C]``.
        background_epsilon: nearness of the background, in (0, 1).
        near: least depth at which a face has attributes, world units. None stands for
            0, and for 1 with ``match_softras``.
        far: greatest such depth; None stands for 100.
        aggregation: ``"softmax"`` as above, or ``"hard"``: the attributes of the
            nearest face that covers the pixel centre.
        distance: see `silhouette`.
        squared: see `silhouette`.
        distribution: see `silhouette`.
        conorm: see `silhouette`.
        dist_eps: see `silhouette`.
        double_sided: whether faces have attributes seen from behind. Alpha is the same.
        front_face: order of the corners of a face on the screen seen from its front.
            None stands for ``"counterclockwise"``, as right-handed cameras (the default
            ones) show faces that are counter-clockwise seen from outside; and for
            ``"clockwise"`` with ``match_softras``, whose cameras mirror the image.
        interpolation: ``"perspective"``, linear on the face; ``"affine"``, linear on
            the screen; or ``"orthographic"``, both, for faces that an orthographic
            camera has projected, whose depth is linear on the screen, too.
        face_light: factor and summand of the colours, at the corners.
        wrap: continuation of a texture image beyond its edges; None stands for the
            texture's own, or else ``"clamp"``.
        transparent: whether the last attribute is the opacity o of the face: D_j
            becomes ``o D_j`` in alpha and in the weights, and the result lacks the
            attribute. Also if the texture is ``transparent`` itself. Where opacity is
            neither 0 nor 1, a face still hides what lies farther behind it than gamma
            resolves, as it does at soft edges; alpha is right. Not in the GPU kernels.
        supersampling: the image is rendered at this multiple of its size and averaged.
        match_softras: render as the original: affine interpolation, its weight of the
            background (epsilon counts twice), and no gradient through depth and
            attributes as a face slides, nor to alpha from faces out of [near, far].
        implementation: see `silhouette`.

    Returns:
        ``[..., H, W, C + 1]`` the attributes, and alpha last; of the dtype of
        ``face_vertices`` (half precision is computed in single); row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.

    Example:
        >>> import jax.numpy as jnp, jaxsoftras
        >>> triangle = jnp.array([[[-0.9, -0.9, 2], [0.9, -0.9, 2], [0, 0.9, 2]]])
        >>> red = jnp.array([[1.0, 0.0, 0.0]])
        >>> image = jaxsoftras.rasterize(triangle, red, image_size=4)
        >>> image.shape
        (4, 4, 4)
        >>> print(image[3, 1].round(1))
        [1. 0. 0. 1.]
    """
    options = RasterOptions(
        distance=distance,
        squared=bool(squared),
        distribution=distribution,
        conorm=conorm,
        dist_eps=dist_eps,
        near=near,
        far=far,
        aggregation=aggregation,
        interpolation=interpolation,
        double_sided=double_sided,
        front_face=front_face,
        background_epsilon=background_epsilon,
        wrap=wrap,
        supersampling=supersampling,
        match_softras=match_softras,
        implementation=implementation,
    )
    inputs.check_positive(sigma=sigma, gamma=gamma)
    check_images(face_attributes)
    face_vertices = inputs.as_corners(face_vertices)
    return rasterize_with(
        options,
        checks.as_image_size(image_size),
        face_vertices,
        checks.as_argument(face_attributes),
        sigma=checks.as_argument(sigma),
        gamma=checks.as_argument(gamma),
        background=inputs.checked_background(background),
        face_light=face_light,
        transparent=bool(transparent),
        large=known_faces.have_far_corners(face_vertices),
    )


def _hide_unplaced(
    corners: jax.Array, attributes: shading.Attributes
) -> tuple[jax.Array, shading.Attributes]:
    """Takes away faces whose texture coordinates are not finite.

    As with corners that are not finite, no NaN gets into the image or into gradients.
    """
    uv = attributes.values
    assert uv is not None
    placed = jnp.all(jnp.isfinite(uv), axis=(-2, -1), keepdims=True)
    corners = jnp.where(placed, corners, jnp.inf)
    return corners, attributes._replace(values=jnp.where(placed, uv, 0))


@functools.partial(jax.jit, static_argnames=("options", "size", "transparent", "large"))
def rasterize_with(
    options: RasterOptions,
    size: tuple[int, int],
    face_vertices: ArrayLike,
    face_attributes: FaceAttributes,
    *,
    sigma: ArrayLike,
    gamma: ArrayLike,
    background: ArrayLike,
    face_light: FaceLight | None,
    transparent: bool,
    large: bool = False,
) -> jax.Array:
    """`rasterize` of arguments whose values have been checked, compiled once."""
    corners, batch, dtype = inputs.as_faces(face_vertices, depth=True)
    scale = options.supersampling
    height, width = checks.as_image_size((scale * size[0], scale * size[1]))
    attributes, lookup = as_kernel_attributes(
        face_attributes, face_light, options.wrap, batch, corners, transparent
    )
    if lookup.transparent and options.aggregation == "hard":
        raise ValueError(
            "The nearest face is found by shape alone: transparent textures need "
            "aggregation='softmax'."
        )
    if lookup.kind == "image":
        corners, attributes = _hide_unplaced(corners, attributes)
    if large and (lookup.kind != "surface" or attributes.values is not None):
        near = large_faces.bring_near(
            corners, options.perspective, parallel=options.parallel
        )
        corners, attributes = near.corners, near.move(attributes)
    channels = attributes.channels - lookup.transparent
    kind = corners.dtype
    backgrounds = inputs.as_background(background, batch, channels, kind, size)
    if backgrounds.shape[-2:] != (1, 1) and scale > 1:
        backgrounds = jnp.repeat(jnp.repeat(backgrounds, scale, axis=2), scale, axis=3)
    sigmas = inputs.as_image_numbers("sigma", sigma, batch, kind)
    gammas = inputs.as_image_numbers("gamma", gamma, batch, kind)
    corners, (sigmas, gammas, attributes, backgrounds) = inputs.match_sharding(
        corners, (sigmas, gammas, attributes, backgrounds)
    )
    if 0 in batch:
        return jnp.zeros((*batch, *size, channels + 1), dtype)
    scene = Scene(corners, sigmas, gammas, attributes)
    task = Task(height, width, options, lookup)
    blend = dispatch.choose("blend", options.implementation, task, kind)

    if options.aggregation == "hard":
        visible = dispatch.choose("visible", options.implementation, task, kind)
        face = visible(scene, task)
        seen = fragments.shade_visible(scene, task, face, backgrounds)
        color = jnp.unstack(seen, axis=1)
        soft = blend(scene._replace(attributes=None), task)
    else:
        soft = blend(scene, task)
        background_logit = pairs.background_logit(options, gammas)
        weight = jax.nn.sigmoid(soft.logit - background_logit[:, None, None])
        # channel by channel: XLA fuses this with what makes and what takes them
        color = [
            weight * soft.color[:, c] + (1 - weight) * backgrounds[:, c]
            for c in range(channels)
        ]
    assert isinstance(options.conorm, conorms.Conorm)
    alpha = conorms.aggregate(options.conorm, soft.total)
    image = jnp.stack([*color, alpha], axis=-1)
    if scale > 1:
        image = image.reshape(-1, size[0], scale, size[1], scale, channels + 1)
        image = image.mean(axis=(2, 4))
    return image.reshape(*batch, *size, channels + 1).astype(dtype)
