"""Soft images by Mosaic kernels, for NVIDIA GPUs of compute capability 9.0 or higher.

A few lanes walk the pixels of a face (`walk`), and sums over faces are integers
(`fixed_point`), so that their order does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import fixed_point as exact
from jaxsoftras.kernels.mosaic import run as runs
from jaxsoftras.kernels.mosaic import silhouette
from jaxsoftras.kernels.pallas import backend as backends
from jaxsoftras.kernels.pallas import blend as pallas_blend
from jaxsoftras.kernels.pallas import blend_kernels, fixed_point
from jaxsoftras.kernels.scene import Blend, Scene, Task

_INFINITY = 0x7F800000  # the bits of this float


class _LanesPerFace(NamedTuple):
    """Lanes that walk a face, in each kernel."""

    total: int
    color: int
    gradient: int


def _choose_lanes(task: Task) -> _LanesPerFace:
    """In large images faces have more pixels; docs/kernels-log.md has the timings."""
    if min(task.height, task.width) < 384:
        return _LanesPerFace(total=8, color=8, gradient=4)
    return _LanesPerFace(total=8, color=16, gradient=8)


def _total(scene: Scene, task: Task, *, interpret: bool):
    batch, faces = scene.face_vertices.shape[:2]
    pixels = task.height * task.width
    least = None
    if scene.attributes is not None:
        least = jnp.full((batch, pixels), _INFINITY, jnp.uint32)
    (words, least), _ = runs.launch_kernel(
        blend_kernels.total_kernel,
        scene._replace(attributes=None),
        [],
        [exact.int64_full(batch, pixels), least],
        task=task,
        lanes_per_face=_choose_lanes(task).total,
        interpret=interpret,
        name="blend_total",
    )
    shape = batch, task.height, task.width
    total = exact.to_float32(words, exact.choose_depth_quantum(faces)).reshape(shape)
    if least is not None:
        least = lax.bitcast_convert_type(least, jnp.float32).reshape(shape)
    return total, least


def _color(scene: Scene, level: jax.Array, task: Task, *, interpret: bool):
    assert scene.attributes is not None
    batch, faces = scene.face_vertices.shape[:2]
    channels = scene.attributes.channels
    pixels = task.height * task.width
    shape = batch, task.height, task.width
    scales = fixed_point.next_power_of_two(pallas_blend.largest_color(scene))
    (weight, totals), _ = runs.launch_kernel(
        blend_kernels.color_kernel,
        scene,
        [level.reshape(batch, -1), scales],
        # separate arrays: the weights are freed before the colours are read
        [exact.int64_full(batch, n * pixels) for n in (1, channels)],
        task=task,
        lanes_per_face=_choose_lanes(task).color,
        interpret=interpret,
        name="blend_color",
    )
    quantum = exact.choose_quantum(faces)
    weight = exact.to_float32(weight, quantum).reshape(shape)
    weight = lax.optimization_barrier(weight)
    factor = quantum / jnp.where(weight > 0, weight, 1)
    totals = totals.reshape(batch, channels, *shape[1:], 2)
    return weight, [
        exact.to_float32(totals[:, c], factor) * scales[:, c, None, None]
        for c in range(channels)
    ]


def _gradient(
    scene: Scene, cotangents: backends.Cotangents, task: Task, *, interpret: bool
) -> Scene:
    batch = len(scene.sigma)
    columns = pallas_blend.count_columns(scene)
    attributes = scene.attributes
    texels = None if attributes is None else attributes.texels
    scales = quanta = totals = None
    quantum = 1.0
    if texels is not None:
        images = batch // len(texels)
        quantum = exact.choose_quantum(images * task.height * task.width)
        largest = pallas_blend.largest_texel_gradient(scene, cotangents)
        scales = fixed_point.next_power_of_two(largest)
        quanta = jnp.repeat(quantum * scales, images, axis=0)
        totals = exact.int64_full(len(texels), texels[0].size)
    cotangents = jax.tree.map(lambda x: x.reshape(batch, -1), cotangents)
    (totals,), gradients = runs.launch_kernel(
        blend_kernels.gradient_kernel,
        scene,
        [cotangents, quanta],
        [totals],
        sum(columns),
        task=task,
        lanes_per_face=_choose_lanes(task).gradient,
        warpgroups=4,
        interpret=interpret,
        name="blend_gradient",
    )
    assert gradients is not None
    if texels is not None and scales is not None:
        texels = exact.to_float32(totals, quantum).reshape(texels.shape)
        texels = texels * scales[:, None]
    vertices = columns[0]
    sigma, gamma = (
        fixed_point.tree_sum(gradients[:, row], axis=1)
        for row in (vertices, vertices + 1)
    )
    by_face, first = [], 0
    for count in columns:
        by_face.append(jnp.swapaxes(gradients[:, first : first + count], 1, 2))
        first += count
    vertices, _, _, *rest = by_face
    return pallas_blend.as_gradient(scene, [vertices, *rest], sigma, gamma, texels)


BACKEND = backends.Backend(
    total=_total,
    color=_color,
    gradient=_gradient,
    silhouette=silhouette.optical_depth,
    silhouette_gradient=silhouette.gradient,
    interpreter_effects=True,
)


def blend(scene: Scene, task: Task, *, interpret: bool = False) -> Blend:
    """`pallas.blend` by Mosaic."""
    return pallas_blend.blend(scene, task, backend=BACKEND, interpret=interpret)
