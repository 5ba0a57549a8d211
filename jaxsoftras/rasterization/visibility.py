"""What an ordinary rasterizer shows: the nearest face at each pixel."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import deterministic as gather
from jaxsoftras import geometry
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels import scene as blending


class Fragments(NamedTuple):
    """The nearest face at each pixel, and the point of it that is seen.

    Attributes:
        face: ``[..., H, W]`` int32 number of the face, -1 where there is none.
        weights: ``[..., H, W, 3]`` of the corners' attributes: perspective-correct
            barycentric coordinates of the point; 0 where there is no face.
        depth: ``[..., H, W]`` of the point, world units; that of the far plane where
            there is no face.
    """

    face: jax.Array
    weights: jax.Array
    depth: jax.Array


class _Seen(NamedTuple):
    """The faces of ``P`` pixels; a pixel without one has face 0 of its image."""

    face: jax.Array  # [P] among the faces of all images
    number: jax.Array  # [P] within its image
    image: jax.Array  # [P]
    weights: tuple[jax.Array, jax.Array, jax.Array]  # [P, 1, 1]
    depth: jax.Array  # [P, 1, 1]


def _seen(scene: blending.Scene, task: blending.Task, face: jax.Array) -> _Seen:
    batch, count = scene.face_vertices.shape[:2]
    vertices, _ = pairs.contained(scene.face_vertices)
    number = jnp.maximum(face, 0).reshape(-1)
    image = jnp.repeat(jnp.arange(batch), task.height * task.width)
    flat = image * count + number
    corners = gather.take(vertices.reshape(batch * count, 9), flat)
    x, y = geometry.pixel_centers(task.height, task.width, vertices.dtype)
    x, y = (jnp.broadcast_to(p, face.shape).reshape(-1, 1, 1) for p in (x, y[:, None]))
    weights, depth = pairs.surface_point(
        task.rules, x, y, pairs.triangle(corners.reshape(-1, 1, 1, 3, 3))
    )
    return _Seen(flat, number, image, weights, depth)


def colors(
    scene: blending.Scene,
    task: blending.Task,
    face: jax.Array,
    background: jax.Array,
) -> jax.Array:
    """Attributes of the faces that are seen.

    Args:
        scene: with attributes.
        task: what to draw.
        face: ``[B, H, W]`` the nearest face, -1 for none.
        background: ``[B, C]``.

    Returns:
        ``[B, C, H, W]``.
    """
    batch, height, width = face.shape
    background = background[:, :, None, None]
    if scene.face_vertices.shape[1] == 0:
        return jnp.broadcast_to(background, (*background.shape[:2], height, width))
    seen = _seen(scene, task, face)
    attributes = scene.attributes
    assert attributes is not None

    def own(array):
        """``[B, F, ...]`` to ``[P, ...]``."""
        if array is None:
            return None
        rows = gather.take(
            array.reshape(array.shape[0] * array.shape[1], -1), seen.face
        )
        return rows.reshape(-1, *array.shape[2:])

    values, light = own(attributes.values), own(attributes.light)
    texels = attributes.texels
    first = None
    if texels is not None:
        textures, texels_each, channels = texels.shape
        index, first = shading.footprint(
            task.lookup, seen.weights, values, seen.number[:, None, None]
        )
        texture = (seen.image // (batch // textures))[:, None, None]
        rows = texture * texels_each + index
        table = texels.reshape(-1, channels)
        texels = jnp.moveaxis(gather.take(table, rows), -1, -3)
    color = shading.color(task.lookup, seen.weights, values, texels, first, light)
    color = jnp.moveaxis(color.reshape(batch, height, width, -1), -1, 1)
    return jnp.where(face[:, None] >= 0, color, background)


def fragments(scene: blending.Scene, task: blending.Task, face: jax.Array) -> Fragments:
    """The points that are seen, differentiable in the vertices.

    Args:
        scene: attributes are not needed.
        task: what to draw.
        face: ``[B, H, W]`` the nearest face, -1 for none.

    Returns:
        Fields ``[B, H, W, ...]``.
    """
    hit = face >= 0
    if scene.face_vertices.shape[1] == 0:
        blank = jnp.zeros_like(scene.face_vertices, shape=face.shape)
        return Fragments(face, jnp.stack([blank] * 3, -1), blank + task.rules.far)
    seen = _seen(scene, task, face)
    weights = jnp.stack([w.reshape(face.shape) for w in seen.weights], axis=-1)
    depth = seen.depth.reshape(face.shape)
    return Fragments(
        face,
        jnp.where(hit[..., None], weights, 0),
        jnp.where(hit, depth, task.rules.far),
    )
