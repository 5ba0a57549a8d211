"""Times the implementations of the rasterizer against each other, in one run.

    python -m jaxsoftras.kernels.bench
    python -m jaxsoftras.kernels.bench --sizes 8x1280x64 64x5120x128 --repeats 20

Sizes are images x faces x pixels. Every implementation draws the same bumpy spheres;
its silhouettes and gradients are compared with those of the first one before anything
is timed. Times are medians, from face vertices to the gradient of face vertices.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
import rich.table
from jax import lax

from jaxsoftras import camera, geometry, mesh, rasterize

_SIGMA, _DIST_EPS = 1e-4, 1e-4
_CPU_SIZES = ("8x1280x64", "64x1280x64")
_GPU_SIZES = ("64x1280x64", "256x1280x64", "256x1280x128", "8x20480x256", "8x20480x512")
# a dense scan beyond this many pairs of faces and pixels takes minutes
_DENSE_LIMIT = {"cpu": 8 * 1280 * 64**2, "gpu": 64 * 1280 * 64**2}


class Size(NamedTuple):
    """Images, faces of each, and pixels along a side."""

    images: int
    faces: int
    pixels: int

    def __str__(self) -> str:
        """As it is written on the command line."""
        return "x".join(map(str, self))


def dense_scan(face_vertices: jax.Array, pixels: int) -> jax.Array:
    """The silhouette by a `lax.scan` over faces, each drawn on every pixel.

    What one would write without a work list: it never holds more than one face's
    pictures, and its gradient recomputes them.
    """
    x, y = geometry.pixel_centers(pixels, pixels, face_vertices.dtype)
    cutoff = _SIGMA * geometry.support(_DIST_EPS)

    @jax.checkpoint
    def add(depth, face):
        triangle = geometry.corners(face[:, None, None])
        signed = geometry.nearest(x, y[:, None], triangle).signed
        share = jnp.where(signed > -cutoff, jax.nn.softplus(signed / _SIGMA), 0)
        return depth + share, None

    depth = jnp.zeros((len(face_vertices), pixels, pixels), face_vertices.dtype)
    depth, _ = lax.scan(add, depth, jnp.swapaxes(face_vertices, 0, 1))
    return -jnp.expm1(-depth)


def _xla(face_vertices: jax.Array, pixels: int) -> jax.Array:
    return rasterize.silhouette(
        face_vertices,
        pixels,
        sigma=_SIGMA,
        dist_eps=_DIST_EPS,
        implementation="xla",
    )


IMPLEMENTATIONS: dict[str, Callable[[jax.Array, int], jax.Array]] = {
    "dense scan": dense_scan,
    "xla": _xla,
}


def make_inputs(size: Size, seed: int = 0) -> tuple[jax.Array, jax.Array]:
    """Bumpy, randomly turned spheres that fill the view, and a cotangent.

    Returns:
        face vertices ``[B, F, 3, 2]`` NDC, and ``[B, S, S]`` standard normal numbers.
    """
    levels = {20 * 4**level: level for level in range(8)}
    if size.faces not in levels:
        raise ValueError(
            f"{size}: the spheres have {', '.join(map(str, levels))} faces, "
            f"not {size.faces}."
        )
    template = mesh.icosphere(levels[size.faces])
    directions = np.asarray(template.vertices)
    edge = np.linalg.norm(np.diff(directions[template.faces[:, :2]], axis=1), axis=-1)
    rng = np.random.default_rng(seed)
    vertices = []
    for _ in range(size.images):
        waves = np.sin(directions @ rng.normal(0, 2, (3, 6)) + rng.uniform(0, 6.3, 6))
        radius = 0.9 * (1 + waves @ rng.uniform(0, 0.07, 6))
        shape = directions * radius[:, None] * rng.uniform(0.7, 1, 3)
        shape = shape + rng.normal(0, 0.1 * edge.mean(), shape.shape)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        vertices.append(shape @ turn)
    eye = camera.eye_from_angles(2.732, 0.0, 0.0)
    cam = camera.perspective_camera(eye, half_fov=30.0)
    points = camera.project(cam, jnp.asarray(np.stack(vertices), jnp.float32))
    faces = mesh.face_vertices(points, template.faces)[..., :2]
    cotangent = rng.normal(size=(size.images, size.pixels, size.pixels))
    return faces, jnp.asarray(cotangent, jnp.float32)


def _median_ms(function: Callable, arguments: Sequence, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


class Result(NamedTuple):
    """Of one implementation at one size.

    Attributes:
        compile_s: seconds until the first gradient.
        forward_ms: the silhouettes alone.
        both_ms: silhouettes and gradients.
        memory_mb: temporary memory of the latter.
        alpha: ``[B, S, S]``.
        gradient: ``[B, F, 3, 2]``.
        repeatable: whether a second run gave the same bytes.
    """

    compile_s: float
    forward_ms: float
    both_ms: float
    memory_mb: float
    alpha: np.ndarray
    gradient: np.ndarray
    repeatable: bool


def measure(
    draw: Callable[[jax.Array, int], jax.Array], size: Size, repeats: int
) -> Result:
    """Compiles, runs and times one implementation."""
    faces, cotangent = make_inputs(size)
    forward = jax.jit(functools.partial(draw, pixels=size.pixels))

    def with_gradient(faces, cotangent):
        alpha, pullback = jax.vjp(lambda f: draw(f, size.pixels), faces)
        return alpha, pullback(cotangent)[0]

    start = time.perf_counter()
    both = jax.jit(with_gradient).lower(faces, cotangent).compile()
    alpha, gradient = jax.device_get(both(faces, cotangent))
    compile_s = time.perf_counter() - start
    analysis = both.memory_analysis()
    again = jax.device_get(both(faces, cotangent))
    jax.block_until_ready(forward(faces))
    return Result(
        compile_s=compile_s,
        forward_ms=_median_ms(forward, (faces,), repeats),
        both_ms=_median_ms(both, (faces, cotangent), repeats),
        memory_mb=analysis.temp_size_in_bytes / 1e6 if analysis else float("nan"),
        alpha=alpha,
        gradient=gradient,
        repeatable=bool(
            np.array_equal(again[0], alpha) and np.array_equal(again[1], gradient)
        ),
    )


def compare(sizes: Sequence[Size], repeats: int) -> rich.table.Table:
    """Measures every implementation at every size.

    Raises:
        RuntimeError: two implementations differ by more than rounding.
    """
    device = jax.devices()[0]
    table = rich.table.Table(
        title=f"silhouette, sigma {_SIGMA:g}, {device.device_kind}, "
        f"jax {jax.__version__}"
    )
    for column in ("size", "implementation"):
        table.add_column(column, no_wrap=True)
    for column in (
        "forward ms",
        "with gradient ms",
        "speed",
        "memory MB",
        "compile s",
        "d alpha",
        "d gradient",
        "repeats",
    ):
        table.add_column(column, justify="right")
    for size in sizes:
        pairs = size.images * size.faces * size.pixels**2
        first: Result | None = None
        for name, draw in IMPLEMENTATIONS.items():
            if draw is dense_scan and pairs > _DENSE_LIMIT.get(device.platform, 0):
                continue
            result = measure(draw, size, repeats)
            first = first or result
            scale = np.abs(first.gradient).max()
            alpha_error = np.abs(result.alpha - first.alpha).max()
            gradient_error = np.abs(result.gradient - first.gradient).max() / scale
            if alpha_error > 1e-4 or gradient_error > 1e-3:
                raise RuntimeError(
                    f"{name} differs from the first implementation at {size}: alpha by "
                    f"{alpha_error:.1e}, gradients by {gradient_error:.1e} of the "
                    "largest."
                )
            table.add_row(
                str(size),
                name,
                f"{result.forward_ms:.2f}",
                f"{result.both_ms:.2f}",
                "-" if result is first else f"{first.both_ms / result.both_ms:.1f} x",
                f"{result.memory_mb:.0f}",
                f"{result.compile_s:.1f}",
                f"{alpha_error:.0e}",
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
    parser.add_argument("--repeats", type=int, default=10, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        table = compare(options.sizes, max(options.repeats, 1))
    except (ValueError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    rich.console.Console(width=max(rich.console.Console().width, 132)).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
