"""Command line of the data sets: ``python -m jaxsoftras.data --help``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from jaxsoftras import terminal
from jaxsoftras.data import (
    build_report,
    camera_files,
    description,
    download,
    pictures_report,
    shapenet_report,
    source,
)
from jaxsoftras.data.categories import sort_keys


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m jaxsoftras.data"
) -> int:
    """Runs a command.

    Args:
        arguments: words of the command line; the process's own if None.
        prog: name of the program in messages.

    Returns:
        The exit code: 0 on success; 1 if no object could be built; 2 after an error,
        reported in one line on stderr; 130 after Ctrl-C.
    """
    options = _parser(prog).parse_args(arguments)
    return terminal.run(
        prog,
        lambda: options.run(options),
        interrupted="interrupted; the same command resumes a download or a build, and "
        "starts a conversion again.",
    )


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description="Fetch, make, convert and inspect multi-view data sets."
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
        description="Convert all npz files of a folder to a prepared data set, which "
        "training reads from disk (data.source=prepared) and not into memory.",
    )
    command.add_argument(
        "--npz", required=True, metavar="DIR", help="folder of npz files"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder to fill")
    command.set_defaults(run=_prepare)

    command = commands.add_parser(
        "build",
        help="make a data set from a folder of meshes",
        description="Make a data set from a folder with one sub-folder of meshes for "
        "each category (OBJ, glTF, GLB, PLY, OFF, STL; any names): images from all "
        "around in the meshes' own colours, and solid voxels. Broken meshes are left "
        "out and listed at the end. Run it again to resume.",
    )
    build_report.add_arguments(command)

    command = commands.add_parser(
        "pictures",
        help="make a data set from pictures with masks and cameras",
        description="Make a data set from a folder CATEGORY/OBJECT of pictures with "
        "masks, and cameras in cameras.json or a COLMAP text model: each picture is "
        "cropped around its object. docs/pictures.md states the layout. What is broken "
        "is left out and listed at the end.",
    )
    pictures_report.add_arguments(command)

    command = commands.add_parser(
        "shapenet",
        help="convert ShapeNet: its renderings, or its models",
        description="Convert a form of ShapeNet to a prepared data set "
        "(data.source=prepared). docs/shapenet.md says what they are.",
    )
    shapenet_report.add_arguments(command)

    command = commands.add_parser(
        "info",
        help="show the contents of a data set",
        description="Count the objects of an npz folder or a prepared data set.",
    )
    command.add_argument("folder", metavar="DIR", help="folder of the data set")
    command.set_defaults(run=_show_info)
    return parser


def _download(options: argparse.Namespace) -> None:
    with terminal.progress_bar("Downloading") as progress:
        folder = download.download(options.out, progress=progress)
    print(f"The npz files are in {folder}.")


def _prepare(options: argparse.Namespace) -> None:
    from jaxsoftras.data.prepared import prepare  # imports tensorflow-datasets

    with terminal.progress_bar("Converting") as progress:
        prepare(options.npz, options.out, progress=progress)
    print(f"The prepared data set is in {options.out}.")


def _show_info(options: argparse.Namespace) -> None:
    storage, splits = source.describe(options.folder)
    table = Table("key", "category")
    for name in splits:
        table.add_column(name, justify="right")
    names = {key: name for s in splits.values() for key, name in s.names.items()}
    for key in sort_keys(names):
        counts = [s.count(key) if key in s.names else 0 for s in splits.values()]
        # names come from files, and are not to be read as styles
        table.add_row(escape(key), escape(names[key]), *map(str, counts))
    table.add_section()
    totals = [sum(map(s.count, s.categories)) for s in splits.values()]
    table.add_row("", "all", *map(str, totals))
    console = terminal.make_console()
    console.print(table)
    per_picture = camera_files.is_per_picture(description.read(options.folder))
    sizes = {(split.num_views, split.image_size) for split in splits.values()}
    for num_views, side in sorted(sizes):
        views = f"{'up to ' if per_picture else ''}{num_views} views"
        console.print(f"{storage} files, {views} of {side} x {side} pixels")
    if per_picture:
        console.print("Each picture has a camera of its own.")
    without = [
        name
        for name, split in splits.items()
        if not all(map(split.has_voxels, split.categories))
    ]
    if without:
        console.print(f"Not all objects have voxels: {', '.join(without)}.")


if __name__ == "__main__":
    terminal.leave(main)
