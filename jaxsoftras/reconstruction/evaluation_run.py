"""A complete evaluation of a run, and its command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import jax
import rich.console
import rich.table

from jaxsoftras import atomic, config, data, meshfile, models, terminal
from jaxsoftras.mesh import Mesh
from jaxsoftras.reconstruction import evaluation, gallery, runs, training


def evaluate(
    workdir: Path,
    split_name: str,
    *,
    step: int | None = None,
    untrained: bool = False,
    root: str | None = None,
    console: rich.console.Console | None = None,
) -> dict[str, Any]:
    """Evaluates a checkpoint and writes the results to the run folder.

    The results are ``metrics.json``, ``gallery.png`` and an OBJ file for each row of
    the gallery, in ``eval/<split>/`` of the run folder.

    Args:
        workdir: the run folder.
        split_name: ``"train"``, ``"val"`` or ``"test"``.
        step: step of the checkpoint; the newest if None.
        untrained: whether to print the mean IoU of the initial parameters as well.
        root: folder of the data set, if it has moved.
        console: where to print; stdout if None.

    Returns:
        The contents of ``metrics.json``; see `evaluation.summarize`.

    Raises:
        ConfigError, RunError, ValueError, OSError: the message says in one sentence
            what is wrong.
    """
    console = console or rich.console.Console()
    trained = runs.load(workdir, step)
    settings = trained.config
    if root is not None:
        settings = config.override(settings, [f"data.root={root}"])
    split = data.open_split(settings.data, split_name)
    training.check_image_size(settings, split)
    devices = training.device_mesh(jax.device_count())
    experiment = training.Experiment(settings, devices)
    variables = jax.device_put(trained.variables, experiment.replicated)
    sigma = float(experiment.sigma(trained.step))

    def score(variables: models.Variables, title: str) -> dict[str, Any]:
        with terminal.progress_bar(title) as progress:
            scores = evaluation.score_split(
                experiment, variables, split, sigma, progress
            )
        return evaluation.summarize(scores, split=split_name, step=trained.step)

    metrics = score(variables, "evaluating")
    console.print(_make_table(metrics))
    if untrained:
        initial = experiment.init(settings.seed).variables
        before = score(initial, "evaluating the untrained network")
        console.print(
            f"mean IoU of the untrained model {before['mean_iou']:.4f}, "
            f"of this one {metrics['mean_iou']:.4f}"
        )

    folder = workdir / "eval" / split_name
    evaluation.write_metrics(metrics, folder / "metrics.json")
    examples = gallery.reconstruct(experiment, variables, split, sigma)
    faces = trained.network.faces
    with atomic.file(folder / "gallery.png") as path:
        gallery.sheet(examples, faces, settings.data).save(path)
    for example in examples:
        mesh = Mesh(example.vertices, faces)
        meshfile.save_mesh(folder / f"{example.name}.obj", mesh)
    console.print(
        f"Written to {folder}: metrics.json, gallery.png, {len(examples)} OBJ files."
    )
    return metrics


def _make_table(metrics: dict[str, Any]) -> rich.table.Table:
    table = rich.table.Table(title=f"{metrics['split']}, step {metrics['step']:,}")
    table.add_column("category")
    for column in ("objects", "mean IoU", "mean loss"):
        table.add_column(column, justify="right")
    for row in metrics["per_category"].values():
        table.add_row(
            row["name"], str(row["objects"]), f"{row['iou']:.4f}", f"{row['loss']:.4f}"
        )
    total = sum(row["objects"] for row in metrics["per_category"].values())
    table.add_section()
    table.add_row(
        "mean of categories",
        str(total),
        f"{metrics['mean_iou']:.4f}",
        f"{metrics['mean_loss']:.4f}",
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
        description="Evaluate a run: mean voxel IoU and loss per category, a gallery, "
        "and meshes. Results go to eval/SPLIT/ in the run folder.",
    )
    parser.add_argument(
        "--workdir", type=Path, required=True, metavar="FOLDER", help="run folder"
    )
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    parser.add_argument(
        "--step", type=int, help="step of the checkpoint (default: the newest)"
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="folder of the data set, if it has moved"
    )
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="print the mean IoU of the initial parameters as well",
    )
    options = parser.parse_args(arguments)
    return terminal.run(
        prog,
        lambda: evaluate(
            options.workdir,
            options.split,
            step=options.step,
            untrained=options.untrained,
            root=options.data,
        ),
    )
