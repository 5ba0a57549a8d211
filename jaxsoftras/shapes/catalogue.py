"""The objects of the embedded data set, by category, number and seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import (
    airplanes,
    benches,
    cabinets,
    cars,
    chairs,
    displays,
    lamps,
    loudspeakers,
    rifles,
    sofas,
    tables,
    telephones,
    vessels,
)
from jaxsoftras.shapes.kinds import Kind, choose_kind
from jaxsoftras.shapes.palette import part_colors
from jaxsoftras.shapes.placement import Solid, join, normalize, rotate

KINDS: dict[str, tuple[Kind, ...]] = {
    "airplane": airplanes.KINDS,
    "bench": benches.KINDS,
    "cabinet": cabinets.KINDS,
    "car": cars.KINDS,
    "chair": chairs.KINDS,
    "display": displays.KINDS,
    "lamp": lamps.KINDS,
    "loudspeaker": loudspeakers.KINDS,
    "rifle": rifles.KINDS,
    "sofa": sofas.KINDS,
    "table": tables.KINDS,
    "telephone": telephones.KINDS,
    "vessel": vessels.KINDS,
}
"""The kinds of each category by name."""

_ON_ANY_SIDE = ("rifle",)
"""Categories that collections of real objects do not align: their front is drawn."""

_STRETCH = 0.1
"""Standard deviation of the logarithm of the stretch along each axis."""


class Shape(NamedTuple):
    """A coloured triangle mesh.

    Attributes:
        vertices: ``[V, 3]`` float64, model frame: +y up, front -z, the bounding box
            centred at the origin and its longest side 1.
        faces: ``[F, 3]`` int32, counter-clockwise seen from outside.
        colors: ``[F, 3]`` RGB from 0 to 1.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray


def make_shape(
    synset: str, index: int, seed: int = 0, *, held_out: bool = False
) -> Shape:
    """Makes an object, which the arguments alone determine.

    Args:
        synset: one of `jaxsoftras.data.categories.CATEGORIES`.
        index: number of the object within its category.
        seed: seed of the data set.
        held_out: whether it is of a kind that is held out for the split ``style``.

    Returns:
        The object, normalized to a bounding box of longest side 1.

    Example:
        >>> from jaxsoftras.shapes.catalogue import make_shape
        >>> chair = make_shape("03001627", 0)
        >>> chair.vertices.shape[1], bool(abs(chair.vertices).max() <= 0.5)
        (3, True)
    """
    number = list(CATEGORIES).index(synset)
    rng = np.random.default_rng([seed, number, index, int(held_out)])
    kind = choose_kind(rng, KINDS[CATEGORIES[synset]], held_out=held_out)
    parts = kind.make(rng)
    colors = part_colors(rng, parts)
    joined = join(*parts.values())
    stretched = joined.vertices * np.exp(rng.normal(0, _STRETCH, 3))
    solid = normalize(Solid(stretched, joined.faces))
    if CATEGORIES[synset] in _ON_ANY_SIDE:
        solid = rotate(solid, "y", 90 * int(rng.integers(4)))
    counts = [len(part.faces) for part in parts.values()]
    return Shape(*solid, np.repeat([colors[name] for name in parts], counts, 0))
