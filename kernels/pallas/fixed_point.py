"""Sums that do not depend on their order, or on how many images there are.

Each number is rounded to a multiple of a *quantum*, a power of two. A sum of multiples
is exact as long as its representation has enough bits, and exact sums do not depend on
their order. The `fixed_point` module of each backend says what holds them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def choose_quantum(terms: int, bits: int) -> float:
    """The quantum for sums of ``terms`` numbers of at most 1, within 2**bits quanta."""
    return 2.0 ** (max(terms, 1).bit_length() - bits)


def largest(values: jax.Array, axis: int | tuple[int, ...]) -> jax.Array:
    """The largest size of a finite value along some axes."""
    size = jnp.abs(values)
    return jnp.max(jnp.where(jnp.isfinite(size), size, 0), axis=axis)


def next_power_of_two(size: jax.Array) -> jax.Array:
    """A power of two, in single precision, above sizes; 1 for 0.

    Times a quantum for terms of at most 1, it is the quantum for terms of that size.
    """
    # within what the floats allow quanta and their reciprocals
    _, exponent = jnp.frexp(jnp.clip(size, 2.0**-60, 2.0**125))
    return jnp.where(size > 0, jnp.ldexp(jnp.ones_like(size), exponent), 1)


def tree_sum(values: jax.Array, axis: int) -> jax.Array:
    """Sums over an axis in pairs, in an order that depends on its length alone.

    XLA may choose the order of a reduction by the size of the batch.
    """
    zero = jnp.zeros((), values.dtype)
    while (count := values.shape[axis]) > 1:
        half = -(-count // 2)
        first = lax.slice_in_dim(values, 0, half, axis=axis)
        second = lax.slice_in_dim(values, half, None, axis=axis)
        missing = [(0, 0, 0)] * values.ndim
        missing[axis] = (0, 2 * half - count, 0)
        values = first + lax.pad(second, zero, missing)
    return lax.index_in_dim(values, 0, axis, keepdims=False)
