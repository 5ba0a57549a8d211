"""Lanes for Pallas' interpreter, which runs no MLIR and no PTX; for tests."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic.lanes import GPU, LANES, Lanes


class InterpretedLanes:
    """`Lanes` as plain JAX."""

    def lane_id(self) -> jax.Array:
        """See `Lanes.lane_id`."""
        return lax.iota(jnp.int32, LANES)

    def load(self, ref, place):
        """See `Lanes.load`."""
        return ref[...][place]

    def store(self, ref, place, values, mask):
        """See `Lanes.store`."""
        place = jnp.where(mask, place, ref.shape[1])
        ref[...] = ref[...].at[:, place].set(jnp.stack(values), mode="drop")

    def map_elementwise(self, function, *arguments):
        """See `Lanes.map_elementwise`."""
        return function(*arguments)

    def add(self, ref, place, value, mask):
        """See `Lanes.add`."""
        units = jnp.round(jnp.where(mask, value, 0))
        size = jnp.abs(units)
        high = jnp.floor(size * 2.0**-32)
        low, high = (part.astype(jnp.uint32) for part in (size - high * 2.0**32, high))
        negative = units < 0
        high = jnp.where(negative, ~high + (low == 0), high)
        low = jnp.where(negative, ~low + 1, low)
        # in quarters, so that the sum over all lanes fits, and carries show
        quarters = (low & 0xFFFF, low >> 16, high & 0xFFFF, high >> 16)
        words = ref[...]
        zeros = jnp.zeros_like(words[:, 0])
        first, second, third, fourth = (
            zeros.at[place].add(quarter) for quarter in quarters
        )
        first += words[:, 0] & 0xFFFF
        second += (words[:, 0] >> 16) + (first >> 16)
        third += (words[:, 1] & 0xFFFF) + (second >> 16)
        fourth += (words[:, 1] >> 16) + (third >> 16)
        ref[...] = jnp.stack(
            [(second << 16) | (first & 0xFFFF), (fourth << 16) | (third & 0xFFFF)],
            axis=1,
        )

    def atomic_min(self, ref, place, value, mask):
        """See `Lanes.atomic_min`."""
        bits = lax.bitcast_convert_type(jnp.where(mask, value, jnp.inf), jnp.uint32)
        ref[...] = jnp.asarray(ref[...]).at[place].min(bits)

    def atomic_min_key(self, ref, place, value, number, mask):
        """See `Lanes.atomic_min_key`."""
        most = jnp.uint32(0xFFFFFFFF)
        bits = lax.bitcast_convert_type(value, jnp.uint32)
        high, low = (
            jnp.where(mask, word, most) for word in (bits, number.astype(jnp.uint32))
        )
        words = jnp.asarray(ref[...])
        least = words[:, 1].at[place].min(high)
        others = jnp.where(least < words[:, 1], most, words[:, 0])
        low = others.at[place].min(jnp.where(high == least[place], low, most))
        ref[...] = jnp.stack([low, least], axis=1)

    def shuffle_xor(self, value, distance):
        """See `Lanes.shuffle_xor`."""
        return value[self.lane_id() ^ distance]

    def lane_loop(self, count, body, state):
        """See `Lanes.lane_loop`."""

        def step(index, state):
            active = index < count

            def keep(new, old):
                return jnp.where(active, new, old)

            return jax.tree.map(keep, body(active, state), state)

        return lax.fori_loop(0, jnp.max(count), step, state)


INTERPRETED: Lanes = InterpretedLanes()


def choose_lanes(interpret: bool) -> Lanes:
    """Operations of the lanes on the GPU, or in Pallas' interpreter."""
    return INTERPRETED if interpret else GPU
