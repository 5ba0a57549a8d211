"""Evaluates a run: mean voxel IoU and loss per category, pictures, and meshes.

    python eval.py --workdir runs/real13 --split test

Writes metrics.json, gallery.png and some OBJ files to <workdir>/eval/<split>/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax
import rich.console
import rich.progress
import rich.table

from jaxsoftras import config, data, meshfile, models
from jaxsoftras.mesh import Mesh
from jaxsoftras.reconstruction import datasets, evaluation, gallery, training
from jaxsoftras.reconstruction import runs as checkpoint


def evaluate(
    workdir: Path,
    split_name: str,
    *,
    step: int | None = None,
    untrained: bool = False,
    root: str | None = None,
    console: rich.console.Console | None = None,
) -> dict:
    """Evaluates a checkpoint and writes the results to the run folder.

    Args:
        workdir: the run folder.
        split_name: ``"train"``, ``"val"`` or ``"test"``.
        step: of the checkpoint; the newest if None.
        untrained: whether to print the mean IoU of the initial parameters as well.
        root: folder of the data set, if it has moved.
        console: where to print.

    Returns:
        The content of ``metrics.json``; see `evaluation.summarize`.

    Raises:
        ConfigError, RunError, ValueError, OSError: with a sentence that says what is
            wrong.
    """
    console = console or rich.console.Console()
    settings = checkpoint.read_config(workdir)
    if root is not None:
        settings = config.override(settings, [f"data.root={root}"])
    split = datasets.open_split(settings.data, split_name)
    devices = training.device_mesh(jax.device_count())
    experiment = training.Experiment(settings, split.image_size, devices)
    initial = experiment.init(settings.seed)
    with checkpoint.Checkpoints(workdir) as checkpoints:
        like = checkpoint.abstract(initial, experiment.replicated)
        state = checkpoints.restore(like, step)
    sigma = float(experiment.sigma(state.step))

    def score(variables: models.Variables, title: str) -> dict:
        objects = sum(split.count(category) for category in split.categories)
        with rich.progress.Progress(console=console, transient=True) as bar:
            task = bar.add_task(title, total=objects)
            scores = evaluation.evaluate(
                experiment, variables, split, sigma, lambda n: bar.advance(task, n)
            )
        return evaluation.summarize(scores, split=split_name, step=int(state.step))

    metrics = score(state.variables, "evaluating")
    console.print(_table(metrics))
    if untrained:
        before = score(initial.variables, "untrained")
        console.print(
            f"mean IoU of the untrained model {before['mean_iou']:.4f}, "
            f"of this one {metrics['mean_iou']:.4f}"
        )

    folder = workdir / "eval" / split_name
    evaluation.write_metrics(metrics, folder / "metrics.json")
    examples = gallery.reconstruct(experiment, state.variables, split, sigma)
    faces = experiment.network.faces
    gallery.sheet(examples, faces, settings.data).save(folder / "gallery.png")
    for example in examples:
        mesh = Mesh(example.vertices, faces)
        meshfile.save_mesh(folder / f"{example.name}.obj", mesh)
    console.print(
        f"Written to {folder}: metrics.json, gallery.png, {len(examples)} OBJ files."
    )
    return metrics


def _table(metrics: dict) -> rich.table.Table:
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


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Evaluates a run: mean voxel IoU per category, gallery, meshes."
    )
    parser.add_argument("--workdir", type=Path, required=True, help="the run folder")
    parser.add_argument("--split", default="test", choices=data.SPLITS)
    parser.add_argument("--step", type=int, help="of the checkpoint (default: newest)")
    parser.add_argument("--data", help="folder of the data set, if it has moved")
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="print the mean IoU of the initial parameters as well",
    )
    options = parser.parse_args(arguments)
    try:
        evaluate(
            options.workdir,
            options.split,
            step=options.step,
            untrained=options.untrained,
            root=options.data,
        )
    except (ValueError, OSError, ModuleNotFoundError, checkpoint.RunError) as error:
        print(f"eval.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
