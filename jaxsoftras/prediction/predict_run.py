"""Meshes from pictures: the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import rich.console
import rich.markup
import rich.table

from jaxsoftras import (
    atomic,
    command_line,
    compilation_cache,
    mesh,
    meshfile,
    model_files,
    models,
    terminal,
    texture,
)
from jaxsoftras.prediction import drawing, inputs, pictures, summary
from jaxsoftras.prediction.arguments import MOST_STEPS
from jaxsoftras.prediction.predictor import Predictor
from jaxsoftras.prediction.summary import Outcome
from jaxsoftras.reconstruction import accelerators, runs

_LOW = 0.6  # IoU below which a mesh hardly shows the picture's object
_FORMATS = ("glb", "obj", "ply")


def predict_all(
    predictor: Predictor,
    paths: Sequence[Path],
    out: Path,
    *,
    mask: Path | None = None,
    format: str = "glb",
    refine: int = 0,
    progress: terminal.Progress | None = None,
) -> list[Outcome]:
    """Predicts meshes of pictures and writes them to a folder.

    For a picture ``NAME.jpg``, these are ``NAME.glb``, ``NAME_turntable.gif`` and
    ``NAME_views.png``, all or none. ``predictions.json`` lists them, and those of
    earlier calls that are still there.

    Args:
        predictor: the network.
        paths: pictures, and folders of pictures.
        out: the folder, which is made if needed.
        mask: see `pictures.read_picture`.
        format: ``"glb"``, ``"obj"`` or ``"ply"``.
        refine: see `Predictor.__call__`.
        progress: called with the numbers of pictures done and to do.

    Raises:
        ProgramError: a folder without pictures, a mask for several pictures, or results
            that would replace what is read.
        OSError: the results cannot be written.
    """
    found = inputs.list_pictures(paths)
    names = inputs.name_outputs(found)
    if mask is not None and not mask.exists():
        raise terminal.ProgramError(f"There is no mask {mask}.")
    if mask is not None and not mask.is_dir() and len(found) > 1:
        raise terminal.ProgramError(
            f"{mask} is the mask of one picture, and there are {len(found)}: name a "
            "folder of masks, with the names of the pictures."
        )
    read = [*paths, *found, *([mask] if mask else [])]
    results = [out / summary.FILE]
    results += [path for name in names for path in _name_files(out, name, format)]
    inputs.check_out(out, read, results)
    outcomes = []
    for path, name in zip(found, names, strict=True):
        files = _name_files(out, name, format)
        outcomes.append(_predict_one(predictor, path, name, mask, refine, files))
        if progress:
            progress(len(outcomes), len(found))
    summary.write(out, outcomes, predictor.orbit, format)
    return outcomes


def _name_files(out: Path, name: str, format: str) -> list[Path]:
    return [
        out / f"{name}.{format}",
        out / f"{name}_turntable.gif",
        out / f"{name}_views.png",
    ]


def _predict_one(
    predictor: Predictor,
    path: Path,
    name: str,
    mask: Path | None,
    refine: int,
    files: Sequence[Path],
) -> Outcome:
    try:
        picture = pictures.read_picture(path, mask)
    except ValueError as error:
        return Outcome(path, name, "", None, (str(error),))
    except OSError as error:
        return Outcome(path, name, "", None, (error.strerror or str(error),))
    prediction = predictor(picture, refine=refine)
    sheet = drawing.sheet(prediction, picture, predictor.orbit, predictor.extent)
    frames = drawing.turntable(prediction, predictor.orbit)
    with atomic.files(files) as (solid, animation, views):
        meshfile.save_mesh(solid, _without_texels(prediction.mesh, solid.suffix))
        drawing.save_turntable(frames, animation)
        sheet.save(views, "PNG")
    return Outcome(path, name, picture.mask, prediction, picture.notes)


def _without_texels(solid: mesh.Mesh, suffix: str) -> mesh.Mesh:
    """Leaves out texels where they would need further files, or cannot be held."""
    texels = isinstance(solid.texture, texture.SurfaceTexture)
    return solid._replace(texture=None) if texels and suffix != ".glb" else solid


def _print_table(console: rich.console.Console, outcomes: Sequence[Outcome]) -> None:
    """Prints the results, then the notes, then the pictures that were left out."""
    table = rich.table.Table()
    table.add_column("picture", overflow="fold")
    table.add_column("mask")
    table.add_column("silhouette IoU")
    table.add_column("azimuth", justify="right")
    notes = []
    for outcome in outcomes:
        label = terminal.printable(outcome.picture)
        if outcome.prediction is None:
            notes.append(f"Left out: {label}: {outcome.notes[0]}.")
            continue
        table.add_row(
            rich.markup.escape(label),
            outcome.mask,
            _describe_iou(outcome.prediction.iou, outcome.prediction.unrefined_iou),
            f"{round(outcome.prediction.azimuth) % 360}",
        )
        if outcome.name != outcome.picture.stem:
            notes.append(f"{label}: its results are named {outcome.name}.")
        notes += [f"{label}: {note}." for note in outcome.notes]
    if table.rows:
        console.print(table)
    for note in sorted(notes, key=lambda note: note.startswith("Left out")):
        console.print(
            terminal.printable(note), markup=False, highlight=False, soft_wrap=True
        )


def _describe_iou(iou: float, unrefined: float) -> str:
    text = f"{iou:.3f}" if iou == unrefined else f"{unrefined:.3f} to {iou:.3f}"
    return f"{text}, low" if iou < _LOW else text


def load_model(options: argparse.Namespace) -> models.Trained:
    """Loads the model of ``--model``, of ``--workdir``, or of the package.

    Raises:
        ProgramError: there is none; or see `model_files.load` and `runs.load`.
    """
    if options.workdir:
        step = "best" if options.checkpoint == "best" else None
        return runs.load(options.workdir, step)
    if options.model:
        return model_files.load(options.model)
    if model_files.PRETRAINED.is_file():
        return model_files.load(model_files.PRETRAINED)
    raise terminal.ProgramError(
        "This package comes without a trained model: name one of jaxsoftras export by "
        "--model FILE, or a run of jaxsoftras train by --workdir FOLDER."
    )


def _make_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Turn pictures of single objects into meshes. For each NAME.jpg, "
        "write NAME.glb, NAME_turntable.gif and NAME_views.png.",
        epilog="Exit code: 0 if every picture has become a mesh, however well it fits; "
        "1 if some were left out, and the reasons are printed; 2 after an error.",
    )
    parser.add_argument(
        "images",
        type=command_line.file_unless_config("name a run of it by --workdir FOLDER"),
        nargs="+",
        metavar="IMAGE",
        help="picture, or a folder",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the results"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model", type=Path, metavar="FILE", help="model file of jaxsoftras export"
    )
    which.add_argument("--workdir", type=Path, metavar="FOLDER", help="run folder")
    parser.add_argument(
        "--checkpoint",
        default="newest",
        choices=["newest", "best"],
        help="checkpoint of --workdir (default: newest)",
    )
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="PATH",
        help="mask of the picture, or a folder of masks with the names of the "
        "pictures; white is the object. Without: NAME_mask.png, the picture's opacity, "
        "a plain background, rembg",
    )
    parser.add_argument(
        "--format", default="glb", choices=_FORMATS, help="of the meshes (default: glb)"
    )
    parser.add_argument(
        "--refine",
        type=int,
        default=0,
        metavar="N",
        help="steps that fit each mesh, and the camera that sees it, to the picture's "
        "silhouette (default: 0)",
    )
    parser.add_argument(
        "--elevation",
        type=float,
        metavar="DEGREES",
        help="of the camera above the horizon (default: that of the training data, "
        "from which --refine departs)",
    )
    parser.add_argument(
        "--distance",
        type=float,
        metavar="D",
        help="of the camera, in longest sides of the object (default: that of the "
        "training data)",
    )
    parser.add_argument(
        "--inverted",
        action="store_true",
        help="the network was trained on inverted colours, as in Soft Rasterizer's "
        "download; model files say so themselves",
    )
    compilation_cache.add_argument(parser)
    return parser


def main(
    arguments: list[str] | None = None, *, prog: str = "jaxsoftras predict"
) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        1 if a picture was left out; otherwise see `terminal.run`.
    """
    parser = _make_parser(prog)
    options = parser.parse_args(arguments)
    if not 0 <= options.refine <= MOST_STEPS:
        parser.error(f"--refine must be from 0 to {MOST_STEPS}")
    if options.checkpoint == "best" and not options.workdir:
        parser.error("--checkpoint is about the run of --workdir")

    def command() -> int:
        accelerators.find_devices()
        model = load_model(options)
        compilation_cache.follow(options)
        if options.inverted:
            model = model._replace(inverted=True)
        predictor = Predictor(
            model, elevation=options.elevation, distance=options.distance
        )
        with terminal.progress_bar("Predicting") as progress:
            outcomes = predict_all(
                predictor,
                options.images,
                options.out,
                mask=options.mask,
                format=options.format,
                refine=options.refine,
                progress=progress,
            )
        _print_table(terminal.make_console(), outcomes)
        made = sum(outcome.prediction is not None for outcome in outcomes)
        print(
            terminal.printable(
                f"{made} of {len(outcomes)} meshes are in {options.out}."
            )
        )
        return int(made < len(outcomes))

    return terminal.run(prog, command)
