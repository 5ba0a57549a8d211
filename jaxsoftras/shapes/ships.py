"""Dinghies, galleys, barges, catamarans and other vessels. The bow is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.hulls import closed_hull, hull, open_hull
from jaxsoftras.shapes.placement import Parts, join, mirror_pair, rotate, translate
from jaxsoftras.shapes.polygons import circle, rectangle
from jaxsoftras.shapes.sails import sail
from jaxsoftras.shapes.solids import (
    beam,
    box,
    extrude,
    stack,
    superellipsoid,
    tapered_box,
    tube,
)


def dinghy(rng: np.random.Generator) -> Parts:
    """An inflatable boat: a round tube around a floor, with boards or a motor."""
    width, radius = rng.uniform(0.35, 0.62), rng.uniform(0.05, 0.11)
    x = width / 2 - radius
    start = -0.5 + rng.uniform(0.12, 0.3)
    lift = rng.uniform(0.0, 0.1)
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)
    bow = np.stack(
        [
            x * np.sin(t),
            radius + lift * np.cos(t),
            start - (start + 0.5 - radius) * np.cos(t),
        ],
        -1,
    )
    path = np.concatenate([[(-x, radius, 0.45)], bow, [(x, radius, 0.45)]])
    ring = tube(path, radius, sides=10)
    floor = box(
        (2 * x, radius * 0.7, 0.45 - start), (0, radius * 0.5, (0.45 + start) / 2)
    )
    board = box((2 * x, radius, 0.04), (0, radius * 1.2, 0.42))
    seats = [
        box((2 * x, radius * 0.3, 0.08), (0, radius * 1.6, z))
        for z in np.linspace(start + 0.1, 0.3, int(rng.integers(1, 4)))
    ]
    parts = {"hull": ring, "seats": join(floor, board, *seats)}
    if rng.random() < 0.4:
        motor = box((0.08, 0.16, 0.09), (0, radius * 2 + 0.06, 0.47), bevel=0.015)
        parts["motor"] = join(motor, box((0.04, 0.3, 0.04), (0, radius, 0.48)))
    return parts


def punt(rng: np.random.Generator) -> Parts:
    """A broad open boat with raked or square ends and a few boards across."""
    width, high = rng.uniform(0.25, 0.6), rng.uniform(0.08, 0.2)
    if rng.random() < 0.6:
        bow, stern = rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.95)
        sides, _ = hull(width, high * 0.5, high * 0.7, bow=bow, stern=stern)
        shell = open_hull(sides, rng.uniform(0.015, 0.04))
    else:
        plan, wall = rectangle(width, 1.0), rng.uniform(0.03, 0.06)
        inner = plan * (1 - 2 * wall / width, 1 - 3 * wall)
        low = plan * (0.85, rng.uniform(0.6, 0.9))
        shell = stack([low, plan, inner, inner * 0.9], [0, high, high, high * 0.3])
    level = shell.vertices[:, 1].max() * 0.6
    boards = [
        box((width * 0.8, 0.02, 0.09), (0, level, z))
        for z in np.linspace(-0.15, 0.35, int(rng.integers(1, 4)))
    ]
    return {"hull": shell, "seats": join(*boards)}


def galley(rng: np.random.Generator) -> Parts:
    """A longship: rising ends, one square sail, oars or shields along the sides."""
    width, rise = rng.uniform(0.16, 0.3), rng.uniform(0.5, 2.5)
    sides, half = hull(width, 0.07, 0.08, bow=rise, stern=0.15)
    mast = rng.uniform(0.45, 0.8)
    wide, low = rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.3)
    corners = [
        (-wide / 2, low),
        (wide / 2, low),
        (wide * 0.45, mast * 0.92),
        (-wide * 0.45, mast * 0.92),
    ]
    sheet = rotate(sail(corners, rng.uniform(0.04, 0.12)), "y", 90)
    spars = [tube([(0, 0, 0), (0, mast, 0)], 0.014, sides=6)]
    spars.append(
        tube([(-wide / 2, mast * 0.92, 0), (wide / 2, mast * 0.92, 0)], 0.01, sides=6)
    )
    count, x = int(rng.integers(4, 9)), float(half.max())
    oar = tube(
        [(x * 0.8, 0.07, 0), (x + rng.uniform(0.1, 0.25), -0.06, 0.04)], 0.007, sides=5
    )
    oars = join(*(translate(oar, (0, 0, z)) for z in np.linspace(-0.25, 0.3, count)))
    stem = sides[0, 0]
    curl = [stem, stem + (0, 0.1, -0.04), stem + (0, 0.17, 0.0)]
    return {
        "hull": join(open_hull(sides, 0.02), tube(curl, (0.025, 0.02, 0.015), sides=6)),
        "masts": join(*spars),
        "sails": translate(sheet, (0, 0, -0.02)),
        "oars": mirror_pair(oars),
    }


def galleon(rng: np.random.Generator) -> Parts:
    """A stout ship with castles, two to four masts, and sails set or furled."""
    width, high = rng.uniform(0.24, 0.4), rng.uniform(0.1, 0.2)
    sides, _ = hull(width, 0.12, high, bow=rng.uniform(0.3, 1.0), stern=0.8)
    aft = rng.uniform(0.1, 0.3)
    castle = [
        tapered_box(
            (width * 0.75, 0.3), (width * 0.65, 0.25), aft, (0, high * 0.9, 0.36)
        )
    ]
    castle.append(
        tapered_box(
            (width * 0.6, 0.16), (width * 0.7, 0.2), aft * 0.5, (0, high, -0.32)
        )
    )
    spars = [tube([(0, high, -0.45), (0, high + 0.15, -0.75)], (0.018, 0.01), sides=6)]
    sails, set_sails = [], rng.random() < 0.65
    for z in np.linspace(-0.28, 0.3, int(rng.integers(2, 5))):
        tall = rng.uniform(0.6, 1.0)
        spars.append(tube([(0, 0, z), (0, tall, z)], (0.02, 0.008), sides=6))
        for share, spread in ((0.55, 1.0), (0.8, 0.75), (0.96, 0.5)):
            wide, top = rng.uniform(0.32, 0.5) * spread, tall * share
            spars.append(tube([(-wide / 2, top, z), (wide / 2, top, z)], 0.01, sides=5))
            if set_sails:
                low = top - tall * rng.uniform(0.17, 0.24)
                corners = [
                    (-wide / 2, low),
                    (wide / 2, low),
                    (wide * 0.46, top),
                    (-wide * 0.46, top),
                ]
                sheet = rotate(sail(corners, rng.uniform(0.03, 0.07)), "y", 90)
                sails.append(translate(sheet, (0, 0, z - 0.015)))
    parts = {"hull": closed_hull(sides), "house": join(*castle), "masts": join(*spars)}
    return parts | ({"sails": join(*sails)} if sails else {})


def barge(rng: np.random.Generator) -> Parts:
    """A flat vessel: a ferry, a landing craft, a house boat or a carrier."""
    width, high = rng.uniform(0.16, 0.42), rng.uniform(0.05, 0.12)
    bow, stern = rng.uniform(0.02, 0.25), rng.uniform(0.0, 0.12)
    side = [(-0.5 + bow, 0), (0.5 - stern, 0), (0.5, high), (-0.5, high)]
    parts = {"hull": extrude(side, width, axis="x")}
    kind = rng.integers(4)
    if kind == 0:  # a house boat
        tall = rng.uniform(0.1, 0.25)
        start, end = -rng.uniform(0.1, 0.35), rng.uniform(0.2, 0.45)
        block = box(
            (width * 0.85, tall, end - start), (0, high + tall / 2, (start + end) / 2)
        )
        roof = box(
            (width * 0.95, 0.02, end - start + 0.06),
            (0, high + tall, (start + end) / 2),
        )
        parts |= {"house": block, "roof": roof}
    elif kind == 1:  # a carrier: a wide deck and an island on one side
        deck = box((width * 1.35, 0.02, 1.0), (0, high + 0.01, 0))
        x = width * 0.5
        island = [tapered_box((0.06, 0.2), (0.05, 0.12), 0.12, (x, high, 0.05))]
        island.append(tube([(x, high, 0.05), (x, high + 0.22, 0.05)], 0.012, sides=6))
        parts |= {"deck": deck, "house": join(*island)}
    elif kind == 2:  # walls around a hold, a bridge behind
        wall = box((0.02, 0.08, 0.8), (width / 2 - 0.01, high + 0.04, -0.05))
        bridge = box((width * 0.6, rng.uniform(0.1, 0.2), 0.12), (0, high + 0.08, 0.4))
        parts |= {"deck": mirror_pair(wall), "house": bridge}
    else:  # a paddle steamer or a ferry with decks on posts
        decks = int(rng.integers(1, 4))
        levels = high + 0.09 * np.arange(1, decks + 1)
        floors = [
            box((width, 0.015, 0.8 - 0.1 * k), (0, y, 0)) for k, y in enumerate(levels)
        ]
        cores = [
            box((width * 0.7, 0.09, 0.6 - 0.1 * k), (0, y - 0.045, 0))
            for k, y in enumerate(levels)
        ]
        funnel = stack(
            [circle(0.03, 10), circle(0.03, 10)], [levels[-1], levels[-1] + 0.16]
        )
        parts |= {"deck": join(*floors), "house": join(*cores), "funnels": funnel}
    return parts


def speed_boat(rng: np.random.Generator) -> Parts:
    """A sharp low hull with a screen, a cockpit and perhaps a canopy."""
    width, high = rng.uniform(0.22, 0.42), rng.uniform(0.07, 0.14)
    sides, _ = hull(
        width, high * 0.5, high, bow=rng.uniform(0.1, 0.6), stern=rng.uniform(0.7, 1)
    )
    z = rng.uniform(-0.1, 0.12)
    tall = rng.uniform(0.05, 0.16)
    size = (width * 0.65, 0.28), (width * 0.45, 0.12)
    glass = tapered_box(*size, tall, (0, high * 0.95, z), shift=(0, 0.06))
    well = [
        box((width * 0.6, 0.05, 0.03), (0, high * 1.2, z + 0.2 + 0.1 * k))
        for k in range(2)
    ]
    parts = {"hull": closed_hull(sides), "glass": glass, "seats": join(*well)}
    if rng.random() < 0.4:
        x, rise = width * 0.3, tall + rng.uniform(0.05, 0.12)
        posts = mirror_pair(
            tube([(x, high, z), (x, high + rise, z + 0.05)], 0.008, sides=5)
        )
        roof = box((width * 0.7, 0.015, 0.3), (0, high + rise, z + 0.1))
        parts["roof"] = join(posts, roof)
    return parts


def warship(rng: np.random.Generator) -> Parts:
    """A long hull with stacked towers, turrets at both ends and funnels."""
    width, high = rng.uniform(0.1, 0.18), rng.uniform(0.035, 0.07)
    sides, _ = hull(width, 0.03, high, bow=rng.uniform(0.2, 0.9), stern=0.5)
    blocks = []
    for z in rng.uniform(-0.15, 0.2, int(rng.integers(1, 4))):
        tall, level = rng.uniform(0.05, 0.1), high * 0.9
        size = np.array([width * 0.7, rng.uniform(0.12, 0.3)])
        for _ in range(int(rng.integers(1, 4))):
            blocks.append(
                tapered_box(tuple(size), tuple(size * 0.9), tall, (0, level, z))
            )
            level, size, tall = level + tall * 0.98, size * 0.65, tall * 0.8
        blocks.append(
            tube(
                [(0, level - 0.02, z), (0, level + rng.uniform(0.05, 0.15), z)],
                0.008,
                sides=5,
            )
        )
    guns = []
    for z in (-0.3, -0.22, 0.3)[: int(rng.integers(1, 4))]:
        away = -1 if z < 0 else 1
        turret = tapered_box(
            (width * 0.5, 0.08), (width * 0.4, 0.05), 0.03, (0, high, z)
        )
        barrel = tube(
            [(0.01, high + 0.02, z), (0.01, high + 0.03, z + away * 0.1)],
            0.006,
            sides=5,
        )
        guns.append(join(turret, mirror_pair(barrel)))
    return {"hull": closed_hull(sides), "house": join(*blocks), "load": join(*guns)}


def catamaran(rng: np.random.Generator) -> Parts:
    """Two narrow hulls below one deck, with a cabin or a sail."""
    gap, high = rng.uniform(0.15, 0.25), rng.uniform(0.05, 0.08)
    sides, _ = hull(0.1, 0.06, high, bow=0.4, stern=0.6)
    deck = box((2 * gap, 0.03, rng.uniform(0.45, 0.7)), (0, high, 0.1))
    parts = {
        "hull": mirror_pair(translate(closed_hull(sides), (gap, 0, 0))),
        "deck": deck,
    }
    if rng.random() < 0.5:
        tall = rng.uniform(0.7, 1.1)
        corners = [(0.0, 0.15), (0.4, 0.15), (0.0, tall * 0.97)]
        spar = tube([(0, high, -0.02), (0, tall, -0.02)], 0.012, sides=6)
        return parts | {"masts": spar, "sails": sail(corners, 0.05)}
    return parts | {
        "house": tapered_box((gap * 1.6, 0.4), (gap * 1.3, 0.3), 0.14, (0, high, 0.1))
    }


def hovercraft(rng: np.random.Generator) -> Parts:
    """A deck on a bulging skirt, with a cabin and fans in rings behind."""
    width = rng.uniform(0.4, 0.6)
    skirt = superellipsoid((width, 0.14, 1.0), (0, 0.07, 0), exponent=3.5, sides=16)
    cabin = tapered_box(
        (width * 0.6, 0.5), (width * 0.5, 0.4), rng.uniform(0.1, 0.18), (0, 0.13, -0.1)
    )
    ring = tube([(0, 0.28, 0.33), (0, 0.28, 0.4)], 0.11, sides=14)
    stand = beam((0, 0.1, 0.37), (0, 0.28, 0.37), 0.04, 0.04)
    return {
        "hull": skirt,
        "house": cabin,
        "fins": mirror_pair(translate(join(ring, stand), (width * 0.22, 0, 0))),
    }
