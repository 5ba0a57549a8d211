"""Scores of a network for every object and input view: voxels, silhouettes, loss."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import cores, data, models, terminal, voxels
from jaxsoftras.data import rig
from jaxsoftras.reconstruction import (
    color_scores,
    evaluation_scores,
    processes,
    training,
)
from jaxsoftras.reconstruction.evaluation_groups import (
    Group,
    list_objects,
    load_group,
)

_OBJECTS_PER_DEVICE = 4  # scored together, from all of their views
_WAITING_PER_CORE = 4  # objects whose meshes are kept for `MeshScorer`

MeshScorer = Callable[[int, np.ndarray], dict[str, np.ndarray]]
"""Scores the meshes of one object, in numpy.

``(number, [N, V, 3]) -> {column: [N]}``: the object's number in the split, and the mesh
from each of its views. Columns are those of `evaluation_scores.COLUMNS`; those that the
object cannot have are left out. Called in several threads.
"""


class _Scored(NamedTuple):
    """Scores of a group, and its meshes.

    Attributes:
        iou: ``[g, N]`` IoU with the true voxels, or None.
        silhouette_iou: ``[g, N]``.
        loss: ``[g, N]``.
        colors: ``[g, N]`` by name of the column; see `color_scores.score_columns`.
        vertices: ``[g, N, V, 3]``; None where nobody needs them.
    """

    iou: jax.Array | None
    silhouette_iou: jax.Array
    loss: jax.Array
    colors: dict[str, jax.Array]
    vertices: jax.Array | None


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
def _make_scorer(experiment: training.Experiment) -> Callable[..., _Scored]:
    """Makes the jitted function that scores a group of objects from all views."""

    def score(variables, group: Group, sigma):
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
        return _Scored(
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
            colors=color_scores.score_columns(
                experiment,
                meshes,
                jnp.asarray(group.images),
                group.cameras,
                jnp.asarray(group.counts),
            ),
            vertices=vertices,
        )

    return experiment.jit(score, out_shardings=experiment.sharded)


class _Table:
    """Scores that fill up as groups of objects are scored.

    Attributes:
        objects: category and number of each object.
        counts: ``[O]`` number of views.
        columns: ``[O, V]`` by name.
    """

    def __init__(self, split: data.Split):
        self.objects = list_objects(split)
        self.counts = np.concatenate(
            [split.view_counts(key) for key in split.categories]
        )
        self._has_voxels = np.array([split.has_voxels(key) for key, _ in self.objects])
        shape = len(self.objects), split.num_views
        self.columns = {
            name: np.full(shape, np.nan, np.float32)
            for name in evaluation_scores.COLUMNS
        }

    def fill(self, start: int, scored: _Scored) -> int:
        """Takes the scores of a group; returns the number of objects done."""
        stop = min(start + len(scored.loss), len(self.objects))
        counts = self.counts[start:stop, None]
        seen = np.arange(self.columns["loss"].shape[1]) < counts
        exists = {
            "iou": seen & self._has_voxels[start:stop, None],
            "silhouette_iou": seen & (counts > 1),
            "loss": seen,
        }
        for name, mask in exists.items():
            values = getattr(scored, name)
            if values is not None:
                values = np.asarray(values)[: stop - start]
                self.columns[name][start:stop] = np.where(mask, values, np.nan)
        for name, values in scored.colors.items():
            values = np.asarray(values)[: stop - start]
            chosen = exists["silhouette_iou"] & np.isfinite(values)
            self.columns[name][start:stop] = np.where(chosen, values, np.nan)
        return stop


class _MeshScoring:
    """Runs mesh scorers in threads; use as a context manager."""

    def __init__(self, scorers: Sequence[MeshScorer], table: _Table):
        self._scorers, self._table = scorers, table
        count = cores.count_cores()
        self._most = count * _WAITING_PER_CORE
        self._pool = concurrent.futures.ThreadPoolExecutor(count)
        self._waiting: collections.deque[
            tuple[int, concurrent.futures.Future[dict[str, np.ndarray]]]
        ] = collections.deque()

    def add(self, number: int, vertices: np.ndarray) -> None:
        """Takes the meshes ``[V', V, 3]`` of an object, some of which fill up."""
        meshes = vertices[: self._table.counts[number]]
        for scorer in self._scorers:
            job = self._pool.submit(scorer, number, meshes)
            self._waiting.append((number, job))
        while len(self._waiting) > self._most:
            self._finish_one()

    def _finish_one(self) -> None:
        number, job = self._waiting.popleft()
        for name, values in job.result().items():
            counts = slice(self._table.counts[number])
            self._table.columns[name][number, counts] = values

    def __enter__(self) -> _MeshScoring:
        return self

    def __exit__(self, kind, *_) -> None:
        """Waits for all scores, unless there was an error."""
        try:
            while self._waiting and kind is None:
                self._finish_one()
        finally:
            self._pool.shutdown(cancel_futures=True)


def score_split(
    experiment: training.Experiment,
    variables: models.Variables,
    split: data.Split,
    sigma: float,
    progress: terminal.Progress | None = None,
    mesh_scorers: Sequence[MeshScorer] = (),
) -> dict[str, np.ndarray]:
    """Reconstructs every object of a split from each of its views.

    The devices score a group of objects while the host reads the next one, and while
    its cores run the ``mesh_scorers`` on those before.

    Args:
        experiment: functions of the configuration the variables belong to.
        variables: parameters and batch statistics of the network.
        split: the objects.
        sigma: sharpness of the rasterizer for the loss, NDC squared.
        progress: called with the number of objects done and in all.
        mesh_scorers: further scores of the meshes. The first process alone runs them.

    Returns:
        ``[O, V]`` float32 by name of the column, all of `evaluation_scores.COLUMNS`,
        for the objects of `list_objects`; NaN where there is no score.

    Raises:
        ValueError: the true voxels have another resolution than `voxels.voxelize`.
    """
    table = _Table(split)
    total, size = len(table.objects), _OBJECTS_PER_DEVICE * experiment.devices.size
    score = _make_scorer(experiment)
    with _MeshScoring(mesh_scorers if processes.is_first() else (), table) as meshes:

        def collect(start: int, part: _Scored) -> None:
            if not mesh_scorers:
                part = part._replace(vertices=None)  # is not copied to the host
            scored = processes.fetch(part)
            stop = table.fill(start, scored)
            if scored.vertices is not None:
                for number in range(start, stop):
                    meshes.add(number, np.asarray(scored.vertices)[number - start])
            if progress:
                progress(stop, total)

        running = None
        for start in range(0, total, size):
            objects = table.objects[start : start + size]
            # the last group repeats an object, so that all calls have the same shapes
            objects = objects + objects[-1:] * (size - len(objects))
            group = processes.place(load_group(split, objects), experiment.sharded)
            begun = start, score(variables, group, np.float32(sigma))
            if running:
                collect(*running)
            running = begun
        if running:
            collect(*running)
    return table.columns
