"""Soft images by Triton kernels, for NVIDIA GPUs of compute capability 8.0 or higher.

The kernels walk the pixels of each face (`walk`), and sums over faces are exact
(`fixed_point`), so that their order does not matter.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.pallas import backend as backends
from jaxsoftras.kernels.pallas import blend as pallas_blend
from jaxsoftras.kernels.pallas import blend_kernels, fixed_point
from jaxsoftras.kernels.scene import Blend, Scene, Task
from jaxsoftras.kernels.triton import faces as face_blocks
from jaxsoftras.kernels.triton import fixed_point as exact
from jaxsoftras.kernels.triton import run as runs
from jaxsoftras.kernels.triton import silhouette


def _choose_block(task: Task, wide_from: int = 384) -> face_blocks.Block:
    """Faces and lanes of a program; docs/kernels-log.md has timings of others.

    Args:
        task: the image to render: in a large one, faces have more pixels.
        wide_from: number of pixels along a side from which on a face has all lanes.
    """
    if min(task.height, task.width) < wide_from:
        return face_blocks.Block(faces=2, lanes=16)
    return face_blocks.Block(faces=1, lanes=32)


def _blank(scene: Scene, dtype, *shape: int, fill: float = 0) -> jax.Array:
    """``[B, *shape]`` on the devices that hold the scene."""
    like = scene.face_vertices
    return jnp.full_like(like, fill, dtype, shape=(like.shape[0], *shape))


def _total(scene: Scene, task: Task, *, interpret: bool):
    size = task.height, task.width
    colored = scene.attributes is not None
    with jax.enable_x64(True):  # for the doubles of the sums, and no others
        least = _blank(scene, jnp.float32, *size, fill=jnp.inf) if colored else None
        scene = scene._replace(attributes=None)
        (total, least), _ = runs.launch_kernel(
            blend_kernels.total_kernel,
            scene,
            [],
            [_blank(scene, jnp.float64, *size), least],
            launch=runs.plan_launch(scene, task, _choose_block(task), interpret),
            name="blend_total",
        )
        return total.astype(jnp.float32), least


def _color(scene: Scene, level: jax.Array, task: Task, *, interpret: bool):
    assert scene.attributes is not None
    channels = scene.attributes.channels
    size = task.height, task.width
    block = _choose_block(task, wide_from=128)
    with jax.enable_x64(True):
        scales = fixed_point.next_power_of_two(pallas_blend.largest_color(scene))
        (weight, totals), _ = runs.launch_kernel(
            blend_kernels.color_kernel,
            scene,
            [level, scales],
            # separate arrays: the weights are freed before the colours are read
            [_blank(scene, jnp.float64, *x) for x in (size, (channels, *size))],
            launch=runs.plan_launch(scene, task, block, interpret),
            name="blend_color",
        )
        weight = lax.optimization_barrier(weight.astype(jnp.float32))
        divisor = jnp.where(weight > 0, weight, 1)
        colors = [totals[:, c] / divisor for c in range(channels)]
        return weight, [color.astype(jnp.float32) for color in colors]


def _gradient(
    scene: Scene, cotangents: backends.Cotangents, task: Task, *, interpret: bool
) -> Scene:
    attributes = scene.attributes
    texels = None if attributes is None else attributes.texels
    with jax.enable_x64(True):
        quanta = totals = None
        if texels is not None:
            totals = jnp.zeros_like(texels, jnp.float64)
            images = len(scene.sigma) // len(texels)
            quantum = exact.choose_quantum(images * task.height * task.width)
            largest = pallas_blend.largest_texel_gradient(scene, cotangents)
            quanta = quantum * fixed_point.next_power_of_two(largest)
            quanta = jnp.repeat(quanta, images, axis=0)
        (texels,), by_face = runs.launch_kernel(
            blend_kernels.gradient_kernel,
            scene,
            [cotangents, quanta],
            [totals],
            pallas_blend.count_columns(scene),
            launch=runs.plan_launch(scene, task, _choose_block(task), interpret),
            name="blend_gradient",
        )
        texels = None if texels is None else texels.astype(jnp.float32)
    vertices, sigma, gamma, *rest = by_face
    sigma, gamma = (fixed_point.tree_sum(x[..., 0], axis=1) for x in (sigma, gamma))
    return pallas_blend.as_gradient(scene, [vertices, *rest], sigma, gamma, texels)


BACKEND = backends.Backend(
    total=_total,
    color=_color,
    gradient=_gradient,
    silhouette=silhouette.optical_depth,
    silhouette_gradient=silhouette.gradient,
    interpreter_effects=False,
)


def blend(scene: Scene, task: Task, *, interpret: bool = False) -> Blend:
    """`pallas.blend` by Triton."""
    return pallas_blend.blend(scene, task, backend=BACKEND, interpret=interpret)
