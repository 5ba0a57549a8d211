"""The soft picture on NVIDIA GPUs, by Pallas kernels for Mosaic GPU.

As in `silhouette_mosaic`, a group of lanes walks the pixels of a face, and sums over
faces are integers, so that their order does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import fixed_point as mosaic_fixed_point
from jaxsoftras.kernels.mosaic import run as mosaic_run
from jaxsoftras.kernels.mosaic import sums as mosaic_sum
from jaxsoftras.kernels.pallas import blend as blend_pallas
from jaxsoftras.kernels.pallas import blend_kernels, fixed_point
from jaxsoftras.kernels.scene import Blend, Scene, Task

_INFINITY = 0x7F800000  # the bits of this float


class _Groups(NamedTuple):
    """Lanes that walk a face, in each kernel."""

    total: int
    color: int
    gradient: int


def _groups(task: Task) -> _Groups:
    """In large images faces have more pixels; docs/kernels.md has the timings."""
    if min(task.height, task.width) < 384:
        return _Groups(total=8, color=8, gradient=4)
    return _Groups(total=8, color=16, gradient=8)


class _Mosaic:
    """See `blend_pallas.Backend`."""

    effects = True

    def total(self, scene, task, *, interpret):
        batch, faces = scene.face_vertices.shape[:2]
        pixels = task.height * task.width
        least = None
        if scene.attributes is not None:
            least = jnp.full((batch, pixels), _INFINITY, jnp.uint32)
        (total, least), _ = mosaic_run.call(
            blend_kernels.total_kernel,
            scene._replace(attributes=None),
            [],
            [mosaic_fixed_point.words(batch, pixels), least],
            task=task,
            group=_groups(task).total,
            interpret=interpret,
            name="blend_total",
        )
        shape = batch, task.height, task.width
        total = mosaic_fixed_point.floats(
            total, mosaic_fixed_point.depth_unit(faces)
        ).reshape(shape)
        if least is not None:
            least = lax.bitcast_convert_type(least, jnp.float32).reshape(shape)
        return total, least

    def colors(self, scene, level, task, *, interpret):
        batch, faces = scene.face_vertices.shape[:2]
        channels = scene.attributes.channels
        pixels = task.height * task.width
        shape = batch, task.height, task.width
        scale = fixed_point.power_above(blend_pallas.largest_color(scene))
        (weight, sums), _ = mosaic_run.call(
            blend_kernels.color_kernel,
            scene,
            [level.reshape(batch, -1), scale],
            # apart, so that the one is gone before the other is read
            [mosaic_fixed_point.words(batch, n * pixels) for n in (1, channels)],
            task=task,
            group=_groups(task).color,
            interpret=interpret,
            name="blend_color",
        )
        unit = mosaic_fixed_point.unit_for(faces)
        weight = mosaic_fixed_point.floats(weight, unit).reshape(shape)
        weight = lax.optimization_barrier(weight)
        factor = unit / jnp.where(weight > 0, weight, 1)
        sums = sums.reshape(batch, channels, *shape[1:], 2)
        return weight, [
            mosaic_fixed_point.floats(sums[:, c], factor) * scale[:, c, None, None]
            for c in range(channels)
        ]

    def gradient(self, scene, cotangents, task, *, interpret):
        batch, faces = scene.face_vertices.shape[:2]
        columns = blend_pallas.columns(scene)
        attributes = scene.attributes
        texels = None if attributes is None else attributes.texels
        largest = units = sums = None
        unit = 1.0
        if texels is not None:
            images = batch // len(texels)
            unit = mosaic_fixed_point.unit_for(images * task.height * task.width)
            largest = blend_pallas.largest_texel_gradient(scene, cotangents)
            largest = fixed_point.power_above(largest)
            units = jnp.repeat(unit * largest, images, axis=0)
            sums = mosaic_fixed_point.words(len(texels), texels[0].size)
        cotangents = jax.tree.map(lambda x: x.reshape(batch, -1), cotangents)
        (sums,), found = mosaic_run.call(
            blend_kernels.gradient_kernel,
            scene,
            [cotangents, units],
            [sums],
            sum(columns),
            task=task,
            group=_groups(task).gradient,
            interpret=interpret,
            name="blend_gradient",
            team=4,
        )
        if texels is not None:
            texels = mosaic_fixed_point.floats(sums, unit).reshape(texels.shape)
            texels = texels * largest[:, None]
        vertices = columns[0]
        sigma, gamma = (
            mosaic_sum.over_faces(found, row, interpret=interpret)
            for row in (vertices, vertices + 1)
        )
        by_face, first = [], 0
        for count in columns:
            part = found[:, first : first + count]
            by_face.append(jnp.swapaxes(part, 1, 2))
            first += count
        vertices, _, _, *rest = by_face
        return blend_pallas.gradient_like(
            scene, [vertices, *rest], sigma, gamma, texels
        )


_BACKEND = _Mosaic()


def blend_mosaic(scene: Scene, task: Task, *, interpret: bool = False) -> Blend:
    """`blend_pallas`, for NVIDIA GPUs of compute capability 9.0 or higher."""
    return blend_pallas.blend_pallas(scene, task, _BACKEND, interpret=interpret)
