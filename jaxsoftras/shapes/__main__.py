"""Command line of the embedded data set: ``python -m jaxsoftras.shapes --help``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jaxsoftras import atomic, terminal
from jaxsoftras.data import reporting
from jaxsoftras.data.production import check_options
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
    reporting.add_seeded_objects(
        parser,
        replaced="an embedded data set",
        objects="objects of each category, at least 3",
        default=24,
    )
    return parser


def _make(options: argparse.Namespace) -> None:
    check_options(options.seed, options.image_size, options.renderer)
    if options.sheet:
        reporting.check_sheet(options.sheet, options.out)
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
            contact_sheet(reporting.SHEET_COLUMNS, seed=options.seed).save(partial)
        print(f"The contact sheet is in {options.sheet}.")


if __name__ == "__main__":
    terminal.leave(main)
