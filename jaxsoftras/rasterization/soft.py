"""The soft rasterizer's public functions: checks, then the choice of a kernel."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, probability, texture
from jaxsoftras import conorm as conorms
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels import scene as blending
from jaxsoftras.kernels.dispatch import (
    BLEND,
    SILHOUETTE,
    VISIBLE,
    Implementation,
    choose,
    why_not_blend,
)
from jaxsoftras.rasterization import inputs, visibility
from jaxsoftras.rasterization.attributes import (
    FaceAttributes,
    FaceLight,
    kernel_attributes,
)

Aggregation = Literal["softmax", "hard"]
"""Of colours over depth: blended, or that of the nearest face."""

Interpolation = Literal["perspective", "affine"]
"""Of attributes: linear on the face, or linear on the screen."""


def _rules(distance, squared, distribution, conorm, dist_eps) -> pairs.Rules:
    """What makes up alpha; the rest at its defaults."""
    checks.check_choice("distance", distance, pairs.Distance)
    if not 0 < dist_eps < 0.5:
        raise ValueError(f"dist_eps must lie between 0 and 0.5, not {dist_eps}.")
    if isinstance(distribution, str):
        distribution = probability.Distribution(distribution)
    if isinstance(conorm, str):
        conorm = conorms.Conorm(conorm)
    for name, value, kind in (
        ("distribution", distribution, probability.Distribution),
        ("conorm", conorm, conorms.Conorm),
    ):
        if not isinstance(value, kind):
            raise ValueError(
                f"{name} must be a name or a {kind.__name__}, not {value!r}."
            )
    return pairs.Rules(
        distance=distance,
        squared=bool(squared),
        distribution=distribution,
        conorm=conorm,
        cutoff=probability.reach(distribution, dist_eps),
    )


def silhouette(
    face_vertices: ArrayLike,
    image_size: int | tuple[int, int],
    *,
    sigma: ArrayLike = 1e-4,
    dist_eps: float = 1e-4,
    distance: pairs.Distance = "euclidean",
    squared: bool = True,
    distribution: str | probability.Distribution = "logistic",
    conorm: str | conorms.Conorm = "probabilistic",
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders soft silhouettes: the probability that some face covers a pixel.

    ``alpha = 1 - prod_j (1 - sigmoid(s_j / sigma))`` with ``s_j`` the squared distance
    (NDC) from the pixel centre to the boundary of face j, negated outside of the face
    (eq. 1 and 4 of Liu et al., 2019, arXiv:1904.01786). The product runs over all
    faces, whatever their orientation and order; none is ever left out for want of
    space. ``distribution`` and ``conorm`` replace the sigmoid and the product
    (Petersen et al., 2022, arXiv:2204.13845).

    Differentiable in ``face_vertices`` and ``sigma``, with bitwise repeatable results.
    Composes with `jax.jit`, `jax.vmap`, `jax.grad` and `jax.shard_map`; `jax.jvp` of
    `jax.grad` gives Hessian-vector products.

    A face covers nothing and receives no gradient if a corner is not finite, is farther
    than 1e8 from the origin or, where there are depths, lies on or behind the camera's
    plane (depth <= 0).

    Args:
        face_vertices: ``[..., F, 3, 2]`` or ``[..., F, 3, 3]`` corners of the faces,
            NDC: x right, y up, the image being ``[-1, 1]^2``; and their depth.
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness, positive: a scalar, or one per image (of the shape of the
            leading axes); NDC squared or, unless ``squared``, NDC. It may be traced, so
            a schedule does not recompile.
        dist_eps: a face's influence ends where its probability falls below this; in
            (0, 0.5). Larger is faster; a static number.
        distance: ``"euclidean"``, to the boundary; ``"barycentric"``, the least
            barycentric coordinate instead; ``"hard"``, 1 inside and 0 outside.
        squared: whether the probability is a function of the squared distance.
        distribution: of `probability.DISTRIBUTIONS`, whose CDF is the probability map.
        conorm: the T-conorm that aggregates, of `conorm.CONORMS`.
        implementation: ``"reference"``, ``"xla"``, ``"pallas"`` or ``"mosaic"`` (both
            for the default distance, distribution and conorm, on NVIDIA GPUs); `None`
            chooses the fastest that runs on the default device.

    Returns:
        ``[..., H, W]`` alpha in [0, 1], of the dtype of ``face_vertices`` (half
        precision is computed in single); row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.
    """
    corners, dtype = inputs.faces(face_vertices, depth=False)
    height, width = checks.as_image_size(image_size)
    inputs.check_positive("sigma", sigma)
    rules = _rules(distance, squared, distribution, conorm, dist_eps)
    usual = rules == _rules("euclidean", True, "logistic", "probabilistic", dist_eps)
    why_not = None if usual else "they draw silhouettes by the default rules only"
    table = SILHOUETTE if usual else BLEND
    draw = choose(table, implementation, corners, why_not)

    batch = corners.shape[:-3]
    sigmas = inputs.per_image("sigma", sigma, corners, 3)
    corners = corners.reshape(math.prod(batch), *corners.shape[-3:])
    corners, sigmas = inputs.spread_alike(corners, sigmas)
    if usual:
        if corners.shape[-1] == 3:
            ahead = jnp.all(corners[..., 2:] > 0, axis=-2, keepdims=True)
            corners = jnp.where(ahead, corners[..., :2], jnp.inf)
        alpha = draw(corners, sigmas, height=height, width=width, cutoff=rules.cutoff)
    else:
        scene = blending.Scene(corners, sigmas, jnp.ones_like(sigmas), None)
        task = blending.Task(height, width, rules, shading.Lookup())
        alpha = conorms.aggregate(rules.conorm, draw(scene, task).total)
    return alpha.reshape(*batch, height, width).astype(dtype)


