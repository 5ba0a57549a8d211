"""Units of sums that do not depend on their order, whatever holds the sums.

Each number is rounded to a multiple of a unit, a power of two; a sum of them is exact
as long as what holds it has the bits. See `triton_fixed_point`, `mosaic_fixed_point`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def unit_for(terms: int, bits: int) -> float:
    """The unit for sums of so many terms of at most 1, within 2**bits units."""
    return 2.0 ** (max(terms, 1).bit_length() - bits)


def largest(values: jax.Array, axis: int | tuple[int, ...]) -> jax.Array:
    """The largest size of a finite value along some axes."""
    size = jnp.abs(values)
    return jnp.max(jnp.where(jnp.isfinite(size), size, 0), axis=axis)


def power_above(size: jax.Array) -> jax.Array:
    """A power of two, in single precision, above sizes; 1 for 0.

    Its product with a unit is the unit for sums of terms of that size.
    """
    # within what the floats allow units and their reciprocals
    _, exponent = jnp.frexp(jnp.clip(size, 2.0**-60, 2.0**125))
    return jnp.where(size > 0, jnp.ldexp(jnp.ones_like(size), exponent), 1)
