"""Probability that a face covers a pixel, from a distribution over its distance.

A pixel lies ``x`` scales inside a face (outside where negative), by its distance or
squared distance; the face covers it with probability ``D = F(x)``, F a cumulative
distribution function (CDF). Soft Rasterizer uses the logistic CDF of the squared
distance; the others come from GenDR (Petersen et al., 2022, arXiv:2204.13845).
`distributions` defines the families; this module evaluates a chosen one.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxsoftras.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from jaxsoftras.distributions import DistributionFamily, log_floor


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A choice of distribution; hashable, to be a static argument.

    Attributes:
        name: a key of `DISTRIBUTIONS`.
        shape: shape parameter of a gamma distribution, 0.1 to 10; the other families
            have none.

    Raises:
        ValueError: an unknown name, or a shape out of range.
    """

    name: str = "logistic"
    shape: float = 0.5

    def __post_init__(self) -> None:
        """Checks the name and the shape."""
        if self.name not in DISTRIBUTIONS:
            raise ValueError(
                f"The distribution must be one of {', '.join(DISTRIBUTIONS)}, not "
                f"{self.name!r}."
            )
        if not 0.1 <= self.shape <= 10:
            raise ValueError(
                f"The shape of a distribution must be from 0.1 to 10, not {self.shape}."
            )


def _family(distribution: Distribution) -> DistributionFamily:
    if not isinstance(distribution, Distribution):
        raise ValueError(
            "A distribution is given as jaxsoftras.Distribution(name), such as "
            f"Distribution('uniform'), not as {distribution!r}."
        )
    return DISTRIBUTIONS[distribution.name]


def cdf(distribution: Distribution, x: jax.Array) -> jax.Array:
    """Probability D that the face covers the pixel.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]`` in [0, 1]; exactly 0 outside the support of the distribution.

    Example:
        >>> uniform = jaxsoftras.Distribution("uniform")
        >>> print(probability.cdf(uniform, jnp.array([-1.0, 0.0, 0.5])))
        [0.   0.5  0.75]
    """
    return _family(distribution).linear(x, distribution.shape)[0]


@jax.custom_jvp
def _floored(log: jax.Array) -> jax.Array:
    return jnp.maximum(log, log_floor(log))


@_floored.defjvp
def _(primals, tangents):
    (log,), (slope,) = primals, tangents
    # `where` in the value makes XLA store another array per pair, and the rule that
    # `maximum` has for ties takes more instructions in the slope
    return _floored(log), jnp.where(log < log_floor(log), 0, slope)


def log_cdf(distribution: Distribution, x: jax.Array) -> jax.Array:
    """Logarithm of D, precise where D is near 0 and where it is near 1.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]``, at least -87 in single precision and -708 in double, the floor that
        stands for D = 0.

    Example:
        >>> logistic = jaxsoftras.Distribution()
        >>> print(probability.log_cdf(logistic, jnp.array([-30.0, 0.0])))
        [-30.         -0.6931472]
    """
    log = _family(distribution).logs(x, distribution.shape)[0]
    return _floored(log)


def log_survival(distribution: Distribution, x: jax.Array) -> jax.Array:
    """Logarithm of 1 - D, minus the optical depth of a face; as precise as `log_cdf`.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]``, at least -87 in single precision and -708 in double, the floor that
        stands for D = 1.

    Example:
        >>> logistic = jaxsoftras.Distribution()
        >>> print(probability.log_survival(logistic, jnp.array([0.0, 30.0])))
        [ -0.6931472 -30.       ]
    """
    log = _family(distribution).logs(x, distribution.shape)[1]
    return _floored(log)


def reach(distribution: Distribution, epsilon: float) -> float:
    """Distance outside a face at which its probability has fallen to epsilon.

    Args:
        distribution: the choice of F.
        epsilon: in (0, 0.5).

    Returns:
        r >= 0, in units of the scale: F(x) <= epsilon for all x <= -r.

    Raises:
        ValueError: epsilon is out of range.

    Example:
        >>> print(round(probability.reach(jaxsoftras.Distribution(), 1e-4), 2))
        9.21
    """
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon must lie between 0 and 0.5, not {epsilon}.")
    low, _ = _family(distribution).quantiles(epsilon, distribution.shape)
    return max(0.0, -low)
