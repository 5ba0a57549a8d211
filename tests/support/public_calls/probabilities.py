"""Calls of distributions and t-conorms."""

from __future__ import annotations

import jax.numpy as jnp

import jaxsoftras
from jaxsoftras import conorm, probability
from tests.support.public_calls.inputs import (
    NUMBERS,
    Call,
)

UNION = jaxsoftras.Conorm()
LOGISTIC = jaxsoftras.Distribution()
PROBABILITIES = {
    "conorm.aggregate": Call(
        lambda x: conorm.aggregate(UNION, jnp.asarray(x)), NUMBERS
    ),
    "conorm.generator": Call(
        lambda x: conorm.generator(UNION, jnp.asarray(x), jnp.log1p(-x), 2), NUMBERS
    ),
    "probability.cdf": Call(
        lambda x: probability.cdf(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.log_cdf": Call(
        lambda x: probability.log_cdf(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.log_survival": Call(
        lambda x: probability.log_survival(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.reach": Call(
        lambda x: probability.reach(LOGISTIC, float(x)),
        NUMBERS[0] / 10,
        traced=False,
        smooth=False,
    ),
}
