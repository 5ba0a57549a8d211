"""T-conorms, which aggregate the probabilities of all faces at a pixel to its alpha.

A T-conorm is an associative, commutative "or" of probabilities with the neutral element
0 and the absorbing element 1. The families here are Archimedean: each has a generator g
with ``alpha = g^-1(sum_j g(D_j))`` (Klement, Mesiar, Pap, *Triangular Norms*, 2000),
hence a sum in any order computes them. Soft Rasterizer uses the probabilistic T-conorm;
the selection follows GenDR (Petersen et al., 2022, arXiv:2204.13845).

Everything here is elementwise, and finite with two derivatives for all D in [0, 1].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

# Optical depth of a transmittance of 2e-16: opaque, in double precision too.
_OPAQUE = 36.0

# Parameters of Hamacher's family below this count as 0.
_NIL = 1e-6


class ConormFamily(NamedTuple):
    """Family of T-conorms; the last argument of each function is the parameter.

    Attributes:
        generator: maps D and the optical depth -log(1 - D) to g >= 0.
        inverse: maps the sum of g to alpha.
        default: parameter if none is given; ``None`` if the family has none.
        low: smallest parameter.
        high: largest parameter.
    """

    generator: Callable[[jax.Array, jax.Array, float], jax.Array]
    inverse: Callable[[jax.Array, float], jax.Array]
    default: float | None = None
    low: float = 0.0
    high: float = 0.0


def _power(x: jax.Array, exponent: float) -> jax.Array:
    """``x ** exponent`` for x >= 0, and 0 below 4e-19 in single precision.

    The second derivative of a root overflows there.
    """
    positive = x > 4 * math.sqrt(jnp.finfo(x.dtype).tiny)
    return jnp.where(positive, jnp.where(positive, x, 1) ** exponent, 0)


def _depth_to_alpha(depth: jax.Array) -> jax.Array:
    """Alpha ``1 - exp(-depth)`` of an optical depth."""
    return -jnp.expm1(-depth)


def _at_most(depth: jax.Array, power: float) -> jax.Array:
    """Bounds the depth so that ``exp(power * depth)`` has a finite second derivative.

    The slope of the depth is as large as ``exp(depth)`` near the end of a distribution.
    It occurs squared, and to the fourth power in the derivatives of a logarithm.
    """
    limit = 0.88 * math.log(jnp.finfo(depth.dtype).max) / max(power + 2, 4)
    return jnp.minimum(depth, min(limit, _OPAQUE))


# With odds = D / (1 - D) = exp(depth) - 1 and parameter p, Hamacher's generator is
# log(1 + p odds) / p: odds for p = 0, the optical depth for p = 1, artanh D for p = 2.


def _hamacher_generator(_: jax.Array, depth: jax.Array, p: float) -> jax.Array:
    odds = jnp.expm1(_at_most(depth, 1))
    return odds if p < _NIL else jnp.log1p(p * odds) / p


def _hamacher_inverse(total: jax.Array, p: float) -> jax.Array:
    if p < _NIL:
        return _depth_to_alpha(jnp.log1p(total))
    # log(1 + odds), odds = expm1(p total) / p, without exp of a large number
    exponent = p * total
    low = exponent < 10
    thin = jnp.log1p(jnp.expm1(jnp.where(low, exponent, 1)) / p)
    rest = (p - 1) * jnp.exp(-jnp.where(low, 10, exponent))
    return _depth_to_alpha(
        jnp.where(low, thin, exponent - math.log(p) + jnp.log1p(rest))
    )


def _frank_generator(cdf: jax.Array, depth: jax.Array, p: float) -> jax.Array:
    # -log((p**(1 - D) - 1) / (p - 1)), from D where D is small, else from 1 - D
    if p == 1:
        return depth
    low = cdf < 0.5
    survival = jnp.exp(-jnp.where(low, 1, _at_most(depth, 1)))
    thin = jnp.expm1(-math.log(p) * jnp.where(low, cdf, 0)) * (p / (p - 1))
    thick = jnp.expm1(math.log(p) * survival) / (p - 1)
    return jnp.where(low, -jnp.log1p(thin), -jnp.log(thick))


def _frank_inverse(total: jax.Array, p: float) -> jax.Array:
    if p == 1:
        return _depth_to_alpha(total)
    change = (1 - 1 / p) * jnp.expm1(-total)
    return jnp.minimum(-jnp.log1p(change) / math.log(p), 1)


def _schweizer_sklar_generator(_: jax.Array, depth: jax.Array, p: float) -> jax.Array:
    return jnp.expm1(-p * _at_most(depth, -p)) / -p


def _schweizer_sklar_inverse(total: jax.Array, p: float) -> jax.Array:
    # a power for large sums: the second derivative of a logarithm squares their slopes
    low = total < 1
    thin = _depth_to_alpha(jnp.log1p(-p * jnp.where(low, total, 0)) / -p)
    thick = 1 - (1 - p * jnp.where(low, 1, total)) ** (1 / p)
    return jnp.where(low, thin, thick)


CONORMS: Mapping[str, ConormFamily] = MappingProxyType(
    {
        "probabilistic": ConormFamily(
            lambda _, depth, p: depth, lambda total, p: _depth_to_alpha(total)
        ),
        "einstein": ConormFamily(
            lambda cdf, depth, p: _hamacher_generator(cdf, depth, 2),
            lambda total, p: _hamacher_inverse(total, 2),
        ),
        "hamacher": ConormFamily(
            _hamacher_generator, _hamacher_inverse, 0.0, 0.0, 100.0
        ),
        "frank": ConormFamily(_frank_generator, _frank_inverse, 2.0, 1e-3, 1e3),
        "yager": ConormFamily(
            lambda cdf, _, p: _power(cdf, p),
            lambda total, p: jnp.minimum(_power(total, 1 / p), 1),
            default=2.0,
            low=0.125,
            high=8.0,
        ),
        "dombi": ConormFamily(
            lambda _, depth, p: _power(jnp.expm1(_at_most(depth, max(p, 1))), p),
            lambda total, p: _depth_to_alpha(jnp.log1p(_power(total, 1 / p))),
            default=2.0,
            low=0.125,
            high=8.0,
        ),
        "aczel_alsina": ConormFamily(
            lambda _, depth, p: _power(_at_most(depth, 1), p),
            lambda total, p: _depth_to_alpha(_power(total, 1 / p)),
            default=2.0,
            low=0.125,
            high=8.0,
        ),
        "schweizer_sklar": ConormFamily(
            _schweizer_sklar_generator, _schweizer_sklar_inverse, -2.0, -8.0, -0.125
        ),
        # two rules of Soft Rasterizer that are no T-conorms
        "sum": ConormFamily(
            lambda cdf, _, p: cdf, lambda total, p: jnp.minimum(total, 1)
        ),
        "hard": ConormFamily(
            lambda cdf, _, p: jnp.where(cdf > 0.5, jnp.ones_like(cdf), 0),
            lambda total, p: jnp.minimum(total, 1),
        ),
    }
)
"""Families by name, with the union of two probabilities a and b:

