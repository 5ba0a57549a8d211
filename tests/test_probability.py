import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxsoftras import probability
from jaxsoftras.probability import Distribution


class Reciprocal:
    """``(1 + x / (1 + |x|)) / 2``, in the manner of scipy.stats."""

    @staticmethod
    def cdf(x):
        return np.where(x < 0, 0.5 / (1 + np.abs(x)), 1 - 0.5 / (1 + np.abs(x)))

    @staticmethod
    def sf(x):
        return Reciprocal.cdf(-x)


SCIPY = {
    "logistic": stats.logistic(),
    "gaussian": stats.norm(),
    "laplace": stats.laplace(),
    "gudermannian": stats.hypsecant(),
    "cauchy": stats.cauchy(),
    "reciprocal": Reciprocal,
    "uniform": stats.uniform(-1, 2),
    "cubic_hermite": stats.beta(2, 2, -1, 2),
    # scipy's semicircular loses its digits near -1
    "wigner_semicircle": stats.beta(1.5, 1.5, -1, 2),
    "exponential": stats.expon(),
    "gumbel_max": stats.gumbel_r(),
    "gumbel_min": stats.gumbel_l(),
    "gamma": stats.gamma(0.5),
    "levy": stats.levy(),
}
EXTREMES = [Distribution("gamma", 0.1), Distribution("gamma", 10.0)]
ALL = [*map(Distribution, probability.DISTRIBUTIONS), *EXTREMES]
# the others have the same derivatives as their mirror images
NOT_MIRRORED = [
    choice
    for choice in ALL[: -len(EXTREMES)]
    if not choice.name.endswith("_reversed") and choice.name != "gumbel_min"
]
# for programs that run a few times: compiles in half the time
QUICK: dict = {"xla_backend_optimization_level": 0}
SIZE = 1000  # of all arrays: the two programs below compile once for a dtype

pytestmark = pytest.mark.usefixtures("x64")


def three(distribution, x):
    """D, log D and log(1 - D): ``[3, ...]``."""
    functions = (probability.cdf, probability.log_cdf, probability.log_survival)
    return jnp.stack([function(distribution, x) for function in functions])


@functools.partial(jax.jit, compiler_options=QUICK)
def three_by_all(x):
    return [three(distribution, x) for distribution in ALL]


@functools.partial(jax.jit, compiler_options=QUICK)
def slopes_by_all(x):
    """`three` with its first and second derivatives, for all of `NOT_MIRRORED`."""

    def slope(x):
        return jax.jvp(
            lambda x: [three(distribution, x) for distribution in NOT_MIRRORED],
            (x,),
            (jnp.ones_like(x),),
        )

    (value, first), (_, second) = jax.jvp(slope, (x,), (jnp.ones_like(x),))
    return value, first, second


def values_of(distribution, x):
    values = three_by_all(jnp.asarray(x))[ALL.index(distribution)]
    return np.asarray(values, np.float64)


def slopes_of(distribution, x):
    here = NOT_MIRRORED.index(distribution)
    return [np.asarray(results[here]) for results in slopes_by_all(jnp.asarray(x))]


def sweep(dtype):
    """Numbers of all magnitudes and both signs, dense where something happens."""
    limits = np.finfo(dtype)
    near_one = np.geomspace(limits.eps, 0.1, 40)
    sizes = np.concatenate(
        [
            [0, limits.tiny, limits.max],
            np.geomspace(limits.tiny, limits.max / 2, 196, dtype=np.float64),
            np.linspace(0, 100, 221),
            1 - near_one,
            1 + near_one,
        ]
    ).astype(dtype)
    return np.concatenate([-sizes, sizes])


def grid():
    """Numbers from -8 to 8, except near the ends of supports."""
    x = np.linspace(-8, 8, SIZE)
    near = (np.abs(x) < 0.05) | (np.abs(np.abs(x) - 1) < 0.05)
    return np.where(near, 0.5, x)


def expected(distribution, x):
    """F and 1 - F of scipy."""
    name, x = distribution.name, np.asarray(x, np.float64)
    if name.endswith("_reversed"):
        mirrored = Distribution(name.removesuffix("_reversed"), distribution.shape)
        return expected(mirrored, -x)[::-1]
    scipy = SCIPY[name]
    if name == "gamma":
        scipy = stats.gamma(distribution.shape)
    return scipy.cdf(x), scipy.sf(x)


