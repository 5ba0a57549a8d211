"""A complete evaluation of a run, and its command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import rich.console
import rich.markup
import rich.table

from jaxsoftras import (
    atomic,
    compilation_cache,
    config,
    data,
    meshfile,
    models,
    terminal,
)
from jaxsoftras.mesh import Mesh
from jaxsoftras.reconstruction import (
    color_scores,
    coloring,
    evaluation,
    gallery,
    processes,
    runs,
    shared_checkpoints,
    training,
)

_LABELS = {
    "mean_iou": "mean IoU",
    "mean_silhouette_iou": "silhouette IoU",
    "mean_loss": "mean loss",
    "mean_psnr": "PSNR",
    "mean_ssim": "SSIM",
}
"""Columns of the table; the last two are there if the model has colours."""


def evaluate(
    workdir: Path,
    split_name: str,
    *,
    step: int | Literal["best"] | None = None,
    untrained: bool = False,
    root: str | None = None,
    console: rich.console.Console | None = None,
) -> dict[str, Any]:
    """Evaluates a checkpoint and writes the results to the run folder.

    The results are ``metrics.json``, ``gallery.png`` and an OBJ file for each row of
    the gallery, in ``eval/<split>/`` of the run folder; and a GLB file beside it if the
    model has colours.

    Args:
        workdir: the run folder.
        split_name: ``"train"``, ``"val"`` or ``"test"``.
        step: step of the checkpoint, or ``"best"`` for that of the best validation;
            the newest if None.
        untrained: whether to print the mean IoU of the initial parameters as well, of
            silhouettes if there are no voxels.
        root: folder of the data set, if it has moved.
        console: where to print; stdout if None.

    Returns:
        The contents of ``metrics.json``; see `evaluation.summarize`.

    Raises:
        ConfigError, RunError, ValueError, OSError: the message says in one sentence
            what is wrong.
    """
    first = processes.is_first()
    console = console or terminal.make_console(quiet=not first)
    found = training.find_devices()
    settings, at, values = shared_checkpoints.load(workdir, step)
    if root is not None:
        settings = config.override(settings, [f"data.root={root!r}", "data.sources=()"])
    split = processes.in_turn(lambda: data.open_split(settings.data, split_name))
    training.check_image_size(settings, split)
    devices = training.device_mesh(len(found), found)
    experiment = training.Experiment(settings, devices)
    like = jax.eval_shape(experiment.init, 0).variables
    variables = shared_checkpoints.spread(
        values, runs.abstract(like, experiment.replicated)
    )
    sigma = float(experiment.sigma(at))

    def score(variables: models.Variables, title: str) -> dict[str, Any]:
        with terminal.progress_bar(title) as progress:
            scores = evaluation.score_split(
                experiment, variables, split, sigma, progress if first else None
            )
        return evaluation.summarize(
            scores, split=split_name, step=at, names=split.names
        )

    metrics = score(variables, "evaluating")
    console.print(_make_table(metrics))
    for note in _make_notes(metrics, settings.optim.ema):
        console.print(note, markup=False, highlight=False)
    if untrained:
        initial = experiment.init(settings.seed).variables
        before = score(initial, "evaluating the untrained network")
        which = "mean_silhouette_iou" if metrics["mean_iou"] is None else "mean_iou"
        console.print(
            f"{_LABELS[which]} of the untrained model {_format(before[which])}, "
            f"of this one {_format(metrics[which])}"
        )

    examples = gallery.reconstruct(experiment, variables, split, sigma)
    if not first:
        return metrics
    folder = workdir / "eval" / split_name
    evaluation.write_metrics(metrics, folder / "metrics.json")
    faces = experiment.network.faces
    with atomic.file(folder / "gallery.png") as path:
        gallery.sheet(examples, faces).save(path)
    files = f"{len(examples)} OBJ files"
    for example in examples:
        mesh = Mesh(example.vertices, faces)
        meshfile.save_mesh(folder / f"{example.name}.obj", mesh)
        if example.colors is not None:
            mesh = mesh._replace(texture=coloring.make_texture(example.colors))
            meshfile.save_mesh(folder / f"{example.name}.glb", mesh)
            files = f"{len(examples)} OBJ files, the same in colour as GLB"
    console.print(
        terminal.printable(f"Written to {folder}: metrics.json, gallery.png, {files}."),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return metrics


def _format(number: float | None) -> str:
    return "none" if number is None else f"{number:.4f}"


def _make_notes(metrics: dict[str, Any], ema: float) -> Iterator[str]:
    """Says which parameters were evaluated, and what the scores leave out."""
    if ema:
        yield f"Scores of the moving average of the parameters (optim.ema={ema:g})."
    if "mean_psnr" in metrics:
        yield color_scores.describe(metrics)
    rows = metrics["per_category"].values()
    if without := [row["name"] for row in rows if row["iou"] is None]:
        yield f"No voxels, hence no IoU of voxels: {', '.join(without)}."
    if single := sum(row["single_views"] for row in rows):
        yield (
            f"Objects with a single picture, and none to compare silhouettes in: "
            f"{single}."
        )


def _make_table(metrics: dict[str, Any]) -> rich.table.Table:
    table = rich.table.Table(title=f"{metrics['split']}, step {metrics['step']:,}")
    labels = {name: label for name, label in _LABELS.items() if name in metrics}
    table.add_column("category")
    for column in ("objects", *labels.values()):
        table.add_column(column, justify="right")
    for row in metrics["per_category"].values():
        table.add_row(
            rich.markup.escape(row["name"]),
            str(row["objects"]),
            *(_format(row[column.removeprefix("mean_")]) for column in labels),
        )
    total = sum(row["objects"] for row in metrics["per_category"].values())
    table.add_section()
    table.add_row(
        "mean of categories",
        str(total),
        *(_format(metrics[column]) for column in labels),
        style="bold",
    )
    return table


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
        "silhouettes in unseen views, and loss per category; a gallery, and meshes. "
        "Results go to eval/SPLIT/ in the run folder.",
    )
    parser.add_argument(
        "--workdir", type=Path, required=True, metavar="FOLDER", help="run folder"
    )
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--step", type=int, help="step of the checkpoint")
    which.add_argument(
        "--checkpoint",
        default="newest",
        choices=["newest", "best"],
        help="the newest checkpoint, or that of the best validation during training "
        "(default: newest)",
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="folder of the data set, if it has moved"
    )
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="print the mean IoU of the initial parameters as well",
    )
    compilation_cache.add_argument(parser)
    processes.add_arguments(parser)
    options = parser.parse_args(arguments)

    def command() -> None:
        with processes.join(options):
            training.find_devices()
            if options.compilation_cache:
                compilation_cache.enable(quiet=not processes.is_first())
            evaluate(
                options.workdir,
                options.split,
                step="best" if options.checkpoint == "best" else options.step,
                untrained=options.untrained,
                root=options.data,
            )

    return terminal.run(prog, command)
