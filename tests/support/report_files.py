"""An evaluated run folder, made without training: what a report is made from."""

import json
from pathlib import Path

import numpy as np

from jaxsoftras import config, written_files
from jaxsoftras.report import examples, results

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32)
CORNERS = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.3, 0], [0, 0, 0.2]], np.float32)
RIGHT_HANDED = np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32)


def make_examples(
    categories: list[str], ranks: list[str], *, has_voxels: bool = True
) -> examples.Examples:
    """A tetrahedron for each category and rank, with a block of true voxels."""
    pairs = [(key, rank) for key in categories for rank in ranks]
    count, size = len(pairs), 16
    gray = np.linspace(0, 255, size, dtype=np.uint8)
    image = np.broadcast_to(gray[:, None, None], (size, size, 3))
    occupied = np.zeros((count, 8, 8, 8), bool)
    occupied[:, 3:6, 2:5, 3:5] = has_voxels
    return examples.Examples(
        categories=np.array([key for key, _ in pairs]),
        ranks=np.array([rank for _, rank in pairs]),
        objects=np.arange(count, dtype=np.int32),
        measures=np.array(["iou" if has_voxels else "silhouette_iou"] * count),
        scores=np.linspace(0.9, 0.1, count).astype(np.float32),
        view_scores=np.full(count, 0.5, np.float32),
        inputs=np.stack([image] * count),
        renders=np.stack([np.stack([image] * 2)] * count),
        references=np.stack([np.stack([image] * 2)] * count),
        vertices=np.stack([CORNERS] * count),
        faces=FACES,
        has_voxels=np.full(count, has_voxels),
        occupied=occupied,
        eyes=np.tile(np.array([1, 1, 2], np.float32), (count, 1)),
        axes=np.stack([RIGHT_HANDED] * count),
    )


def write_run(
    workdir: Path,
    names: dict[str, str],
    shown: examples.Examples | None = None,
    *,
    steps: int = 5,
    iou: float | None = 0.5,
) -> Path:
    """Writes the files of a run that was evaluated on its test split.

    Args:
        workdir: the run folder.
        names: names of the categories by key.
        shown: the objects; three of each category if None.
        steps: number of reports of the training.
        iou: voxel IoU of all categories.

    Returns:
        The run folder.
    """
    folder = results.folder_of(workdir, "test")
    folder.mkdir(parents=True)
    config.save(config.Config(), workdir / "config.json")
    terms = {"silhouette": 0.3, "laplacian": 0.2, "flatten": 0.1, "edge_length": 0.0}
    lines = [
        {"step": 10 * k, "loss": 1 / k, **terms, "learning_rate": 1e-4, "time": 0.5}
        | {"steps_per_second": 7.0}
        for k in range(1, steps + 1)
    ]
    per_category = dict.fromkeys(names.values(), 0.25)
    lines += [
        {"step": 10, "val_iou": 0.25, "val_iou_per_category": per_category}
        | {"val_part": "3 of 3 objects, 4 of 24 views", "val_seconds": 1.0}
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "metrics.jsonl").write_text(text)
    scores = {"iou": iou, "silhouette_iou": 0.75, "loss": 0.4}
    rows = {
        key: {"name": name, **scores, "objects": 3, "single_views": 0}
        for key, name in names.items()
    }
    means = {f"mean_{name}": value for name, value in scores.items()}
    metrics = {"split": "test", "step": 50, **means, "per_category": rows}
    (folder / results.METRICS).write_text(json.dumps(metrics))
    if shown is None:
        shown = make_examples(list(names), ["best", "median", "worst"])
    write_objects(folder, shown)
    return workdir


def write_objects(folder: Path, shown: examples.Examples) -> None:
    """Writes ``examples.npz`` and ``environment.json`` for the metrics there."""
    environment = {
        "time": "2026-11-27T10:00:00+02:00",
        "command": ["eval.py", "--workdir", "runs/two words"],
        "data": "data/test",
        "moving_average": 0.0,
        "devices": "1 cpu",
        "platform": "Linux",
        "versions": {"jaxsoftras": "0.1.0", "jax": "0.10.2"},
        "metrics": written_files.digest(folder / results.METRICS),
    }
    examples.save(folder / examples.FILE, shown)
    (folder / results.ENVIRONMENT).write_text(json.dumps(environment))
