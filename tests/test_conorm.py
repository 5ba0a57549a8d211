import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import conorm as conorms
from jaxsoftras import probability
from jaxsoftras.conorm import Conorm


def norm_of(function):
    """T-conorm of two numbers that is dual to a T-norm."""
    return lambda a, b, p: 1 - function(1 - a, 1 - b, p)


# the two-argument formulae, as the literature gives them
FORMULAE = {
    "probabilistic": lambda a, b, p: a + b - a * b,
    "einstein": lambda a, b, p: (a + b) / (1 + a * b),
    "hamacher": lambda a, b, p: (a + b + (p - 2) * a * b) / (1 + (p - 1) * a * b),
    "frank": norm_of(
        lambda a, b, p: np.log1p((p**a - 1) * (p**b - 1) / (p - 1)) / np.log(p)
    ),
    "yager": lambda a, b, p: np.minimum(1, (a**p + b**p) ** (1 / p)),
    "dombi": lambda a, b, p: (
        1 / (1 + ((a / (1 - a)) ** p + (b / (1 - b)) ** p) ** (-1 / p))
    ),
    "aczel_alsina": norm_of(
        lambda a, b, p: np.exp(-(((-np.log(a)) ** p + (-np.log(b)) ** p) ** (1 / p)))
    ),
    "schweizer_sklar": norm_of(lambda a, b, p: (a**p + b**p - 1) ** (1 / p)),
}
PARAMETERS = {
    "hamacher": (0.0, 0.5, 100.0),
    "frank": (1e-3, 2.0),
    "yager": (0.125, 2.0),
    "dombi": (0.125, 8.0),
    "aczel_alsina": (2.0, 8.0),
    "schweizer_sklar": (-8.0, -2.0),
}
CONORMS = [
    Conorm(name, parameter)
    for name in FORMULAE
    for parameter in PARAMETERS.get(name, (None,))
]
RULES = [*CONORMS, Conorm("sum"), Conorm("hard")]
SPECIAL_CASES = {
    Conorm("hamacher", 1.0): Conorm("probabilistic"),
    Conorm("hamacher", 2.0): Conorm("einstein"),
    Conorm("frank", 1.0): Conorm("probabilistic"),
    Conorm("aczel_alsina", 1.0): Conorm("probabilistic"),
    Conorm("dombi", 1.0): Conorm("hamacher"),
    Conorm("schweizer_sklar", -1.0): Conorm("hamacher"),
}
pytestmark = pytest.mark.usefixtures("x64")
every_conorm = pytest.mark.parametrize("conorm", CONORMS, ids=str)

# for programs that run a few times: compiles in half the time
QUICK: dict = {"xla_backend_optimization_level": 0}
VALUES = np.random.default_rng(0).uniform(0.01, 0.99, (5, 200))  # faces, pixels


def fold_by(rules, probabilities):
    """``[5, 200]`` probabilities to ``[200]`` alpha by each rule."""
    log_survival = jnp.log1p(-probabilities)

    def fold(rule):
        shares = conorms.generator(rule, probabilities, log_survival, 5)
        return conorms.aggregate(rule, jnp.sum(shares, axis=0))

    return [fold(rule) for rule in rules]


@functools.partial(jax.jit, compiler_options=QUICK)
def fold_by_all(probabilities):
    return fold_by([*RULES, *SPECIAL_CASES], probabilities)


def fold(rule, probabilities):
    return fold_by_all(probabilities)[[*RULES, *SPECIAL_CASES].index(rule)]


@functools.partial(jax.jit, compiler_options=QUICK)
def slopes_by_all(probabilities, direction):
    """First and second derivatives along a direction, for `CONORMS`."""

    def alpha(step):
        return fold_by(CONORMS, probabilities + step * direction)

    def slope(step):
        return jax.jvp(alpha, (step,), (1.0,))[1]

    return jax.jvp(slope, (0.0,), (1.0,))


def scene(*faces, dtype: type = np.float64):
    """Up to five faces of ``[200]`` probabilities each; the others are absent."""
    absent = [np.zeros(200)] * (5 - len(faces))
    return jnp.asarray(np.stack([*faces, *absent]), dtype)


@every_conorm
class TestConorms:
    def test_equals_the_formula(self, conorm):
        """Holds for two faces and, by associativity, for five in any order."""
        formula = functools.partial(FORMULAE[conorm.name], p=conorm.parameter)
        two = fold(conorm, scene(*VALUES[:2]))
        np.testing.assert_allclose(two, formula(*VALUES[:2]), rtol=1e-9)
        with np.errstate(divide="ignore"):
            folded = functools.reduce(formula, VALUES)
        for order in itertools.islice(itertools.permutations(VALUES), 0, 120, 29):
            got = fold(conorm, scene(*order))
            np.testing.assert_allclose(got, folded, rtol=1e-9)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_neutral_and_absorbing_elements(self, conorm, dtype):
        double = dtype == np.float64
        tolerance = 1e-12 if double else 2e-5
        alone = fold(conorm, scene(VALUES[0], dtype=dtype))
        np.testing.assert_allclose(alone, VALUES[0], rtol=tolerance)
        assert np.all(fold(conorm, scene(dtype=dtype)) == 0)
        if not double and abs(conorm.parameter or 0) == 8:
            tolerance = 5e-4  # the floats end before 1 is reached
        full = fold(conorm, scene(VALUES[0], np.ones(200), dtype=dtype))
        np.testing.assert_allclose(full, 1, rtol=tolerance)
        assert np.all(full <= 1)

    def test_monotone_and_above_the_maximum(self, conorm):
        values = np.sort(VALUES, axis=1)
        alpha = np.asarray(fold(conorm, scene(*values, dtype=np.float32)))
        assert np.all(np.diff(alpha) >= -1e-6)
        assert np.all(alpha >= values.max(0) - 1e-5) and np.all(alpha <= 1)

    def test_small_probabilities_in_single_precision(self, conorm):
        large = abs(conorm.parameter or 0) == 8
        faint = np.geomspace(1e-2 if large else 1e-9, 0.1, 200)
        formula = functools.partial(FORMULAE[conorm.name], p=conorm.parameter)
        got = fold(conorm, scene(faint, faint, dtype=np.float32))
        np.testing.assert_allclose(got, formula(faint, faint), rtol=1e-4, atol=2e-7)

    def test_gradients(self, conorm):
        values = 0.9 * VALUES
        if conorm.name == "yager":  # below the kink, where alpha is 1
            values = values * 5 ** (-1 / conorm.parameter)
        direction = values * np.random.default_rng(1).normal(size=values.shape)
        here = CONORMS.index(conorm)
        first, second = (s[here] for s in slopes_by_all(values, direction))
        h = 1e-4
        above, below = (values + step * direction for step in (h, -h))
        by_value = (fold(conorm, above) - fold(conorm, below)) / (2 * h)
        slope_above = slopes_by_all(above, direction)[0][here]
        by_slope = (slope_above - slopes_by_all(below, direction)[0][here]) / (2 * h)
        for got, difference in ((first, by_value), (second, by_slope)):
            atol = 1e-5 * np.max(np.abs(difference)) + 1e-11
            np.testing.assert_allclose(got, difference, rtol=1e-5, atol=atol)


