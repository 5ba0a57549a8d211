"""The nearest face at each pixel by a Pallas kernel, for either backend of Pallas."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels import batching, partitioning
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.xla import visible as visible_xla


def visible_pallas(
    scene: Scene,
    task: Task,
    find: Callable[..., jax.Array],
    *,
    interpret: bool,
    effects: bool,
) -> jax.Array:
    """The nearest face at each pixel, equal to `visible_reference`.

    Double precision and empty batches are left to `visible_xla`.

    Args:
        scene: a batch of faces with depths; attributes are not needed.
        task: what to draw.
        find: the kernel: of a scene, and of ``task`` and ``interpret`` as keywords.
        interpret: whether Pallas interprets the kernel.
        effects: whether Pallas' interpreter has side effects, which forbid
            partitioning.

    Returns:
        ``[B, H, W]`` int32, -1 where there is none; the first of faces at equal depth.
    """
    if scene.face_vertices.dtype != jnp.float32 or 0 in scene.face_vertices.shape:
        return visible_xla.visible_xla(scene, task)
    # what is drawn beyond a face plays no part
    task = task._replace(rules=task.rules._replace(distance="hard"))
    scene = scene._replace(attributes=None)
    scene = jax.tree.map(lambda x: lax.stop_gradient(x.astype(jnp.float32)), scene)
    run = functools.partial(find, task=task, interpret=interpret)
    if not (interpret and effects):
        run = partitioning.trees_by_image(run, lambda scene: scene.sigma[:, None, None])
    return batching.fold_batch(run)(scene)
