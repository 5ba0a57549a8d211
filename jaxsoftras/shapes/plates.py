"""Side profiles with rounded edges, of weapons and other flat things."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import Solid
from jaxsoftras.shapes.polygons import inset
from jaxsoftras.shapes.solids import stack


def plate(outline: ArrayLike, width: float) -> Solid:
    """A side profile in (z, y) with its long edges rounded off.

    The edges are rounded by at most a fifth of the profile's shortest side.

    Args:
        outline: ``[N, 2]`` corners of a simple polygon.
        width: extent in x.

    Returns:
        The solid, centred at x = 0.
    """
    corners = np.asarray(outline, float)
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=-1)
    small = inset(corners, min(0.2 * width, 0.2 * sides.min()))
    half = width / 2
    rings = [small, corners, corners, small]
    return stack(rings, [-half, -half * 0.5, half * 0.5, half], axis="x")
