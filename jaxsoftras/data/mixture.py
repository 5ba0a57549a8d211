"""Several splits to draw training objects from, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxsoftras.data.rig import Viewpoints
from jaxsoftras.data.split import Split


class Mixture:
    """Splits of one or more data sets, whose categories are matched by their names.

    A category is drawn uniformly among those that any of the splits has, then one of
    the splits that have it, by weight.

    Attributes:
        name: name of the splits.
        categories: names of the categories.
        image_size: width and height of the images, pixels.
        groups: the categories of each split, as pairs of a split and a key.
    """

    def __init__(self, splits: Sequence[Split], weights: Sequence[float] = (1.0,)):
        """Joins splits.

        Args:
            splits: at least one.
            weights: a positive number for each, of any sum.

        Raises:
            ValueError: the splits differ in image size; another number of weights, or
                one that is not positive.
        """
        if len(splits) != len(weights) or not all(weight > 0 for weight in weights):
            raise ValueError(
                f"{len(splits)} splits need as many positive weights, not "
                f"{list(weights)}."
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
        names = [split.names[key] for split, key in self.groups]
        self.categories = tuple(dict.fromkeys(names))
        weight = [w for s, w in zip(splits, weights, strict=True) for _ in s.categories]
        # one row for each category: the running sum of its groups' weights
        member = np.array([[n == name for n in names] for name in self.categories])
        self._sums = np.cumsum(np.where(member, weight, 0.0), axis=1)
        self._only = None  # the group of each category, where none has several
        if member.sum(axis=1).max() == 1:
            self._only = np.argmax(member, axis=1)
        orbits = {split.orbit for split in splits}
        # batches have one type, whichever splits they happen to be drawn from
        self._numbers_of_views = len(orbits) == 1 and None not in orbits

    def draw_groups(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draws the group of each object of a batch.

        Args:
            count: number of objects N.
            rng: source of randomness.

        Returns:
            ``[N]`` positions in `groups`.
        """
        category = rng.integers(len(self.categories), size=count)
        if self._only is not None:
            return self._only[category]
        sums = self._sums[category]
        point = rng.random(count) * sums[:, -1]
        return np.argmax(sums > point[:, None], axis=1)

    def viewpoints(
        self, group: int, objects: np.ndarray, views: np.ndarray
    ) -> Viewpoints:
        """Returns the cameras of views, in one form for all groups.

        Args:
            group: position in `groups`.
            objects: ``[N]`` object numbers.
            views: ``[N]`` view numbers.
        """
        split, key = self.groups[group]
        if self._numbers_of_views:
            return split.viewpoints(key, objects, views)
        return split.cameras(key, objects, views)
