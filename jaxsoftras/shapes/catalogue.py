"""The objects of the embedded data set: a generator for each category."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes.airplanes import airplane
from jaxsoftras.shapes.cars import car
from jaxsoftras.shapes.displays import display
from jaxsoftras.shapes.furniture import cabinet, table
from jaxsoftras.shapes.lamps import lamp
from jaxsoftras.shapes.loudspeakers import loudspeaker
from jaxsoftras.shapes.palette import part_colors
from jaxsoftras.shapes.placement import Parts, join, normalize
from jaxsoftras.shapes.rifles import rifle
from jaxsoftras.shapes.seating import bench, chair
from jaxsoftras.shapes.sofas import sofa
from jaxsoftras.shapes.telephones import telephone
from jaxsoftras.shapes.vessels import vessel

GENERATORS: dict[str, Callable[[np.random.Generator], Parts]] = {
    generator.__name__: generator
    for generator in (
        airplane,
        bench,
        cabinet,
        car,
        chair,
        display,
        lamp,
        loudspeaker,
        rifle,
        sofa,
        table,
        telephone,
        vessel,
    )
}
"""Generators by category: functions from a random generator to named solids."""


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


def make_shape(synset: str, index: int, seed: int = 0) -> Shape:
    """Makes an object, which the arguments alone determine.

    Args:
        synset: one of `jaxsoftras.data.categories.CATEGORIES`.
        index: number of the object within its category.
        seed: seed of the data set.

    Returns:
        The object, normalized to a bounding box of longest side 1.
    """
    rng = np.random.default_rng([seed, list(CATEGORIES).index(synset), index])
    parts = GENERATORS[CATEGORIES[synset]](rng)
    colors = part_colors(rng, parts)
    solid = normalize(join(*parts.values()))
    counts = [len(part.faces) for part in parts.values()]
    return Shape(*solid, np.repeat([colors[name] for name in parts], counts, 0))
