"""Families of distributions: CDFs and their logarithms.

Everything here is elementwise and keeps the dtype, single or double precision. For all
finite x, values and first two derivatives are finite: a probability that underflows is
0, and its logarithm stops at the logarithm of the smallest normal number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import log_ndtr

# Heavy tails end here, while the reciprocal of the probability can still be squared.
_FARTHEST = 1e17


Pair = tuple[jax.Array, jax.Array]
Elementwise = Callable[[jax.Array], jax.Array]


def _scipy_special() -> Any:
    from scipy import special  # takes a while, and few families need it

    return special


class DistributionFamily(NamedTuple):
    """Family of distributions; the last argument of each function is the shape.

    Attributes:
        linear: maps x to F(x) and 1 - F(x).
        logs: maps x to their logarithms, not yet cut off at the floor.
        quantiles: maps epsilon in (0, 0.5) to the x where F(x) is epsilon, and the x
            where 1 - F(x) is; static numbers.
    """

    linear: Callable[[jax.Array, float], Pair]
    logs: Callable[[jax.Array, float], Pair]
    quantiles: Callable[[float, float], tuple[float, float]]


def log_floor(x: jax.Array) -> float:
    """Logarithm of the smallest normal number."""
    return math.log(jnp.finfo(x.dtype).tiny)


def _smallest(x: jax.Array) -> float:
    """Number whose reciprocal can be squared; negligible as a probability."""
    return 4 * math.sqrt(jnp.finfo(x.dtype).tiny)


def _log(x: jax.Array) -> jax.Array:
    """Logarithm of x >= 0, with the floor in place of log(0)."""
    positive = x > _smallest(x)
    return jnp.where(positive, jnp.log(jnp.where(positive, x, 1)), log_floor(x))


def _log1mexp(x: jax.Array) -> jax.Array:
    """log(1 - exp(x)) for x < 0, precise at both ends."""
    near = x > -math.log(2)
    return jnp.where(
        near,
        jnp.log(-jnp.expm1(jnp.where(near, x, -1))),
        jnp.log1p(-jnp.exp(jnp.where(near, -1, x))),
    )


def _symmetric(
    tail: Elementwise, log_tail: Elementwise, quantile: Callable[[float], float]
) -> DistributionFamily:
    """Makes a family symmetric about 0 from 1 - F, its logarithm and its inverse.

    The first two are evaluated for x >= 0 only.
    """

    # `where`, not `abs`: at 0 it has the derivative of one side
    def linear(x, _):
        part = tail(jnp.where(x < 0, -x, x))
        return jnp.where(x < 0, part, 1 - part), jnp.where(x < 0, 1 - part, part)

    def logs(x, _):
        size = jnp.where(x < 0, -x, x)
        small, large = log_tail(size), jnp.log1p(-tail(size))
        return jnp.where(x < 0, small, large), jnp.where(x < 0, large, small)

    return DistributionFamily(linear, logs, lambda e, _: (-quantile(e), quantile(e)))


def _from_logs(
    logs: Callable[[jax.Array, float], Pair],
    quantiles: Callable[[float, float], tuple[float, float]],
) -> DistributionFamily:
    """Makes a family from log F and log(1 - F)."""

    def exp(log):
        return jnp.where(log > log_floor(log), jnp.exp(log), 0)

    def linear(x, shape):
        low, high = logs(x, shape)
        return exp(low), exp(high)

    return DistributionFamily(linear, logs, quantiles)


def _positive(
    log_cdf: Callable[[jax.Array, float], jax.Array],
    log_survival: Callable[[jax.Array, float], jax.Array],
    quantiles: Callable[[float, float], tuple[float, float]],
) -> DistributionFamily:
    """Makes a family on x > 0."""

    def logs(x, shape):
        start = _smallest(x)
        size = jnp.maximum(x, start)
        return (
            jnp.where(x > start, log_cdf(size, shape), log_floor(x)),
            jnp.where(x > start, log_survival(size, shape), 0),
        )

    return _from_logs(logs, quantiles)


def _swap(pair: Pair) -> Pair:
    return pair[1], pair[0]


def _reverse(family: DistributionFamily) -> DistributionFamily:
    """Makes the family of -x."""
    return DistributionFamily(
        lambda x, shape: _swap(family.linear(-x, shape)),
        lambda x, shape: _swap(family.logs(-x, shape)),
        lambda e, shape: (
            -family.quantiles(e, shape)[1],
            -family.quantiles(e, shape)[0],
        ),
    )


@jax.custom_jvp
def _log_sigmoids(x: jax.Array) -> Pair:
    """Log F and log(1 - F) of the logistic distribution, of slopes 1 - F and -F.

    Uses only operations that the kernels of every accelerator provide.
    """
    outside = x < 0
    rest = jnp.log1p(jnp.exp(jnp.where(outside, x, -x)))
    return jnp.where(outside, x, 0) - rest, -jnp.where(outside, 0, x) - rest


@_log_sigmoids.defjvp
def _(primals, tangents):
    (x,), (change,) = primals, tangents
    changes = jax.nn.sigmoid(-x) * change, -jax.nn.sigmoid(x) * change
    return _log_sigmoids(x), changes


def _logit(e: float) -> float:
    return math.log(e) - math.log1p(-e)


_LOGISTIC = DistributionFamily(
    lambda x, _: (jax.nn.sigmoid(x), jax.nn.sigmoid(-x)),
    lambda x, _: _log_sigmoids(x),
    lambda e, _: (_logit(e), -_logit(e)),
)


def _before_floor(x: jax.Array) -> jax.Array:
    # beyond, exp(-x**2 / 2) underflows
    return jnp.minimum(x, math.sqrt(-2 * log_floor(x)))


_GAUSSIAN = _symmetric(
    lambda x: lax.erfc(_before_floor(x) / math.sqrt(2)) / 2,
    lambda x: log_ndtr(-_before_floor(x)),
    lambda e: -float(_scipy_special().ndtri(e)),
)

_LAPLACE = _symmetric(
    lambda x: jnp.exp(-x) / 2,
    lambda x: -math.log(2) - x,
    lambda e: -math.log(2 * e),
)


def _gudermannian_log_tail(x: jax.Array) -> jax.Array:
    near = x < 8
    u = jnp.exp(-x)
    arc = jnp.log(jnp.arctan(jnp.where(near, u, 1)))
    series = -x - u * u * (1 / 3 - 13 / 90 * u * u)
    return math.log(2 / math.pi) + jnp.where(near, arc, series)


_GUDERMANNIAN = _symmetric(
    lambda x: 2 / math.pi * jnp.arctan(jnp.exp(-x)),
    _gudermannian_log_tail,
    lambda e: -math.log(math.tan(math.pi / 2 * e)),
)


def _cauchy_tail(x: jax.Array) -> jax.Array:
    return jnp.arctan2(jnp.ones_like(x), jnp.minimum(x, _FARTHEST)) / math.pi


_CAUCHY = _symmetric(
    _cauchy_tail, lambda x: _log(_cauchy_tail(x)), lambda e: 1 / math.tan(math.pi * e)
)

_RECIPROCAL = _symmetric(
    lambda x: 0.5 / (1 + x),
    lambda x: -math.log(2) - jnp.log1p(x),
    lambda e: 0.5 / e - 1,
)


def _gap(x: jax.Array) -> jax.Array:
    """Distance from x >= 0 to the end of the support [-1, 1], over its length."""
    return jnp.where(x < 1, 1 - x, 0) / 2


_UNIFORM = _symmetric(_gap, lambda x: _log(_gap(x)), lambda e: 1 - 2 * e)


def _cubic_hermite_tail(x: jax.Array) -> jax.Array:
    gap = _gap(x)
    return gap * gap * (3 - 2 * gap)


_CUBIC_HERMITE = _symmetric(
    _cubic_hermite_tail,
    lambda x: _log(_cubic_hermite_tail(x)),
    lambda e: 2 * math.sin(math.asin(1 - 2 * e) / 3),
)


def _wigner_semicircle_tail(x: jax.Array) -> jax.Array:
    # the segment of the unit disc beyond x = cos(angle / 2): (angle - sin angle) / 2 pi
    gap = _gap(x)
    angle = 4 * jnp.arcsin(jnp.sqrt(jnp.where(gap > 0, gap, 0.5)))
    square = angle * angle
    series = jnp.ones_like(angle)
    for k in range(8, 1, -1):
        series = 1 - square / (2 * k * (2 * k + 1)) * series
    # the difference cancels for small angles, where the series is exact
    twice = jnp.where(angle < 1, angle * square / 6 * series, angle - jnp.sin(angle))
    return jnp.where(gap > 0, twice / (2 * math.pi), 0)


_WIGNER_SEMICIRCLE = _symmetric(
    _wigner_semicircle_tail,
    lambda x: _log(_wigner_semicircle_tail(x)),
    lambda e: 1 - 2 * float(_scipy_special().betaincinv(1.5, 1.5, e)),
)

_EXPONENTIAL = _positive(
    lambda x, _: _log1mexp(-x),
    lambda x, _: -x,
    lambda e, _: (-math.log1p(-e), -math.log(e)),
)


def _gumbel_max_logs(x: jax.Array, _: float) -> Pair:
    far = x > 6
    u = jnp.exp(-jnp.maximum(x, -7))  # F(-7) = exp(-1096) underflows
    series = -x - u / 2 + u * u / 24 - u**4 / 2880  # log(1 - exp(-u)) for small u
    return -u, jnp.where(far, series, _log1mexp(jnp.where(far, -1, -u)))


_GUMBEL_MAX = _from_logs(
    _gumbel_max_logs,
    lambda e, _: (-math.log(-math.log(e)), -math.log(-math.log1p(-e))),
)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _gamma_log(x: jax.Array, shape: float, above: bool) -> jax.Array:
    """Logarithm of F(x), or of 1 - F(x) if ``above``; x > 0."""
    shapes = jnp.full_like(x, shape)
    part, rest = lax.igamma(shapes, x), lax.igammac(shapes, x)
    if above:
        part, rest = rest, part
    log = jnp.log(jnp.maximum(part, jnp.finfo(x.dtype).tiny))
    return jnp.where(rest < 0.5, jnp.log1p(-rest), log)


@_gamma_log.defjvp
def _gamma_log_jvp(shape, above, primals, tangents):
    # density over probability, by logarithms, as both vanish in the tails
    log = _gamma_log(primals[0], shape, above)
    log_density = (shape - 1) * jnp.log(primals[0]) - primals[0] - math.lgamma(shape)
    slope = jnp.exp(log_density - log)
    return log, (-slope if above else slope) * tangents[0]


_GAMMA = _positive(
    lambda x, shape: _gamma_log(x, shape, False),
    lambda x, shape: _gamma_log(x, shape, True),
    lambda e, shape: (
        float(_scipy_special().gammaincinv(shape, e)),
        float(_scipy_special().gammainccinv(shape, e)),
    ),
)


def _levy_root(x: jax.Array) -> jax.Array:
    """x**-0.5, clipped to where it and exp(-1 / (2 x)) have finite derivatives."""
    return lax.rsqrt(jnp.clip(x, -0.45 / log_floor(x), _FARTHEST**2))


def _levy_log_survival(x: jax.Array, _: float) -> jax.Array:
    low, root = x < 2, _levy_root(x) / math.sqrt(2)
    outside = jnp.where(low, lax.erfc(root), 0)
    return jnp.where(low, jnp.log1p(-outside), _log(lax.erf(root)))


_LEVY = _positive(
    lambda x, _: math.log(2) + log_ndtr(-_levy_root(x)),
    _levy_log_survival,
    lambda e, _: (
        0.5 / float(_scipy_special().erfcinv(e)) ** 2,
        0.5 / float(_scipy_special().erfinv(e)) ** 2,
    ),
)

DISTRIBUTIONS: Mapping[str, DistributionFamily] = MappingProxyType(
    {
        "logistic": _LOGISTIC,
        "gaussian": _GAUSSIAN,
        "laplace": _LAPLACE,
        "gudermannian": _GUDERMANNIAN,
        "cauchy": _CAUCHY,
        "reciprocal": _RECIPROCAL,
        "uniform": _UNIFORM,
        "cubic_hermite": _CUBIC_HERMITE,
        "wigner_semicircle": _WIGNER_SEMICIRCLE,
        "exponential": _EXPONENTIAL,
        "exponential_reversed": _reverse(_EXPONENTIAL),
        "gumbel_max": _GUMBEL_MAX,
        "gumbel_min": _reverse(_GUMBEL_MAX),
        "gamma": _GAMMA,
        "gamma_reversed": _reverse(_GAMMA),
        "levy": _LEVY,
        "levy_reversed": _reverse(_LEVY),
    }
)
"""Families by name, of location 0 and scale 1. gudermannian is ``2 / pi
atan(exp(x))``, reciprocal ``(1 + x / (1 + |x|)) / 2``; the support of uniform, cubic
Hermite (smoothstep) and Wigner semicircle is [-1, 1], the support of exponential, gamma
and Levy x > 0, reversed x < 0."""
