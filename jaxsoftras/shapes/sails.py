"""Sails."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Solid
from jaxsoftras.shapes.solids import loft


def sail(corners: list[tuple[float, float]], bulge: float) -> Solid:
    """A triangular or four-cornered sail in (z, y), bellied out to one side."""
    outline = np.array(corners)
    middle = outline.mean(0)
    offsets = [-0.004, bulge * 0.7, bulge]
    rings = [
        outline,
        middle + 0.75 * (outline - middle),
        middle + 0.3 * (outline - middle),
    ]
    front = [(0.004 + x, ring) for x, ring in zip(offsets, rings, strict=True)]
    back = [(x - 0.008, ring) for x, ring in front]
    sections = [
        np.stack([np.full(len(ring), x), ring[:, 1], ring[:, 0]], -1)
        for x, ring in [*back[::-1], *front]
    ]
    return loft(sections)
