"""Objects of a split with all of their views, read together to be scored together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import data, voxels
from jaxsoftras.data import description, rig


class Group(NamedTuple):
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


def list_objects(split: data.Split) -> list[tuple[str, int]]:
    """Category and number of each object of a split, in the order of the scores."""
    return [
        (key, number) for key in split.categories for number in range(split.count(key))
    ]


def load_group(split: data.Split, objects: Sequence[tuple[str, int]]) -> Group:
    """Reads all views of some objects, and their voxels if the split has any."""
    parts = [
        _load_category(split, key, np.array([number for _, number in pairs]))
        for key, pairs in itertools.groupby(objects, key=lambda pair: pair[0])
    ]
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _load_category(split: data.Split, category: str, objects: np.ndarray) -> Group:
    number, most = split.categories.index(category), split.num_views
    counts = split.view_counts(category)[objects]
    views = np.minimum(np.arange(most), counts[:, None] - 1)
    which = np.repeat(objects, most), views.ravel()

    def by_object(part: np.ndarray) -> np.ndarray:
        return part.reshape(len(objects), most, *part.shape[1:])

    occupied = None
    if split.has_voxels(category):
        occupied = read_voxels(split, category, objects)
    elif any(map(split.has_voxels, split.categories)):
        # as a placeholder: one program scores objects with and without voxels
        occupied = np.zeros((len(objects), *(voxels.RESOLUTION,) * 3), bool)
    partners = _partners(number, objects, counts)
    return Group(
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


def list_names(
    split: data.Split, about: description.Description | None
) -> dict[str, list[str]]:
    """Names of the objects by category: those of the description, or their numbers.

    Args:
        split: the objects.
        about: the description of the data set, if it has one.
    """
    names = {}
    for key in split.categories:
        named = about.objects.get(key, {}).get(split.name, ()) if about else ()
        names[key] = [item["name"] for item in named]
        if len(named) != split.count(key):  # some archives name none
            names[key] = [str(number) for number in range(split.count(key))]
    return names


def find_azimuths(split: data.Split) -> np.ndarray:
    """Azimuths of all views, ``[O, V]`` degrees from 0 to 360.

    They are those of `jaxsoftras.eye_from_angles`. Views that fill up repeat the last.
    """
    parts = []
    for key in split.categories:
        counts = split.view_counts(key)
        views = np.minimum(np.arange(split.num_views), counts[:, None] - 1)
        objects = np.repeat(np.arange(len(counts)), split.num_views)
        cameras = split.cameras(key, objects, views.ravel())
        x, _, z = np.moveaxis(np.asarray(cameras.position, float), -1, 0)
        # rounded twice, as -1e-9 is 360 after the remainder
        degrees = np.round(np.degrees(np.arctan2(x, -z)) % 360, 2) % 360
        parts.append(degrees.reshape(views.shape).astype(np.float32))
    return np.concatenate(parts)
