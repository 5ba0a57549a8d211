"""A complete evaluation of a run, and its command line."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rich.console

from jaxsoftras import (
    command_line,
    compilation_cache,
    data,
    terminal,
)
from jaxsoftras.reconstruction import (
    accelerators,
    evaluation_pictures,
    evaluation_scores,
    evaluation_summary,
    evaluation_table,
    evaluation_writing,
    processes,
    run_folder,
    showcase,
    true_meshes,
)
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS, Scores
from jaxsoftras.reconstruction.evaluation_subject import (
    DEFAULT_SURFACES,
    Subject,
    SurfaceOptions,
    list_problems,
)
from jaxsoftras.reconstruction.surface_scores import POINTS, THRESHOLD

FOLDER = "eval"
"""Name of the folder of results in a run folder."""


def evaluate(
    workdir: Path,
    split_name: str,
    *,
    step: int | Literal["best"] | None = None,
    untrained: bool = False,
    overrides: Sequence[str] = (),
    model: Path | None = None,
    surfaces: SurfaceOptions = DEFAULT_SURFACES,
    by: evaluation_table.By = "category",
    color_count: int | None = None,
    console: rich.console.Console | None = None,
) -> dict[str, Any]:
    """Evaluates a checkpoint and writes the results to the run folder.

    The results are ``metrics.json``, ``scores.npz``, ``gallery.png`` and an OBJ file
    for each row of the gallery, in ``eval/<split>/`` of the run folder; ``colors.png``
    and a GLB file beside each OBJ file if the model has colours; and ``report.html``,
    with the files that `jaxsoftras.report` makes it from. They replace those of an
    evaluation before; see `jaxsoftras.written_files`.

    Args:
        workdir: the run folder.
        split_name: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
        step: step of the checkpoint, or ``"best"`` for that of the best validation;
            the newest if None, as it must be with a model file.
        untrained: whether to print the mean IoU of the initial parameters as well, of
            silhouettes if there are no voxels.
        overrides: assignments to fields of ``data``, such as
            ``"data.root='/data/real13'"``, for another data set than that of the run.
        model: a model file to evaluate; results go to ``workdir``, which is no run
            folder then.
        surfaces: how reconstructions are compared with true meshes.
        by: what a row of the printed table is.
        color_count: number of objects in the gallery of a model with colours, up to
            100, evenly chosen; the best, the median and the worst if None.
        console: where to print; stdout if None.

    Returns:
        The contents of ``metrics.json``; see docs/evaluation.md. In processes but the
        first, without the scores of meshes.

    Raises:
        ConfigError, RunError, ModelFileError, ValueError, OSError: the message says in
            one sentence what is wrong.
    """
    if model is not None:
        _check_model(workdir, model, step)
    first = processes.is_first()
    console = console or terminal.make_console(quiet=not first)
    surfaces.check()
    subject = Subject(workdir, split_name, step, overrides, model)
    evaluation_pictures.check_count(color_count, subject.settings)
    begun = time.monotonic()
    scores, notes = score(subject, surfaces)
    seconds = time.monotonic() - begun
    metrics = evaluation_summary.summarize(scores, [*subject.remarks, *notes])
    console.print(evaluation_table.make_table(metrics, by))
    if metrics["mean_psnr"] is not None:
        console.print(evaluation_table.make_color_table(metrics))
    for note in notes:
        console.print(note, markup=False, highlight=False)
    console.print(
        f"Scored {int(np.sum(scores.views)):,} images of {len(scores.views):,} objects "
        f"in {seconds:.1f} s, compilation included.",
        highlight=False,
    )
    if untrained:
        console.print(_compare_untrained(subject, metrics))

    pictures = evaluation_pictures.make(subject, scores, color_count)
    shown = showcase.reconstruct(subject, scores)
    if not first:
        return metrics
    lines = evaluation_writing.write(
        workdir,
        subject,
        metrics,
        scores,
        shown,
        pictures,
        keep_config=model is not None,
    )
    for line in lines:
        console.print(
            terminal.printable(line), markup=False, highlight=False, soft_wrap=True
        )
    return metrics


def _check_model(
    workdir: Path, model: Path, step: int | Literal["best"] | None
) -> None:
    """Refuses what cannot go with a model file, before the work."""
    if step is not None:
        raise ValueError(f"{model} holds a single checkpoint: name no step, as {step}.")
    if (workdir / run_folder.CONFIG).exists():
        raise run_folder.RunError(
            f"{workdir} is the folder of a run, whose results those of {model} would "
            "replace; name another folder by --workdir."
        )
    there = next(path for path in (workdir, *workdir.parents) if path.exists())
    if not there.is_dir():
        raise run_folder.RunError(
            f"{there} is a file: name a folder for the results by --workdir."
        )


def score(subject: Subject, surfaces: SurfaceOptions) -> tuple[Scores, list[str]]:
    """Scores a checkpoint.

    Args:
        subject: the checkpoint and the split.
        surfaces: how reconstructions are compared with true meshes.

    Returns:
        The scores, and notes on what they leave out.

    Raises:
        ValueError: ``surfaces.meshes`` is not the folder of the data set's meshes.
    """
    truths, missing = None, "No meshes were compared (--points 0)"
    if surfaces.points:
        try:
            truths = subject.find_meshes(surfaces.meshes)
        except true_meshes.NoMeshes as error:
            missing = str(error)
    scores = subject.score(subject.variables, "evaluating", truths, surfaces)
    notes = list(evaluation_summary.list_gaps(scores, subject.settings.optim.ema))
    if subject.inverted:
        notes.append(
            "The network takes inverted colours, and images as they are stored: the "
            "scores are right for data of inverted colours alone."
        )
    if truths is None:
        notes.append(f"{missing}: no chamfer distance, F-score and thin IoU.")
    else:
        notes += list_problems(truths, scores)
    return scores, notes


def _compare_untrained(subject: Subject, metrics: dict[str, Any]) -> str:
    """Says how an untrained network compares, by the IoU that there is."""
    initial = subject.experiment.init(subject.settings.seed).variables
    scores = subject.score(initial, "evaluating the untrained network")
    which = "silhouette_iou" if metrics["mean_iou"] is None else "iou"
    before = evaluation_scores.mean(scores.object_means(which))
    return (
        f"{COLUMNS[which].label} of the untrained model "
        f"{evaluation_table.format_score(before)}, of this one "
        f"{evaluation_table.format_score(metrics[f'mean_{which}'])}"
    )


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Adds the options that say what is evaluated, beside the run.

    Args:
        parser: a parser, or a group of its options.
    """
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    parser.add_argument(
        "--data", metavar="FOLDER", help="folder of the data set, if it has moved"
    )
    parser.add_argument(
        "--meshes",
        type=Path,
        metavar="FOLDER",
        help="folder of the meshes that the data set was built from, to compare with",
    )
    parser.add_argument(
        "--points",
        type=int,
        default=POINTS,
        metavar="N",
        help="points drawn from each surface for chamfer distance and F-score; 0 to "
        "compare no meshes (default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        metavar="D",
        help="distance below which points are near for the F-score, of an object whose "
        "longest side is 1 (default: %(default)s)",
    )


