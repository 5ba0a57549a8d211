"""The command line's part of ShapeNet: ``jaxsoftras data shapenet``."""

from __future__ import annotations

import argparse
from pathlib import Path

from jaxsoftras import terminal
from jaxsoftras.data import download
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.reporting import add_jobs, print_files

_ALL_IN = "metadata.json of the prepared data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the forms of ShapeNet, each with its options, to a parser."""
    forms = parser.add_subparsers(required=True, metavar="FORM")

    form = forms.add_parser(
        "softras",
        help="the renderings of Soft Rasterizer, an archive of npz files",
        description="Convert the archive of Soft Rasterizer: 13 categories, 24 views, "
        "voxels. It is fetched (3 GB) unless --archive names it.",
    )
    form.add_argument("--archive", metavar="ZIP", help="the archive, if it is there")
    form.set_defaults(run=_convert_softras)
    _add_out(form)

    form = forms.add_parser(
        "renderings",
        help="the same renderings as folders of PNG files, without voxels",
        description="Convert the folders SYNSET/ID/image/0000.png of NMR_Dataset.zip.",
    )
    form.add_argument(
        "--images", required=True, metavar="DIR", help="folder of the synsets"
    )
    form.set_defaults(run=_convert_renderings)
    _add_out(form)

    form = forms.add_parser(
        "core",
        help="ShapeNetCore v1 or v2, rendered here",
        description="Render the models of ShapeNetCore, 24 views of each. Run it again "
        "to resume.",
    )
    form.add_argument(
        "--meshes", required=True, metavar="DIR", help="folder of the synsets"
    )
    form.add_argument(
        "--splits",
        metavar="CSV",
        help="official list of splits (default: all.csv in --meshes if it is there, or "
        "else a hash of the ID)",
    )
    form.add_argument(
        "--voxels",
        choices=["binvox", "mesh"],
        default="binvox",
        help="take voxels from binvox files where there are some, or make all from the "
        "meshes (default: binvox)",
    )
    add_jobs(form)
    form.set_defaults(run=_convert_core)
    _add_out(form)


def _add_out(form: argparse.ArgumentParser) -> None:
    form.add_argument("--out", required=True, metavar="DIR", help="folder to fill")


def _convert_softras(options: argparse.Namespace) -> None:
    # imports tensorflow-datasets
    from jaxsoftras.data.prepared_builder import check_new, write
    from jaxsoftras.data.shapenet_softras import ShapenetSoftras

    check_new(options.out)  # before anything is fetched
    archive = options.archive
    if archive is None:
        archive = Path(options.out) / f"{download.FOLDER}.zip.part"
        with terminal.progress_bar("Downloading") as progress:
            download.fetch(archive, progress=progress)
    write(ShapenetSoftras, options.out, archive=archive, bar=terminal.progress_bar)
    if options.archive is None:
        archive.unlink()
    _print_end(options.out)


def _convert_renderings(options: argparse.Namespace) -> None:
    from jaxsoftras.data.prepared_builder import write
    from jaxsoftras.data.shapenet_renderings import ShapenetRenderings

    builder = write(
        ShapenetRenderings,
        options.out,
        images=options.images,
        bar=terminal.progress_bar,
    )
    print_files(
        terminal.make_console(), "left out", "reason", builder.left_out, _ALL_IN
    )
    _print_end(options.out)


def _convert_core(options: argparse.Namespace) -> None:
    from jaxsoftras.data.prepared_builder import write
    from jaxsoftras.data.shapenet_core import ShapenetCore

    builder = write(
        ShapenetCore,
        options.out,
        meshes=options.meshes,
        options=Options(binvox=options.voxels == "binvox"),
        splits=options.splits,
        jobs=options.jobs,
        bar=terminal.progress_bar,
    )
    console = terminal.make_console()
    print_files(console, "left out", "reason", builder.report.left_out, _ALL_IN)
    print_files(console, "built, but", "note", builder.report.notes, _ALL_IN)
    _print_end(options.out)


def _print_end(out: str) -> None:
    print(
        f"The prepared data set is in {out}. ShapeNet's terms allow research that is "
        "not commercial, and forbid to pass it on."
    )
