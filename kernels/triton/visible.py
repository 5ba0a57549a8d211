"""The nearest face at each pixel by a Triton kernel.

Depth and index of a face make one number, of which each pixel keeps the least: whatever
the order, the nearest face, and of several at equal depth the first.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.pallas import blend_kernels
from jaxsoftras.kernels.pallas import visible as pallas_visible
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.triton import faces as face_blocks
from jaxsoftras.kernels.triton import run as runs
from jaxsoftras.kernels.xla import visible as xla_visible

_BLOCK = face_blocks.Block(faces=2, lanes=16)
# A double holds integers below 2**53: the 32 bits of a depth, and this many faces.
_FACES = 1 << 21


def _key(depth: jax.Array, face: jax.Array) -> jax.Array:
    """Ordered by depth, then by face; the bits of positive floats are in order."""
    bits = lax.bitcast_convert_type(depth, jnp.int32)
    return bits.astype(jnp.float64) * _FACES + face.astype(jnp.float64)


def _kernel(run: runs.TritonRun, key_ref):
    def visit(face, _writes, triangle, walk, _lanes):
        def look(state, pixels):
            pair = blend_kernels.evaluate(run, pixels, triangle, run.sigma, run.gamma)
            visible = pair.visible & pixels.inside
            run.atomic_min(key_ref, pixels, _key(pair.depth, face), visible)
            return state

        walk(look, ())

    run.each_face(visit)


def _nearest_face(scene: Scene, *, task: Task, interpret: bool) -> jax.Array:
    launch = runs.plan_launch(scene, task, _BLOCK, interpret)
    like = scene.face_vertices
    shape = (like.shape[0], task.height, task.width)
    with jax.enable_x64(True):  # for the doubles of this one image
        blank = jnp.full_like(like, jnp.inf, jnp.float64, shape=shape)
        (key,), _ = runs.launch_kernel(
            _kernel, scene, [], [blank], launch=launch, name="nearest_face"
        )
        shown = key < jnp.inf
        key = jnp.where(shown, key, 0)
        face = (key - jnp.floor(key / _FACES) * _FACES).astype(jnp.int32)
        return jnp.where(shown, face, jnp.int32(-1))


def visible(scene: Scene, task: Task, *, interpret: bool = False) -> jax.Array:
    """`pallas.visible` by Triton; `xla.visible` for more than two million faces."""
    if scene.face_vertices.shape[1] > _FACES:
        return xla_visible.visible(scene, task)
    return pallas_visible.visible(
        scene, task, _nearest_face, interpret=interpret, interpreter_effects=False
    )
