"""The soft picture on NVIDIA GPUs, by Pallas kernels for Triton.

Like those of `silhouette_triton`, the kernels walk the pixels of each face
(`face_walk`), and sums over faces are exact (`triton_fixed_point`), so that their order
does not matter.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.pallas import blend as blend_pallas
from jaxsoftras.kernels.pallas import blend_kernels, fixed_point
from jaxsoftras.kernels.scene import Blend, Scene, Task
from jaxsoftras.kernels.triton import faces as face_program
from jaxsoftras.kernels.triton import fixed_point as triton_fixed_point
from jaxsoftras.kernels.triton import run as triton_run
from jaxsoftras.kernels.triton import sums as ordered_sum


def _block(task: Task, wide_from: int = 384) -> face_program.Block:
    """Faces and lanes of a program; docs/kernels.md has the timings of others.

    Args:
        task: for the size of the image: in large ones faces have more pixels.
        wide_from: from how many pixels along a side a face has all lanes.
    """
    if min(task.height, task.width) < wide_from:
        return face_program.Block(faces=2, lanes=16)
    return face_program.Block(faces=1, lanes=32)


def _blank(scene: Scene, dtype, *shape: int, fill: float = 0) -> jax.Array:
    """``[B, *shape]`` on the devices that hold the scene."""
    like = scene.face_vertices
    return jnp.full_like(like, fill, dtype, shape=(like.shape[0], *shape))


class _Triton:
    """See `blend_pallas.Backend`."""

    effects = False

    def total(self, scene, task, *, interpret):
        size = task.height, task.width
        colored = scene.attributes is not None
        with jax.enable_x64(True):  # for the doubles of the sums, and no others
            least = _blank(scene, jnp.float32, *size, fill=jnp.inf) if colored else None
            scene = scene._replace(attributes=None)
            (total, least), _ = triton_run.call(
                blend_kernels.total_kernel,
                scene,
                [],
                [_blank(scene, jnp.float64, *size), least],
                program=triton_run.program_for(scene, task, _block(task), interpret),
                name="blend_total",
            )
            return total.astype(jnp.float32), least

    def colors(self, scene, level, task, *, interpret):
        channels = scene.attributes.channels
        size = task.height, task.width
        block = _block(task, wide_from=128)
        with jax.enable_x64(True):
            (weight, sums), _ = triton_run.call(
                blend_kernels.color_kernel,
                scene,
                [level, fixed_point.power_above(blend_pallas.largest_color(scene))],
                # apart, so that the one is gone before the other is read
                [_blank(scene, jnp.float64, *x) for x in (size, (channels, *size))],
                program=triton_run.program_for(scene, task, block, interpret),
                name="blend_color",
            )
            weight = lax.optimization_barrier(weight.astype(jnp.float32))
            divisor = jnp.where(weight > 0, weight, 1)
            colors = [sums[:, c] / divisor for c in range(channels)]
            return weight, [color.astype(jnp.float32) for color in colors]

    def gradient(self, scene, cotangents, task, *, interpret):
        attributes = scene.attributes
        texels = None if attributes is None else attributes.texels
        with jax.enable_x64(True):
            units = sums = None
            if texels is not None:
                sums = jnp.zeros_like(texels, jnp.float64)
                images = len(scene.sigma) // len(texels)
                unit = triton_fixed_point.unit_for(images * task.height * task.width)
                largest = blend_pallas.largest_texel_gradient(scene, cotangents)
                units = unit * fixed_point.power_above(largest)
                units = jnp.repeat(units, images, axis=0)
            (texels,), by_face = triton_run.call(
                blend_kernels.gradient_kernel,
                scene,
                [cotangents, units],
                [sums],
                blend_pallas.columns(scene),
                program=triton_run.program_for(scene, task, _block(task), interpret),
                name="blend_gradient",
            )
            texels = None if texels is None else texels.astype(jnp.float32)
        vertices, sigma, gamma, *rest = map(ordered_sum.over_parts, by_face)
        sigma, gamma = (
            ordered_sum.over_faces(x[..., 0], interpret=interpret)
            for x in (sigma, gamma)
        )
        return blend_pallas.gradient_like(
            scene, [vertices, *rest], sigma, gamma, texels
        )


_BACKEND = _Triton()


def blend_triton(scene: Scene, task: Task, *, interpret: bool = False) -> Blend:
    """`blend_pallas`, for NVIDIA GPUs of compute capability 8.0 or higher."""
    return blend_pallas.blend_pallas(scene, task, _BACKEND, interpret=interpret)
