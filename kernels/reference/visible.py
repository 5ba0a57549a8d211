"""The nearest face as its definition reads: every face at every pixel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras.kernels.reference import blend
from jaxsoftras.kernels.scene import Scene, Task


def visible(scene: Scene, task: Task) -> jax.Array:
    """Finds the nearest face at each pixel.

    Args:
        scene: a batch of faces; attributes are not needed.
        task: the image to render.

    Returns:
        ``[B, H, W]`` int32, -1 where there is none; the first of faces at equal depth.

    Raises:
        ValueError: more face-pixel pairs than `blend.LIMIT`.
    """
    pair, _, valid = blend.evaluate_all(scene._replace(attributes=None), task)
    depth = jnp.where(valid & pair.visible, pair.depth, jnp.inf)
    if depth.shape[1] == 0:
        return jnp.full((len(depth), task.height, task.width), -1, jnp.int32)
    nearest = jnp.argmin(depth, axis=1).astype(jnp.int32)
    return jnp.where(jnp.isfinite(jnp.min(depth, axis=1)), nearest, -1)
