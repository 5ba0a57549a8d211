"""Options and tables that the commands which make data sets share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from jaxsoftras import extras, terminal
from jaxsoftras.cores import count_cores
from jaxsoftras.data import description
from jaxsoftras.data.split import ALL_SPLITS, SPLITS, STYLE
from jaxsoftras.data.zbuffer import Renderer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SHEET_COLUMNS = 8
"""Objects of each category on a contact sheet of `add_seeded_objects`."""

_SHEETS = (".png", ".jpg", ".jpeg", ".webp")
_ROWS = 40  # of a table of files
_ALIKE = 5  # rows of the same text; more are joined


def add_splits(parser: argparse.ArgumentParser) -> None:
    """Adds the option that divides objects into splits."""
    parser.add_argument(
        "--splits",
        type=float,
        nargs=3,
        default=(0.7, 0.1, 0.2),
        metavar=("TRAIN", "VAL", "TEST"),
        help="shares of the splits, drawn by a hash of an object's name, in categories "
        "without folders train, val or test (default: 0.7 0.1 0.2)",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Adds the option that chooses the number of processes."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=count_cores(),
        metavar="N",
        help="processes (default: one for each core)",
    )


def add_renderer(parser: argparse.ArgumentParser) -> None:
    """Adds the option that chooses the renderer."""
    parser.add_argument(
        "--renderer",
        choices=get_args(Renderer),
        default="numpy",
        help="numpy gives the same images on every machine; jax is faster with a GPU, "
        "but slow without, and a few pixels on edges differ (default: %(default)s)",
    )


def add_seeded_objects(
    parser: argparse.ArgumentParser, *, replaced: str, objects: str, default: int
) -> None:
    """Adds the options of programs that make objects by a seed, or show some of them.

    Args:
        parser: the parser.
        replaced: what a data set in the folder of ``--out`` must be to be replaced.
        objects: description of the number of objects.
        default: number of objects of each category.
    """
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help=f"write the data set to this folder, replacing {replaced} there",
    )
    parser.add_argument(
        "--objects",
        type=int,
        default=default,
        metavar="N",
        help=f"{objects} (default: %(default)s)",
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
        help=f"render the first {SHEET_COLUMNS} objects of every category to this "
        "image file",
    )


def check_sheet(file: Path, folder: Path | None = None) -> None:
    """Checks the file of a contact sheet, before anything is made.

    Args:
        file: the file.
        folder: folder of a data set that the program writes as well, which could not be
            replaced any more if the sheet were in it; None without one.

    Raises:
        ValueError: the file has another suffix, or it is the folder or in it.
        MissingExtraError: Pillow is not installed.
    """
    if file.suffix.lower() not in _SHEETS:
        raise ValueError(
            f"A contact sheet is one of {', '.join(_SHEETS)}, not {file.name}."
        )
    if folder and file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"The contact sheet {file} cannot be in the folder of the data set, which "
            "holds nothing else: choose another place."
        )
    extras.require("draw contact sheets", "PIL")


def as_text(word: str) -> Text:
    """Makes a cell of a word from a file, in which nothing is read as a style."""
    from rich.text import Text  # only programs need it

    return Text(terminal.printable(word))


def say(console: Console, line: str) -> None:
    """Prints a line in which nothing is read as a style."""
    console.print(as_text(line), soft_wrap=True)


def name_splits(used: Iterable[str]) -> tuple[str, ...]:
    """Names the splits of a table: train, val, test, and style if it is used."""
    return ALL_SPLITS if STYLE in used else SPLITS


def print_files(
    console: Console,
    title: str,
    header: str,
    rows: Sequence[tuple[str, str]],
    all_in: str = f"{description.FILE}, if complete",
) -> None:
    """Prints a table of files and what is to be said of them, if there are any.

    Args:
        console: where to.
        title: header of the column of files.
        header: header of the other column.
        rows: the files, of which the first few are printed.
        all_in: the file that names all of them.
    """
    if not rows:
        return
    rows = _join_alike(rows)
    table = terminal.make_table(title, header)
    for file, text in rows[:_ROWS]:
        table.add_row(as_text(file), as_text(text))
    if len(rows) > _ROWS:
        table.add_row(f"and {len(rows) - _ROWS} more", f"see {all_in}")
    console.print(table)


def _join_alike(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Joins rows of the same text, which would bury the others."""
    files: dict[str, list[str]] = {}
    for file, text in rows:
        files.setdefault(text, []).append(file)
    joined = []
    for file, text in rows:
        count = len(files[text])
        if count <= _ALIKE:
            joined.append((file, text))
        elif file == files[text][0]:
            joined.append((f"{file} and {count - 1} more", text))
    return joined
