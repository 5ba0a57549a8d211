"""One split (train, val or test) of a multi-view data set, whatever it is stored in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jaxsoftras.data.categories import CATEGORIES

SPLITS = ("train", "val", "test")


class CategoryStore(Protocol):
    """The objects of one category, in stored order.

    Attributes:
        num_objects: how many.
        num_views: pictures of each object, view k from azimuth ``-15 k`` degrees.
        image_size: pixels along a side of the square pictures.
    """

    @property
    def num_objects(self) -> int: ...  # noqa: D102
    @property
    def num_views(self) -> int: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        """``[N]`` object and ``[N]`` view numbers to ``[N, 4, S, S]`` uint8."""
        ...

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """``[N]`` object numbers to ``[N, 32, 32, 32]`` bool."""
        ...


class Split:
    """The objects of one split, by category and number.

    Attributes:
        name: ``"train"``, ``"val"`` or ``"test"``.
        categories: synsets, in the order of `CATEGORIES`.
        num_views: pictures of each object, view k from azimuth ``-15 k`` degrees.
        image_size: pixels along a side of the square pictures.
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
        """Number of objects of a category."""
        return self._store(category).num_objects

    def images(
        self, category: str, objects: np.ndarray, views: np.ndarray
    ) -> np.ndarray:
        """Pictures of objects.

        Values are those of the files: red, green, blue and coverage, 0 to 255, row 0 at
        the top. Files of the original SoftRas download hold inverted colours
        (``255 - c``); a model must be fed with what it was trained with.

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
        """Solid voxel grids of objects.

        Args:
            category: synset.
            objects: ``[N]`` object numbers, from 0.

        Returns:
            ``[N, 32, 32, 32]`` bool, axes (y, x, reversed z) of the model frame, as
            `jaxsoftras.voxels.voxelize` returns them.

        Raises:
            KeyError: the split was opened without this category.
            IndexError: there is no such object.
            FileNotFoundError: a training set that comes without voxels.
        """
        store = self._store(category)
        objects = np.asarray(objects)
        _check_range("object", objects, store.num_objects)
        return store.voxels(objects)

    def _store(self, category: str) -> CategoryStore:
        if category not in self._stores:
            raise KeyError(
                f"Category {category!r} is not one of those opened: "
                f"{_labels(self.categories)}."
            )
        return self._stores[category]


def check_split_name(name: str) -> None:
    """Raises ValueError unless a split of this name can exist."""
    if name not in SPLITS:
        raise ValueError(f"Unknown split {name!r}: choose one of {', '.join(SPLITS)}.")


def select_categories(
    wanted: Sequence[str] | None, available: Sequence[str], part: str, folder: Path
) -> tuple[str, ...]:
    """Resolves a selection of categories.

    Args:
        wanted: synsets or names (``"chair"``); all 13 categories if None.
        available: synsets of the categories that there are.
        part: what holds a category, ``{}`` in place of its synset, named in errors.
        folder: where the parts are, named in errors.

    Returns:
        Synsets, in the order of `CATEGORIES`.

    Raises:
        ValueError: an empty selection, or a category that does not exist.
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
