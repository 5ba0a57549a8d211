"""Fragments: the nearest face at each pixel, as an ordinary rasterizer finds it."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, deterministic, geometry, guesses
from jaxsoftras.kernels import dispatch, pairs, shading
from jaxsoftras.kernels.options import (
    FrontFace,
    Implementation,
    Interpolation,
    RasterOptions,
)
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.rasterization import inputs, known_faces, large_faces


class Fragments(NamedTuple):
    """The nearest face at each pixel, and the point of it that is seen.

    Attributes:
        face: ``[..., H, W]`` int32 index of the face, -1 where there is none.
        weights: ``[..., H, W, 3]`` weights of the corners' attributes:
            perspective-correct barycentric coordinates of the point; 0 where there is
            no face.
        depth: ``[..., H, W]`` depth of the point, world units; ``far`` where there is
            no face.
    """

    face: jax.Array
    weights: jax.Array
    depth: jax.Array


@guesses.answers
def find_fragments(
    face_vertices: ArrayLike,
    image_size: int | tuple[int, int],
    *,
    near: float | None = None,
    far: float | None = None,
    double_sided: bool = True,
    front_face: FrontFace | None = None,
    interpolation: Interpolation = "perspective",
    implementation: Implementation | None = None,
) -> Fragments:
    """Finds the nearest face at each pixel centre, as a z-buffer does.

    ``depth`` and ``weights`` are differentiable in ``face_vertices``, at a given
    visibility: which face is nearest has no gradient. `interpolate` turns fragments
    into images of normals, positions or any other attribute. Faces that `rasterize`
    does not draw are not found; outside of traces, a warning tells of corners that are
    NaN.

    Args:
        face_vertices: ``[..., F, 3, 3]`` corners, NDC and depth.
        image_size: pixels, of a square image or (height, width).
        near: least depth that is seen, world units; None stands for 0.
        far: greatest depth that is seen, and the depth where there is no face; None
            stands for 100.
        double_sided: whether faces are seen from behind.
        front_face: order of the corners of a face on the screen seen from its front;
            see `rasterize`.
        interpolation: ``"orthographic"`` for faces that an orthographic camera has
            projected; see `rasterize`.
        implementation: see `silhouette`.

    Returns:
        Fields ``[..., H, W, ...]``; of faces at equal depth, the first.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.

    Example:
        >>> import jax.numpy as jnp, jaxsoftras
        >>> triangle = jnp.array([[[-0.9, -0.9, 2], [0.9, -0.9, 2], [0, 0.9, 2]]])
        >>> fragments = jaxsoftras.find_fragments(triangle, image_size=4)
        >>> print(fragments.face[3], fragments.depth[3])
        [0 0 0 0] [2. 2. 2. 2.]
    """
    options = RasterOptions(
        distance="hard",
        near=near,
        far=far,
        front_face=front_face,
        interpolation=interpolation,
        double_sided=double_sided,
        implementation=implementation,
    )
    size = checks.as_image_size(image_size)
    face_vertices = inputs.as_corners(face_vertices)
    large = known_faces.have_far_corners(face_vertices)
    return find_fragments_with(options, size, face_vertices, large=large)


@functools.partial(jax.jit, static_argnames=("options", "size", "large"))
def find_fragments_with(
    options: RasterOptions,
    size: tuple[int, int],
    face_vertices: ArrayLike,
    *,
    large: bool = False,
) -> Fragments:
    """`find_fragments` with its keywords as one record, compiled once."""
    corners, batch, dtype = inputs.as_faces(face_vertices, depth=True)
    height, width = size
    ones = jnp.ones_like(corners, shape=(len(corners),))
    near = None
    if large:
        near = large_faces.bring_near(
            corners, options.perspective, parallel=options.parallel
        )
        corners = near.corners
    scene, task = Scene(corners, ones, ones), Task(height, width, options)
    visible = dispatch.choose("visible", options.implementation, task, corners.dtype)
    face = visible(scene, task)
    weights, depth = _locate_visible(scene, task, face)
    if near is not None:
        weights = _of_given_corners(weights, face, near)
    return Fragments(
        face.reshape(*batch, height, width),
        weights.reshape(*batch, height, width, 3).astype(dtype),
        depth.reshape(*batch, height, width).astype(dtype),
    )


def interpolate(
    fragments: Fragments, face_attributes: ArrayLike, background: ArrayLike = 0.0
) -> jax.Array:
    """Interpolates attributes at the points that are seen.

    Args:
        fragments: fields ``[..., H, W, ...]``.
        face_attributes: ``[..., F, 3, C]`` at the corners, such as the normals or the
            positions of the vertices.
        background: a scalar, ``[C]``, ``[..., C]`` or an image ``[..., H, W, C]``:
            where there is no face.

    Returns:
        ``[..., H, W, C]``, differentiable in the attributes and in the weights.

    Raises:
        ValueError: an argument of wrong shape, or attributes of fewer faces than the
            fragments show.

    Example:
        >>> import jax.numpy as jnp, jaxsoftras
        >>> triangle = jnp.array([[[-0.9, -0.9, 2], [0.9, -0.9, 2], [0, 0.9, 2]]])
        >>> fragments = jaxsoftras.find_fragments(triangle, image_size=4)
        >>> jaxsoftras.interpolate(fragments, triangle).shape
        (4, 4, 3)
    """
    if isinstance(face_attributes, tuple) and hasattr(face_attributes, "_fields"):
        raise ValueError(
            "face_attributes must be an array [..., F, 3, C], not a "
            f"{type(face_attributes).__name__}: give the coordinates of a UVTexture, or"
            " face_vertices(values, faces) of VertexColors."
        )
    (attributes,) = checks.as_floats(face_attributes)
    batch = fragments.face.shape[:-2]
    if attributes.ndim != len(batch) + 3 or attributes.shape[-2] != 3:
        raise ValueError(
            "face_attributes must have the shape [..., F, 3, C] with leading axes "
            f"{list(batch)}; it has {list(attributes.shape)}."
        )
    count = attributes.shape[-3]
    checks.check_values(
        f"face_attributes has {count} faces, and the fragments show more.",
        lambda face: face < count,
        fragments.face,
    )
    background = inputs.checked_background(background)
    return _interpolate(fragments, attributes, background)


@jax.jit
def _interpolate(
    fragments: Fragments, attributes: jax.Array, background: ArrayLike
) -> jax.Array:
    """`interpolate` of arguments that fit together, compiled once."""
    batch = fragments.face.shape[:-2]
    count, _, channels = attributes.shape[-3:]
    attributes = jnp.broadcast_to(attributes, (*batch, *attributes.shape[-3:]))
    images = math.prod(batch)
    height, width = fragments.face.shape[-2:]
    size = height, width
    outside = inputs.as_background(background, batch, channels, attributes.dtype, size)
    outside = jnp.moveaxis(outside, 1, -1)
    outside = outside.reshape(*batch, *outside.shape[1:])
    if count == 0:
        return jnp.broadcast_to(outside, (*fragments.face.shape, channels))
    face = fragments.face.reshape(images, height * width)
    index = jnp.maximum(face, 0) + count * jnp.arange(images)[:, None]
    corners = deterministic.take(attributes.reshape(-1, 3 * channels), index)
    corners = corners.reshape(*fragments.face.shape, 3, channels)
    values = jnp.sum(fragments.weights[..., None] * corners, axis=-2)
    return jnp.where(fragments.face[..., None] >= 0, values, outside)


class _Seen(NamedTuple):
    """The faces of ``P`` pixels; a pixel without one has face 0 of its image."""

    face: jax.Array  # [P] among the faces of all images
    number: jax.Array  # [P] within its image
    image: jax.Array  # [P]
    weights: tuple[jax.Array, jax.Array, jax.Array]  # [P, 1, 1]
    depth: jax.Array  # [P, 1, 1]


def _look(scene: Scene, task: Task, face: jax.Array) -> _Seen:
    batch, count = scene.face_vertices.shape[:2]
    vertices, _ = pairs.drawable_faces(scene.face_vertices)
    number = jnp.maximum(face, 0).reshape(-1)
    image = jnp.repeat(jnp.arange(batch), task.height * task.width)
    flat = image * count + number
    corners = deterministic.take(vertices.reshape(batch * count, 9), flat)
    x, y = geometry.pixel_centers(task.height, task.width, vertices.dtype)
    x, y = (jnp.broadcast_to(p, face.shape).reshape(-1, 1, 1) for p in (x, y[:, None]))
    weights, depth = pairs.surface_point(
        task.options, x, y, pairs.triangle(corners.reshape(-1, 1, 1, 3, 3))
    )
    return _Seen(flat, number, image, weights, depth)


def shade_visible(
    scene: Scene, task: Task, face: jax.Array, background: jax.Array
) -> jax.Array:
    """Attributes of the faces that are seen.

    Args:
        scene: a batch of faces with attributes.
        task: the image to render.
        face: ``[B, H, W]`` the nearest face, -1 for none.
        background: ``[B, C, 1, 1]`` or ``[B, C, H, W]``.

    Returns:
        ``[B, C, H, W]``.
    """
    batch, height, width = face.shape
    if scene.face_vertices.shape[1] == 0:
        return jnp.broadcast_to(background, (*background.shape[:2], height, width))
    seen = _look(scene, task, face)
    attributes = scene.attributes
    assert attributes is not None

    def take_rows(array):
        """``[B, F, ...]`` to ``[P, ...]``."""
        if array is None:
            return None
        table = array.reshape(array.shape[0] * array.shape[1], -1)
        rows = deterministic.take(table, seen.face)
        return rows.reshape(-1, *array.shape[2:])

    values, light = take_rows(attributes.values), take_rows(attributes.light)
    texels = attributes.texels
    found = None
    if texels is not None:
        textures, texels_each, _ = texels.shape
        index = shading.footprint(
            task.lookup, seen.weights, values, seen.number[:, None, None]
        )
        texture = (seen.image // (batch // textures))[:, None, None]
        index = texture * texels_each + index
        found = shading.look_up(task.lookup, texels, index, deterministic.take)
    color = shading.color(task.lookup, seen.weights, values, found, light)
    color = jnp.moveaxis(color.reshape(batch, height, width, -1), -1, 1)
    return jnp.where(face[:, None] >= 0, color, background)


def _of_given_corners(
    weights: jax.Array, face: jax.Array, near: large_faces.Near
) -> jax.Array:
    """Weights of the corners as given, from weights ``[B, H, W, 3]`` of near ones."""
    batch, count = near.far.shape
    if count == 0:
        return weights
    flat = jnp.maximum(face, 0) + count * jnp.arange(batch)[:, None, None]
    identity = jnp.eye(3, dtype=weights.dtype)
    table = jnp.where(near.far[..., None, None], near.weights, identity)
    rows = deterministic.take(table.reshape(-1, 9), flat)
    rows = rows.reshape(*face.shape, 3, 3)
    return jnp.sum(weights[..., None] * rows, axis=-2)


def _locate_visible(
    scene: Scene, task: Task, face: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Weights ``[B, H, W, 3]`` and depth ``[B, H, W]`` of the points that are seen."""
    hit = face >= 0
    _, far = task.options.depth_range
    if scene.face_vertices.shape[1] == 0:
        blank = jnp.zeros_like(scene.face_vertices, shape=face.shape)
        return jnp.stack([blank] * 3, -1), blank + far
    seen = _look(scene, task, face)
    weights = jnp.stack([w.reshape(face.shape) for w in seen.weights], axis=-1)
    depth = seen.depth.reshape(face.shape)
    return jnp.where(hit[..., None], weights, 0), jnp.where(hit, depth, far)
