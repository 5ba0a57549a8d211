"""Confidence intervals and tests for means over categories of means over objects.

The objects of a category are taken for a random sample of all objects like these, and
the categories for fixed. Neither says how much another training run would differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import special

LEVEL = 0.95
"""Coverage of the intervals."""

RESAMPLES = 10_000
"""Number of resamples, and of random signs."""

SEED = 0

_BLOCK = 4_000_000  # numbers that are drawn at a time


def _stratum_means(
    values: np.ndarray, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Means ``[resamples]`` of n - 1 draws from n values, with replacement.

    With n draws, as in the textbook's bootstrap, the variance of the mean would be too
    small by the factor (n - 1) / n, which matters for the two or three objects that a
    category may have. With n - 1 it is s^2 / n (McCarthy and Snowden, 1985).
    """
    count = len(values)
    if count == 1:
        return np.full(resamples, values[0])
    rows = max(_BLOCK // count, 1)
    parts = [
        values[rng.integers(count, size=(min(rows, resamples - start), count - 1))]
        for start in range(0, resamples, rows)
    ]
    return np.concatenate([part.mean(1) for part in parts])


def intervals(
    strata: Mapping[str, np.ndarray],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[tuple[float, float] | None, dict[str, tuple[float, float] | None]]:
    """Percentile bootstrap intervals, stratified by category.

    The percentiles are those of Student's t and not of the normal distribution, as few
    objects tell little about their spread: the expanded percentile interval (Hesterberg
    2015, with the degrees of freedom of Welch and Satterthwaite).

    Args:
        strata: ``[n]`` one value for each object, by category.
        level: coverage, between 0 and 1.
        resamples: number of resamples.
        seed: the same values and seed give the same intervals.

    Returns:
        Bounds for the mean over categories of the means over objects, and for the mean
        of each category. None for a category with one object, and for the former where
        no category has two, or where a value is not finite. A category with one object
        adds nothing to the width of the former, which is then too narrow.
    """
    drawn = {
        key: _stratum_means(values, resamples, rng)
        for (key, values), rng in zip(strata.items(), _generators(seed), strict=False)
    }

    def bounds(keys: list[str]) -> tuple[float, float] | None:
        chosen = [strata[key] for key in keys]
        if not any(len(values) > 1 for values in chosen):
            return None
        if not all(np.isfinite(values).all() for values in chosen):
            return None
        means = np.mean([drawn[key] for key in keys], axis=0)
        tail = _expand((1 - level) / 2, chosen)
        low, high = np.quantile(means, [tail, 1 - tail])
        return float(low), float(high)

    return bounds(list(strata)), {key: bounds([key]) for key in strata}


def _expand(tail: float, strata: Sequence[np.ndarray]) -> float:
    """Share of the resamples beyond a bound, for a share ``tail`` of truths there."""
    several = [values for values in strata if len(values) > 1]
    variances = np.array([values.var(ddof=1) / len(values) for values in several])
    if not variances.any():
        return tail
    freedom = np.array([len(values) - 1 for values in several])
    effective = variances.sum() ** 2 / np.sum(variances**2 / freedom)
    return float(special.ndtr(special.stdtrit(effective, tail)))


def sign_flip_test(
    strata: Mapping[str, np.ndarray], *, resamples: int = RESAMPLES, seed: int = SEED
) -> float | None:
    """Two-sided p-value of a paired difference, by flipping signs at random.

    If two runs were equally good, the difference d of an object would be as likely as
    -d. The statistic is the mean over categories of the means over objects; the p-value
    is ``(1 + number of random signs with at least its size) / (1 + resamples)``.

    Args:
        strata: ``[n]`` difference for each object, by category.
        resamples: number of random signs for each object.
        seed: the same differences and seed give the same p-value.

    Returns:
        The p-value; None without objects, or where a difference is not finite.
    """
    if not strata or not all(np.isfinite(values).all() for values in strata.values()):
        return None
    observed = abs(np.mean([values.mean() for values in strata.values()]))
    flipped = np.zeros(resamples)
    for values, rng in zip(strata.values(), _generators(seed), strict=False):
        rows = max(_BLOCK // len(values), 1)
        for start in range(0, resamples, rows):
            size = min(rows, resamples - start), len(values)
            signs = 2.0 * rng.integers(2, size=size) - 1
            flipped[start : start + rows] += signs @ values / len(values) / len(strata)
    # rounding must not make a sum smaller than the same sum in another order
    reached = np.abs(flipped) >= observed - 1e-12 * max(observed, 1)
    return float((1 + reached.sum()) / (1 + resamples))


def _generators(seed: int) -> Iterator[np.random.Generator]:
    """A generator for each category, whatever the others draw."""
    number = 0
    while True:
        yield np.random.default_rng([seed, number])
        number += 1
