"""The command that makes a data set of pictures, and what it prints."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from jaxsoftras import terminal
from jaxsoftras.data.categories import sort_keys
from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.pictures import import_pictures
from jaxsoftras.data.pictures_writing import Report
from jaxsoftras.data.reporting import (
    add_jobs,
    add_splits,
    as_text,
    name_splits,
    print_files,
    say,
)
from jaxsoftras.data.split import SPLITS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "--images", required=True, metavar="DIR", help="folder of the pictures"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder of the data set"
    )
    parser.add_argument(
        "--size", type=int, default=64, help="width and height of images, pixels (64)"
    )
    add_splits(parser)
    parser.add_argument(
        "--keep-frame",
        action="store_true",
        help="keep the world space of the cameras; otherwise each object is moved and "
        "scaled into the unit box, as its silhouettes tell",
    )
    add_jobs(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Makes a data set and prints what came of it; returns the exit code."""
    with terminal.progress_bar("Reading", "objects") as progress:
        report = import_pictures(
            options.images,
            options.out,
            Options(size=options.size, keep_frame=options.keep_frame),
            fractions=tuple(options.splits),
            jobs=options.jobs,
            progress=progress,
        )
    print_report(report, Path(options.out), terminal.make_console())
    return 0 if report.objects else 1


def print_report(report: Report, out: Path, console: Console) -> None:
    """Prints what was taken over and what was left out."""
    if report.objects:
        console.print(_count_table(report))
    print_files(console, "left out", "reason", report.left_out)
    print_files(console, "taken, but", "note", report.notes)
    failed = f"; {len(report.left_out)} left out, see above" if report.left_out else ""
    if not report.objects:
        say(console, f"No picture could be used{failed}.")
        return
    pictures = sum(len(taken.files) for taken in report.objects)
    say(
        console,
        f"{pictures} pictures of {len(report.objects)} objects are in "
        f"{shlex.quote(str(out))}{failed}.",
    )
    there = {taken.source.split for taken in report.objects}
    if missing := [split for split in SPLITS if split not in there]:
        say(console, f"Without an object: {', '.join(missing)}.")


def _count_table(report: Report) -> Table:
    table = terminal.make_table("category")
    names = name_splits(taken.source.split for taken in report.objects)
    for split in names:
        table.add_column(split, justify="right")
    table.add_column("pictures of an object", justify="right")
    keys = {taken.source.key for taken in report.objects}
    for key in sort_keys({key: key for key in keys}):
        members = [taken for taken in report.objects if taken.source.key == key]
        splits = [taken.source.split for taken in members]
        counts = sorted({len(taken.files) for taken in members})
        span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        numbers = [str(splits.count(split)) for split in names]
        table.add_row(as_text(key), *numbers, span)
    return table
