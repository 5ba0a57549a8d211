"""Scores of a trained network: voxel IoU and loss, per category."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import atomic, data, models, terminal, voxels
from jaxsoftras.reconstruction import training

_OBJECTS_PER_DEVICE = 4  # scored together, from all of their views


class Score(NamedTuple):
    """Scores of one category, one number per object and input view.

    Attributes:
        iou: ``[n, N]`` intersection over union with the true voxels, 0 to 1.
        loss: ``[n, N]`` training loss.
    """

    iou: np.ndarray | jax.Array
    loss: np.ndarray | jax.Array


def _partners(category: int, objects: np.ndarray, views: int) -> np.ndarray:
    """Second views ``[n, N]`` for the loss of each object and input view.

    Drawn uniformly, as in training, but the same in every evaluation.
    """
    draws = [
        np.random.default_rng([category, o]).integers(views, size=views)
        for o in objects
    ]
    return np.stack(draws).astype(np.int32)


@functools.lru_cache(maxsize=1)  # trained and untrained variables share it
def _make_scorer(experiment: training.Experiment, views: int) -> Callable[..., Score]:
    """Makes the jitted function that scores a group of objects from all views."""

    def score(variables, images, occupied, partner, sigma):
        group = images.shape[0]
        vertices = experiment.infer(
            variables, images.reshape(-1, *images.shape[2:])
        ).reshape(group, views, -1, 3)
        predicted = voxels.voxelize(vertices, jnp.asarray(experiment.network.faces))
        iou = voxels.iou(predicted, occupied[:, None])

        view = jnp.broadcast_to(jnp.arange(views, dtype=jnp.int32), partner.shape)
        pairs = jnp.stack([view, partner], axis=-1)  # [group, views, 2]

        def gather_pairs(x: jax.Array) -> jax.Array:
            """Gathers the two views of each pair: ``[group * views * 2, ...]``."""
            chosen = x[jnp.arange(group)[:, None, None], pairs]
            return chosen.reshape(-1, *chosen.shape[2:])

        terms = experiment.view_losses(
            gather_pairs(vertices),
            gather_pairs(images[:, :, 3]),
            pairs.reshape(-1, 2),
            sigma,
        )
        return Score(iou, experiment.total(terms).reshape(partner.shape))

    return jax.jit(score, out_shardings=experiment.sharded)


def score_split(
    experiment: training.Experiment,
    variables: models.Variables,
    split: data.Split,
    sigma: float,
    progress: terminal.Progress | None = None,
) -> dict[str, Score]:
    """Reconstructs every object of a split from each of its views.

    Args:
        experiment: functions of the configuration the variables belong to.
        variables: parameters and batch statistics of the network.
        split: objects with voxels.
        sigma: sharpness of the rasterizer for the loss, NDC squared.
        progress: called with the number of objects done and in all.

    Returns:
        Scores by key of the category.

    Raises:
        ValueError: the true voxels have another resolution than `voxels.voxelize`.
    """
    views = split.num_views
    group = _OBJECTS_PER_DEVICE * experiment.devices.size
    score = _make_scorer(experiment, views)
    done, total = 0, sum(split.count(category) for category in split.categories)
    scores = {}
    for number, category in enumerate(split.categories):
        parts = []
        for start in range(0, split.count(category), group):
            objects = np.arange(start, min(start + group, split.count(category)))
            # the last group repeats an object, so that all calls have the same shapes
            padded = np.pad(objects, (0, group - len(objects)), mode="edge")
            images = split.images(
                category, np.repeat(padded, views), np.tile(np.arange(views), group)
            )
            occupied = split.voxels(category, padded)
            if occupied.shape[-1] != voxels.RESOLUTION:
                raise ValueError(
                    f"The data set has voxels of {occupied.shape[-1]} cells a side, and"
                    f" IoU is measured with {voxels.RESOLUTION}: build the data set "
                    f"with --resolution {voxels.RESOLUTION}."
                )
            batch = jax.device_put(
                (
                    images.reshape(group, views, *images.shape[1:]),
                    occupied,
                    _partners(number, padded, views),
                ),
                experiment.sharded,
            )
            part = jax.device_get(score(variables, *batch, jnp.float32(sigma)))
            parts.append(Score(*(array[: len(objects)] for array in part)))
            done += len(objects)
            if progress:
                progress(done, total)
        scores[category] = Score(*(np.concatenate(p) for p in zip(*parts, strict=True)))
    return scores


def summarize(
    scores: dict[str, Score],
    *,
    split: str,
    step: int,
    names: Mapping[str, str] = data.CATEGORIES,
) -> dict[str, Any]:
    """Means per category and their unweighted mean, the contents of ``metrics.json``.

    Args:
        scores: scores by key of the category.
        split: name of the split.
        step: step of the checkpoint.
        names: names of the categories by key.

    Returns:
        ``{"split", "step", "mean_iou", "mean_loss", "per_category": {key: {"name",
        "iou", "loss", "objects"}}}``; IoU as fractions from 0 to 1.
    """
    per_category = {
        key: {
            "name": names[key],
            "iou": float(np.mean(score.iou)),
            "loss": float(np.mean(score.loss)),
            "objects": len(score.iou),
        }
        for key, score in scores.items()
    }
    rows = per_category.values()
    return {
        "split": split,
        "step": step,
        "mean_iou": float(np.mean([row["iou"] for row in rows])),
        "mean_loss": float(np.mean([row["loss"] for row in rows])),
        "per_category": per_category,
    }


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Writes ``metrics.json``, whole or not at all."""
    with atomic.file(path) as partial:
        partial.write_text(json.dumps(metrics, indent=2) + "\n")