def rasterize(
    face_vertices: ArrayLike,
    face_attributes: FaceAttributes,
    image_size: int | tuple[int, int],
    *,
    sigma: ArrayLike = 1e-4,
    gamma: ArrayLike = 1e-4,
    background: ArrayLike = 0.0,
    background_epsilon: float = 1e-3,
    near: float = 1.0,
    far: float = 100.0,
    aggregation: Aggregation = "softmax",
    distance: pairs.Distance = "euclidean",
    squared: bool = True,
    distribution: str | probability.Distribution = "logistic",
    conorm: str | conorms.Conorm = "probabilistic",
    dist_eps: float = 1e-4,
    double_sided: bool = True,
    front_face: pairs.FrontFace = "clockwise",
    interpolation: Interpolation = "perspective",
    face_light: FaceLight | None = None,
    wrap: texture.Wrap = "clamp",
    supersampling: int = 1,
    parity: bool = False,
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders soft pictures: attributes blended over depth, and alpha.

    Alpha is that of `silhouette`. An attribute (a colour channel, or whatever else) is
    ``C = sum_j w_j C_j + w_b C_b`` with the weights ``w_j`` proportional to ``D_j
    exp(zn_j / gamma)`` and that of the background to ``exp(epsilon / gamma)``, where
    ``D_j`` is the probability of face j at the pixel, ``C_j`` its attribute, and ``zn_j
    = (far - z_j) / (far - near)`` its nearness (eq. 2 and 3 of Liu et al., 2019,
    arXiv:1904.01786). A face colours no pixel at which its depth ``z_j`` is out of
    [near, far]; alpha does not look at depth, except that a face with a corner at or
    behind the camera's plane (depth <= 0) is not drawn at all.

    Gradients reach vertices (x, y and depth), attributes, textures, light, background,
    sigma and gamma, and are complete: they include the change of depth and attributes
    as a face slides under a pixel. Results repeat bit for bit. Composes with `jax.jit`,
    `jax.vmap`, `jax.grad` and `jax.shard_map`; `jax.jvp` of `jax.grad` gives
    Hessian-vector products. The weights are stable for any gamma.

    docs/fidelity.md lists where this departs from the original, and how to get that.

    Args:
        face_vertices: ``[..., F, 3, 3]`` corners, NDC (x right, y up, the image being
            ``[-1, 1]^2``) and depth in world units, growing away from the camera.
        face_attributes: ``[..., F, C]`` per face, ``[..., F, 3, C]`` at the corners, a
            `SurfaceTexture` or a `UVTexture` (whose image may be one for all; under
            `jax.jit` with a batch on several devices XLA then gathers the batch, and
            does not if every picture has a copy, by `jnp.broadcast_to`).
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness of the probability map; see `silhouette`.
        gamma: sharpness of the choice among depths, positive: a scalar, or one per
            image; may be traced. Small values approach the nearest face.
        background: attributes of the background: a scalar, ``[C]`` or ``[..., C]``.
        background_epsilon: nearness of the background, in (0, 1).
        near: least depth at which a face has attributes.
        far: greatest such depth.
        aggregation: ``"softmax"`` as above, or ``"hard"``: the attributes of the
            nearest face that covers the pixel centre.
        distance: see `silhouette`.
        squared: see `silhouette`.
        distribution: see `silhouette`.
        conorm: see `silhouette`.
        dist_eps: see `silhouette`.
        double_sided: whether faces have attributes seen from behind. Alpha is the same.
        front_face: how the corners of a face run on the screen seen from its front:
            ``"clockwise"`` with the cameras of Soft Rasterizer (the default ones),
            whose pictures are mirrored; else ``"counterclockwise"``.
        interpolation: ``"perspective"``, linear on the face; or ``"affine"``, linear on
            the screen.
        face_light: factor and summand of the colours, at the corners.
        wrap: what lies beyond a texture image.
        supersampling: the picture is drawn at this multiple of its size, and averaged.
        parity: as the original: affine interpolation, its weight of the background
            (epsilon counts twice), and no gradient through depth and attributes as a
            face slides, nor to alpha from faces out of [near, far].
        implementation: see `silhouette`; here the kernels know every distance.

    Returns:
        ``[..., H, W, C + 1]`` the attributes, and alpha last; of the dtype of
        ``face_vertices`` (half precision is computed in single); row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.
    """
    corners, dtype = inputs.faces(face_vertices, depth=True)
    size = checks.as_image_size(image_size)
    if not isinstance(supersampling, int) or supersampling < 1:
        raise ValueError(
            f"supersampling must be an integer of at least 1, not {supersampling!r}."
        )
    height, width = checks.as_image_size(
        (supersampling * size[0], supersampling * size[1])
    )
    inputs.check_positive("sigma", sigma)
    inputs.check_positive("gamma", gamma)
    inputs.check_range(near, far)
    if not 0 < background_epsilon < 1:
        raise ValueError(
            f"background_epsilon must lie between 0 and 1, not {background_epsilon}."
        )
    checks.check_choice("aggregation", aggregation, Aggregation)
    checks.check_choice("interpolation", interpolation, Interpolation)
    checks.check_choice("front_face", front_face, pairs.FrontFace)
    checks.check_choice("wrap", wrap, texture.Wrap)
    rules = _rules(distance, squared, distribution, conorm, dist_eps)._replace(
        near=float(near),
        far=float(far),
        front=front_face,
        double_sided=double_sided,
        perspective=interpolation == "perspective" and not parity,
        parity=parity,
    )
    attributes, lookup, channels = kernel_attributes(
        face_attributes, face_light, wrap, corners
    )
    batch = corners.shape[:-3]
    backgrounds = inputs.background(background, batch, channels, corners.dtype)
    sigmas = inputs.per_image("sigma", sigma, corners, 3)
    gammas = inputs.per_image("gamma", gamma, corners, 3)
    corners = corners.reshape(math.prod(batch), *corners.shape[-3:])
    corners, (sigmas, gammas, attributes, backgrounds) = inputs.spread_alike(
        corners, (sigmas, gammas, attributes, backgrounds)
    )
    scene = blending.Scene(corners, sigmas, gammas, attributes)
    task = blending.Task(height, width, rules, lookup)
    soft_blend = choose(BLEND, implementation, corners, why_not_blend(task))

    if aggregation == "hard":
        face = choose(VISIBLE, implementation, corners)(scene, task)
        color = jnp.unstack(visibility.colors(scene, task, face, backgrounds), axis=1)
        blend = soft_blend(scene._replace(attributes=None), task)
    else:
        blend = soft_blend(scene, task)
        own = pairs.background_logit(rules, gammas, background_epsilon)
        weight = jax.nn.sigmoid(blend.logit - own[:, None, None])
        # channel by channel: XLA fuses this with what makes and what takes them
        color = [
            weight * blend.color[:, c] + (1 - weight) * backgrounds[:, c, None, None]
            for c in range(channels)
        ]
    alpha = conorms.aggregate(rules.conorm, blend.total)
    picture = jnp.stack([*color, alpha], axis=-1)
    if supersampling > 1:
        picture = picture.reshape(
            -1, size[0], supersampling, size[1], supersampling, channels + 1
        ).mean(axis=(2, 4))
    return picture.reshape(*batch, *size, channels + 1).astype(dtype)