@pytest.mark.parametrize("distribution", ALL, ids=str)
class TestValues:
    def test_equal_scipy(self, distribution):
        x = grid()
        low, high = expected(distribution, x)
        low, high = (np.maximum(part, np.finfo(float).tiny) for part in (low, high))
        with np.errstate(divide="ignore"):
            logs = [
                np.where(low < 0.5, np.log(low), np.log1p(-high)),
                np.where(high < 0.5, np.log(high), np.log1p(-low)),
            ]
        got = values_of(distribution, x)
        np.testing.assert_allclose(got[0], low, rtol=1e-8, atol=1e-300)
        np.testing.assert_allclose(got[1:], logs, rtol=1e-9, atol=1e-300)

    def test_tails_in_single_precision(self, distribution):
        x = np.linspace(-60, 60, SIZE, dtype=np.float32)
        low, high = expected(distribution, x)
        got = values_of(distribution, x)
        np.testing.assert_allclose(got[0], low, rtol=3e-5, atol=1e-37)
        for log, part in ((got[1], low), (got[2], high)):
            seen = part > 1e-37
            np.testing.assert_allclose(np.exp(log[seen]), part[seen], rtol=3e-5)

    def test_faint_faces_add_depth_in_single_precision(self, distribution):
        x = -np.geomspace(0.01, 600, SIZE).astype(np.float32)
        low, _ = expected(distribution, x)
        depth = -values_of(distribution, x)[2]
        faint = (low > 1e-37) & (low < 1e-3)
        np.testing.assert_allclose(depth[faint], -np.log1p(-low[faint]), rtol=3e-5)
        assert np.all(depth[low == 0] == 0)

    @pytest.mark.parametrize("epsilon", [1e-10, 1e-4, 0.1])
    def test_reach(self, distribution, epsilon):
        reach = probability.reach(distribution, epsilon)
        assert 0 <= reach < np.inf
        x = np.full(SIZE, -reach)
        x[1] -= 1e-3 * reach + 1e-12
        at, beyond, *_ = values_of(distribution, x)[0]
        assert beyond < epsilon
        if reach > 0:
            assert at == pytest.approx(epsilon, rel=1e-4)


@pytest.mark.parametrize("distribution", NOT_MIRRORED, ids=str)
class TestDerivatives:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_are_finite_everywhere(self, distribution, dtype):
        x = sweep(dtype)
        results = slopes_of(distribution, x)
        for order, result in enumerate(results):
            assert result.dtype == dtype
            bad = np.argwhere(~np.isfinite(result))
            assert not len(bad), f"derivative {order} at x = {x[bad[0, 1]]}"
        low, *logs = results[0]
        assert low.min() >= 0 and low.max() <= 1
        assert np.min(logs) >= np.log(np.finfo(dtype).tiny) - 1e-4

    def test_equal_finite_differences(self, distribution):
        x, step = grid(), 1e-5
        _, *derivatives = slopes_of(distribution, x)
        above = slopes_of(distribution, x + step)
        below = slopes_of(distribution, x - step)
        for got, a, b in zip(derivatives, above[:2], below[:2], strict=True):
            np.testing.assert_allclose(got, (a - b) / (2 * step), rtol=3e-5, atol=1e-6)


def test_mirror_images_are_as_finite():
    """At -x, everything equals the other distribution at x."""
    x = sweep(np.float32)
    for name in ("exponential", "gamma", "levy"):
        low, log_low, log_high = values_of(Distribution(name), x)
        mirrored = values_of(Distribution(f"{name}_reversed"), -x)
        np.testing.assert_array_equal(mirrored[1:], [log_high, log_low])
        assert np.all(np.isfinite(mirrored[0] + low))


def test_logistic_is_the_default_as_in_soft_rasterizer():
    x = np.linspace(-30, 30, SIZE, dtype=np.float32)
    assert Distribution().name == "logistic"
    got = values_of(Distribution(), x)[2]
    np.testing.assert_allclose(got, -np.logaddexp(0, x), rtol=1e-6)
    reach = probability.reach(Distribution(), 1e-4)
    assert reach == pytest.approx(np.log(1e4 - 1))


def test_curvature_of_the_logistic_on_an_edge():
    _, _, curvature = slopes_of(Distribution(), np.zeros(SIZE, np.float32))
    np.testing.assert_allclose(curvature[2], -0.25)


class TestErrors:
    def test_unknown_name(self):
        with pytest.raises(
            ValueError, match="must be one of logistic, .* not 'normal'"
        ):
            Distribution("normal")

    def test_name_in_place_of_a_distribution(self):
        for function in (probability.cdf, probability.log_cdf, probability.reach):
            with pytest.raises(ValueError, match=r"Distribution\(.*not as 'uniform'"):
                function("uniform", 0.1)  # pyright: ignore[reportArgumentType]

    @pytest.mark.parametrize("shape", [0.0, -1.0, 100.0, float("nan")])
    def test_shape(self, shape):
        with pytest.raises(ValueError, match="from 0.1 to 10"):
            Distribution("gamma", shape)

    @pytest.mark.parametrize("epsilon", [0.0, 0.5, -1.0])
    def test_epsilon(self, epsilon):
        with pytest.raises(ValueError, match="between 0 and 0.5"):
            probability.reach(Distribution(), epsilon)
