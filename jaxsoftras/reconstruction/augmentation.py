"""Changes of training batches that show more than the data set holds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, data
from jaxsoftras.data import rig
from jaxsoftras.data.threefry import random_bits

# `jaxsoftras.data.drawing` counts up from 0 with the same key
_FIRST_COUNTER = 2**31


def augment(
    batch: data.PairBatch, settings: config.Augment, *, seed: int, step: jax.Array
) -> data.PairBatch:
    """Changes a batch at random, by seed and step alone.

    Args:
        batch: B objects.
        settings: what to change.
        seed: seed of the run.
        step: number of the batch, a scalar.
    """
    if settings.mirror:
        batch = _mirror(batch, _flip_coins(len(batch.images_a), seed, step))
    return batch


def _flip_coins(count: int, seed: int, step: jax.Array) -> jax.Array:
    """Draws ``[count]`` bool, each of both values equally likely."""
    key = [jnp.asarray([word], jnp.uint32) for word in (seed % 2**32, seed >> 32)]
    places = jnp.arange(count, dtype=jnp.uint32) + jnp.uint32(_FIRST_COUNTER)
    bits, _ = random_bits(key, (step.astype(jnp.uint32).reshape(1), places), jnp)
    return bits % 2 == 1


def _mirror(batch: data.PairBatch, chosen: jax.Array) -> data.PairBatch:
    """Shows chosen objects as their mirror images in the plane x = 0.

    The image of a mirrored object from a mirrored camera is the mirrored image.
    """

    def choose(mirrored: jax.Array, plain: jax.Array | np.ndarray) -> jax.Array:
        return jnp.where(chosen.reshape(-1, *[1] * (plain.ndim - 1)), mirrored, plain)

    def choose_cameras(plain: rig.Viewpoints) -> rig.Viewpoints:
        return jax.tree.map(choose, rig.mirror(plain), plain)

    return data.PairBatch(
        choose(jnp.flip(batch.images_a, -1), batch.images_a),
        choose(jnp.flip(batch.images_b, -1), batch.images_b),
        choose_cameras(batch.cameras_a),
        choose_cameras(batch.cameras_b),
    )
