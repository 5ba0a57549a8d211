"""Rowing, sailing and motor boats. The bow is -z, the waterline y = 0."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.hulls import (
    closed_hull,
    hull,
    open_hull,
)
from jaxsoftras.shapes.placement import (
    Parts,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.sails import sail
from jaxsoftras.shapes.solids import (
    box,
    extrude,
    stack,
    superellipsoid,
    tapered_box,
    tube,
)


def rowing_boat(rng: np.random.Generator) -> Parts:
    """Open boats with thwarts, some with oars or an outboard motor."""
    sides, half = hull(
        rng.uniform(0.3, 0.45),
        rng.uniform(0.06, 0.1),
        rng.uniform(0.08, 0.12),
        bow=rng.uniform(0.2, 0.7),
        stern=rng.uniform(0.5, 0.8) if rng.random() < 0.7 else 0.05,
    )
    deck = sides[:, 0, 1]
    seats = []
    for k in (4, 6, 8)[: int(rng.integers(2, 4))]:
        size = (1.9 * half[k], 0.02, 0.07)
        seats.append(box(size, (0, deck[k] * 0.55, sides[k, 0, 2])))
    parts = {"hull": open_hull(sides, 0.025), "seats": join(*seats)}
    if rng.random() < 0.5:
        x, y = half[6], deck[6] + 0.015
        oar = tube(
            [(x * 0.4, y + 0.03, -0.02), (x + 0.25, y - 0.08, 0.12)], 0.01, sides=6
        )
        blade = superellipsoid(
            (0.14, 0.02, 0.06), (x + 0.27, y - 0.09, 0.13), sides=8, rings=5
        )
        parts["oars"] = mirror_pair(join(oar, blade))
    elif rng.random() < 0.5:
        motor = box((0.06, 0.12, 0.07), (0, deck[-1] + 0.06, 0.53), bevel=0.012)
        shaft = box((0.03, 0.2, 0.03), (0, deck[-1] - 0.05, 0.53))
        parts["motor"] = join(motor, shaft)
    return parts


def sailing_boat(rng: np.random.Generator) -> Parts:
    """Keel boats with one mast or two and fore-and-aft sails."""
    sides, _ = hull(
        rng.uniform(0.2, 0.3), 0.07, 0.07, bow=rng.uniform(0.3, 0.8), stern=0.6
    )
    masts = 1 if rng.random() < 0.7 else 2
    tall = rng.uniform(0.75, 1.1)
    spars, sails = [], []
    for k in range(masts):
        z, high = -0.1 + 0.32 * k, tall * (1 - 0.2 * k)
        spars.append(tube([(0, 0, z), (0, high, z)], (0.012, 0.007), sides=6))
        boom = 0.42 / masts
        spars.append(tube([(0, 0.16, z), (0, 0.16, z + boom)], 0.008, sides=6))
        if rng.random() < 0.8:
            corners = [(z + 0.02, 0.18), (z + boom, 0.18), (z + 0.02, high * 0.97)]
        else:
            corners = [
                (z + 0.02, 0.18),
                (z + boom, 0.18),
                (z + boom * 0.8, high * 0.95),
            ]
            corners.append((z + 0.02, high * 0.75))
        sails.append(sail(corners, rng.uniform(0.03, 0.07)))
    bow = -0.52
    jib = [(bow, 0.12), (-0.13, 0.16), (-0.13, tall * rng.uniform(0.6, 0.9))]
    sails.append(sail(jib, rng.uniform(0.03, 0.06)))
    fin = extrude([(-0.08, 0), (0.1, 0), (0.08, -0.14), (-0.02, -0.14)], 0.02, axis="x")
    cabin = tapered_box((0.12, 0.3), (0.09, 0.24), 0.05, (0, 0.06, 0.05))
    return {
        "hull": join(closed_hull(sides), translate(fin, (0, -0.05, 0))),
        "cabin": cabin,
        "masts": join(*spars),
        "sails": join(*sails),
    }


def square_rigger(rng: np.random.Generator) -> Parts:
    """Tall ships with two or three masts."""
    sides, _ = hull(0.24, 0.1, 0.1, bow=0.6, stern=0.75)
    spars, sails = [], []
    spars.append(tube([(0, 0.14, -0.48), (0, 0.24, -0.75)], (0.014, 0.008), sides=6))
    for z in np.linspace(-0.3, 0.32, int(rng.integers(2, 4))):
        high = rng.uniform(0.65, 0.8)
        spars.append(tube([(0, 0, z), (0, high, z)], (0.016, 0.008), sides=6))
        for low, top, wide in ((0.2, 0.42, 0.4), (0.45, 0.64, 0.3)):
            spars.append(
                tube([(-wide / 2, top, z), (wide / 2, top, z)], 0.008, sides=6)
            )
            sheet = sail(
                [
                    (-wide / 2, low),
                    (wide / 2, low),
                    (wide * 0.42, top),
                    (-wide * 0.42, top),
                ],
                0.05,
            )
            sails.append(translate(rotate(sheet, "y", 90), (0, 0, z - 0.015)))
    castle = tapered_box((0.18, 0.2), (0.2, 0.22), 0.08, (0, 0.09, 0.37))
    return {
        "hull": join(closed_hull(sides), castle),
        "masts": join(*spars),
        "sails": join(*sails),
    }


def motor_yacht(rng: np.random.Generator) -> Parts:
    """Decked boats with a glazed cabin, some with a flying bridge."""
    width, freeboard = rng.uniform(0.24, 0.32), rng.uniform(0.07, 0.1)
    sides, _ = hull(width, 0.06, freeboard, bow=rng.uniform(0.4, 0.9), stern=0.85)
    level, high = freeboard * 0.97, rng.uniform(0.07, 0.1)
    back = rng.uniform(0.2, 0.36)
    lower = rectangle(width * 0.68, back + 0.28, 0.05) + (0, (back - 0.28) / 2)
    upper = rectangle(width * 0.52, back + 0.05, 0.04) + (0, (back - 0.05) / 2)
    windows = stack([lower, upper], [level, level + high])
    roof = extrude(upper * (1.1, 1.02), 0.02, center=(0, level + high + 0.008, 0))
    parts = {"hull": closed_hull(sides), "glass": windows, "house": roof}
    if rng.random() < 0.6:
        bridge = tapered_box(
            (width * 0.42, 0.16),
            (width * 0.36, 0.1),
            0.06,
            (0, level + high + 0.01, 0.08),
            shift=(0, 0.02),
        )
        arch = [
            (width * 0.22, 0, 0),
            (width * 0.18, 0.1, 0.02),
            (-width * 0.18, 0.1, 0.02),
            (-width * 0.22, 0, 0),
        ]
        hoop = translate(tube(arch, 0.01, sides=6), (0, level + high + 0.01, 0.17))
        parts["house"] = join(roof, bridge, hoop)
    rail = [(0.0, 0.13, -0.52), (width * 0.3, 0.13, -0.3), (width * 0.42, 0.12, -0.1)]
    rail = np.array(rail) + (0, freeboard - 0.03, 0)
    parts["rails"] = mirror_pair(tube(rail, 0.006, sides=5))
    return parts
