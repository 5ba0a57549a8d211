"""One split of a multi-view data set, in any storage format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jaxsoftras.data.categories import CATEGORIES

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
        num_views: images of each object, view k from azimuth ``-15 k`` degrees.
        image_size: width and height of the images, pixels.
    """

    @property
    def num_objects(self) -> int: ...  # noqa: D102
    @property
    def num_views(self) -> int: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Returns the images ``[N, 4, S, S]`` uint8 of ``[N]`` objects and views."""
        ...

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Returns the voxels ``[N, 32, 32, 32]`` bool of ``[N]`` objects."""
        ...


class Split:
    """The objects of one split, by category and number.

    Attributes:
        name: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
        categories: synsets, in the order of `CATEGORIES`.
        num_views: images of each object, view k from azimuth ``-15 k`` degrees.
        image_size: width and height of the images, pixels.
    """

    def __init__(self, name: str, stores: Mapping[str, CategoryStore]):
        """Joins the stores of one or more categories.

        Args:
            name: name of the split.
            stores: the objects, by synset.

        Raises:
            ValueError: the categories differ in image size or number of views.
        """
        self.name = name
        self.categories = tuple(synset for synset in CATEGORIES if synset in stores)
        self._stores = {synset: stores[synset] for synset in self.categories}
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
                    f"{self.image_size} pixels in {CATEGORIES[first]}, but "
                    f"{stores[other].num_views} views of {stores[other].image_size} "
                    f"pixels in {CATEGORIES[other]}."
                )

    def count(self, category: str) -> int:
        """Counts the objects of a category, a synset.

        Raises:
            KeyError: the split was opened without this category.
        """
        return self._store(category).num_objects

    def images(
        self, category: str, objects: np.ndarray, views: np.ndarray
    ) -> np.ndarray:
        """Returns images of objects: red, green, blue and coverage, row 0 at the top.

        Values are unchanged from the files, 0 to 255. The files of the original SoftRas
        download hold inverted colours (``255 - c``); a model must be fed with the
        colours that it was trained with.

        Args:
            category: synset.
            objects: ``[N]`` object numbers, from 0.
            views: ``[N]`` view numbers, from 0.

        Returns:
            ``[N, 4, S, S]`` uint8.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object or view.
        """
        store = self._store(category)
        objects, views = np.asarray(objects), np.asarray(views)
        _check_range("object", objects, store.num_objects)
        _check_range("view", views, store.num_views)
        return store.images(objects, views)

    def voxels(self, category: str, objects: np.ndarray) -> np.ndarray:
        """Returns solid voxel grids of objects.

        Args:
            category: synset.
            objects: ``[N]`` object numbers, from 0.

        Returns:
            ``[N, 32, 32, 32]`` bool, axes (y, x, reversed z) of the model frame, as
            `jaxsoftras.voxels.voxelize` returns them.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object.
            FileNotFoundError: a training set without voxels.
        """
        store = self._store(category)
        objects = np.asarray(objects)
        _check_range("object", objects, store.num_objects)
        return store.voxels(objects)

    def _store(self, category: str) -> CategoryStore:
        if category not in self._stores:
            raise KeyError(
                f"Category {category!r} was not opened; the split has "
                f"{_labels(self.categories)}."
            )
        return self._stores[category]


def check_split_name(name: str) -> None:
    """Raises ValueError unless this is the name of a split."""
    if name not in ALL_SPLITS:
        known = ", ".join(ALL_SPLITS)
        raise ValueError(f"Unknown split {name!r}: choose one of {known}.")


def select_categories(
    wanted: Sequence[str] | None, available: Sequence[str], part: str, folder: Path
) -> tuple[str, ...]:
    """Resolves a selection of categories.

    Args:
        wanted: synsets or names (``"chair"``); all 13 categories if None.
        available: synsets of the categories in the folder.
        part: name of the file or part of a category, with ``{}`` in place of its
            synset, for error messages.
        folder: folder of the data set, for error messages.

    Returns:
        Synsets, in the order of `CATEGORIES`.

    Raises:
        ValueError: an empty selection, or an unknown category.
        FileNotFoundError: a wanted category is not available.
    """
    if not available:
        raise FileNotFoundError(f"{folder} has no {part.format('*')}.")
    synsets = {name: synset for synset, name in CATEGORIES.items()}
    if wanted is None:
        chosen = set(CATEGORIES)
    elif isinstance(wanted, str) or not wanted:
        raise ValueError(
            "Categories are given as a list of at least one synset or name, such as "
            f"['chair', 'table'], not {wanted!r}."
        )
    else:
        chosen = {synsets.get(category, category) for category in wanted}
    if unknown := sorted(chosen - set(CATEGORIES)):
        raise ValueError(
            f"Unknown category {unknown[0]!r}: choose among {_labels(CATEGORIES)}."
        )
    missing = [s for s in CATEGORIES if s in chosen and s not in available]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {part.format(missing[0])} ({_labels(missing)} missing); "
            f"select from what it has with data.categories: {_labels(available)}."
        )
    return tuple(synset for synset in CATEGORIES if synset in chosen)


def _labels(synsets: Iterable[str]) -> str:
    return ", ".join(f"{CATEGORIES[synset]} {synset}" for synset in synsets)


def _check_range(what: str, numbers: np.ndarray, count: int) -> None:
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        raise IndexError(
            f"There is no {what} {numbers[(numbers < 0) | (numbers >= count)][0]}: "
            f"numbers go from 0 to {count - 1}."
        )
