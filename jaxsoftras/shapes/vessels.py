"""Ships, and the generator of all vessels. The bow is -z, the waterline y = 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes import ships
from jaxsoftras.shapes.boats import (
    motor_yacht,
    rowing_boat,
    sailing_boat,
    square_rigger,
)
from jaxsoftras.shapes.hulls import (
    closed_hull,
    hull,
)
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    radial_copies,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import (
    circle,
    superellipse,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    lathe,
    stack,
    superellipsoid,
    tapered_box,
    tube,
)


def _decks(
    rng: np.random.Generator,
    width: float,
    span: tuple[float, float],
    base: float,
    count: int,
    height: float,
) -> tuple[Solid, float]:
    """A stepped superstructure, narrower upwards, and the height of its roof."""
    front, rear = span
    blocks = []
    for k in range(count):
        size = (width, rear - front)
        block = tapered_box(size, (size[0] * 0.97, size[1] * 0.97), height)
        blocks.append(
            translate(block, (0, base + 0.98 * height * k, (front + rear) / 2))
        )
        width *= rng.uniform(0.82, 0.95)
        front += (rear - front) * rng.uniform(0.06, 0.16)
        rear -= (rear - front) * rng.uniform(0.02, 0.12)
    return join(*blocks), base + height * count


def _funnel(radius: float, height: float, place: ArrayLike) -> Solid:
    outline = circle(radius, 12) * (0.8, 1.2)
    return translate(
        stack([outline, outline * 0.85 + (0, radius * 0.4)], [0, height]), place
    )


def _ship(rng: np.random.Generator) -> Parts:
    """Cargo ships, tankers, liners, ferries and tugs."""
    kind = str(rng.choice(["cargo", "cargo", "liner", "tug", "tanker"]))
    tug = kind == "tug"
    width = rng.uniform(0.28, 0.34) if tug else rng.uniform(0.13, 0.19)
    freeboard = rng.uniform(0.08, 0.11) if tug else rng.uniform(0.05, 0.08)
    sides, _ = hull(
        width, freeboard * 0.7, freeboard, bow=rng.uniform(0.3, 0.9), stern=0.8
    )
    parts = {"hull": closed_hull(sides)}
    level = freeboard * 0.98
    if kind == "liner":
        house, top = _decks(
            rng, width * 0.9, (-0.3, 0.4), level, int(rng.integers(2, 5)), 0.035
        )
        places = np.linspace(-0.08, 0.2, int(rng.integers(1, 4)))
        funnels = [_funnel(0.03, 0.09, (0, top - 0.02, z)) for z in places]
        boat = superellipsoid(
            (0.03, 0.025, 0.08), (width * 0.48, level + 0.05, 0), sides=8, rings=5
        )
        boats = [mirror_pair(translate(boat, (0, 0, z))) for z in (-0.15, 0.0, 0.15)]
        return parts | {
            "house": house,
            "funnels": join(*funnels),
            "boats": join(*boats),
        }
    if tug:
        house, top = _decks(rng, width * 0.65, (-0.22, 0.15), level, 2, 0.1)
        funnel = _funnel(0.05, 0.18, (0, level + 0.05, 0.2))
        mast = tube([(0, top, -0.05), (0, top + 0.2, -0.05)], (0.012, 0.006), sides=6)
        rail = tapered_box(
            (width * 0.7, 0.08), (width * 0.6, 0.04), 0.06, (0, level, 0.36)
        )
        return parts | {"house": house, "funnels": funnel, "masts": join(mast, rail)}
    aft = 0.3 if rng.random() < 0.8 else -0.32
    house, top = _decks(
        rng,
        width * 0.85,
        (aft - 0.06, aft + 0.08),
        level,
        int(rng.integers(3, 5)),
        0.045,
    )
    parts |= {
        "house": house,
        "funnels": _funnel(0.025, 0.08, (0, top - 0.04, aft + 0.05)),
    }
    if kind == "tanker":
        pipe = tube(
            [(0, level + 0.02, -0.36), (0, level + 0.02, aft - 0.05)], 0.012, sides=6
        )
        domes = [
            superellipsoid((width * 0.75, 0.13, width * 0.75), (0, level, z), sides=12)
            for z in np.linspace(-0.3, 0.12, int(rng.integers(2, 5)))
        ]
        return parts | {"load": join(pipe, *domes)}
    blocks = []
    for z in np.arange(-0.34, 0.42, 0.115):
        if abs(z - aft) < 0.13:
            continue
        for x in (-1, 1):
            tall = 0.035 * rng.integers(1, 5)
            wide = width * (0.36 if z < -0.28 else 0.43)
            blocks.append(
                box((wide, tall, 0.105), (x * wide * 0.52, level + tall / 2 - 0.002, z))
            )
    return parts | {"load": join(*blocks)}


def _warship(rng: np.random.Generator) -> Parts:
    width, freeboard = rng.uniform(0.11, 0.15), 0.045
    sides, _ = hull(width, 0.035, freeboard, bow=0.7, stern=0.6)
    house, top = _decks(rng, width * 0.75, (-0.16, 0.16), freeboard * 0.98, 3, 0.04)
    turret = tapered_box((0.07, 0.09), (0.05, 0.06), 0.03)
    barrel = tube([(0.012, 0.018, -0.02), (0.012, 0.028, -0.12)], 0.006, sides=6)
    gun = join(turret, mirror_pair(barrel))
    guns = [translate(gun, (0, freeboard * 1.02, -0.26))]
    if rng.random() < 0.6:
        guns.append(translate(rotate(gun, "y", 180), (0, freeboard, 0.27)))
    mast = tube(
        [(0, top - 0.02, -0.03), (0, top + 0.14, -0.03)], (0.014, 0.006), sides=6
    )
    yard = beam((-0.04, top + 0.09, -0.03), (0.04, top + 0.09, -0.03), 0.008, 0.008)
    funnel = _funnel(0.025, 0.07, (0, top - 0.05, 0.06))
    return {
        "hull": closed_hull(sides),
        "house": house,
        "load": join(*guns),
        "masts": join(mast, yard),
        "funnels": funnel,
    }


def _submarine(rng: np.random.Generator) -> Parts:
    radius = rng.uniform(0.05, 0.075)
    profile = [(0, 0), (0.5, 0.015), (0.85, 0.06), (1, 0.14), (1, 0.62), (0.7, 0.82)]
    profile += [(0.3, 0.95), (0.12, 1.0)]
    body = rotate(lathe(np.array(profile) * (radius, 1), sides=16), "x", 90)
    outline = superellipse(0.035, rng.uniform(0.13, 0.2), 2.2, 12)
    sail = stack([outline, outline * 0.9], [0, radius * 2.1])
    sail = translate(sail, (0, 0, -0.12))
    fin = tapered_box((0.012, 0.1), (0.012, 0.06), radius * 1.7, shift=(0, 0.02))
    # four fins around the z axis, made around y and tipped over
    fins = rotate(radial_copies(rotate(fin, "x", -90), 4), "x", 90)
    periscope = tube([(0, radius, -0.12), (0, radius * 2.9, -0.12)], 0.008, sides=6)
    planes = mirror_pair(box((0.1, 0.01, 0.05), (0.05, radius * 1.7, -0.14)))
    return {
        "hull": translate(body, (0, 0, -0.5)),
        "tower": join(sail, planes),
        "fins": translate(fins, (0, 0, 0.4)),
        "masts": periscope,
    }


KINDS = (
    Kind(rowing_boat, 1.5),
    Kind(sailing_boat, 1.5),
    Kind(square_rigger),
    Kind(_ship, 4),
    Kind(motor_yacht, 1.5),
    Kind(_warship),
    Kind(_submarine, 0.8),
    Kind(ships.dinghy, 1.2),
    Kind(ships.punt, 1.5),
    Kind(ships.galley),
    Kind(ships.galleon, 1.2),
    Kind(ships.barge, 2),
    Kind(ships.speed_boat, 1.5),
    Kind(ships.warship, 2.5),
    Kind(ships.catamaran, held_out=True),
    Kind(ships.hovercraft, held_out=True),
)
"""Vessels of all kinds; catamarans and hovercraft are held out."""
