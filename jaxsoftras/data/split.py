"""One split of a multi-view data set, in any storage format."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import jax
import numpy as np

from jaxsoftras.camera import Camera
from jaxsoftras.data.categories import CATEGORIES, label, sort_keys
from jaxsoftras.data.rig import (
    SOFTRAS_RIG,
    Orbit,
    OrbitViews,
    PictureCameras,
    Viewpoints,
    as_cameras,
)

SPLITS = ("train", "val", "test")
"""Names of the splits that every data set is made with."""

STYLE = "style"
"""Name of a second test split that some data sets have: kinds of objects that are in
none of the others."""

ALL_SPLITS = (*SPLITS, STYLE)
"""Names of all splits."""


class CategoryStore(Protocol):
    """The objects of one category, in stored order.

    Attributes:
        num_objects: number of objects.
        num_views: images of each object, of which the last ones may be no pictures; see
            `Split.view_counts`.
        image_size: width and height of the images, pixels.
        has_voxels: whether there are voxels.
    """

    @property
    def num_objects(self) -> int: ...  # noqa: D102
    @property
    def num_views(self) -> int: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def has_voxels(self) -> bool: ...  # noqa: D102

    def images(self, number: int, views: Sequence[int]) -> Sequence[np.ndarray]:
        """Returns images of an object, each ``[4, S, S]`` uint8 and contiguous.

        They may lie in the store's own memory.
        """
        ...

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Returns the voxels ``[N, R, R, R]`` bool of ``[N]`` objects."""
        ...

    def examples(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Reads the objects one after another; see `Split.examples`."""
        ...


class Split:
    """The objects of one split, by category and number.

    Attributes:
        name: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
        categories: keys (synsets in SoftRas's data sets), in the order of
            `jaxsoftras.data.categories.sort_keys`.
        names: names by key, in the same order.
        num_views: images of each object; the largest number of them, if the objects
            differ (`view_counts`).
        image_size: width and height of the images, pixels.
    """

    def __init__(
        self,
        name: str,
        stores: Mapping[str, CategoryStore],
        names: Mapping[str, str] = CATEGORIES,
        cameras: Orbit | Mapping[str, PictureCameras] = SOFTRAS_RIG,
    ):
        """Joins the stores of one or more categories.

        Args:
            name: name of the split.
            stores: the objects, by key of the category.
            names: names of categories by key; those of other data may be among them.
            cameras: the rig of all objects, or a camera for each picture, by key.

        Raises:
            ValueError: the categories differ in image size or number of views.
        """
        self.name = name
        self.categories = sort_keys({key: names[key] for key in stores})
        self.names = {key: names[key] for key in self.categories}
        self._stores = {key: stores[key] for key in self.categories}
        self._cameras = cameras
        first, *others = self.categories
        self.num_views = stores[first].num_views
        self.image_size = stores[first].image_size
        for other in others:
            if (
                stores[other].num_views != self.num_views
                or stores[other].image_size != self.image_size
            ):
                raise ValueError(
                    f"The {name} split mixes sizes: {self.num_views} views of "
                    f"{self.image_size} pixels in {names[first]}, but "
                    f"{stores[other].num_views} views of {stores[other].image_size} "
                    f"pixels in {names[other]}."
                )

    @property
    def orbit(self) -> Orbit | None:
        """The rig of all objects; None where each picture has a camera of its own."""
        return self._cameras if isinstance(self._cameras, Orbit) else None

    def count(self, category: str) -> int:
        """Counts the objects of a category, named by its key.

        Raises:
            KeyError: the split was opened without this category.
        """
        return self.store(category).num_objects

    def has_voxels(self, category: str) -> bool:
        """Tells whether the objects of a category have voxels.

        Raises:
            KeyError: the split was opened without this category.
        """
        return self.store(category).has_voxels

    def view_counts(self, category: str) -> np.ndarray:
        """Returns the number of pictures of each object, ``[n]`` int64.

        Raises:
            KeyError: the split was opened without this category.
        """
        store = self.store(category)
        if isinstance(self._cameras, Orbit):
            return np.full(store.num_objects, self.num_views)
        return self._cameras[category].counts

    def images(
        self, category: str, objects: np.ndarray, views: np.ndarray
    ) -> np.ndarray:
        """Returns images of objects: red, green, blue and coverage, row 0 at the top.

        Values are unchanged from the files, 0 to 255. The files of the original SoftRas
        download hold inverted colours (``255 - c``); a model must be fed with the
        colours that it was trained with.

        Args:
            category: key of the category.
            objects: ``[N]`` object numbers, from 0.
            views: ``[N]`` view numbers, from 0.

        Returns:
            ``[N, 4, S, S]`` uint8.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object or view.
        """
        store = self.store(category)
        objects, views = self._check_views(category, objects, views)
        images = []
        wanted = zip(objects.tolist(), views.tolist(), strict=True)
        for number, pairs in itertools.groupby(wanted, key=lambda pair: pair[0]):
            images.extend(store.images(number, [view for _, view in pairs]))
        return join_images(images, self.image_size)

    def cameras(self, category: str, objects: np.ndarray, views: np.ndarray) -> Camera:
        """Returns the cameras of images.

        Args:
            category: key of the category.
            objects: ``[N]`` object numbers, from 0.
            views: ``[N]`` view numbers, from 0.

        Returns:
            Cameras with leading axes ``[N]``; float32 arrays of numpy.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object or view.
        """
        objects, views = self._check_views(category, objects, views)
        if isinstance(self._cameras, Orbit):
            return jax.tree.map(lambda part: part[views], self._orbit_cameras)
        table = self._cameras[category].table
        return jax.tree.map(lambda part: part[objects, views], table)

    def viewpoints(
        self, category: str, objects: np.ndarray, views: np.ndarray
    ) -> Viewpoints:
        """Returns what `jaxsoftras.data.rig.as_cameras` makes the cameras of.

        Like `cameras`, but numbers of views if all objects have the same rig.
        """
        objects, views = self._check_views(category, objects, views)
        if isinstance(self._cameras, Orbit):
            return OrbitViews(views.astype(np.int32), self._cameras)
        return self.cameras(category, objects, views)

    @functools.cached_property
    def _orbit_cameras(self) -> Camera:
        """Cameras ``[num_views]`` of the rig, made once; arrays of numpy."""
        assert isinstance(self._cameras, Orbit)
        views = OrbitViews(np.arange(self.num_views, dtype=np.int32), self._cameras)
        # one program, for each small one takes a GPU 50 ms to compile
        return jax.tree.map(np.asarray, jax.jit(as_cameras)(views))

    def voxels(self, category: str, objects: np.ndarray) -> np.ndarray:
        """Returns solid voxel grids of objects.

        Args:
            category: key of the category.
            objects: ``[N]`` object numbers, from 0.

        Returns:
            ``[N, R, R, R]`` bool, axes (y, x, reversed z) of the model frame, as
            `jaxsoftras.voxels.voxelize` returns them for R = 32.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object.
            FileNotFoundError: a training set without voxels.
        """
        store = self.store(category)
        objects = np.asarray(objects)
        _check_range("object", objects, store.num_objects)
        return store.voxels(objects)

    def examples(self, category: str) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Reads one object after another, without the others in memory.

        Args:
            category: key of the category.

        Yields:
            The images ``[V, 4, S, S]`` uint8 of an object, without those that fill up,
            and its voxels ``[R, R, R]`` bool, or None if there are none.

        Raises:
            KeyError: the split was opened without this category.
            ValueError: a damaged file.
        """
        counts = self.view_counts(category)
        objects = self.store(category).examples()
        for (images, voxels), count in zip(objects, counts, strict=True):
            yield images[:count], voxels

    def _check_views(
        self, category: str, objects: np.ndarray, views: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        objects, views = np.asarray(objects), np.asarray(views)
        _check_range("object", objects, self.store(category).num_objects)
        if isinstance(self._cameras, Orbit):
            _check_range("view", views, self.num_views)
        else:
            _check_range("view", views, self._cameras[category].counts[objects])
        return objects, views

    def store(self, category: str) -> CategoryStore:
        """Returns the objects of a category, which check no numbers.

        Raises:
            KeyError: the split was opened without this category.
        """
        if category not in self._stores:
            raise KeyError(
                f"Category {category!r} was not opened; the split has "
                f"{label(self.categories, self.names)}."
            )
        return self._stores[category]


def join_images(images: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Copies N images ``[4, side, side]`` uint8, contiguous, into one array.

    Numpy would let other threads run after each, and wait for them.
    """
    content = bytearray().join(image.data for image in images)
    return np.frombuffer(content, np.uint8).reshape(-1, 4, side, side)


def check_split_name(name: str) -> None:
    """Raises ValueError unless this is the name of a split."""
    if name not in ALL_SPLITS:
        known = ", ".join(ALL_SPLITS)
        raise ValueError(f"Unknown split {name!r}: choose one of {known}.")


def select_categories(
    wanted: Sequence[str] | None,
    available: Sequence[str],
    part: str,
    folder: Path,
    names: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Resolves a selection of categories.

    Args:
        wanted: keys, or names (``"chair"``), which stand for all categories of that
            name; every category if None.
        available: keys of the categories that have objects in the split.
        part: name of the file or part of a category, with ``{}`` in place of its
            key, for error messages.
        folder: folder of the data set, for error messages.
        names: names by key of the categories that the data set says it has; None where
            it says nothing, and must have the 13 of `CATEGORIES`.

    Returns:
        Keys, in the order of `jaxsoftras.data.categories.sort_keys`.

    Raises:
        ValueError: an empty selection, or an unknown category.
        FileNotFoundError: a wanted category is not available.
    """
    if not available:
        raise FileNotFoundError(f"{folder} has no {part.format('*')}.")
    known = CATEGORIES if names is None else names
    if wanted is None:
        # a described data set may have a category without objects in one of its splits
        chosen = set(known if names is None else available)
    elif isinstance(wanted, str) or not wanted:
        raise ValueError(
            "Categories are given as a list of at least one key or name, such as "
            f"['chair', 'table'], not {wanted!r}."
        )
    else:
        chosen = {key for category in wanted for key in _find_keys(category, known)}
    order = sort_keys(known)
    missing = [key for key in order if key in chosen and key not in available]
    if missing:
        have = [key for key in order if key in available]
        raise FileNotFoundError(
            f"{folder} has no {part.format(missing[0])} ({label(missing, known)} "
            "missing); select from what it has with data.categories: "
            f"{label(have, known)}."
        )
    return tuple(key for key in order if key in chosen)


def _find_keys(category: str, names: Mapping[str, str]) -> list[str]:
    if category in names:
        return [category]
    keys = [key for key, name in names.items() if name == category]
    if not keys:
        listed = label(sort_keys(names), names)
        raise ValueError(f"Unknown category {category!r}: choose among {listed}.")
    return keys


def _check_range(what: str, numbers: np.ndarray, count: np.ndarray | int) -> None:
    wrong = (numbers < 0) | (numbers >= count)
    if np.any(wrong):
        last = np.broadcast_to(count, wrong.shape)[wrong][0] - 1
        raise IndexError(
            f"There is no {what} {numbers[wrong][0]}: numbers go from 0 to {last}."
        )
