"""Command line: makes the embedded data set, a contact sheet of it, or both."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from jaxsoftras.shapes.dataset import write_dataset
from jaxsoftras.shapes.sheet import contact_sheet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxsoftras.shapes",
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
        help="width and height of the data set's pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="PNG",
        help="draw the first 8 objects of every category to this picture",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after the program's name; by default the process's.

    Returns:
        The exit status: 0, or 2 if something could not be written.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.out or options.sheet):
        parser.error("nothing to do: give --out FOLDER, --sheet PNG or both")
    try:
        if options.out:
            with Progress(
                TextColumn("objects"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            ) as bar:
                task = bar.add_task("objects", total=None)
                write_dataset(
                    options.out,
                    objects_per_category=options.objects,
                    seed=options.seed,
                    image_size=options.image_size,
                    progress=lambda done, total: bar.update(
                        task, completed=done, total=total
                    ),
                )
            print(f"wrote {options.out}")
        if options.sheet:
            contact_sheet(8, seed=options.seed).save(options.sheet)
            print(f"wrote {options.sheet}")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
