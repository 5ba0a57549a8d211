"""Times the rasterizer called from PyTorch against JAX itself, in one run.

    python -m jaxsoftras.torch.bench
    python -m jaxsoftras.torch.bench --sizes 64x1280x64 256x1280x64 --repeats 50

Sizes are images x faces x pixels. `jaxsoftras.torch` and a compiled function of JAX
draw the same meshes, as silhouettes and in colour; images and gradients are compared
first. Calls take turns, and times are medians of a call, of an image alone (forward)
and of an image with the gradient of its faces (forward and backward). On a GPU several
calls are queued between two looks at the clock, as in a training loop. Needs PyTorch
and the base installation alone; the table is Markdown.
"""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

import jaxsoftras
import jaxsoftras.torch
from jaxsoftras import command_line, terminal
from jaxsoftras.kernels.bench_scenes import Size, make_inputs, parse_size
from jaxsoftras.torch import exchange

_SIZES = {
    "cpu": ("1x80x16", "8x1280x64"),
    "cuda": ("1x80x16", "64x1280x64", "256x1280x64", "8x20480x256"),
}
_CALLS = {"cpu": 1, "cuda": 20}
_HEADINGS = (
    *("size", "what", "forward: JAX", "PyTorch", "overhead"),
    *("and backward: JAX", "PyTorch", "overhead", "differ by"),
)
_WIDTHS = tuple(max(len(heading), 10) for heading in _HEADINGS)

Draw = Callable[[Any, Any, Any, int], Any]
_DRAW: dict[str, Draw] = {
    "silhouette": lambda module, faces, _, side: module.silhouette(faces, side),
    "color": lambda module, faces, colors, side: module.rasterize(faces, colors, side),
}


class Calls(NamedTuple):
    """The calls that are compared.

    Attributes:
        jax_forward: image by JAX.
        torch_forward: image by PyTorch.
        jax_both: image and gradient of the faces by JAX.
        torch_both: the same by PyTorch.
    """

    jax_forward: Callable[[], Any]
    torch_forward: Callable[[], Any]
    jax_both: Callable[[], Any]
    torch_both: Callable[[], Any]


def make_calls(what: str, size: Size, device: torch.device) -> Calls:
    """Makes the calls that draw the meshes of a size.

    Args:
        what: ``"silhouette"`` or ``"color"``.
        size: size of the scene.
        device: where PyTorch's tensors are.
    """
    draw, inputs = _DRAW[what], make_inputs(size)

    def image(faces: jax.Array, colors: jax.Array) -> jax.Array:
        return draw(jaxsoftras, faces, colors, size.pixels)

    def both(faces: jax.Array, colors: jax.Array, weight: jax.Array) -> Any:
        drawn, pullback = jax.vjp(lambda faces: image(faces, colors), faces)
        return drawn, pullback(weight)[0]

    arrays = jax.device_put(inputs, exchange.find_jax_device(device))
    shape = jax.eval_shape(image, *arrays).shape
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    faces, colors, weights = (
        torch.tensor(np.asarray(array), device=device) for array in (*inputs, weight)
    )
    faces.requires_grad_()
    weight = jax.device_put(jnp.asarray(weight), exchange.find_jax_device(device))
    jax_forward, jax_both = jax.jit(image), jax.jit(both)

    def torch_forward() -> torch.Tensor:
        with torch.no_grad():
            return draw(jaxsoftras.torch, faces, colors, size.pixels)

    def torch_both() -> tuple[torch.Tensor, torch.Tensor]:
        drawn = draw(jaxsoftras.torch, faces, colors, size.pixels)
        (gradient,) = torch.autograd.grad(drawn, faces, weights)
        return drawn, gradient

    return Calls(
        lambda: jax_forward(*arrays),
        torch_forward,
        lambda: jax_both(*arrays, weight),
        torch_both,
    )


def _wait(result: Any) -> None:
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(result)):
        jax.block_until_ready(result)
    elif torch.cuda.is_available():
        torch.cuda.synchronize()


