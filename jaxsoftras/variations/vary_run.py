"""Command line of variations: ``jaxsoftras vary --help``."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxsoftras import atomic, terminal
from jaxsoftras.data import reporting
from jaxsoftras.data.categories import label, name_keys
from jaxsoftras.data.production import check_options
from jaxsoftras.data.split import ALL_SPLITS
from jaxsoftras.shapes.sheet import draw_sheet
from jaxsoftras.variations import dataset
from jaxsoftras.variations.fits import Fits, parse_name, read_fits


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "jaxsoftras vary"
) -> int:
    """Makes a data set of variations of fits, a contact sheet of it, or both.

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
        description="Make training objects of fitted meshes: combinations of the fits "
        "of a category, stretched, bent, mirrored and coloured at random, in the file "
        "format of the SoftRas data sets.",
    )
    parser.add_argument(
        "fits",
        type=Path,
        metavar="FITS",
        help="folder that jaxsoftras fit --config wrote with --out",
    )
    reporting.add_seeded_objects(
        parser,
        replaced="one of variations",
        objects="objects of each category",
        default=100,
    )
    parser.add_argument(
        "--split",
        choices=ALL_SPLITS,
        default="train",
        help="split whose fits are varied; a network must not be evaluated on it "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--min-iou",
        type=float,
        default=0.6,
        metavar="IOU",
        help="leave out fits whose silhouettes have a lower IoU, in the mean over the "
        "views (default: %(default)s)",
    )
    return parser


def _make(options: argparse.Namespace) -> None:
    check_options(options.seed, options.image_size, options.renderer)
    if options.sheet:
        reporting.check_sheet(options.sheet, options.out)
    fits = read_fits(options.fits, options.split, options.min_iou)
    for note in _list_notes(fits):
        terminal.complain(terminal.printable(note))
    if options.out:
        with terminal.progress_bar("Making objects") as progress:
            dataset.write_dataset(
                fits,
                options.out,
                objects_per_category=options.objects,
                seed=options.seed,
                image_size=options.image_size,
                renderer=options.renderer,
                processes=options.processes,
                progress=progress,
            )
        print(terminal.printable(f"The data set is in {options.out}."))
    if options.sheet:
        rows = dataset.make_rows(fits, reporting.SHEET_COLUMNS, options.seed)
        with atomic.file(options.sheet) as partial:
            draw_sheet(rows).save(partial)
        print(terminal.printable(f"The contact sheet is in {options.sheet}."))


def _list_notes(fits: Fits) -> Iterator[str]:
    """Says what is missing in the data set, and what must not be done with it."""
    if fits.split != "train":
        yield (
            f"The objects are made of the split {fits.split}: no network that is "
            "trained with them can be evaluated on it."
        )
    if not fits.complete:
        yield "Not all objects were fitted: jaxsoftras fit goes on with the others."
    total = len(fits.left_out) + sum(len(c.numbers) for c in fits.categories.values())
    for reason, count in collections.Counter(fits.left_out.values()).items():
        first = next(name for name, why in fits.left_out.items() if why == reason)
        others = f" (and {count - 1} more)" if count > 1 else ""
        yield f"Left out of {total} fits: {first}{others} {reason}."
    parsed = [parse_name(name) for name in fits.left_out]
    keys = {key for key, _ in filter(None, parsed)}
    if lost := sorted(keys - set(fits.categories)):
        names = name_keys(keys | set(fits.categories))
        yield f"No fit is left of {label(lost, names)}, which the data set lacks."


if __name__ == "__main__":
    terminal.leave(main)
