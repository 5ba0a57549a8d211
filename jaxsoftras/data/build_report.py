"""The command line's part of `jaxsoftras.data.build`: its options and its tables."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from jaxsoftras import terminal
from jaxsoftras.data import description
from jaxsoftras.data.build import Report, build
from jaxsoftras.data.build_object import AXES, Options
from jaxsoftras.data.categories import sort_keys
from jaxsoftras.data.reporting import (
    add_jobs,
    add_renderer,
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
    """Adds the options of ``build`` to its parser."""
    default = Options()
    parser.add_argument(
        "--meshes",
        required=True,
        metavar="DIR",
        help="folder with one sub-folder of meshes for each category",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to fill")
    numbers = {
        "views": "images of each object, all around it",
        "elevation": "of the camera, degrees",
        "size": "width and height of the images, pixels",
        "resolution": "cells along each side of the voxel grid; evaluation needs 32",
        "max-faces": "meshes with more triangles are left out",
    }
    for name, text in numbers.items():
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}",
            type=type(value),
            default=value,
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )
    for name, text in {"up": "that is up", "front": "that the front faces"}.items():
        parser.add_argument(
            f"--{name}",
            choices=AXES,
            default=getattr(default, name),
            help=f"direction in the files {text}; with a minus as in --{name}=-Z "
            "(default: %(default)s, as in glTF)",
        )
    add_splits(parser)
    parser.add_argument(
        "--metadata",
        metavar="JSON",
        help='list of {"file": ..., "license": ..., "author": ...} to keep in the '
        "data set's description; a file is named by its path in --meshes",
    )
    add_jobs(parser)
    add_renderer(parser)
    parser.add_argument(
        "--shard",
        type=_parse_shard,
        metavar="I/N",
        help="make only part I of N, from 1; when all are made, the same command "
        "without --shard packs the data set",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Builds a data set and prints what came of it; returns the exit code."""
    with terminal.progress_bar("Building", "objects") as progress:
        report = build(
            options.meshes,
            options.out,
            Options(
                views=options.views,
                elevation=options.elevation,
                size=options.size,
                up=options.up,
                front=options.front,
                resolution=options.resolution,
                max_faces=options.max_faces,
                renderer=options.renderer,
            ),
            fractions=options.splits,
            metadata=options.metadata,
            jobs=options.jobs,
            shard=options.shard,
            progress=progress,
        )
    print_report(report, Path(options.out), options.shard, terminal.make_console())
    # the other jobs of an array may have all that can be built
    return 0 if report.total or options.shard else 1


def print_report(
    report: Report, out: Path, shard: tuple[int, int] | None, console: Console
) -> None:
    """Prints what was made and what was left out."""
    if report.counts:
        console.print(_count_table(report))
    print_files(console, "left out", "reason", report.left_out)
    print_files(console, "built, but", "note", report.notes)
    rate = report.made / max(report.seconds, 1e-9)
    if report.made:
        say(
            console,
            f"{report.made} meshes in {report.seconds:.1f} s, {rate:.1f} a second.",
        )
    place = shlex.quote(str(out))
    failed = f"; {len(report.left_out)} left out, see above" if report.left_out else ""
    if report.complete:
        say(console, f"{report.total} objects are in {place}{failed}.")
        say(console, f"Its {description.FILE} says how they were made.")
        for split in SPLITS:
            keys = [key for key, counts in report.counts.items() if not counts[split]]
            if keys:
                names = ", ".join(report.names[key] for key in keys)
                say(console, f"Without an object in {split}: {names}.")
    elif shard:
        say(
            console,
            f"Part {shard[0]} of {shard[1]} has {report.total} objects{failed}. When "
            "all parts are made, the same command without --shard packs them.",
        )
    else:
        say(console, f"Nothing could be built{failed}.")


def _count_table(report: Report) -> Table:
    table = terminal.make_table("category", "key")
    splits = name_splits(split for counts in report.counts.values() for split in counts)
    for split in splits:
        table.add_column(split, justify="right")
    for key in sort_keys({key: report.names[key] for key in report.counts}):
        counts = [str(report.counts[key].get(split, 0)) for split in splits]
        table.add_row(as_text(report.names[key]), as_text(key), *counts)
    return table


def _parse_shard(word: str) -> tuple[int, int]:
    number, slash, count = word.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"{word!r} is not I/N, such as 1/8")
    return int(number), int(count)
