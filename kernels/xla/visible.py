"""The nearest face over an exact work list: portable, and the fast path on a CPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.xla import walk as walks
from jaxsoftras.kernels.xla import worklist


def _visible(scene: Scene, walk: walks.Walk) -> jax.Array:
    nobody = jnp.iinfo(jnp.int32).max

    def visit(carry, items, faces):
        nearest, winner = carry
        pair = walk.contribute(scene, faces, walk.cover(items, faces))
        shown = pair.visible & items.valid[:, None, None]
        # compared with itself below: it must not be computed twice, rounded differently
        depth = lax.optimization_barrier(jnp.where(shown, pair.depth, jnp.inf))
        nearer = nearest.at[items.tile].min(depth, mode="drop")
        first = shown & (depth <= worklist.gather_tiles(nearer, items))
        candidate = jnp.where(first, items.face[:, None, None], nobody)
        winner = jnp.where(nearer < nearest, nobody, winner)
        return nearer, winner.at[items.tile].min(candidate, mode="drop")

    carry = (
        walk.blank(scene, fill=jnp.inf),
        jnp.full_like(walk.blank(scene), nobody, jnp.int32),
    )
    _, winner = walk.fold(visit, carry, scene)
    winner = worklist.from_tiles(winner, walk.grid)
    faces = scene.face_vertices.shape[1]
    return jnp.where(winner < nobody, winner % max(faces, 1), -1)


def visible(scene: Scene, task: Task) -> jax.Array:
    """Finds the nearest face at each pixel, equal to the reference.

    Args:
        scene: a batch of faces; attributes are not needed.
        task: the image to render.

    Returns:
        ``[B, H, W]`` int32, -1 where there is none; the first of faces at equal depth.
    """
    scene = jax.tree.map(lax.stop_gradient, scene._replace(attributes=None))
    find = walks.walk_by_image(
        _visible, task, walks.COLOR_CHUNKS, lambda scene: scene.sigma[:, None, None]
    )
    return find(scene)
