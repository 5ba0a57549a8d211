"""Lampshades with their bulbs."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Solid, join
from jaxsoftras.shapes.solids import cylinder, lathe, superellipsoid


def shade(rng: np.random.Generator, radius: float, sides: int = 18) -> Solid:
    """A lampshade with its lower rim at y = 0."""
    kind = rng.integers(4)
    if kind == 0:
        size = 2 * radius * 0.85
        return superellipsoid(
            (size, size, size), (0, size / 2, 0), sides=sides, rings=9
        )
    wall = 0.06 * radius
    if kind == 1:
        top, tall = rng.uniform(0.35, 1.0), rng.uniform(0.8, 1.4)
        outer = np.array([(1, 0), ((1 + top) / 2, tall / 2), (top, tall)])
    elif kind == 2:
        angles = np.linspace(0, np.pi / 2 - 0.15, 6)
        outer = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.6, 1)], -1)
    else:
        outer = np.array([(1, 0), (0.72, 0.18), (0.55, 0.5), (0.45, 0.8), (0.25, 1.0)])
    outer = outer * radius
    inner = outer[::-1] - (wall, 0)
    inner[:, 0] = np.maximum(inner[:, 0], 0.02 * radius)
    shell = lathe([*outer, *inner], sides=sides, closed=True)
    middle = outer[:, 1].max() / 2
    bulb = superellipsoid((0.5 * radius,) * 3, (0, middle, 0), sides=8, rings=5)
    rim_radius, rim = outer[-1]
    plate = cylinder(
        rim_radius, 0.04 * radius, (0, rim - 0.05 * radius, 0), sides=sides
    )
    stalk = cylinder(0.05 * radius, rim - middle, (0, middle, 0), sides=6)
    return join(shell, bulb, plate, stalk)
