"""The soft picture as its definition reads: every face at every pixel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels.reference.silhouette import check_size
from jaxsoftras.kernels.scene import Blend, Scene, Task


def _all_pairs(scene: Scene, task: Task) -> tuple[pairs.Pair, jax.Array]:
    """Fields ``[B, F, H, W]``, and which faces are drawn ``[B, F, 1, 1]``."""
    batch, faces = scene.face_vertices.shape[:2]
    check_size(batch, faces, task.height, task.width)
    x, y = geometry.pixel_centers(task.height, task.width, scene.face_vertices.dtype)
    safe, drawn = pairs.contained(scene.face_vertices)
    sigma, gamma = (s[:, None, None, None] for s in (scene.sigma, scene.gamma))
    triangles = pairs.triangle(safe[:, :, None, None])
    pair = pairs.evaluate(
        task.rules, x, y[:, None], triangles, sigma, gamma, face_count=faces
    )
    return pair, drawn[:, :, None, None]


def blend_reference(scene: Scene, task: Task) -> Blend:
    """Soft pictures, dense, differentiated by JAX.

    Args:
        scene: a batch of faces.
        task: what to draw.

    Returns:
        See `Blend`.

    Raises:
        ValueError: more pairs of faces and pixels than the reference takes.
    """
    pair, drawn = _all_pairs(scene, task)
    total = jnp.sum(jnp.where(drawn, pair.share, 0), axis=1)
    if scene.attributes is None:
        return Blend(total, None, None)
    colored = drawn & pair.colored
    lowest = jnp.finfo(total.dtype).min
    nearness = jnp.where(colored, pair.nearness, lowest)
    highest = jax.lax.stop_gradient(jnp.max(nearness, axis=1, initial=lowest))
    relative = jnp.where(colored, pair.nearness - highest[:, None], 0)
    weight = jnp.where(colored, pair.probability * jnp.exp(relative), 0)
    weight_sum = jnp.sum(weight, axis=1)

    color = _colors(scene, task, pair)  # [B, F, C, H, W]
    any_face = weight_sum > 0
    divisor = jnp.where(any_face, weight_sum, 1)
    mean = jnp.sum(weight[:, :, None] * color, axis=1) / divisor[:, None]
    return Blend(total, jnp.where(any_face, highest + jnp.log(divisor), lowest), mean)


def _colors(scene: Scene, task: Task, pair: pairs.Pair) -> jax.Array:
    values, texels, light = scene.attributes
    batch, faces = scene.face_vertices.shape[:2]
    first = None
    if texels is not None:
        number = jnp.arange(faces)[:, None, None]
        index, first = shading.footprint(task.lookup, pair.weights, values, number)
        textures, texels_each, channels = texels.shape
        texture = jnp.arange(batch)[:, None, None, None] // (batch // textures)
        rows = texels.reshape(-1, channels)[texture * texels_each + index]
        texels = jnp.moveaxis(rows, -1, -3)
    return shading.color(task.lookup, pair.weights, values, texels, first, light)


def visible_reference(scene: Scene, task: Task) -> jax.Array:
    """The nearest face at each pixel, ``[B, H, W]`` int32; -1 where there is none.

    Of faces at equal depth, the first.
    """
    pair, drawn = _all_pairs(scene, task)
    depth = jnp.where(drawn & pair.visible, pair.depth, jnp.inf)
    if depth.shape[1] == 0:
        return jnp.full((len(depth), task.height, task.width), -1, jnp.int32)
    nearest = jnp.argmin(depth, axis=1).astype(jnp.int32)
    return jnp.where(jnp.isfinite(jnp.min(depth, axis=1)), nearest, -1)