def test_probabilistic_is_the_sum_of_optical_depths():
    log_survival = -jnp.asarray([0, 1e-30, 0.3, 80])
    conorm = Conorm()
    shares = conorms.generator(conorm, 1 - jnp.exp(log_survival), log_survival, 4)
    np.testing.assert_array_equal(shares, -log_survival)
    np.testing.assert_array_equal(
        conorms.aggregate(conorm, shares), -jnp.expm1(-shares)
    )


@pytest.mark.parametrize("conorm", SPECIAL_CASES, ids=str)
def test_special_cases(conorm):
    values, equal = scene(*VALUES), SPECIAL_CASES[conorm]
    np.testing.assert_allclose(fold(conorm, values), fold(equal, values), rtol=1e-9)


def test_other_rules():
    mean = fold(Conorm("sum"), scene(*VALUES))
    np.testing.assert_allclose(mean, VALUES.mean(axis=0), rtol=1e-6)
    low = 0.5 * VALUES
    assert np.all(fold(Conorm("hard"), scene(*low)) == 0)
    assert np.all(fold(Conorm("hard"), scene(*low[:4], 0.5 + low[4])) == 1)


def sweep(dtype):
    """Numbers of all magnitudes and both signs, dense near the ends of supports."""
    limits = np.finfo(dtype)
    gap = np.geomspace(limits.eps, 0.1, 40)
    sizes = np.concatenate(
        [[0, 1, limits.max], np.geomspace(limits.tiny, 1e30, 99), 1 - gap, 1 + gap]
    )
    x = np.concatenate([sizes, -sizes, np.linspace(-99, 99, 397)])
    return jnp.asarray(x, dtype)


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def pixels(distribution, x):
    """Alpha of two equal faces by every rule, with derivatives as one face moves."""

    def alpha(x):
        cdf = probability.cdf(distribution, x)
        log_survival = probability.log_survival(distribution, x)
        shares = [conorms.generator(rule, cdf, log_survival, 2) for rule in RULES]
        return [
            conorms.aggregate(rule, share + jax.lax.stop_gradient(share))
            for rule, share in zip(RULES, shares, strict=True)
        ]

    def slope(x):
        return jax.jvp(alpha, (x,), (jnp.ones_like(x),))

    (value, first), (_, second) = jax.jvp(slope, (x,), (jnp.ones_like(x),))
    return value, first, second


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_whatever_the_distance(dtype):
    x = sweep(dtype)
    # near 1 the depth of the uniform distribution is among the steepest
    results = pixels(probability.Distribution("uniform"), x)
    for order, by_rule in enumerate(results):
        for rule, result in zip(RULES, by_rule, strict=True):
            assert result.dtype == dtype
            bad = np.flatnonzero(~np.isfinite(result))
            assert not len(bad), f"{rule}: derivative {order} at x = {x[bad[0]]}"
    for rule, alpha in zip(RULES, results[0], strict=True):
        assert np.all((alpha >= 0) & (alpha <= 1)), rule


class TestConorm:
    def test_default_parameters(self):
        assert Conorm("yager") == Conorm("yager", 2.0)
        assert hash(Conorm("hamacher")) == hash(Conorm("hamacher", 0.0))

    def test_name_in_place_of_a_conorm(self):
        with pytest.raises(ValueError, match=r"Conorm\(.*not as 'einstein'"):
            conorms.aggregate("einstein", jnp.ones(1))  # pyright: ignore

    def test_unknown_name(self):
        with pytest.raises(ValueError, match="must be one of probabilistic.*not 'max'"):
            Conorm("max")

    @pytest.mark.parametrize(
        ("name", "parameter"),
        [
            ("hamacher", -0.1),
            ("frank", 0.0),
            ("yager", float("nan")),
            ("dombi", 9.0),
            ("aczel_alsina", 0.0),
            ("schweizer_sklar", 0.0),
        ],
    )
    def test_range(self, name, parameter):
        with pytest.raises(ValueError, match=f"{name} must be from"):
            Conorm(name, parameter)

    def test_unused_parameter(self):
        with pytest.raises(ValueError, match="einstein has no parameter"):
            Conorm("einstein", 2.0)
