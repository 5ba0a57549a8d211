"""Counts of the programs that calls outside of `jax.jit` compile."""

import logging

import jax
import jax.numpy as jnp


def compilations(caplog, function, *arguments):
    """How many programs a call compiles."""
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        jax.block_until_ready(function(*arguments))
    return sum("Finished XLA compilation" in text for text in caplog.messages)


def check_compiles_once(caplog, function, argument):
    """Checks that second calls of a function and its gradient compile nothing."""

    def gradient(argument):
        return jax.grad(lambda x: jnp.sum(function(x) ** 2))(argument)

    jax.clear_caches()
    for call in (function, gradient):
        assert compilations(caplog, call, argument) > 0
        assert compilations(caplog, call, 1.01 * argument) == 0
