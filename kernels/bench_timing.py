"""Times of the benchmark: programs are traced, compiled and run."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras.kernels.bench_scenes import Draw, Inputs, Size, make_inputs

# calls between two looks at the clock: a launch takes as long as a small image
_CALLS = {"cpu": 1, "gpu": 20}


def _chain(function: Callable) -> Callable:
    """Chains calls of a function, each of which waits for the one before it."""
    calls = _CALLS.get(jax.default_backend(), 1)

    def chain(inputs):
        def step(_, inputs):
            # too small a change to see, but XLA cannot know that
            change = sum(1e-30 * jnp.sum(x) for x in jax.tree.leaves(function(inputs)))
            return jax.tree.map(lambda x: x + change, inputs)

        return lax.fori_loop(0, calls, step, inputs) if calls > 1 else function(inputs)

    return chain


def _median_ms(chain: Callable, inputs: Inputs, repeats: int) -> float:
    """Median time of one call, from a compiled chain of calls."""
    jax.block_until_ready(chain(inputs))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(chain(inputs))
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times) / _CALLS.get(jax.default_backend(), 1)


class Job(NamedTuple):
    """The programs by which one backend is measured at one size.

    Attributes:
        size: size of the scene.
        name: name of the backend.
        trace_s: seconds to trace and lower the first of the programs.
        programs: images and gradients once; chains of images; chains of both.
    """

    size: Size
    name: str
    trace_s: float
    programs: tuple[Any, Any, Any]


class Compiled(NamedTuple):
    """A program, and the seconds that it took to compile."""

    run: Any
    seconds: float


class Result(NamedTuple):
    """Measurements of one backend at one size.

    Attributes:
        compile_s: seconds to trace and compile images and gradients.
        forward_ms: time of the images alone.
        both_ms: time of images and gradients.
        memory_mb: temporary memory of the latter.
        image: ``[B, S, S]`` or ``[B, S, S, 4]``.
        gradient: ``[B, F, 3, 2]`` with respect to the corners' x and y.
        repeatable: whether a second run gave the same bytes.
    """

    compile_s: float
    forward_ms: float
    both_ms: float
    memory_mb: float
    image: np.ndarray
    gradient: np.ndarray
    repeatable: bool


def prepare(name: str, draw: Draw, size: Size) -> Job:
    """Traces the programs for one backend at one size."""
    inputs = make_inputs(size)
    forward = functools.partial(draw, pixels=size.pixels)
    shape = jax.eval_shape(forward, inputs).shape
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def with_gradient(inputs: Inputs) -> Any:
        image, pullback = jax.vjp(forward, inputs)
        return image, pullback(jnp.asarray(weight))[0]

    start = time.perf_counter()
    once = jax.jit(with_gradient).lower(inputs)
    trace_s = time.perf_counter() - start
    images = jax.jit(_chain(forward)).lower(inputs)
    both = once
    if _CALLS.get(jax.default_backend(), 1) > 1:
        both = jax.jit(_chain(with_gradient)).lower(inputs)
    return Job(size, name, trace_s, (once, images, both))


def compile_program(lowered: Any) -> Compiled:
    """Compiles a lowered program."""
    start = time.perf_counter()
    return Compiled(lowered.compile(), time.perf_counter() - start)


def measure(job: Job, repeats: int) -> Result:
    """Runs and times the compiled programs."""
    inputs = make_inputs(job.size)
    (once, compile_s), (forward, _), (both, _) = job.programs
    image, gradient = jax.device_get(once(inputs))
    analysis = once.memory_analysis()
    again = jax.tree.leaves(jax.device_get(once(inputs)))
    return Result(
        compile_s=job.trace_s + compile_s,
        forward_ms=_median_ms(forward, inputs, repeats),
        both_ms=_median_ms(both, inputs, repeats),
        memory_mb=analysis.temp_size_in_bytes / 1e6 if analysis else float("nan"),
        image=image,
        gradient=gradient.faces[..., :2],
        repeatable=all(map(np.array_equal, jax.tree.leaves((image, gradient)), again)),
    )
