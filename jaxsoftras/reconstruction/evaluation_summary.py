"""Means and intervals of scores: the contents of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import strict_json
from jaxsoftras.reconstruction import evaluation_scores, resampling
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS, Scores

FILE = "metrics.json"
_MOST_AZIMUTHS = 36  # more are put into bins
_BIN = 30  # degrees


def summarize(scores: Scores, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Means per category and azimuth, and their means, with bootstrap intervals.

    Args:
        scores: scores of the objects.
        notes: what the scores leave out.

    Returns:
        The contents of ``metrics.json``; see docs/evaluation.md.
    """
    means = {name: scores.object_means(name) for name in COLUMNS}
    bounds = {name: resampling.intervals(strata) for name, strata in means.items()}
    overall = {name: evaluation_scores.mean(strata) for name, strata in means.items()}
    return {
        "split": scores.split,
        "step": scores.step,
        "data": scores.data,
        **{f"mean_{name}": value for name, value in overall.items()},
        "intervals": {name: _as_list(whole) for name, (whole, _) in bounds.items()},
        "per_category": {
            key: {
                "name": name,
                **{column: _mean(means[column].get(key)) for column in COLUMNS},
                "objects": int(np.sum(scores.category == key)),
                "single_views": int(np.sum(scores.views[scores.category == key] == 1)),
                "intervals": {
                    column: _as_list(each.get(key))
                    for column, (_, each) in bounds.items()
                },
            }
            for key, name in scores.categories.items()
        },
        "by_azimuth": list(_by_azimuth(scores)),
        "bootstrap": {
            "level": resampling.LEVEL,
            "resamples": resampling.RESAMPLES,
            "seed": resampling.SEED,
        },
        "points": scores.points,
        "threshold": scores.threshold,
        "notes": list(notes),
    }


def _mean(values: np.ndarray | None) -> float | None:
    return None if values is None else float(np.mean(values))


def _as_list(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _by_azimuth(scores: Scores) -> Iterator[dict[str, Any]]:
    """Means over the input views of each azimuth, or of each 30 degrees of many."""
    azimuth = scores.azimuth
    if len(np.unique(azimuth[scores.seen])) > _MOST_AZIMUTHS:
        azimuth = np.round(azimuth / _BIN) % (360 / _BIN) * _BIN
    for value in np.unique(azimuth[scores.seen]):
        views = scores.seen & (azimuth == value)
        yield {
            "azimuth": round(float(value), 3),
            "objects": int(views.any(1).sum()),
            **{
                name: evaluation_scores.mean(scores.object_means(name, views))
                for name in COLUMNS
            },
        }


def list_gaps(scores: Scores, ema: float = 0) -> Iterator[str]:
    """Sentences on which parameters were evaluated, and what the scores leave out.

    Args:
        scores: scores of the objects.
        ema: decay rate of the average of the parameters; 0 if there is none.
    """
    if ema:
        yield f"Scores of the moving average of the parameters (optim.ema={ema:g})."
    measured = scores.object_means("iou")
    names = scores.categories
    if without := [name for key, name in names.items() if key not in measured]:
        yield f"No voxels, hence no IoU of voxels: {', '.join(without)}."
    if single := int(np.sum(scores.views == 1)):
        yield (
            "Objects with a single picture, and none to compare silhouettes in: "
            f"{single}."
        )
    surfaces = np.any(~np.isnan(scores.columns["chamfer"]), axis=1)
    solids = np.any(~np.isnan(scores.columns["thin_iou"]), axis=1)
    if hollow := int(np.sum(surfaces & ~solids)):
        yield (
            "True meshes that enclose no centre of a cell, and have no thin IoU: "
            f"{hollow}."
        )
    counts = {key: int(np.sum(scores.category == key)) for key in names}
    alone = [name for key, name in names.items() if counts[key] == 1]
    if len(alone) == len(names):
        yield "No intervals, for no category has two objects."
    elif alone:
        yield (
            "Intervals are too narrow, for the spread of a category with one object "
            f"is unknown: {', '.join(alone)}."
        )


def write(metrics: dict[str, Any], path: Path) -> None:
    """Writes ``metrics.json``; numbers that are not finite are null."""
    path.write_text(strict_json.dumps(metrics, indent=2) + "\n")