def compare(calls: Calls) -> float:
    """The largest difference of images and gradients, as a share of the largest number.

    Raises:
        ProgramError: it is not rounding.
    """
    theirs = [np.asarray(result) for result in calls.jax_both()]
    ours = [result.detach().cpu().numpy() for result in calls.torch_both()]
    difference = max(
        float(np.abs(a - b).max() / np.abs(a).max())
        for a, b in zip(theirs, ours, strict=True)
    )
    if not difference < 1e-5:
        raise terminal.ProgramError(
            f"Results by PyTorch differ from those by JAX by {difference:.1e} of the "
            "largest number: their times are not worth comparing."
        )
    return difference


def measure(calls: Calls, repeats: int, count: int) -> list[float]:
    """Milliseconds of each of the calls, medians.

    Args:
        calls: what to time, in turns.
        repeats: number of turns.
        count: calls between two looks at the clock.
    """
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for own, call in zip(times, calls, strict=True):
            _wait(call())
            start = time.perf_counter()
            for _ in range(count):
                result = call()
            _wait(result)
            own.append(1e3 * (time.perf_counter() - start) / count)
    return [statistics.median(own) for own in times]


def make_rows(
    sizes: Sequence[Size], device: torch.device, repeats: int, count: int
) -> Iterator[str]:
    """Compares and times silhouettes and colour at all sizes, as rows of a table.

    Raises:
        ProgramError: results that differ.
        ValueError: JAX does not have the device.
    """
    name = exchange.find_jax_device(device).device_kind
    yield (
        f"{name}, jax {jax.__version__}, torch {torch.__version__}, {count} queued; "
        "ms a call\n"
    )
    yield _format_row(_HEADINGS)
    yield _format_row(["---", "---", *("---:" for _ in _WIDTHS[2:])])
    for size in sizes:
        for what in _DRAW:
            calls = make_calls(what, size, device)
            difference = compare(calls)
            jax_forward, torch_forward, jax_both, torch_both = measure(
                calls, repeats, count
            )
            times = (
                *(jax_forward, torch_forward, torch_forward - jax_forward),
                *(jax_both, torch_both, torch_both - jax_both),
            )
            yield _format_row(
                [str(size), what, *(f"{t:.3f}" for t in times), f"{difference:.0e}"]
            )


def _format_row(texts: Sequence[str]) -> str:
    """Formats a row of a Markdown table: two columns of names, others of numbers."""
    signs = "<<" + ">" * (len(_WIDTHS) - 2)
    columns = zip(texts, signs, _WIDTHS, strict=True)
    return f"| {' | '.join(f'{text:{sign}{w}}' for text, sign, w in columns)} |"


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m jaxsoftras.torch.bench",
) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(
        prog=prog, description="Time the rasterizer called from PyTorch against JAX."
    )
    parser.add_argument("--sizes", type=parse_size, nargs="+", help="such as 8x1280x64")
    parser.add_argument("--device", choices=[*_SIZES], default=usual)
    parser.add_argument(
        "--repeats", type=command_line.positive, default=20, help="default: %(default)s"
    )
    parser.add_argument(
        "--calls",
        type=command_line.positive,
        help="calls that are queued (default: 1, GPU: 20)",
    )
    options = parser.parse_args(arguments)
    return terminal.run(prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    sizes = options.sizes or [parse_size(size) for size in _SIZES[options.device]]
    count = options.calls or _CALLS[options.device]
    if options.device == "cuda" and not torch.cuda.is_available():
        raise terminal.ProgramError(
            "PyTorch finds no NVIDIA GPU here; time the CPU by --device cpu."
        )
    index = torch.cuda.current_device() if options.device == "cuda" else None
    device = torch.device(options.device, index)
    # the rasterizer chooses its kernels by JAX's default device
    with jax.default_device(exchange.find_jax_device(device)):
        for row in make_rows(sizes, device, options.repeats, count):
            print(row, flush=True)


if __name__ == "__main__":
    terminal.leave(main)
