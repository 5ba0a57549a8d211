"""Scores of a trained network per category: IoU of voxels and silhouettes, loss."""

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
from jaxsoftras.data import rig
from jaxsoftras.reconstruction import color_scores, processes, training

_OBJECTS_PER_DEVICE = 4  # scored together, from all of their views


class Score(NamedTuple):
    """Scores of one category, one number per object and input view.

    Attributes:
        seen: ``[n, N]`` bool: objects with fewer pictures than others have no input
            view there, and no score.
        iou: ``[n, N]`` intersection over union with the true voxels, 0 to 1; None if
            there are none.
        silhouette_iou: ``[n, N]`` mean IoU of the mesh's silhouette with those of the
            object's other views, 0 to 1; meaningless for an object with a single view.
        loss: ``[n, N]`` training loss.
        colors: ``[n, v]`` of a few input views; None for a model without colours.
    """

    seen: np.ndarray | jax.Array
    iou: np.ndarray | jax.Array | None
    silhouette_iou: np.ndarray | jax.Array
    loss: np.ndarray | jax.Array
    colors: color_scores.ColorScores | None = None


class _Group(NamedTuple):
    """Objects that are scored together, g of them with at most N views.

    Attributes:
        images: ``[g, N, 4, S, S]`` uint8.
        cameras: of the images, with leading axes ``[g, N]``.
        counts: ``[g]`` number of views; images beyond it repeat the last one.
        partners: ``[g, N]`` second views for the loss.
        occupied: ``[g, 32, 32, 32]`` bool, or None.
    """

    images: np.ndarray
    cameras: rig.Viewpoints
    counts: np.ndarray
    partners: np.ndarray
    occupied: np.ndarray | None


