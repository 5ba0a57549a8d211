"""Screens with fittings of other kinds. Units are metres; the screen faces -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import (
    Parts,
    join,
    mirror_pair,
    radial_copies,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import (
    beam,
    box,
    extrude,
    stack,
    superellipsoid,
    tapered_box,
    tube,
)


def television(rng: np.random.Generator) -> Parts:
    """A large panel on spread feet, a base, a bar or nothing; thin or deep."""
    wide = rng.uniform(0.7, 1.5)
    tall, thick = wide * rng.uniform(0.45, 0.75), rng.uniform(0.015, 0.14)
    case = box((wide, tall, thick), (0, tall / 2, 0), bevel=0.008)
    screen = box((wide * 0.95, tall * 0.9, 0.01), (0, tall / 2, -thick / 2))
    drop, reach = rng.uniform(0.04, 0.14), rng.uniform(0.08, 0.22)
    kind = rng.integers(4)
    if kind == 0:
        foot = beam((0, 0.02, 0), (0, -drop, reach), 0.03, 0.02)
        both = join(foot, beam((0, 0.02, 0), (0, -drop, -reach), 0.03, 0.02))
        stand = mirror_pair(translate(both, (wide * rng.uniform(0.2, 0.44), 0, 0)))
    elif kind == 1:
        plate = box(
            (wide * rng.uniform(0.25, 0.7), 0.03, 2 * reach), (0, -drop, 0), bevel=0.008
        )
        neck = box(
            (wide * rng.uniform(0.08, 0.3), drop + 0.05, 0.05),
            (0, -drop / 2 + 0.02, 0.01),
        )
        stand = join(plate, neck)
    elif kind == 2:
        stand = box(
            (wide * rng.uniform(0.5, 1.0), drop, reach), (0, -drop / 2, 0), bevel=0.01
        )
    else:
        back = tapered_box(
            (wide * 0.5, tall * 0.5), (wide * 0.4, tall * 0.4), thick * 0.8 + 0.02
        )
        stand = translate(rotate(back, "x", 90), (0, tall / 2, thick * 0.4))
    return {"case": case, "screen": screen, "stand": stand}


def old_television(rng: np.random.Generator) -> Parts:
    """A deep rounded case with a bulging screen, some on legs or with an aerial."""
    wide = rng.uniform(0.4, 0.7)
    tall, deep = wide * rng.uniform(0.75, 1.1), wide * rng.uniform(0.5, 1.0)
    if rng.random() < 0.5:
        case = superellipsoid(
            (wide, tall, deep), exponent=rng.uniform(3.5, 9), sides=16
        )
    else:
        face = rectangle(wide, tall, 0.04)
        back = rng.uniform(0.5, 0.9)
        levels = np.array([-0.5, 0.0, 0.5]) * deep
        case = stack([face, face, face * back], levels, axis="z")
    screen = superellipsoid(
        (wide * 0.75, tall * 0.72, 0.1), (0, tall * 0.04, -deep * 0.46), exponent=5
    )
    parts = {"case": case, "screen": screen}
    if rng.random() < 0.4:
        aerial = tube(
            [(0, tall * 0.45, 0), (rng.uniform(0.1, 0.3), tall * 0.5 + 0.3, 0)],
            0.008,
            sides=5,
        )
        parts["keys"] = mirror_pair(aerial)
    if rng.random() < 0.4:
        drop = rng.uniform(0.05, 0.4)
        foot = tube(
            [
                (wide * 0.4, -tall / 2 - drop, -deep * 0.3),
                (wide * 0.3, -tall * 0.4, -deep * 0.2),
            ],
            0.02,
            sides=6,
        )
        parts["stand"] = mirror_pair(mirror_pair(foot, "z"))
    return parts


def desktop_computer(rng: np.random.Generator) -> Parts:
    """A panel on its stand with a keyboard in front of it."""
    wide = rng.uniform(0.45, 0.62)
    tall, lift = wide * rng.uniform(0.55, 0.8), rng.uniform(0.06, 0.14)
    chin = rng.choice([0.0, 0.07])
    case = box(
        (wide, tall + chin, 0.04), (0, lift + (tall + chin) / 2, 0.05), bevel=0.008
    )
    screen = box((wide * 0.94, tall * 0.92, 0.01), (0, lift + chin + tall / 2, 0.03))
    neck = beam((0, 0, 0.12), (0, lift + 0.1, 0.08), wide * 0.25, 0.03)
    plate = box((wide * 0.42, 0.015, 0.2), (0, 0.008, 0.06))
    board = extrude(rectangle(wide * rng.uniform(0.6, 1.0), 0.15, 0.01), 0.025)
    keys = translate(rotate(board, "x", -5), (0, 0.015, -rng.uniform(0.15, 0.3)))
    parts = {"case": case, "screen": screen, "stand": join(neck, plate), "keys": keys}
    if rng.random() < 0.3:
        parts["tower"] = box((0.16, 0.38, 0.38), (wide * 0.5 + 0.14, 0.19, 0.05))
    return parts


def notebook(rng: np.random.Generator) -> Parts:
    """An opened notebook of any thickness and angle."""
    wide = rng.uniform(0.28, 0.42)
    deep, thick = wide * rng.uniform(0.6, 0.8), rng.uniform(0.012, 0.04)
    base = box((wide, thick, deep), bevel=0.004)
    lid = box((wide, deep, thick * 0.7), (0, deep / 2, 0), bevel=0.003)
    glass = box((wide * 0.9, deep * 0.85, 0.004), (0, deep / 2, -thick * 0.35))
    angle, place = rng.uniform(-10, 55), (0, thick / 2, deep / 2 - 0.01)
    lid, glass = (translate(rotate(part, "x", angle), place) for part in (lid, glass))
    keys = box((wide * 0.88, 0.006, deep * 0.45), (0, thick / 2, deep * 0.12))
    return {"case": join(base, lid), "screen": glass, "keys": keys}


def kiosk(rng: np.random.Generator) -> Parts:
    """A screen in a pillar, upright or tilted like a desk."""
    wide, tall = rng.uniform(0.4, 0.7), rng.uniform(0.9, 1.7)
    deep = rng.uniform(0.15, 0.5)
    body = tapered_box((wide, deep), (wide * rng.uniform(0.7, 1.1), deep * 0.6), tall)
    head = rng.uniform(0.3, 0.6)
    panel = box((wide * 1.1, head, 0.08), bevel=0.01)
    screen = translate(box((wide, head * 0.85, 0.02)), (0, 0, -0.04))
    tilt, place = rng.uniform(0, 60), (0, tall - head * 0.2, -deep * 0.4)
    panel, screen = (translate(rotate(p, "x", tilt), place) for p in (panel, screen))
    foot = box((wide * 1.3, 0.05, deep * 1.5), (0, 0.025, 0))
    return {"case": join(body, panel), "screen": screen, "stand": foot}


def projection_screen(rng: np.random.Generator) -> Parts:
    """A cloth on a tripod, or held up by two poles."""
    wide, tall, lift = (
        rng.uniform(1.2, 2.0),
        rng.uniform(0.9, 1.5),
        rng.uniform(0.4, 0.8),
    )
    cloth = box((wide, tall, 0.02), (0, lift + tall / 2, 0))
    roller = box((wide * 1.04, 0.07, 0.08), (0, lift, 0))
    pole = tube([(0, 0.25, 0.05), (0, lift + tall + 0.1, 0.05)], 0.02, sides=6)
    leg = tube([(0, 0.4, 0), (0.45, 0, 0)], 0.015, sides=6)
    legs = translate(rotate(radial_copies(leg, 3), "y", 90), (0, 0, 0.05))
    return {"screen": cloth, "case": roller, "stand": join(pole, legs)}
