"""Command line of the embedded data set: ``python -m jaxsoftras.shapes --help``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from jaxsoftras import atomic, terminal
from jaxsoftras.data.production import check_options
from jaxsoftras.data.reporting import add_renderer, check_sheet
from jaxsoftras.shapes.dataset import write_dataset
from jaxsoftras.shapes.sheet import contact_sheet


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m jaxsoftras.shapes"
) -> int:
    """Makes the embedded data set, a contact sheet of it, or both.

    Args:
        arguments: words of the command line; the process's own if None.
        prog: name of the program in messages.

    Returns:
        The exit code: 0 on success; 2 after an error, reported in one line on stderr;
        130 after Ctrl-C.
    """
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if not (options.out or options.sheet):
        parser.error("nothing to do: give --out FOLDER, --sheet PNG or both")
    return terminal.run(prog, lambda: _make(options))


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Make a data set of procedural shapes of the 13 categories in the "
        "file format of the SoftRas data sets, with no download.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write the data set to this folder, replacing an embedded data set there",
    )
    parser.add_argument(
        "--objects",
        type=int,
        default=24,
        metavar="N",
        help="objects of each category, at least 3 (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of shapes and colours, 0 or more (default: %(default)s)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=64,
        metavar="PIXELS",
        help="width and height of the images (default: %(default)s)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="processes that make objects, which plays no part in the result (default: "
        "one for each core)",
    )
    add_renderer(parser)
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="PNG",
        help="render the first 8 objects of every category to this image file",
    )
    return parser


def _make(options: argparse.Namespace) -> None:
    check_options(options.seed, options.image_size, options.renderer)
    if options.sheet:
        check_sheet(options.sheet, options.out)
    if options.out:
        with terminal.progress_bar("Making objects") as progress:
            write_dataset(
                options.out,
                objects_per_category=options.objects,
                seed=options.seed,
                image_size=options.image_size,
                renderer=options.renderer,
                processes=options.processes,
                progress=progress,
            )
        print(f"The data set is in {options.out}.")
    if options.sheet:
        with atomic.file(options.sheet) as partial:
            contact_sheet(8, seed=options.seed).save(partial)
        print(f"The contact sheet is in {options.sheet}.")


if __name__ == "__main__":
    terminal.leave(main)
