"""Soft images as their definition reads: every face at every pixel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels.scene import Blend, Scene, Task

LIMIT = 2**24
"""Most face-pixel pairs; with their gradients, these take about a gigabyte."""


def evaluate_all(
    scene: Scene, task: Task
) -> tuple[pairs.Pair, jax.Array | None, jax.Array]:
    """Computes the contribution of every face to every pixel.

    Returns:
        Fields ``[B, F, H, W]``, colours ``[B, F, C, H, W]`` if there are attributes,
        and which faces are drawn ``[B, F, 1, 1]``.

    Raises:
        ValueError: more face-pixel pairs than `LIMIT`.
    """
    batch, faces = scene.face_vertices.shape[:2]
    count = batch * faces * task.height * task.width
    if count > LIMIT:
        raise ValueError(
            f"The reference implementation holds all {count:,} pairs of {batch} x "
            f"{faces} faces and {task.height} x {task.width} pixels in memory, and "
            f"takes at most {LIMIT:,}; use implementation='xla' for this size."
        )
    x, y = geometry.pixel_centers(task.height, task.width, scene.face_vertices.dtype)
    safe, valid = pairs.drawable_faces(scene.face_vertices)
    sigma, gamma = (s[:, None, None, None] for s in (scene.sigma, scene.gamma))
    triangles = pairs.triangle(safe[:, :, None, None])
    covered = pairs.cover(task.options, x, y[:, None], triangles, sigma)
    color = None
    if scene.attributes is not None:
        color = _colors(scene, task, covered.weights)
        if task.lookup.transparent:
            color, opacity = color[:, :, :-1], color[:, :, -1]
            covered = pairs.fade(covered, opacity)
    pair = pairs.contribute(task.options, covered, gamma, face_count=faces)
    return pair, color, valid[:, :, None, None]


def blend(scene: Scene, task: Task) -> Blend:
    """Renders soft images, dense, differentiated by JAX.

    Args:
        scene: a batch of faces.
        task: the image to render.

    Returns:
        See `Blend`.

    Raises:
        ValueError: more face-pixel pairs than `LIMIT`.
    """
    pair, color, valid = evaluate_all(scene, task)
    total = jnp.sum(jnp.where(valid, pair.contribution, 0), axis=1)
    if color is None:
        return Blend(total)
    colored = valid & pair.colored
    lowest = jnp.finfo(total.dtype).min
    nearness = jnp.where(colored, pair.nearness, lowest)
    highest = jax.lax.stop_gradient(jnp.max(nearness, axis=1, initial=lowest))
    relative = jnp.where(colored, pair.nearness - highest[:, None], 0)
    weight = jnp.where(colored, pair.probability * jnp.exp(relative), 0)
    weight_sum = jnp.sum(weight, axis=1)

    any_face = weight_sum > 0
    divisor = jnp.where(any_face, weight_sum, 1)
    # a face that is not drawn may have any colour, also NaN
    color = jnp.where(colored[:, :, None], color, 0)
    mean = jnp.sum(weight[:, :, None] * color, axis=1) / divisor[:, None]
    return Blend(total, jnp.where(any_face, highest + jnp.log(divisor), lowest), mean)


def _colors(scene: Scene, task: Task, weights: shading.Weights) -> jax.Array:
    """Colours ``[B, F, C, H, W]``, with the opacity."""
    assert scene.attributes is not None
    values, texels, light = scene.attributes
    batch, faces = scene.face_vertices.shape[:2]
    found = None
    if texels is not None:
        number = jnp.arange(faces)[:, None, None]
        index = shading.footprint(task.lookup, weights, values, number)
        textures, texels_each, _ = texels.shape
        texture = jnp.arange(batch)[:, None, None, None] // (batch // textures)
        index = texture * texels_each + index
        found = shading.look_up(task.lookup, texels, index, lambda a, k: a[k])
    return shading.color(task.lookup, weights, values, found, light)