def _partners(category: int, objects: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Second views ``[n, N]`` for the loss of each object and input view.

    Drawn uniformly, as in training, but the same in every evaluation.
    """
    draws = np.zeros((len(objects), counts.max()), np.int32)
    for row, number, count in zip(draws, objects, counts, strict=True):
        rng = np.random.default_rng([category, number])
        row[:count] = rng.integers(count, size=count)
    return draws


def _load_group(split: data.Split, category: str, objects: np.ndarray) -> _Group:
    """Reads all views of some objects, and the voxels that they have."""
    number, most = split.categories.index(category), split.num_views
    counts = split.view_counts(category)[objects]
    views = np.minimum(np.arange(most), counts[:, None] - 1)
    which = np.repeat(objects, most), views.ravel()

    def by_object(part: np.ndarray) -> np.ndarray:
        return part.reshape(len(objects), most, *part.shape[1:])

    occupied = None
    if split.has_voxels(category):
        occupied = read_voxels(split, category, objects)
    partners = _partners(number, objects, counts)
    return _Group(
        images=by_object(split.images(category, *which)),
        cameras=jax.tree.map(by_object, split.viewpoints(category, *which)),
        counts=counts,
        partners=np.pad(partners, ((0, 0), (0, most - partners.shape[1]))),
        occupied=occupied,
    )


def read_voxels(split: data.Split, category: str, objects: np.ndarray) -> np.ndarray:
    """Reads true voxels ``[n, 32, 32, 32]`` bool of objects.

    Raises:
        ValueError: they have another resolution than `voxels.voxelize`.
    """
    occupied = split.voxels(category, objects)
    if occupied.shape[-1] != voxels.RESOLUTION:
        raise ValueError(
            f"The data set has voxels of {occupied.shape[-1]} cells a side, and IoU"
            f" is measured with {voxels.RESOLUTION}: build the data set with "
            f"--resolution {voxels.RESOLUTION}."
        )
    return occupied


def voxel_iou(
    experiment: training.Experiment, vertices: jax.Array, occupied: jax.Array
) -> jax.Array:
    """IoU ``[g, v]`` of meshes ``[g, v, V, 3]`` with voxels ``[g, 32, 32, 32]``."""
    predicted = voxels.voxelize(vertices, jnp.asarray(experiment.network.faces))
    return voxels.iou(predicted, jnp.asarray(occupied)[:, None])


def silhouette_iou(
    experiment: training.Experiment,
    vertices: jax.Array,
    inputs: jax.Array,
    images: jax.Array,
    cameras: rig.Viewpoints,
    counts: jax.Array,
) -> jax.Array:
    """Mean IoU of silhouettes of meshes in the views that the network did not see.

    A pixel belongs to a mesh that covers its centre, and to the object if its coverage
    is at least a half.

    Args:
        experiment: functions of the configuration.
        vertices: ``[g, v, V, 3]`` meshes, model frame.
        inputs: ``[v]`` or ``[g, v]`` number of the view that each is made from.
        images: ``[g, N, 4, S, S]`` uint8, all views of the objects.
        cameras: of the images, with leading axes ``[g, N]``.
        counts: ``[g]`` number of views; images beyond it count for nothing.

    Returns:
        ``[g, v]``, from 0 to 1; 0 for an object with a single view.
    """
    target = images[:, :, 3] >= 128
    views = jnp.arange(target.shape[1])
    seen = views < counts[:, None]

    def compare(column: tuple[jax.Array, jax.Array]) -> jax.Array:
        meshes, view = column
        meshes = jnp.broadcast_to(meshes[:, None], (*target.shape[:2], *tail))
        covered = experiment.cover(
            meshes.reshape(-1, *tail),
            jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), cameras),
        ).reshape(target.shape)
        both = jnp.sum(covered & target, axis=(2, 3))
        either = jnp.sum(covered | target, axis=(2, 3))
        iou = jnp.where(either > 0, both / jnp.maximum(either, 1), 1.0)
        others = seen & (views != view[:, None])
        total = jnp.sum(jnp.where(others, iou, 0), axis=1)
        return total / jnp.maximum(jnp.sum(others, axis=1), 1)

    tail = vertices.shape[2:]
    inputs = jnp.broadcast_to(inputs, vertices.shape[:2])
    # one input view after another, as the renders of all would take v times the memory
    columns = jnp.moveaxis(vertices, 1, 0), jnp.moveaxis(inputs, 1, 0)
    return jnp.moveaxis(jax.lax.map(compare, columns), 0, 1)


@functools.lru_cache(maxsize=1)  # trained and untrained variables share it
def _make_scorer(experiment: training.Experiment) -> Callable[..., Score]:
    """Makes the jitted function that scores a group of objects from all views."""

    def score(variables, group: _Group, sigma):
        size, views = group.partners.shape
        found = experiment.reconstruct(
            variables, group.images.reshape(-1, *group.images.shape[2:])
        )
        meshes = jax.tree.map(
            lambda part: part.reshape(size, views, *part.shape[1:]), found
        )
        vertices = meshes.vertices
        iou = None
        if group.occupied is not None:
            iou = voxel_iou(experiment, vertices, jnp.asarray(group.occupied))
        view = jnp.broadcast_to(jnp.arange(views, dtype=jnp.int32), (size, views))
        pairs = jnp.stack([view, group.partners], axis=-1)  # [size, views, 2]

        def gather_pairs(x: jax.Array) -> jax.Array:
            """Gathers the two views of each pair: ``[size * views, 2, ...]``."""
            chosen = x[jnp.arange(size)[:, None, None], pairs]
            return chosen.reshape(-1, *chosen.shape[2:])

        terms = experiment.view_losses(
            gather_pairs(vertices),
            gather_pairs(jnp.asarray(group.images)[:, :, 3]),
            jax.tree.map(gather_pairs, group.cameras),
            sigma,
            None if meshes.colors is None else gather_pairs(meshes.colors),
            gather_pairs(jnp.asarray(group.images)),
        )
        return Score(
            seen=view < group.counts[:, None],
            iou=iou,
            silhouette_iou=silhouette_iou(
                experiment,
                vertices,
                jnp.arange(views),
                jnp.asarray(group.images),
                group.cameras,
                jnp.asarray(group.counts),
            ),
            loss=experiment.total(terms).reshape(size, views),
            colors=color_scores.score_some(
                experiment,
                meshes,
                jnp.asarray(group.images),
                group.cameras,
                jnp.asarray(group.counts),
            ),
        )

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
        split: the objects.
        sigma: sharpness of the rasterizer for the loss, NDC squared.
        progress: called with the number of objects done and in all.

    Returns:
        Scores by key of the category.

    Raises:
        ValueError: the true voxels have another resolution than `voxels.voxelize`.
    """
    size = _OBJECTS_PER_DEVICE * experiment.devices.size
    score = _make_scorer(experiment)
    done, total = 0, sum(split.count(category) for category in split.categories)
    scores = {}
    for category in split.categories:
        parts = []
        for start in range(0, split.count(category), size):
            objects = np.arange(start, min(start + size, split.count(category)))
            # the last group repeats an object, so that all calls have the same shapes
            padded = np.pad(objects, (0, size - len(objects)), mode="edge")
            group = _load_group(split, category, padded)
            group = processes.place(group, experiment.sharded)
            part = processes.fetch(score(variables, group, np.float32(sigma)))
            parts.append(jax.tree.map(lambda array: array[: len(objects)], part))  # noqa: B023
            done += len(objects)
            if progress:
                progress(done, total)
        scores[category] = jax.tree.map(lambda *part: np.concatenate(part), *parts)
    return scores


def _mean(values: np.ndarray | jax.Array, chosen: np.ndarray | jax.Array) -> float:
    """Mean over objects of the means over their chosen views, ``[n, N]``."""
    chosen = np.asarray(chosen)
    chosen, values = chosen[chosen.any(1)], np.asarray(values, float)[chosen.any(1)]
    return float(np.mean(np.mean(values, axis=1, where=chosen)))


def _summarize_category(name: str, score: Score) -> dict[str, Any]:
    seen = np.asarray(score.seen)
    colors = {} if score.colors is None else color_scores.summarize(score.colors)
    comparable = seen & (seen.sum(1, keepdims=True) > 1)
    return {
        "name": name,
        "iou": None if score.iou is None else _mean(score.iou, seen),
        "silhouette_iou": (
            _mean(score.silhouette_iou, comparable) if comparable.any() else None
        ),
        "loss": _mean(score.loss, seen),
        **colors,
        "objects": len(seen),
        "single_views": int(np.sum(~comparable.any(1))),
    }


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
        ``{"split", "step", "mean_iou", "mean_silhouette_iou", "mean_loss",
        "per_category": {key: {"name", "iou", "silhouette_iou", "loss", "objects",
        "single_views"}}}``. IoU are fractions from 0 to 1: of voxels, None where there
        are none; of silhouettes in the views that the network did not see, None where
        no object has two. Means are over objects, and over categories that have the
        number. ``"single_views"`` counts the objects that have one view only, and no
        part in ``"silhouette_iou"``. With colours, also those of
        `color_scores.summarize`, and their means, ``"mean_psnr"`` and so on.
    """
    per_category = {
        key: _summarize_category(names[key], score) for key, score in scores.items()
    }

    def mean(column: str) -> float | None:
        found = [row[column] for row in per_category.values()]
        found = [number for number in found if number is not None]
        return float(np.mean(found)) if found else None

    colored = any(score.colors is not None for score in scores.values())
    names_of_colors = color_scores.NAMES if colored else ()
    return {
        "split": split,
        "step": step,
        "mean_iou": mean("iou"),
        "mean_silhouette_iou": mean("silhouette_iou"),
        "mean_loss": mean("loss"),
        **{f"mean_{name}": mean(name) for name in names_of_colors},
        "per_category": per_category,
    }


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Writes ``metrics.json``, whole or not at all."""
    with atomic.file(path) as partial:
        partial.write_text(json.dumps(metrics, indent=2) + "\n")
