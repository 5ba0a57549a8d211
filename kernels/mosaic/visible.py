"""The nearest face at each pixel on NVIDIA GPUs, by a Pallas kernel for Mosaic GPU.

Depth and number of a face make one integer of 64 bits, of which each pixel keeps the
least: whatever the order, the nearest face, and of several at equal depth the first.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import fixed_point as mosaic_fixed_point
from jaxsoftras.kernels.mosaic import run as mosaic_run
from jaxsoftras.kernels.pallas import blend_kernels
from jaxsoftras.kernels.pallas import visible as visible_pallas
from jaxsoftras.kernels.scene import Scene, Task

_GROUP = 8  # lanes that walk a face


def _kernel(run: mosaic_run.Run, key_ref):
    def of_pair(pixels, triangle, sigma, gamma):
        pair = blend_kernels.evaluate(run, pixels, triangle, sigma, gamma)
        return pair.depth, pair.visible & pixels.inside

    def visit(face, _due, triangle, walk, _lanes):
        def look(state, pixels):
            depth, visible = run.each(of_pair, pixels, triangle, run.sigma, run.gamma)
            run.lower_key(key_ref, pixels, depth, face, visible)
            return state

        walk(look, ())

    run.each_face(visit)


def _visible(scene: Scene, *, task: Task, interpret: bool) -> jax.Array:
    batch = len(scene.sigma)
    blank = mosaic_fixed_point.words(batch, task.height * task.width, fill=0xFFFFFFFF)
    (key,), _ = mosaic_run.call(
        _kernel,
        scene,
        [],
        [blank],
        task=task,
        group=_GROUP,
        interpret=interpret,
        name="nearest_face",
    )
    # the words of no face, as an integer with a sign, are -1
    face = lax.bitcast_convert_type(key[..., 0], jnp.int32)
    return face.reshape(batch, task.height, task.width)


def visible_mosaic(scene: Scene, task: Task, *, interpret: bool = False) -> jax.Array:
    """`visible_pallas`, for NVIDIA GPUs of compute capability 9.0 or higher."""
    return visible_pallas.visible_pallas(
        scene, task, _visible, interpret=interpret, effects=True
    )
