"""The probability that a face covers a pixel: distributions over its distance.

A pixel lies ``x`` scales inside of a face (outside where negative), by its distance or
squared distance; the face covers it with probability ``D = F(x)``, F a cumulative
distribution function. Soft Rasterizer has the logistic one, of the squared distance;
the others are those of GenDR (Petersen et al., 2022, arXiv:2204.13845). What they are
is in `distributions`; here is what becomes of a choice among them.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxsoftras.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from jaxsoftras.distributions import log_floor


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A choice of distribution; hashable, to be a static argument.

    Attributes:
        name: a key of `DISTRIBUTIONS`.
        shape: that of a gamma distribution, 0.1 to 10; the others have none.

    Raises:
        ValueError: an unknown name, or a shape out of range.
    """

    name: str = "logistic"
    shape: float = 0.5

    def __post_init__(self) -> None:
        """Checks both."""
        if self.name not in DISTRIBUTIONS:
            raise ValueError(
                f"The distribution must be one of {', '.join(DISTRIBUTIONS)}, not "
                f"{self.name!r}."
            )
        if not 0.1 <= self.shape <= 10:
            raise ValueError(
                f"The shape of a distribution must be from 0.1 to 10, not {self.shape}."
            )


def cdf(distribution: Distribution, x: jax.Array) -> jax.Array:
    """D, the probability that the face covers the pixel.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]`` in [0, 1]; exactly 0 outside of the distribution's support.
    """
    return DISTRIBUTIONS[distribution.name].linear(x, distribution.shape)[0]


def _floored(log: jax.Array) -> jax.Array:
    # not `maximum`, whose derivative is shared where the two tie, which costs time
    floor = log_floor(log)
    return jnp.where(log < floor, floor, log)


def log_cdf(distribution: Distribution, x: jax.Array) -> jax.Array:
    """The logarithm of D, precise where D is near 0 and where it is near 1.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]``, at least -87 in single precision, -708 in double: that stands for 0.
    """
    log = DISTRIBUTIONS[distribution.name].logs(x, distribution.shape)[0]
    return _floored(log)


def log_survival(distribution: Distribution, x: jax.Array) -> jax.Array:
    """The logarithm of 1 - D, minus the optical depth of a face; precise as `log_cdf`.

    Args:
        distribution: the choice of F.
        x: ``[...]`` signed (squared) distance over the scale, positive inside.

    Returns:
        ``[...]``, at least -87 in single precision, -708 in double: that stands for 0.
    """
    log = DISTRIBUTIONS[distribution.name].logs(x, distribution.shape)[1]
    return _floored(log)


def reach(distribution: Distribution, epsilon: float) -> float:
    """How far outside of a face its probability falls to epsilon.

    Args:
        distribution: the choice of F.
        epsilon: in (0, 0.5).

    Returns:
        r >= 0, in units of the scale: F(x) <= epsilon for all x <= -r.

    Raises:
        ValueError: epsilon is out of range.
    """
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon must lie between 0 and 0.5, not {epsilon}.")
    low, _ = DISTRIBUTIONS[distribution.name].quantiles(epsilon, distribution.shape)
    return max(0.0, -low)
