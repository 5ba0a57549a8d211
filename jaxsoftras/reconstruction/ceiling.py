"""Meshes fitted to all silhouettes of each object of a split, and their scores.

A network of the same template and loss sees one image, where a fit sees them all: the
scores are an estimate of what it could reach at best.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import atomic, data, terminal, voxels
from jaxsoftras.data import damage, rig
from jaxsoftras.fitting import engine
from jaxsoftras.fitting.engine import Views
from jaxsoftras.fitting.silhouettes import Fitter
from jaxsoftras.reconstruction import evaluation_groups, evaluation_scores
from jaxsoftras.reconstruction.evaluation_groups import Group, list_objects


class Fitted(NamedTuple):
    """The mesh of one object and its scores, of N views.

    Attributes:
        vertices: ``[V, 3]`` float32, model frame.
        iou: IoU with the true voxels; NaN if there are none.
        view_iou: ``[N]`` float32 IoU with the mask in each view; NaN beyond the
            object's own.
        fitted: ``[N]`` bool, the views that it was fitted to.
        loss: the loss after the last step.
    """

    vertices: np.ndarray
    iou: np.ndarray
    view_iou: np.ndarray
    fitted: np.ndarray
    loss: np.ndarray


def choose_views(count: int, wanted: int, seed: Sequence[int]) -> np.ndarray:
    """Chooses views of an object, evenly spaced, from a random one on.

    Args:
        count: number of views that the object has.
        wanted: number of views to choose; all if 0 or more than there are.
        seed: seeds the choice of the first one.

    Returns:
        ``[min(wanted, count)]`` view numbers.
    """
    if not 0 < wanted < count:
        return np.arange(count)
    first = np.random.default_rng(seed).integers(count)
    return (first + np.arange(wanted) * count // wanted) % count


class SplitFitter:
    """Fits meshes to the objects of a split, and scores them."""

    def __init__(self, fitter: Fitter, split: data.Split, views: int):
        """Makes a fitter of a split.

        Args:
            fitter: what is optimised; its configuration's seed chooses the views.
            split: the objects.
            views: number of views of each object to fit to; all if 0.
        """
        self._fitter, self._split, self._views = fitter, split, views
        self._make_cameras = jax.jit(rig.as_cameras)
        self._score = jax.jit(self._compute_scores)

    def __call__(
        self,
        objects: Sequence[tuple[str, int]],
        size: int,
        progress: terminal.Progress | None = None,
    ) -> list[Fitted]:
        """Fits meshes to objects, all at once.

        Args:
            objects: category and number of each, at most ``size``.
            size: number of objects of the compiled program; the last one fills up.
            progress: called with the numbers of steps taken and to take.

        Raises:
            ProgramError: see `Fitter.__call__`.
            ValueError: a damaged file, or voxels of another resolution.
        """
        filled = [*objects, *[objects[-1]] * (size - len(objects))]
        group = evaluation_groups.load_group(self._split, filled)
        cameras = jax.device_get(self._make_cameras(group.cameras))
        seen = np.arange(self._split.num_views) < group.counts[:, None]
        views = Views(group.images[:, :, 3], cameras, seen.astype(np.float32))
        chosen, fitted = self._choose(filled, group, views)
        fit = self._fitter(chosen, progress)
        iou, view_iou = jax.device_get(self._score(fit.vertices, views, group.occupied))
        has_voxels = [self._split.has_voxels(key) for key, _ in filled]
        iou = np.where(has_voxels, iou, np.nan).astype(np.float32)
        view_iou = np.where(seen, view_iou, np.nan).astype(np.float32)
        rows = zip(fit.vertices, iou, view_iou, fitted, fit.loss, strict=True)
        return [Fitted(*row) for row in rows][: len(objects)]

    def _choose(
        self, objects: Sequence[tuple[str, int]], group: Group, views: Views
    ) -> tuple[Views, np.ndarray]:
        """The views to fit to, filled up, and those ``[g, N]`` of all that they are."""
        most = min(self._views or self._split.num_views, self._split.num_views)
        columns = np.zeros((len(objects), most), int)
        weights = np.zeros(columns.shape, np.float32)
        fitted = np.zeros(views.weights.shape, bool)
        seed = self._fitter.settings.seed
        for row, (key, number) in enumerate(objects):
            category = self._split.categories.index(key)
            chosen = choose_views(
                int(group.counts[row]), most, [seed, category, number]
            )
            columns[row, : len(chosen)] = chosen
            weights[row, : len(chosen)] = 1
            fitted[row, chosen] = True
        rows = np.arange(len(objects))[:, None]
        parts = jax.tree.map(lambda part: part[rows, columns], views)
        return parts._replace(weights=weights), fitted

    def _compute_scores(self, vertices: jax.Array, views: Views, occupied):
        """IoU ``[g]`` of voxels, and ``[g, N]`` of masks."""
        faces = self._fitter.parametrization.faces
        iou = np.full(len(vertices), np.nan, np.float32)
        if occupied is not None:
            iou = voxels.iou(voxels.voxelize(vertices, faces), occupied)
        return iou, engine.compute_iou(vertices, faces, views, self._fitter.settings)


def make_columns(fits: Sequence[Fitted], split: data.Split) -> dict[str, np.ndarray]:
    """Columns ``[O, V]`` of scores: each input view has those of the object's mesh.

    ``silhouette_iou`` is the mean over the views that the mesh was not fitted to; over
    all if there is none. An object with one view has none, as in an evaluation.

    Args:
        fits: of the objects of the split, in its order.
        split: the objects.
    """
    shape = len(fits), split.num_views
    columns = {
        name: np.full(shape, np.nan, np.float32) for name in evaluation_scores.COLUMNS
    }
    for row, fit in enumerate(fits):
        seen = ~np.isnan(fit.view_iou)
        columns["iou"][row, seen] = fit.iou
        columns["loss"][row, seen] = fit.loss
        others = seen & ~fit.fitted
        if seen.sum() > 1:
            scored = fit.view_iou[others if others.any() else seen]
            columns["silhouette_iou"][row, seen] = scored.mean()
    return columns


def locate(folder: Path, split: data.Split, item: tuple[str, int]) -> Path:
    """File of the fit of an object, in the folder of all."""
    key, number = item
    return folder / split.name / f"{key}_{number:05}.npz"


def save(path: Path, fit: Fitted, checksum: str) -> None:
    """Writes the fit of an object, whole or not at all.

    Args:
        path: the file.
        fit: the mesh and its scores.
        checksum: checksum of the data set.
    """
    with atomic.file(path) as partial:
        np.savez(partial, **fit._asdict(), data=np.asarray(checksum))


def load(path: Path, checksum: str, shape: tuple[int, int]) -> Fitted | None:
    """Reads the fit of an object; None if there is none, or it is damaged.

    A warning names a damaged one.

    Args:
        path: the file.
        checksum: checksum of the data set.
        shape: numbers of vertices of a mesh and of views of an object.

    Raises:
        ProgramError: it is of other data.
    """
    if not path.is_file():
        return None
    try:
        with damage.explain(path), np.load(path, allow_pickle=False) as file:
            fit = Fitted(*(file[name] for name in Fitted._fields))
            found = str(file["data"])
            if found == checksum:
                _check(fit, *shape)
    except ValueError as error:
        warnings.warn(
            f"The object of {path.name} is fitted again: {error}", stacklevel=2
        )
        return None
    if found != checksum:
        raise terminal.ProgramError(
            f"{path} is of other images than those of the data set: choose another "
            "--out."
        )
    return fit


def _check(fit: Fitted, vertices: int, views: int) -> None:
    """Raises ValueError unless the arrays of a file are those of a fit."""
    wanted = {
        "vertices": ("f", (vertices, 3)),
        "iou": ("f", ()),
        "view_iou": ("f", (views,)),
        "fitted": ("b", (views,)),
        "loss": ("f", ()),
    }
    for name, (kind, shape) in wanted.items():
        array = getattr(fit, name)
        if array.dtype.kind != kind or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} {list(array.shape)}")
    for name in ("vertices", "loss"):
        if not np.all(np.isfinite(getattr(fit, name))):
            raise ValueError(f"{name} is not finite")
    if not np.any(fit.fitted):
        raise ValueError("it has no fitted view")
    if np.any(np.isnan(fit.view_iou[fit.fitted])):
        raise ValueError("view_iou has no number for a view that was fitted")
    for name in ("iou", "view_iou"):
        if not evaluation_scores.within_unit(getattr(fit, name)):
            raise ValueError(f"{name} is not from 0 to 1")


def find_finished(
    folder: Path, split: data.Split, checksum: str, vertices: int
) -> dict[tuple[str, int], Fitted]:
    """Fits of objects that were finished before, by category and number.

    Args:
        folder: folder of the fits.
        split: the objects.
        checksum: checksum of the data set.
        vertices: number of vertices of a mesh.
    """
    shape = vertices, split.num_views
    found = {
        item: load(locate(folder, split, item), checksum, shape)
        for item in list_objects(split)
    }
    return {item: fit for item, fit in found.items() if fit is not None}
