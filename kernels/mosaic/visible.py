"""The nearest face at each pixel by a Mosaic kernel.

Depth and index of a face make one integer of 64 bits, of which each pixel keeps the
least: whatever the order, the nearest face, and of several at equal depth the first.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import fixed_point as exact
from jaxsoftras.kernels.mosaic import run as runs
from jaxsoftras.kernels.pallas import blend_kernels
from jaxsoftras.kernels.pallas import visible as pallas_visible
from jaxsoftras.kernels.scene import Scene, Task

_LANES_PER_FACE = 8


def _kernel(run: runs.MosaicRun, key_ref):
    def evaluate_pair(pixels, triangle, sigma, gamma):
        pair = blend_kernels.evaluate(run, pixels, triangle, sigma, gamma)
        return pair.depth, pair.visible & pixels.inside

    def visit(face, _writes, triangle, walk, _lanes):
        def look(state, pixels):
            depth, visible = run.map_elementwise(
                evaluate_pair, pixels, triangle, run.sigma, run.gamma
            )
            run.atomic_min_key(key_ref, pixels, depth, face, visible)
            return state

        walk(look, ())

    run.each_face(visit)


def _nearest_face(scene: Scene, *, task: Task, interpret: bool) -> jax.Array:
    batch = len(scene.sigma)
    blank = exact.int64_full(batch, task.height * task.width, fill=0xFFFFFFFF)
    (key,), _ = runs.launch_kernel(
        _kernel,
        scene,
        [],
        [blank],
        task=task,
        lanes_per_face=_LANES_PER_FACE,
        interpret=interpret,
        name="nearest_face",
    )
    # a pixel without a face keeps 0xFFFFFFFF, which is -1 as int32
    face = lax.bitcast_convert_type(key[..., 0], jnp.int32)
    return face.reshape(batch, task.height, task.width)


def visible(scene: Scene, task: Task, *, interpret: bool = False) -> jax.Array:
    """`pallas.visible` by Mosaic."""
    return pallas_visible.visible(
        scene, task, _nearest_face, interpret=interpret, interpreter_effects=True
    )
