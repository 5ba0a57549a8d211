import itertools

import numpy as np
import pytest
from scipy import stats

from jaxsoftras.reconstruction import resampling

VALUES = {"a": np.array([0.1, 0.4, 0.2, 0.25]), "b": np.array([0.7, 0.9, 0.85])}


class TestIntervals:
    def test_against_all_resamples(self):
        """Every equally likely choice of n - 1 objects, in place of random ones."""
        means = {
            key: [np.mean(p) for p in itertools.product(v, repeat=len(v) - 1)]
            for key, v in VALUES.items()
        }
        both = [np.mean(pair) for pair in itertools.product(*means.values())]
        whole, each = resampling.intervals(VALUES, level=0.8, resamples=50_000)
        a, b = (v.var(ddof=1) / len(v) for v in VALUES.values())
        freedom = (a + b) ** 2 / (a**2 / 3 + b**2 / 2)
        for found, outcomes, number in (
            (whole, both, freedom),
            (each["a"], means["a"], 3),
            (each["b"], means["b"], 2),
        ):
            tail = stats.norm.cdf(stats.t.ppf(0.1, number))
            expected = np.quantile(outcomes, [tail, 1 - tail], method="inverted_cdf")
            assert found == pytest.approx(expected, abs=0.005)

    def test_variance_of_the_resampled_mean_is_that_of_a_mean(self):
        values = np.random.default_rng(0).normal(size=4)
        drawn = resampling._stratum_means(values, 200_000, np.random.default_rng(1))
        assert drawn.var() == pytest.approx(values.var(ddof=1) / 4, rel=0.01)
        assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)

    def test_repeats_and_follows_the_seed(self):
        values = {"a": np.random.default_rng(0).random(30)}
        first, _ = resampling.intervals(values, resamples=500)
        again, _ = resampling.intervals(values, resamples=500)
        other, _ = resampling.intervals(values, resamples=500, seed=1)
        assert first == again != other

    def test_blocks_of_bounded_memory_change_nothing(self, monkeypatch):
        values = {"a": np.arange(7.0)}
        whole = resampling.intervals(values, resamples=100)
        monkeypatch.setattr(resampling, "_BLOCK", 50)
        assert resampling.intervals(values, resamples=100) == whole

    def test_what_has_no_interval(self):
        one = {"a": np.array([0.5])}
        assert resampling.intervals(one) == (None, {"a": None})
        assert resampling.intervals({}) == (None, {})
        lost = {"a": np.array([0.5, np.nan]), "b": np.array([0.1, 0.2])}
        whole, each = resampling.intervals(lost)
        assert whole is None and each["a"] is None and each["b"] is not None
        whole, each = resampling.intervals({**one, "b": np.array([0.1, 0.2])})
        assert each["a"] is None
        assert whole == pytest.approx((0.3, 0.35))

    def test_a_constant_has_no_width(self):
        whole, _ = resampling.intervals({"a": np.full(5, 0.25)})
        assert whole == (0.25, 0.25)

    @pytest.mark.slow  # the exact comparison above is of the same intervals
    def test_coverage_of_the_true_mean(self):
        """Skewed scores in categories of 2 to 16 objects, as real13 has them."""
        rng = np.random.default_rng(0)
        counts = (16, 2, 18, 10, 12, 2, 8, 2, 10, 6, 11, 4)
        truth = np.mean([2 / (2 + k) for k in range(1, len(counts) + 1)])
        hits, trials = 0, 1000
        for trial in range(trials):
            strata = {
                str(k): rng.beta(2, k, size=count)
                for k, count in enumerate(counts, start=1)
            }
            whole, _ = resampling.intervals(strata, resamples=500, seed=trial)
            assert whole is not None
            hits += whole[0] <= truth <= whole[1]
        # n draws and the percentiles of the normal distribution have 0.84
        assert 0.93 < hits / trials < 0.97


class TestSignFlips:
    def test_against_all_signs(self):
        strata = {"a": np.array([0.3, -0.1, 0.2, 0.4]), "b": np.array([0.5, 0.1])}

        def statistic(signs):
            first, second = signs[:4] * strata["a"], signs[4:] * strata["b"]
            return abs(np.mean([first.mean(), second.mean()]))

        flips = [np.array(s) for s in itertools.product([-1, 1], repeat=6)]
        reached = [statistic(s) >= statistic(np.ones(6)) - 1e-12 for s in flips]
        p = resampling.sign_flip_test(strata)
        assert p == pytest.approx(np.mean(reached), abs=0.01)

    def test_extremes(self):
        assert resampling.sign_flip_test({"a": np.zeros(9)}) == 1
        p = resampling.sign_flip_test({"a": np.full(40, 0.1)}, resamples=999)
        assert p == pytest.approx(0.001)
        assert resampling.sign_flip_test({}) is None
        assert resampling.sign_flip_test({"a": np.array([np.nan, 1.0])}) is None

    def test_is_uniform_where_nothing_differs(self):
        rng = np.random.default_rng(0)
        p = [
            resampling.sign_flip_test(
                {"a": rng.normal(size=6), "b": rng.normal(size=3)}, resamples=199
            )
            for _ in range(400)
        ]
        found = np.array(p, float)
        for level in (0.05, 0.2, 0.5):
            share = np.mean(found <= level)
            assert abs(share - level) < 3 * np.sqrt(level * (1 - level) / 400) + 0.005
