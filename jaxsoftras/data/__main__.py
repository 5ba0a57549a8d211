"""Command line of the data sets: ``python -m jaxsoftras.data --help``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jaxsoftras import terminal
from jaxsoftras.data import (
    build_report,
    download,
    pictures_report,
    shapenet_report,
    show_report,
)


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
        help="count the objects of a data set",
        description="Print what the headers of the files of a data set say, at once: "
        "its categories, splits, objects, cameras and licences.",
    )
    show_report.add_info_arguments(command)

    command = commands.add_parser(
        "show",
        help="look at all images of a data set; draw a contact sheet",
        description="Read all objects of a data set, whatever its kind. Print what "
        "info prints, and what deserves a look: silhouettes that touch the border, are "
        "empty or full, colours that exceed the coverage, voxel grids that are empty "
        "or full, and objects that occur twice, in two splits above all.",
    )
    show_report.add_show_arguments(command)
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


if __name__ == "__main__":
    terminal.leave(main)
