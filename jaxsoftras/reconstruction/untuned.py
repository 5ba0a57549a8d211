"""Compilation without trials on the device, for programs that run beside training.

For products and convolutions XLA tries algorithms on a GPU, alone: no step is taken
meanwhile, and a trial waits until those under way are. A program that is seldom run
is better compiled with the algorithms that the libraries propose.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import jax.core

P = ParamSpec("P")
T = TypeVar("T")


def compiler_options(platform: str) -> dict[str, int]:
    """Options of `jax.jit` without trials; empty where there are none anyway.

    Args:
        platform: of the devices, `jax.Device.platform`.
    """
    return {"xla_gpu_autotune_level": 0} if platform == "gpu" else {}


def make_jit(options: Mapping[str, Any]) -> Callable[..., Any]:
    """Makes a `jax.jit` with compiler options.

    JAX refuses options of a function that another one calls, as they are the whole
    program's. There, its functions have none.

    Args:
        options: for `jax.jit`.
    """
    if not options:
        return jax.jit

    def jit(function: Callable[P, T], **settings: Any) -> Callable[P, T]:
        program = jax.jit(function, compiler_options=dict(options), **settings)
        part = jax.jit(function, **settings)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            leaves = jax.tree.leaves((args, kwargs))
            traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
            return (part if traced else program)(*args, **kwargs)

        return call

    return jit


def jit(function: Callable[P, T]) -> Callable[P, T]:
    """Jits a function of arrays, on the default device, without trials there.

    A decorator of functions of modules: nothing is asked of JAX before the first call.

    Args:
        function: positional arguments are arrays.
    """

    @functools.cache
    def compiled(platform: str) -> Callable[P, T]:
        return make_jit(compiler_options(platform))(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return compiled(jax.default_backend())(*args, **kwargs)

    return call
