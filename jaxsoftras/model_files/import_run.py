"""Converts a checkpoint of the original Soft Rasterizer: the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from jaxsoftras import model_files, terminal


def main(
    arguments: list[str] | None = None, *, prog: str = "jaxsoftras import-softras"
) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Convert a PyTorch checkpoint of the original Soft Rasterizer to a "
        "model file. PyTorch is not needed, and no code in the file is run.",
    )
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="FILE",
        help="such as checkpoint_0200000.pth.tar",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="model file, a .zip"
    )
    parser.add_argument(
        "--license", default="not stated", help="licence of the parameters"
    )
    parser.add_argument(
        "--steps", type=int, default=0, help="number of training steps, if known"
    )
    options = parser.parse_args(arguments)
    if options.steps < 0:
        parser.error("--steps must not be negative")

    def command() -> None:
        trained = model_files.load_softras(options.checkpoint, step=options.steps)
        model_files.save(
            options.out,
            trained,
            license=options.license,
            origin=f"Converted from `{terminal.printable(options.checkpoint.name)}`, a "
            "checkpoint of the original Soft Rasterizer.",
        )
        sizes = trained.config.model
        print(
            terminal.printable(
                f"Written to {options.out}: {sizes.image_size} px, "
                f"{len(trained.network.faces)} faces, inverted colours."
            )
        )

    return terminal.run(prog, command)
