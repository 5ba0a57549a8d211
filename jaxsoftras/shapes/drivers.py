"""The round fronts of loudspeakers, which face -z."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import Solid, rotate, translate
from jaxsoftras.shapes.solids import lathe


def forward(solid: Solid) -> Solid:
    """Turns a solid that points along +y to point along -z."""
    return rotate(solid, "x", -90)


def driver(radius: float, center: ArrayLike) -> tuple[Solid, Solid]:
    """A loudspeaker's surround ring and its dished cone, facing -z."""
    ring = [(1.0, 0), (0.98, 0.15), (0.82, 0.15), (0.8, 0)]
    surround = lathe(np.array(ring) * radius, sides=14, closed=True)
    dish = [(0.84, -0.05), (0.84, 0.1), (0.3, 0.02), (0.25, 0.08), (0, 0.13)]
    cone = lathe(np.array(dish) * radius, sides=14)
    return translate(forward(surround), center), translate(forward(cone), center)