def choose_data(root: str | None) -> list[str]:
    """Assignments for a data set that has moved to a folder, if there is one."""
    return [] if root is None else [f"data.root={root!r}"]


def main(arguments: list[str] | None = None, *, prog: str = "eval.py") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Evaluate a run: mean IoU of voxels, where there are any, and of "
        "silhouettes in unseen views, distances to true meshes, where there are any, "
        "and loss, with intervals; a gallery, meshes, and a report. Results go to "
        "eval/SPLIT/ in the run folder.",
    )
    command_line.add_workdir(
        parser, "run folder; with --model, a folder for the results"
    )
    add_arguments(parser)
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="data.FIELD=VALUE",
        help="evaluate on another data set: data.source and data.root, for example",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model", type=Path, metavar="FILE", help="model file to evaluate, not a run"
    )
    which.add_argument("--step", type=int, help="step of the checkpoint")
    which.add_argument(
        "--checkpoint",
        default="newest",
        choices=["newest", "best"],
        help="the newest checkpoint, or that of the best validation during training "
        "(default: newest)",
    )
    parser.add_argument(
        "--by",
        default="category",
        choices=evaluation_table.CHOICES,
        help="rows of the table: categories, or azimuths of the input view",
    )
    parser.add_argument(
        "--color-gallery",
        type=int,
        metavar="N",
        help="objects, evenly chosen, up to 100, that colors.png shows of a model with "
        "colours (default: the best, the median and the worst)",
    )
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="print the mean IoU of the initial parameters as well",
    )
    compilation_cache.add_argument(parser)
    processes.add_arguments(parser)
    options = parser.parse_args(arguments)
    workdir = command_line.require_workdir(parser, options)
    overrides = [*choose_data(options.data), *options.set]

    def command() -> None:
        with processes.join(options):
            accelerators.find_devices()
            compilation_cache.follow(options, quiet=not processes.is_first())
            evaluate(
                workdir,
                options.split,
                step="best" if options.checkpoint == "best" else options.step,
                untrained=options.untrained,
                overrides=overrides,
                model=options.model,
                surfaces=SurfaceOptions(
                    options.meshes, options.points, options.threshold
                ),
                by=options.by,
                color_count=options.color_gallery,
            )

    return terminal.run(prog, command)
