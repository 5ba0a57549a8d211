"""Counts of the programs that calls outside of `jax.jit` compile."""

import logging

import jax
import jax.numpy as jnp


class _Messages(logging.Handler):
    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def compilations(function, *arguments):
    """How many programs a call compiles."""
    messages, logger = _Messages(), logging.getLogger("jax")
    propagates = logger.propagate
    logger.addHandler(messages)
    logger.propagate = False
    try:
        with jax.log_compiles():
            jax.block_until_ready(function(*arguments))
    finally:
        logger.removeHandler(messages)
        logger.propagate = propagates
    return sum("Finished XLA compilation" in text for text in messages.texts)


def count_of_second(function, argument):
    """How many programs the second call of a function compiles, with other numbers."""
    jax.block_until_ready(function(argument))
    smooth = jnp.issubdtype(argument.dtype, jnp.floating)
    return compilations(function, 1.01 * argument if smooth else argument)
