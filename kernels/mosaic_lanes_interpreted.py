"""`mosaic_lanes` for Pallas' interpreter, which runs no MLIR and no PTX; for tests."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic_lanes import LANES


def number() -> jax.Array:
    """See `mosaic_lanes.number`."""
    return lax.iota(jnp.int32, LANES)


def load(ref, place):
    """See `mosaic_lanes.load`."""
    return ref[...][place]


def store(ref, place, values, mask):
    """See `mosaic_lanes.store`."""
    place = jnp.where(mask, place, ref.shape[1])
    ref[...] = ref[...].at[:, place].set(jnp.stack(values), mode="drop")


def add(ref, place, value, mask, fraction):
    """See `mosaic_lanes.add`."""
    units = jnp.where(mask, value, 0) * 2.0**fraction
    high = jnp.floor(units * 2.0**-32)
    low = (units - high * 2.0**32).astype(jnp.uint32)
    # in quarters, so that the sum over all lanes fits, and carries show
    quarters = (low & 0xFFFF, low >> 16, high.astype(jnp.uint32))
    words = ref[...]
    zeros = jnp.zeros_like(words[:, 0])
    first, second, top = (zeros.at[place].add(quarter) for quarter in quarters)
    first += words[:, 0] & 0xFFFF
    second += (words[:, 0] >> 16) + (first >> 16)
    top += words[:, 1] + (second >> 16)
    ref[...] = jnp.stack([(second << 16) | (first & 0xFFFF), top], axis=1)


def exchange(value, distance):
    """See `mosaic_lanes.exchange`."""
    return value[number() ^ distance]


def reciprocal(value):
    """See `mosaic_lanes.reciprocal`."""
    return 1 / value


def repeat(count, body, state):
    """See `mosaic_lanes.repeat`."""

    def step(index, state):
        active = index < count

        def keep(new, old):
            return jnp.where(active, new, old)

        return jax.tree.map(keep, body(active, state), state)

    return lax.fori_loop(0, jnp.max(count), step, state)