* probabilistic: ``a + b - a b``, as in Soft Rasterizer;
* einstein: ``(a + b) / (1 + a b)``;
* hamacher: ``(a + b + (p - 2) a b) / (1 + (p - 1) a b)``, p from 0 to 100;
* frank: ``1 - log_p(1 + (p**(1 - a) - 1) (p**(1 - b) - 1) / (p - 1))``, p from 1e-3 to
  1e3, equal to probabilistic at p = 1;
* yager: ``min(1, (a**p + b**p)**(1 / p))``;
* dombi: ``odds**p = (a / (1 - a))**p + (b / (1 - b))**p``;
* aczel_alsina: ``|log(1 - alpha)|**p = |log(1 - a)|**p + |log(1 - b)|**p``;
* schweizer_sklar: ``(1 - alpha)**p = (1 - a)**p + (1 - b)**p - 1``, p from -8 to -1/8;
* sum (the mean of D over all faces) and hard (1 where any D exceeds 1/2): the other
  rules of Soft Rasterizer, which are no T-conorms.

p of yager, dombi and aczel_alsina is from 1/8 to 8. The larger p, the narrower the
range of D in single precision: with p = 4 a probability below 3e-5 counts as 0, with p
= 8 one below 5e-3. Likewise, Dombi and Schweizer-Sklar stop short of 1, by 4e-4 at |p|
= 8."""


@dataclasses.dataclass(frozen=True)
class Conorm:
    """A choice of T-conorm; hashable, to be a static argument.

    Attributes:
        name: a key of `CONORMS`.
        parameter: p of the family; ``None`` stands for its default: 0 for hamacher, -2
            for schweizer_sklar, 2 for the other families that have a parameter.

    Raises:
        ValueError: an unknown name, or a parameter that is out of range or unused.
    """

    name: str = "probabilistic"
    parameter: float | None = None

    def __post_init__(self) -> None:
        """Checks the name and the parameter, and fills in the default."""
        if self.name not in CONORMS:
            raise ValueError(
                f"The T-conorm must be one of {', '.join(CONORMS)}, not {self.name!r}."
            )
        family = CONORMS[self.name]
        if self.parameter is None:
            object.__setattr__(self, "parameter", family.default)
        elif family.default is None:
            raise ValueError(f"The T-conorm {self.name} has no parameter.")
        elif not family.low <= self.parameter <= family.high:
            raise ValueError(
                f"The parameter of the T-conorm {self.name} must be from "
                f"{family.low:g} to {family.high:g}, not {self.parameter}."
            )


def _family(conorm: Conorm) -> ConormFamily:
    if not isinstance(conorm, Conorm):
        raise ValueError(
            "A T-conorm is given as jaxsoftras.Conorm(name), such as "
            f"Conorm('einstein'), not as {conorm!r}."
        )
    return CONORMS[conorm.name]


def generator(
    conorm: Conorm, cdf: jax.Array, log_survival: jax.Array, face_count: ArrayLike
) -> jax.Array:
    """Contribution of a face to the sum at a pixel: g(D).

    Args:
        conorm: the choice of T-conorm.
        cdf: ``[...]`` probability D that the face covers the pixel.
        log_survival: ``[...]`` log(1 - D), precise for small D.
        face_count: number of faces in the scene, for ``"sum"``.

    Returns:
        ``[...]``, at least 0, and 0 where D is 0; ``-log_survival`` for
        ``"probabilistic"``.

    Example:
        >>> cdf = jnp.array([0.0, 0.5])
        >>> print(conorm.generator(jaxsoftras.Conorm(), cdf, jnp.log1p(-cdf), 2))
        [0.        0.6931472]
    """
    value = _family(conorm).generator(cdf, -log_survival, conorm.parameter or 0.0)
    return value / face_count if conorm.name == "sum" else value


def aggregate(conorm: Conorm, total: jax.Array) -> jax.Array:
    """Converts the sum of `generator` over the faces to alpha.

    Args:
        conorm: the choice of T-conorm.
        total: ``[...]``, at least 0.

    Returns:
        ``[...]`` in [0, 1]; 0 where the sum is 0.

    Example:
        >>> cdf, union = jnp.array([0.5, 0.5]), jaxsoftras.Conorm("einstein")
        >>> total = conorm.generator(union, cdf, jnp.log1p(-cdf), 2).sum()
        >>> print(conorm.aggregate(union, total))  # (a + b) / (1 + a b)
        0.8
    """
    return _family(conorm).inverse(total, conorm.parameter or 0.0)
