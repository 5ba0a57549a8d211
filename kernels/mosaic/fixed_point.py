"""Sums of 64-bit integers for Mosaic kernels; see `pallas.fixed_point`.

They are arrays ``[..., 2]`` of the low and the high word, as JAX may know no integers
of 64 bits. Negative integers are in two's complement.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras.kernels.pallas import fixed_point

# One bit is the sign's, and rounding may push terms a little beyond their bound.
_BITS = 62
# No contribution to alpha is larger: they stop at minus the log of the least float.
_LARGEST_CONTRIBUTION = 2.0**7


def choose_quantum(terms: int) -> float:
    """The quantum for sums of ``terms`` numbers of at most 1."""
    return fixed_point.choose_quantum(terms, _BITS)


def choose_depth_quantum(faces: int) -> float:
    """The quantum for sums of the contributions of all faces to alpha."""
    return _LARGEST_CONTRIBUTION * choose_quantum(faces)


def int64_full(*shape: int, fill: int = 0) -> jax.Array:
    """Integers ``[*shape, 2]`` with the same two words everywhere."""
    return jnp.full((*shape, 2), fill, jnp.uint32)


def to_float32(words: jax.Array, quantum: float | jax.Array) -> jax.Array:
    """Integers ``[..., 2]`` times a quantum, in single precision."""
    low, high = words[..., 0], words[..., 1].astype(jnp.int32)
    high_part = (high.astype(jnp.float32) * 2.0**32) * quantum
    return high_part + low.astype(jnp.float32) * quantum
