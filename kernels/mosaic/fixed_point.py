"""Sums of integers of 64 bits, for kernels for Mosaic GPU; see `fixed_point`.

They are arrays ``[..., 2]`` of the low and the high word, as JAX may know no integers
of 64 bits. A negative one is the complement of two.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras.kernels.pallas import fixed_point

# One bit is the sign's, and rounding may push terms a little beyond their bound.
_BITS = 62
# No share in alpha is larger: they stop at minus the logarithm of the least float.
_LARGEST_SHARE = 2.0**7


def unit_for(terms: int) -> float:
    """The unit for sums of so many terms of at most 1."""
    return fixed_point.unit_for(terms, _BITS)


def depth_unit(faces: int) -> float:
    """The unit for sums of the shares of all faces in alpha."""
    return _LARGEST_SHARE * unit_for(faces)


def words(*shape: int, fill: int = 0) -> jax.Array:
    """Integers ``[*shape, 2]``, all words of which are the same."""
    return jnp.full((*shape, 2), fill, jnp.uint32)


def floats(words: jax.Array, unit: float | jax.Array) -> jax.Array:
    """Integers ``[..., 2]`` times a unit, in single precision."""
    low, high = words[..., 0], words[..., 1].astype(jnp.int32)
    return (high.astype(jnp.float32) * 2.0**32) * unit + low.astype(jnp.float32) * unit
