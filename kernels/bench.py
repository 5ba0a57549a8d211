"""Times the implementations of the rasterizer against each other, in one run.

    python -m jaxsoftras.kernels.bench
    python -m jaxsoftras.kernels.bench --sizes 8x1280x64 64x5120x128 --repeats 20

Sizes are images x faces x pixels. Every implementation that runs on the machine draws
the meshes of `bench_inputs`, as silhouettes and in colour (softmax, vertex colours);
its pictures and gradients are compared with those of the first one before anything is
timed. Times are medians, from face vertices to the gradients of face vertices and
colours.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
import rich.table
from jax import lax

from jaxsoftras import geometry, implementations, rasterization
from jaxsoftras.kernels import bench_inputs

_SIGMA, _GAMMA, _DIST_EPS = 1e-4, 1e-4, 1e-4
_CPU_SIZES = ("8x1280x64", "64x1280x64")
_GPU_SIZES = ("64x1280x64", "256x1280x64", "256x1280x128", "8x20480x256", "8x20480x512")
# a dense scan beyond this many pairs of faces and pixels takes minutes
_DENSE_LIMIT = {"cpu": 8 * 1280 * 64**2, "gpu": 64 * 1280 * 64**2}
# calls between two looks at the clock: launching one takes as long as a small picture
_CALLS = {"cpu": 1, "gpu": 20}


class Size(NamedTuple):
    """Images, faces of each, and pixels along a side."""

    images: int
    faces: int
    pixels: int

    def __str__(self) -> str:
        """As it is written on the command line."""
        return "x".join(map(str, self))


class Inputs(NamedTuple):
    """What is differentiated: corners ``[B, F, 3, 3]`` and colours ``[B, F, 3, 3]``."""

    faces: jax.Array
    colors: jax.Array


Draw = Callable[[Inputs, int], jax.Array]


def dense_scan(inputs: Inputs, pixels: int) -> jax.Array:
    """The silhouette by a `lax.scan` over faces, each drawn on every pixel.

    What one would write without a work list: it never holds more than one face's
    pictures, and its gradient recomputes them.
    """
    faces = inputs.faces
    x, y = geometry.pixel_centers(pixels, pixels, faces.dtype)
    cutoff = _SIGMA * geometry.support(_DIST_EPS)

    @jax.checkpoint
    def add(depth, face):
        triangle = geometry.corners(face[:, None, None])
        signed = geometry.nearest(x, y[:, None], triangle).signed
        share = jnp.where(signed > -cutoff, jax.nn.softplus(signed / _SIGMA), 0)
        return depth + share, None

    depth = jnp.zeros((len(faces), pixels, pixels), faces.dtype)
    depth, _ = lax.scan(add, depth, jnp.swapaxes(faces, 0, 1))
    return -jnp.expm1(-depth)


def _silhouette(implementation, inputs: Inputs, pixels: int) -> jax.Array:
    return rasterization.silhouette(
        inputs.faces[..., :2],
        pixels,
        sigma=_SIGMA,
        dist_eps=_DIST_EPS,
        implementation=implementation,
    )


def _color(implementation, inputs: Inputs, pixels: int) -> jax.Array:
    return rasterization.rasterize(
        inputs.faces,
        inputs.colors,
        pixels,
        sigma=_SIGMA,
        gamma=_GAMMA,
        dist_eps=_DIST_EPS,
        implementation=implementation,
    )


def available() -> dict[str, dict[str, Draw]]:
    """The implementations that run on this machine, of silhouettes and of colour."""
    silhouettes: dict[str, Draw] = {"dense scan": dense_scan}
    for name in ("xla", "pallas"):
        if implementations.runs_here(name):
            silhouettes[name] = functools.partial(_silhouette, name)
    return {
        "silhouette": silhouettes,
        "color": {"xla": functools.partial(_color, "xla")},
    }


def make_inputs(size: Size) -> Inputs:
    """Meshes and colours of a size."""
    faces = bench_inputs.face_vertices(size.images, size.faces)
    colors = np.random.default_rng(0).uniform(size=faces.shape).astype(np.float32)
    return Inputs(jnp.asarray(faces), jnp.asarray(colors))


def _median_ms(function: Callable, inputs: Inputs, repeats: int) -> float:
    """Of one call, from chains of calls, each of which waits for the one before it."""
    calls = _CALLS.get(jax.default_backend(), 1)

    @jax.jit
    def chain(inputs):
        def step(_, inputs):
            # too small a change to see, but XLA cannot know that
            change = sum(1e-30 * jnp.sum(x) for x in jax.tree.leaves(function(inputs)))
            return jax.tree.map(lambda x: x + change, inputs)

        return lax.fori_loop(0, calls, step, inputs) if calls > 1 else function(inputs)

    jax.block_until_ready(chain(inputs))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(chain(inputs))
        times.append(1e3 * (time.perf_counter() - start) / calls)
    return statistics.median(times)


class Result(NamedTuple):
    """Of one implementation at one size.

    Attributes:
        compile_s: seconds until the first gradient.
        forward_ms: the pictures alone.
        both_ms: pictures and gradients.
        memory_mb: temporary memory of the latter.
        picture: ``[B, S, S]`` or ``[B, S, S, 4]``.
        gradient: of the corners' x and y, ``[B, F, 3, 2]``.
        repeatable: whether a second run gave the same bytes.
    """

    compile_s: float
    forward_ms: float
    both_ms: float
    memory_mb: float
    picture: np.ndarray
    gradient: np.ndarray
    repeatable: bool


def measure(draw: Draw, size: Size, repeats: int) -> Result:
    """Compiles, runs and times one implementation."""
    inputs = make_inputs(size)
    forward = functools.partial(draw, pixels=size.pixels)
    shape = jax.eval_shape(forward, inputs).shape
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)

    def with_gradient(inputs: Inputs) -> Any:
        picture, pullback = jax.vjp(forward, inputs)
        return picture, pullback(jnp.asarray(weight))[0]

    start = time.perf_counter()
    both = jax.jit(with_gradient).lower(inputs).compile()
    picture, gradient = jax.device_get(both(inputs))
    compile_s = time.perf_counter() - start
    analysis = both.memory_analysis()
    again = jax.tree.leaves(jax.device_get(both(inputs)))
    once = jax.tree.leaves((picture, gradient))
    return Result(
        compile_s=compile_s,
        forward_ms=_median_ms(forward, inputs, repeats),
        both_ms=_median_ms(with_gradient, inputs, repeats),
        memory_mb=analysis.temp_size_in_bytes / 1e6 if analysis else float("nan"),
        picture=picture,
        gradient=gradient.faces[..., :2],
        repeatable=all(map(np.array_equal, once, again)),
    )


def compare(
    what: str, draws: dict[str, Draw], sizes: Sequence[Size], repeats: int
) -> rich.table.Table:
    """Measures every implementation at every size.

    Raises:
        RuntimeError: two implementations differ by more than rounding.
    """
    device = jax.devices()[0]
    table = rich.table.Table(
        title=f"{what}, sigma {_SIGMA:g}, {device.device_kind}, jax {jax.__version__}"
    )
    for column in ("size", "implementation"):
        table.add_column(column, no_wrap=True)
    for column in (
        "forward ms",
        "with gradient ms",
        "speed",
        "memory MB",
        "compile s",
        "d picture",
        "d gradient",
        "repeats",
    ):
        table.add_column(column, justify="right")
    for size in sizes:
        pairs = size.images * size.faces * size.pixels**2
        first: Result | None = None
        for name, draw in draws.items():
            if draw is dense_scan and pairs > _DENSE_LIMIT.get(device.platform, 0):
                continue
            result = measure(draw, size, repeats)
            first = first or result
            scale = np.abs(first.gradient).max()
            picture_error = np.abs(result.picture - first.picture).max()
            gradient_error = np.abs(result.gradient - first.gradient).max() / scale
            if picture_error > 1e-4 or gradient_error > 1e-3:
                raise RuntimeError(
                    f"{name} differs from the first implementation at {size}: pictures "
                    f"by {picture_error:.1e}, gradients by {gradient_error:.1e} of the "
                    "largest."
                )
            table.add_row(
                str(size),
                name,
                f"{result.forward_ms:.3f}",
                f"{result.both_ms:.3f}",
                "-" if result is first else f"{first.both_ms / result.both_ms:.1f} x",
                f"{result.memory_mb:.0f}",
                f"{result.compile_s:.1f}",
                f"{picture_error:.0e}",
                f"{gradient_error:.0e}",
                "bit for bit" if result.repeatable else "no",
            )
        table.add_section()
    return table


def _size(text: str) -> Size:
    try:
        size = Size(*map(int, text.split("x")))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form images x faces x pixels, such as 8x1280x64"
        ) from None
    if min(size) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: all three must be positive")
    return size


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m jaxsoftras.kernels.bench",
        description="Compare and time the implementations of the rasterizer.",
    )
    platform = jax.default_backend()
    default = [_size(s) for s in (_CPU_SIZES if platform == "cpu" else _GPU_SIZES)]
    parser.add_argument("--sizes", type=_size, nargs="+", default=default)
    kinds = available()
    parser.add_argument("--what", nargs="+", choices=[*kinds], default=[*kinds])
    parser.add_argument("--repeats", type=int, default=10, help="default: %(default)s")
    options = parser.parse_args(arguments)
    console = rich.console.Console(width=max(rich.console.Console().width, 132))
    try:
        for what in options.what:
            draws = kinds[what]
            console.print(compare(what, draws, options.sizes, max(options.repeats, 1)))
    except (ValueError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
