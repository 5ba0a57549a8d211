"""Several splits to draw training objects from, each with a weight."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import jax
import numpy as np

from jaxsoftras.data.drawing import Draw, Tables
from jaxsoftras.data.rig import OrbitViews, Viewpoints
from jaxsoftras.data.split import Split, join_images


class Mixture:
    """Splits of one or more data sets, whose categories are matched by their names.

    A category is drawn uniformly among those that any of the splits has, then one of
    the splits that have it, by weight.

    Attributes:
        name: name of the splits.
        categories: names of the categories.
        image_size: width and height of the images, pixels.
        num_views: the largest number V of images of an object.
        groups: the categories of each split, as pairs of a split and a key.
        tables: what `jaxsoftras.data.drawing.draw` needs to know of the groups.
    """

    def __init__(self, splits: Sequence[Split], weights: Sequence[float] = (1.0,)):
        """Joins splits.

        Args:
            splits: at least one.
            weights: a positive number for each, of any sum.

        Raises:
            ValueError: the splits differ in image size; another number of weights, one
                that is not positive, or an infinite sum.
        """
        positive = all(weight > 0 for weight in weights)
        if len(splits) != len(weights) or not positive or sum(weights) == math.inf:
            raise ValueError(
                f"{len(splits)} splits need as many positive weights of a finite sum, "
                f"not {list(weights)}."
            )
        first, *others = splits
        for other in others:
            if other.image_size != first.image_size:
                raise ValueError(
                    f"Sources of one training set need images of one size: the first "
                    f"has {first.image_size} px, another {other.image_size} px."
                )
        self.name, self.image_size = first.name, first.image_size
        self.groups = [(split, key) for split in splits for key in split.categories]
        self._stores = [split.store(key) for split, key in self.groups]
        names = [split.names[key] for split, key in self.groups]
        self.categories = tuple(dict.fromkeys(names))
        weight = [w for s, w in zip(splits, weights, strict=True) for _ in s.categories]
        self.tables = _make_tables(self.groups, names, self.categories, weight)
        self.num_views = max(split.num_views for split in splits)
        orbits = {split.orbit for split in splits}
        # batches have one type, whichever splits they happen to be drawn from
        self._orbit = orbits.pop() if len(orbits) == 1 else None

    @classmethod
    def of(cls, source: Split | Mixture) -> Mixture:
        """Returns a mixture as it is, and a split as a mixture of one."""
        return source if isinstance(source, Mixture) else cls([source])

    @functools.cached_property
    def viewpoints(self) -> Viewpoints:
        """Cameras of all objects, with leading axes ``[N, V]``; arrays of numpy.

        Numbers of views ``[V]`` where all objects have the same rig. An object's last
        view stands for those that it lacks.
        """
        numbers = np.arange(self.num_views, dtype=np.int32)
        if self._orbit is not None:
            return OrbitViews(numbers, self._orbit)
        tables = []
        for split, key in self.groups:
            counts = split.view_counts(key)
            views = np.minimum(numbers, counts[:, None] - 1)
            objects = np.broadcast_to(np.arange(len(counts))[:, None], views.shape)
            tables.append(split.cameras(key, objects, views))
        return jax.tree.map(lambda *parts: np.concatenate(parts), *tables)

    def images(self, drawn: Draw) -> np.ndarray:
        """Reads the images of each object of a batch, ``[B, k, 4, S, S]`` uint8."""
        numbers = drawn.objects - self.tables.first[drawn.groups]
        rows = zip(
            drawn.groups.tolist(),
            numbers.tolist(),
            drawn.views.T.tolist(),
            strict=True,
        )
        # a prepared data set reads each object once
        images = [
            image
            for group, number, views in rows
            for image in self._stores[group].images(number, views)
        ]
        joined = join_images(images, self.image_size)
        return joined.reshape(-1, len(drawn.views), *joined.shape[1:])


def _make_tables(
    groups: Sequence[tuple[Split, str]],
    names: Sequence[str],
    categories: Sequence[str],
    weights: Sequence[float],
) -> Tables:
    members = [[g for g, n in enumerate(names) if n == name] for name in categories]
    width = max(map(len, members))
    sums = [np.cumsum([weights[g] for g in row]) for row in members]
    bounds = [
        np.append(np.minimum(total[:-1] / total[-1] * 2**32, 2**32 - 1), rest)
        for total, rest in ((s, np.full(width - len(s), 2**32 - 1)) for s in sums)
    ]
    counts = np.array([split.count(key) for split, key in groups])
    views = [split.view_counts(key) for split, key in groups]
    return Tables(
        members=np.array([(row + row[-1:] * width)[:width] for row in members], "i4"),
        bounds=np.array(bounds).reshape(len(categories), width - 1).astype(np.uint32),
        first=(np.cumsum(counts) - counts).astype(np.int32),
        counts=counts.astype(np.uint32),
        view_counts=np.concatenate(views).astype(np.uint32),
    )
