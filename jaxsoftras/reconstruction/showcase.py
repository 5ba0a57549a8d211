"""The objects that a report shows: the best, the median and the worst of a category."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import atomic, config, voxels, written_files
from jaxsoftras.reconstruction import gallery, provenance
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.evaluation_subject import Subject
from jaxsoftras.report import examples, results

_VIEWS = [0, 1]  # those of the three of a mesh from which the truth is shown as well


class Choice(NamedTuple):
    """An object to show.

    Attributes:
        rank: see `examples.RANKS`.
        number: number of the object in its category, from 0.
        measure: the score that it is ranked by; see `examples.MEASURES`.
        score: mean over the object's input views; NaN without a measure.
        view_scores: ``[N]`` scores by input view.
    """

    rank: str
    number: int
    measure: str
    score: float
    view_scores: np.ndarray


def choose(scores: Scores, category: str) -> list[Choice]:
    """Chooses the best, the median and the worst object of a category.

    Objects are ranked by their mean IoU of voxels over the input views, or of
    silhouettes where there are no voxels; of equal ones the first comes first.

    Args:
        scores: scores of a split.
        category: key of the category.

    Returns:
        The best, the median (the better one, of an even number) and the worst object;
        the best and the worst of two; the only object with a score; or, if there is
        none, the first object.
    """
    rows = scores.category == category
    seen = scores.seen[rows]
    measure, least = "iou", 1
    if np.all(np.isnan(scores.columns[measure][rows][seen])):
        # a single view has no other to be compared with
        measure, least = "silhouette_iou", 2
    values = np.where(seen, scores.columns[measure][rows].astype(float), np.nan)
    finite = np.all(np.isfinite(values) | ~seen, axis=1)
    numbers = np.flatnonzero(finite & (np.sum(seen, axis=1) >= least))
    if not len(numbers):
        return [Choice("unranked", 0, "", np.nan, np.full(seen.shape[1], np.nan))]
    means = np.nanmean(values[numbers], axis=1)
    order = np.argsort(-means, kind="stable")
    choices = []
    for rank, place in list_ranks(len(numbers)):
        number, mean = numbers[order[place]], means[order[place]]
        choices.append(Choice(rank, int(number), measure, float(mean), values[number]))
    return choices


def list_ranks(count: int) -> list[tuple[str, int]]:
    """Best, median and worst of a number of objects: their places in descending order.

    Args:
        count: number of objects, at least 1; see `choose` for one and two.
    """
    if count == 1:
        return [("only", 0)]
    if count == 2:
        return [("best", 0), ("worst", 1)]
    return [("best", 0), ("median", (count - 1) // 2), ("worst", count - 1)]


def reconstruct(subject: Subject, scores: Scores) -> examples.Examples:
    """Reconstructs the objects that a report shows.

    Args:
        subject: what was evaluated.
        scores: its scores.
    """
    experiment, split = subject.experiment, subject.split
    choices = {key: choose(scores, key) for key in split.categories}
    shown = []
    # one object of each category at a time, as the gallery, whose programs serve again
    for place in range(max(map(len, choices.values()))):
        chosen = {key: c[place] for key, c in choices.items() if place < len(c)}
        found = gallery.reconstruct(
            experiment,
            subject.variables,
            split,
            subject.sigma,
            {key: choice.number for key, choice in chosen.items()},
        )
        images = gallery.render_rows(found, experiment.network.faces)
        for (key, choice), example, row in zip(
            chosen.items(), found, images, strict=True
        ):
            count = split.view_counts(key)[choice.number]
            view = gallery.INPUT_VIEW * count // gallery.VIEWS
            here = float(choice.view_scores[view])
            shown.append(_describe(key, choice, here, example, row))
    columns = {name: [entry[name] for entry in shown] for name in shown[0]}
    return examples.Examples(
        faces=np.asarray(experiment.network.faces, np.int32),
        **{name: np.stack(column) for name, column in columns.items()},
    )


def _describe(
    key: str,
    choice: Choice,
    view_score: float,
    example: gallery.Example,
    images: np.ndarray,
) -> dict[str, np.ndarray]:
    """One entry of each array of `examples.Examples`."""
    occupied = example.occupied
    if occupied is None:
        occupied = np.zeros((voxels.RESOLUTION,) * 3, bool)
    meshes, truths = images[:-2], images[-2:]
    return {
        "categories": np.array(key),
        "ranks": np.array(choice.rank),
        "objects": np.array(choice.number, np.int32),
        "measures": np.array(choice.measure),
        "scores": np.array(choice.score, np.float32),
        "view_scores": np.array(view_score, np.float32),
        "inputs": gallery.composite_over_white(example.image),
        "renders": meshes[_VIEWS],
        "references": truths,
        "vertices": np.asarray(example.vertices, np.float32),
        "has_voxels": np.array(example.occupied is not None),
        "occupied": np.asarray(occupied, bool),
        "eyes": np.asarray(example.cameras.position[0], np.float32),
        "axes": np.asarray(example.cameras.axes[0], np.float32),
    }


def write(folder: Path, shown: examples.Examples, settings: config.Config) -> None:
    """Writes ``examples.npz`` and ``environment.json`` beside ``metrics.json``.

    Args:
        folder: ``eval/<split>/`` of the run, with the metrics of the evaluation.
        shown: the objects.
        settings: configuration that the run was evaluated with.
    """
    environment: dict[str, Any] = {
        "time": provenance.find_time(),
        "command": sys.argv,
        "data": (*settings.data.sources, settings.data)[0].root,
        "moving_average": settings.optim.ema,
        **provenance.describe_machine(),
        "metrics": written_files.digest(folder / results.METRICS),
    }
    paths = [folder / examples.FILE, folder / results.ENVIRONMENT]
    with atomic.files(paths) as (arrays, description):
        examples.save(arrays, shown)
        description.write_text(json.dumps(environment, indent=2) + "\n")
