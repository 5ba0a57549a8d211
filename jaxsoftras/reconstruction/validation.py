"""Validation during training: IoU on the validation split, or on a stated part of it.

The numbers are those of `jaxsoftras.reconstruction.evaluation`: IoU of voxels where all
categories have voxels, otherwise of silhouettes in views that the network did not see.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, data, models
from jaxsoftras.data import rig
from jaxsoftras.reconstruction import evaluation, evaluation_groups, training

_MESHES_PER_DEVICE = 256  # scored together, about


class Validation(NamedTuple):
    """Scores of a network.

    Attributes:
        measure: what is measured.
        mean: mean over the categories, 0 to 1.
        per_category: mean over the objects of a category, by its name, or by its key
            if others have the name as well.
        part: what was validated, such as ``"35 of 35 objects, 4 of 24 views"``.
    """

    measure: Literal["iou", "silhouette_iou"]
    mean: float
    per_category: dict[str, float]
    part: str


class _Group(NamedTuple):
    """Objects that are scored together, g of them.

    Attributes:
        images: ``[g, N, 4, S, S]`` uint8: the v input views where there are voxels,
            otherwise all views.
        inputs: ``[g, v]`` numbers of the input views.
        occupied: ``[g, 32, 32, 32]`` bool, or None.
        cameras: of the images, with leading axes ``[g, N]``; None with voxels.
        counts: ``[g]`` number of views.
    """

    images: np.ndarray
    inputs: np.ndarray
    occupied: np.ndarray | None
    cameras: rig.Viewpoints | None
    counts: np.ndarray


class Validator:
    """Scores networks of one configuration on one split.

    It has no state but its compiled programs, and may be called from any thread.

    Attributes:
        split: the objects.
        part: see `Validation`.
    """

    def __init__(
        self,
        experiment: training.Experiment,
        split: data.Split,
        objects: int = 0,
        views: int = 0,
    ):
        """Chooses objects and input views, evenly among those that there are.

        Args:
            experiment: functions of the configuration.
            split: the objects.
            objects: largest number of objects of a category; 0 for all.
            views: largest number of input views of an object; 0 for all.

        Raises:
            ValueError: voxels of another resolution than `jaxsoftras.voxels` has, or
                pictures of which no object has two.
        """
        self._experiment, self.split = experiment, split
        keys = split.categories
        self._voxels = all(split.has_voxels(key) for key in keys)
        self._objects: list[tuple[str, int]] = []
        for key in keys:
            # nothing can be compared with the silhouette of a single view
            usable = split.view_counts(key) > (0 if self._voxels else 1)
            chosen = _choose(np.flatnonzero(usable), objects)
            self._objects += [(key, int(number)) for number in chosen]
            if self._voxels:
                evaluation_groups.read_voxels(split, key, chosen[:1])
        if not self._objects:
            raise ValueError(
                f"no object of the {split.name} split has voxels or two pictures."
            )
        self._views = min(views or split.num_views, split.num_views)
        devices = experiment.devices.size
        needed = math.ceil(len(self._objects) / devices)
        wanted = max(1, _MESHES_PER_DEVICE // self._views)
        self._group_size = devices * min(needed, wanted)
        self._names = _name_categories(split)
        total = sum(split.count(key) for key in keys)
        self.part = (
            f"{len(self._objects)} of {total} objects, "
            f"{self._views} of {split.num_views} views"
        )
        self._score = experiment.jit(
            self._score_group, out_shardings=experiment.replicated
        )

    def validate(self, variables: models.Variables) -> Validation:
        """Scores a network.

        Args:
            variables: parameters and batch statistics, on the devices.
        """
        scores: dict[str, list[float]] = {key: [] for key in self.split.categories}
        for start in range(0, len(self._objects), self._group_size):
            chosen = self._objects[start : start + self._group_size]
            # the last group repeats an object, so that all calls have the same shapes
            filled = chosen + chosen[-1:] * (self._group_size - len(chosen))
            group = self._load(filled)
            seen = np.arange(self._views) < group.counts[:, None]
            group = jax.device_put(group, self._experiment.sharded)
            found = np.asarray(self._score(variables, group), float)
            means = np.mean(found, axis=1, where=seen)
            for (key, _), mean in zip(chosen, means.tolist(), strict=False):
                scores[key].append(mean)
        per_category = {
            self._names[key]: float(np.mean(found))
            for key, found in scores.items()
            if found
        }
        return Validation(
            measure="iou" if self._voxels else "silhouette_iou",
            mean=float(np.mean(list(per_category.values()))),
            per_category=per_category,
            part=self.part,
        )

    def _score_group(self, variables: models.Variables, group: _Group) -> jax.Array:
        """IoU ``[g, v]`` of the objects of a group from each of their input views."""
        size, views = group.inputs.shape
        images, inputs = jnp.asarray(group.images), jnp.asarray(group.inputs)
        shown = images
        if group.occupied is None:
            shown = jax.vmap(lambda all_views, chosen: all_views[chosen])(
                images, inputs
            )
        vertices = self._experiment.infer(
            variables, shown.reshape(-1, *shown.shape[2:])
        ).reshape(size, views, -1, 3)
        if group.occupied is not None:
            occupied = jnp.asarray(group.occupied)
            return evaluation.voxel_iou(self._experiment, vertices, occupied)
        assert group.cameras is not None
        return evaluation.silhouette_iou(
            self._experiment,
            vertices,
            inputs,
            images,
            group.cameras,
            jnp.asarray(group.counts),
        )

    def _load(self, objects: list[tuple[str, int]]) -> _Group:
        """Reads a group of objects."""
        parts = [
            self._load_category(key, np.array([number for _, number in pairs]))
            for key, pairs in itertools.groupby(objects, key=lambda pair: pair[0])
        ]
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)

    def _load_category(self, key: str, objects: np.ndarray) -> _Group:
        split = self.split
        counts = split.view_counts(key)[objects]
        # at equal distances; of an object with fewer, all, and the last one repeated
        step = np.maximum(counts / self._views, 1)[:, None]
        inputs = np.minimum(np.arange(self._views) * step, counts[:, None] - 1)
        inputs = inputs.astype(np.int32)
        views, occupied, cameras = inputs, None, None
        if self._voxels:
            occupied = evaluation_groups.read_voxels(split, key, objects)
        else:
            views = np.minimum(np.arange(split.num_views), counts[:, None] - 1)
        which = np.repeat(objects, views.shape[1]), views.ravel()

        def by_object(part: np.ndarray) -> np.ndarray:
            return part.reshape(*views.shape, *part.shape[1:])

        if not self._voxels:
            cameras = jax.tree.map(by_object, split.viewpoints(key, *which))
        images = by_object(split.images(key, *which))
        return _Group(images, inputs, occupied, cameras, counts)


def open_validator(
    experiment: training.Experiment, settings: config.Config
) -> Validator | None:
    """Opens the validation split of a configuration.

    Args:
        experiment: functions of the configuration.
        settings: the configuration.

    Returns:
        The validator; None if ``log.validate_every`` is 0, or with a warning where
        there is nothing to validate on.

    Raises:
        ConfigError: images of another size than the network is made for.
    """
    log = settings.log
    if not log.validate_every:
        return None
    try:
        split = data.open_split(settings.data, "val")
        training.check_image_size(settings, split)
        return Validator(experiment, split, log.validate_objects, log.validate_views)
    except config.ConfigError:
        raise
    except (FileNotFoundError, ValueError) as error:
        warnings.warn(
            f"Nothing is validated during training ({str(error).rstrip('.')}); "
            "log.validate_every=0 asks for that.",
            stacklevel=2,
        )
        return None


def _choose(numbers: np.ndarray, most: int) -> np.ndarray:
    """Chooses ``most`` of some numbers, evenly, if there are more; all for 0."""
    if not most or most >= len(numbers):
        return numbers
    return numbers[np.arange(most) * len(numbers) // most]


def _name_categories(split: data.Split) -> dict[str, str]:
    names = list(split.names.values())
    return {
        key: name if names.count(name) == 1 else key
        for key, name in split.names.items()
    }
