"""Keypads, cases and receivers of telephones."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Solid, join, mirror_pair, translate
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import box, extrude, lathe, sweep


def keypad(width: float, height: float, columns: int, rows: int, depth: float) -> Solid:
    """A grid of keys, ``depth`` thick, centred at the origin in the plane z = 0."""
    pitch_x, pitch_y = width / columns, height / rows
    key = box((pitch_x * 0.7, pitch_y * 0.62, depth))
    keys = []
    for row, column in np.ndindex(rows, columns):
        x = (column + 0.5) * pitch_x - width / 2
        keys.append(translate(key, (x, (row + 0.5) * pitch_y - height / 2, 0)))
    return join(*keys)


def slab(width: float, height: float, depth: float, corner: float) -> Solid:
    """A plate in the plane z = 0 with rounded corners."""
    outline = rectangle(width, height, corner)
    return extrude(outline, depth, axis="z", bevel=min(depth, corner) * 0.25)


def receiver(length: float, thickness: float) -> Solid:
    """A handset along x, its ear and mouth pieces downwards."""
    x = np.linspace(-1, 1, 9)
    path = np.stack([x * length / 2, thickness * 0.9 * (1 - x**2), 0 * x], -1)
    grip = sweep(path, rectangle(thickness * 0.9, thickness * 0.9, thickness * 0.2))
    cup = [(0.75, -1.2), (1.0, -1.0), (1.0, -0.5), (0.6, 0.3)]
    ear = lathe(np.array(cup) * thickness, sides=12)
    return join(grip, mirror_pair(translate(ear, (length * 0.44, 0, 0))))
