"""Sums that depend on neither their order nor the number of images."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from jaxsoftras.kernels.pallas import fixed_point

SUM = jax.jit(functools.partial(fixed_point.tree_sum, axis=1))


def sum_in_pairs(rows: list[np.ndarray]) -> np.ndarray:
    """The sum of rows; the first half of them, with the odd one, takes the second."""
    if len(rows) == 1:
        return rows[0]
    half = (len(rows) + 1) // 2
    zeros = [np.zeros_like(rows[0])] * (2 * half - len(rows))
    return sum_in_pairs(
        [a + b for a, b in zip(rows[:half], rows[half:] + zeros, strict=True)]
    )


@pytest.mark.parametrize("count", [1, 2, 7, 37])
def test_tree_sum_rounds_as_sums_of_pairs_for_any_batch(count):
    values = np.random.default_rng(count).normal(size=(5, count, 3)).astype(np.float32)
    values[:, 0] *= 1e4  # of other sizes, so that another order gives other bits
    expected = sum_in_pairs([*values.swapaxes(0, 1)])
    np.testing.assert_array_equal(SUM(values), expected)
    np.testing.assert_array_equal(SUM(values[3:4]), expected[3:4])
