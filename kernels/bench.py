"""Times the backends of the rasterizer against each other, in one run.

    python -m jaxsoftras.kernels.bench
    python -m jaxsoftras.kernels.bench --sizes 8x1280x64 64x5120x128 --repeats 20

Sizes are images x faces x pixels. Every backend that runs on the machine renders the
meshes of `bench_inputs`, as silhouettes and in colour (softmax, vertex colours); its
images and gradients are compared with the first backend's before anything is timed.
Times are medians, from face vertices to the gradients of face vertices and colours.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras import command_line, geometry, terminal
from jaxsoftras.kernels import bench_timing, dispatch
from jaxsoftras.kernels.bench_scenes import Draw, Inputs, Size, parse_size
from jaxsoftras.kernels.bench_scenes import make_inputs as make_inputs
from jaxsoftras.kernels.options import Implementation, RasterOptions
from jaxsoftras.rasterization import soft

if TYPE_CHECKING:
    import rich.table

_SIGMA, _GAMMA, _DIST_EPS = 1e-4, 1e-4, 1e-4
_CPU_SIZES = ("8x1280x64", "64x1280x64")
_GPU_SIZES = ("64x1280x64", "256x1280x64", "256x1280x128", "8x20480x256", "8x20480x512")
# a dense scan of more face-pixel pairs takes minutes
_DENSE_LIMIT = {"cpu": 8 * 1280 * 64**2, "gpu": 64 * 1280 * 64**2}


def dense_scan(inputs: Inputs, pixels: int) -> jax.Array:
    """Renders silhouettes by a `lax.scan` over faces, each drawn on every pixel.

    The obvious program without a work list: it never holds more than one face's image,
    and its gradient recomputes them.
    """
    faces = inputs.faces
    x, y = geometry.pixel_centers(pixels, pixels, faces.dtype)
    cutoff = _SIGMA * RasterOptions(dist_eps=_DIST_EPS).cutoff

    @jax.checkpoint
    def add(depth, face):
        triangle = geometry.corners(face[:, None, None])
        signed = geometry.nearest(x, y[:, None], triangle).signed
        term = jnp.where(signed > -cutoff, jax.nn.softplus(signed / _SIGMA), 0)
        return depth + term, None

    depth = jnp.zeros((len(faces), pixels, pixels), faces.dtype)
    depth, _ = lax.scan(add, depth, jnp.swapaxes(faces, 0, 1))
    return -jnp.expm1(-depth)


def _silhouette(
    implementation: Implementation, inputs: Inputs, pixels: int
) -> jax.Array:
    return soft.silhouette(
        inputs.faces[..., :2],
        pixels,
        sigma=_SIGMA,
        dist_eps=_DIST_EPS,
        implementation=implementation,
    )


def _color(implementation: Implementation, inputs: Inputs, pixels: int) -> jax.Array:
    return soft.rasterize(
        inputs.faces,
        inputs.colors,
        pixels,
        sigma=_SIGMA,
        gamma=_GAMMA,
        dist_eps=_DIST_EPS,
        near=1.0,
        far=100.0,
        implementation=implementation,
    )


def available() -> dict[str, dict[str, Draw]]:
    """The backends that run on this machine, for silhouettes and for colour."""
    names = [
        name
        for name in dispatch.BACKENDS
        if name != "reference" and dispatch.runs_here(name)
    ]
    draws: dict[str, Callable[..., jax.Array]] = {
        "silhouette": _silhouette,
        "color": _color,
    }
    kinds: dict[str, dict[str, Draw]] = {
        kind: {name: functools.partial(draw, name) for name in names}
        for kind, draw in draws.items()
    }
    kinds["silhouette"] = {"dense scan": dense_scan, **kinds["silhouette"]}
    return kinds


def _check_alike(
    name: str, size: Size, first: bench_timing.Result, result: bench_timing.Result
) -> tuple[float, float]:
    """Image and gradient differences; raises a ProgramError beyond rounding."""
    scale = np.abs(first.gradient).max()
    image = np.abs(result.image - first.image).max()
    gradient = np.abs(result.gradient - first.gradient).max() / scale
    if image > 1e-4 or gradient > 1e-3:
        raise terminal.ProgramError(
            f"{name} differs from the first backend at {size}: images by "
            f"{image:.1e}, gradients by {gradient:.1e} of the largest."
        )
    return image, gradient


def compare(
    what: str,
    draws: dict[str, Draw],
    sizes: Sequence[Size],
    repeats: int,
    threads: int = 1,
) -> rich.table.Table:
    """Measures every backend at every size.

    Args:
        what: title of the table.
        draws: the backends' functions.
        sizes: sizes of the scenes.
        repeats: repetitions of each timing.
        threads: programs that compile at the same time.

    Raises:
        ProgramError: two backends differ by more than rounding.
    """
    device = jax.devices()[0]
    table = terminal.make_table(
        title=f"{what}, sigma {_SIGMA:g}, {device.device_kind}, jax {jax.__version__}"
    )
    for column in ("size", "backend"):
        table.add_column(column, no_wrap=True)
    for column in (
        "forward ms",
        "with gradient ms",
        "speed",
        "memory MB",
        "compile s",
        "d image",
        "d gradient",
        "repeats",
    ):
        table.add_column(column, justify="right")
    jobs = [
        bench_timing.prepare(name, draw, size)
        for size in sizes
        for name, draw in draws.items()
        if draw is not dense_scan
        or size.images * size.faces * size.pixels**2
        <= _DENSE_LIMIT.get(device.platform, 0)
    ]
    # jobs whose chain is one call share that program
    lowered = {id(p): p for job in jobs for p in job.programs}
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        done = pool.map(bench_timing.compile_program, lowered.values())
        compiled = dict(zip(lowered, done, strict=True))
    first: dict[Size, bench_timing.Result] = {}
    for job in jobs:
        programs = tuple(compiled[id(program)] for program in job.programs)
        result = bench_timing.measure(job._replace(programs=programs), repeats)
        if job.size not in first and first:
            table.add_section()
        baseline = first.setdefault(job.size, result)
        image, gradient = _check_alike(job.name, job.size, baseline, result)
        table.add_row(
            str(job.size),
            job.name,
            f"{result.forward_ms:.3f}",
            f"{result.both_ms:.3f}",
            "-" if result is baseline else f"{baseline.both_ms / result.both_ms:.1f} x",
            f"{result.memory_mb:.0f}",
            f"{result.compile_s:.1f}",
            f"{image:.0e}",
            f"{gradient:.0e}",
            "bit for bit" if result.repeatable else "no",
        )
    return table


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m jaxsoftras.kernels.bench",
) -> int:
    """Runs the command line.

    Args:
        arguments: command-line arguments; None stands for ``sys.argv[1:]``.
        prog: name of the program in help texts.

    Returns:
        The exit code: 0 on success, 2 after an error, reported in one line on stderr.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description="Compare and time the backends of the rasterizer."
    )
    platform = jax.default_backend()
    default = [parse_size(s) for s in (_CPU_SIZES if platform == "cpu" else _GPU_SIZES)]
    parser.add_argument("--sizes", type=parse_size, nargs="+", default=default)
    kinds = available()
    names = sorted({name for draws in kinds.values() for name in draws})
    parser.add_argument("--what", nargs="+", choices=[*kinds], default=[*kinds])
    parser.add_argument("--implementations", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--repeats", type=command_line.positive, default=10, help="default: %(default)s"
    )
    parser.add_argument(
        "--threads",
        type=command_line.positive,
        default=1,
        help="programs that compile at a time",
    )
    options = parser.parse_args(arguments)
    return terminal.run("bench", lambda: _run(options, kinds))


def _run(options: argparse.Namespace, kinds: dict[str, dict[str, Draw]]) -> None:
    console = terminal.make_console(width=max(terminal.make_console().width, 132))
    for what in options.what:
        draws = {
            name: draw
            for name, draw in kinds[what].items()
            if name in options.implementations
        }
        table = compare(what, draws, options.sizes, options.repeats, options.threads)
        console.print(table)


if __name__ == "__main__":
    terminal.leave(main)
