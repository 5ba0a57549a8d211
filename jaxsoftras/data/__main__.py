"""Command line of the data sets: ``python -m jaxsoftras.data --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn
from rich.table import Table

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.download import download
from jaxsoftras.data.source import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: words of the command line; those of the process if None.

    Returns:
        Exit code: 0, or 2 after an error, of which a line tells on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxsoftras.data",
        description="Fetch, convert and inspect multi-view data sets.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "download",
        help="fetch the ShapeNet renderings of the original work",
        description="Fetch the ShapeNet renderings of the original work (npz files) "
        "into DIR/mesh_reconstruction. Run it again to resume.",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder to fill")
    command.set_defaults(run=_download)

    command = commands.add_parser(
        "prepare",
        help="convert npz files for reading from disk",
        description="Convert all npz files of a folder into a prepared data set, which "
        "training reads from disk (data.source=prepared) and not into memory.",
    )
    command.add_argument(
        "--npz", required=True, metavar="DIR", help="folder of npz files"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder to fill")
    command.set_defaults(run=_prepare)

    command = commands.add_parser(
        "info",
        help="tell what a data set holds",
        description="Count the objects of an npz folder or a prepared data set.",
    )
    command.add_argument("folder", metavar="DIR", help="folder of the data set")
    command.set_defaults(run=_info)
    return parser


def _download(options: argparse.Namespace) -> None:
    with _progress_bar("Downloading") as progress:
        folder = download(options.out, progress=progress)
    print(f"The npz files are in {folder}.")


def _prepare(options: argparse.Namespace) -> None:
    from jaxsoftras.data.prepared import prepare  # needs tensorflow-datasets

    with _progress_bar("Converting") as progress:
        prepare(options.npz, options.out, progress=progress)
    print(f"The prepared data set is in {options.out}.")


def _info(options: argparse.Namespace) -> None:
    source, splits = describe(options.folder)
    table = Table("synset", "category")
    for name in splits:
        table.add_column(name, justify="right")
    for synset, category in CATEGORIES.items():
        counts = [
            s.count(synset) if synset in s.categories else 0 for s in splits.values()
        ]
        if any(counts):
            table.add_row(synset, category, *map(str, counts))
    table.add_section()
    totals = [sum(map(s.count, s.categories)) for s in splits.values()]
    table.add_row("", "all", *map(str, totals))
    console = Console()
    console.print(table)
    sizes = {(split.num_views, split.image_size) for split in splits.values()}
    for num_views, side in sorted(sizes):
        console.print(f"{source} files, {num_views} views of {side} x {side} pixels")


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; yields the function that moves it: (done, total)."""
    columns = ("{task.description}", BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(
            task, completed=done, total=total or None
        )


if __name__ == "__main__":
    sys.exit(main())
