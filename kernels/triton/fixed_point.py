"""Within a Triton kernel: sums in memory that do not depend on their order.

Many faces add to one pixel at the same time, in an order that changes from run to run,
and a sum of floating-point numbers changes with it. Each number is therefore rounded
to a multiple of a quantum, a power of two, and added to a double, which holds such sums
exactly up to 2**53 quanta: the order no longer matters. See `pallas.fixed_point` for
the quanta.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from jaxsoftras.kernels.pallas import fixed_point

# Half of what a double holds: rounding may push terms a little beyond their bound.
_BITS = 52

DEPTH_QUANTUM = 2.0**-40
"""Optical depths are added as multiples of this: exactly, up to 2**13. Beyond 104 (150
in bits) alpha is 1 and its derivative 0 in single precision."""


def choose_quantum(terms: int) -> float:
    """The quantum for sums of ``terms`` numbers of at most 1."""
    return fixed_point.choose_quantum(terms, _BITS)


def _mask_index(
    counts: jax.Array, index: tuple[jax.Array, ...], shape: tuple[int, ...]
) -> tuple[jax.Array, ...]:
    """The index where the mask is true; elsewhere one past the end.

    Pallas' interpreter knows no masks of atomic operations, but drops what lies outside
    of the array.
    """
    return tuple(jnp.where(counts, i, n) for i, n in zip(index, shape, strict=True))


def add(
    total_ref,
    index: tuple[jax.Array, ...],
    values: jax.Array,
    counts: jax.Array,
    quantum: float | jax.Array,
    *,
    interpret: bool,
) -> None:
    """Adds numbers to elements of an array, whatever other programs add there.

    Args:
        total_ref: reference to doubles.
        index: index of the elements, one array for each axis.
        values: values in single precision.
        counts: mask of the values to add.
        quantum: a power of two; values are rounded down to multiples of it.
        interpret: whether Pallas interprets the kernel.
    """
    # exact: powers of two shift the exponent only
    multiples = jnp.floor(values * (1 / quantum)) * quantum
    index = _mask_index(counts, index, total_ref.shape)
    mask = None if interpret else counts
    triton.atomic_add(total_ref, index, multiples.astype(jnp.float64), mask=mask)


def atomic_min(
    least_ref,
    index: tuple[jax.Array, ...],
    values: jax.Array,
    counts: jax.Array,
    *,
    interpret: bool,
) -> None:
    """Replaces numbers in an array by lesser ones, in any order.

    Args:
        least_ref: reference to numbers that are not negative.
        index: index of the elements, one array for each axis.
        values: values that are not negative.
        counts: mask of the values to compare.
        interpret: whether Pallas interprets the kernel.
    """
    # Mostly another face got there first, and reading is cheaper. An old value does no
    # harm: it is larger.
    inside = tuple(jnp.where(counts, i, 0) for i in index)
    known = triton.load(least_ref.at[inside], mask=counts, other=0)
    counts = counts & (values < known)
    index = _mask_index(counts, index, least_ref.shape)
    # `abs` tells the compiler that the sign bit is 0, which saves half of the code
    triton.atomic_min(
        least_ref, index, jnp.abs(values), mask=None if interpret else counts
    )
