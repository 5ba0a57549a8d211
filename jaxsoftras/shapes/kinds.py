"""Kinds of objects within a category, some of which are held out for a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxsoftras.shapes.placement import Parts


class Kind(NamedTuple):
    """One kind of object, such as a folding chair.

    Attributes:
        make: makes an object from a random generator; the name says the kind.
        weight: how often, relative to the other kinds of the category.
        held_out: whether it appears in the split ``style`` alone.
    """

    make: Callable[[np.random.Generator], Parts]
    weight: float = 1.0
    held_out: bool = False


def choose_kind(
    rng: np.random.Generator, kinds: Sequence[Kind], *, held_out: bool
) -> Kind:
    """Draws one of the kinds that are held out, or one of those that are not."""
    able = [kind for kind in kinds if kind.held_out == held_out]
    weights = np.array([kind.weight for kind in able])
    return able[rng.choice(len(able), p=weights / weights.sum())]
