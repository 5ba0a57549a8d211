"""The nearest face at each pixel by a Pallas kernel, for any backend of Pallas."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels import batching, partitioning
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.xla import visible as xla_visible


def visible(
    scene: Scene,
    task: Task,
    nearest_face: Callable[..., jax.Array],
    *,
    interpret: bool,
    interpreter_effects: bool,
) -> jax.Array:
    """Finds the nearest face at each pixel, equal to the reference.

    Double precision and empty batches are left to `xla.visible`.

    Args:
        scene: a batch of faces with depths; attributes are not needed.
        task: the image to render.
        nearest_face: launches the kernel; takes a scene, and ``task`` and ``interpret``
            as keywords.
        interpret: whether Pallas interprets the kernel.
        interpreter_effects: whether the interpreter has side effects, which forbid
            partitioning over devices.

    Returns:
        ``[B, H, W]`` int32, -1 where there is none; the first of faces at equal depth.
    """
    if scene.face_vertices.dtype != jnp.float32 or 0 in scene.face_vertices.shape:
        return xla_visible.visible(scene, task)
    # neither the soft rim of a face nor the T-conorm matters here
    options = dataclasses.replace(
        task.options,
        distance="hard",
        distribution="logistic",
        conorm="probabilistic",
    )
    task = task._replace(options=options)
    scene = scene._replace(attributes=None)
    scene = jax.tree.map(lambda x: lax.stop_gradient(x.astype(jnp.float32)), scene)
    run = functools.partial(nearest_face, task=task, interpret=interpret)
    if not (interpret and interpreter_effects):
        run = partitioning.shard_by_image(run, lambda scene: scene.sigma[:, None, None])
    return batching.fold_batch(run)(scene)
