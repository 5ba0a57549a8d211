"""Within a Pallas kernel for Triton: sums in memory that do not depend on their order.

Many faces add to one pixel at the same time, in an order that changes from run to run,
and a sum of floating-point numbers changes with it. So each number is rounded to a
multiple of a unit, a power of two, and added to a double. That holds such sums exactly
up to 2**53 units: the order no longer matters. See `fixed_point` for the units.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from jaxsoftras.kernels.pallas import fixed_point

# Half of what a double holds: rounding may push terms a little beyond their bound.
_BITS = 52


def unit_for(terms: int) -> float:
    """The unit for sums of so many terms of at most 1."""
    return fixed_point.unit_for(terms, _BITS)


def place_of(
    counts: jax.Array, index: tuple[jax.Array, ...], shape: tuple[int, ...]
) -> tuple[jax.Array, ...]:
    """The index where something counts; elsewhere one past the end.

    For atomic operations: Pallas' interpreter knows no masks there, but drops what lies
    outside of the array.
    """
    return tuple(jnp.where(counts, i, n) for i, n in zip(index, shape, strict=True))


def add(
    total_ref,
    index: tuple[jax.Array, ...],
    values: jax.Array,
    counts: jax.Array,
    unit: float | jax.Array,
    *,
    interpret: bool,
) -> None:
    """Adds numbers to places of an array, whatever other programs add there.

    Args:
        total_ref: of doubles.
        index: of the places, one array for each axis.
        values: in single precision.
        counts: which of them to add.
        unit: a power of two; values are rounded down to multiples of it.
        interpret: whether Pallas interprets the kernel.
    """
    # exact: powers of two shift the exponent only
    units = jnp.floor(values * (1 / unit)) * unit
    index = place_of(counts, index, total_ref.shape)
    mask = None if interpret else counts
    triton.atomic_add(total_ref, index, units.astype(jnp.float64), mask=mask)


def lower(
    least_ref,
    index: tuple[jax.Array, ...],
    values: jax.Array,
    counts: jax.Array,
    *,
    interpret: bool,
) -> None:
    """Replaces numbers in an array by lesser ones; of any order, as `add`.

    Args:
        least_ref: of numbers that are not negative.
        index: of the places, one array for each axis.
        values: not negative.
        counts: which of them to compare.
        interpret: whether Pallas interprets the kernel.
    """
    # Mostly another face got there first, and reading is cheaper. An old value does no
    # harm: it is larger.
    inside = tuple(jnp.where(counts, i, 0) for i in index)
    known = triton.load(least_ref.at[inside], mask=counts, other=0)
    counts = counts & (values < known)
    index = place_of(counts, index, least_ref.shape)
    # `abs` tells the compiler that the sign bit is 0, which saves half of the code
    triton.atomic_min(
        least_ref, index, jnp.abs(values), mask=None if interpret else counts
    )
