"""Displays. Units are metres; the screen faces -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import screens
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import (
    rectangle,
    superellipse,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    extrude,
    lathe,
    stack,
    superellipsoid,
    sweep,
    tube,
)


def _tube_monitor(rng: np.random.Generator) -> Parts:
    """A cathode-ray display with a case that narrows to the back."""
    wide, tall = rng.uniform(0.4, 0.6), rng.uniform(0.34, 0.46)
    deep = rng.uniform(0.35, 0.5)
    face = rectangle(wide, tall, 0.03)
    rings = [face, face, face * 0.93, face * 0.55, face * 0.5]
    case = stack(rings, np.array([0, 0.25, 0.4, 0.8, 1.0]) * deep, axis="z")
    screen = superellipsoid((wide * 0.82, tall * 0.8, 0.06), exponent=6, rings=5)
    foot = lathe([(0.16, -0.05), (0.15, -0.02), (0.07, 0.0), (0.07, 0.05)], sides=14)
    return {
        "case": case,
        "screen": screen,
        "stand": translate(foot, (0, -tall / 2 - 0.01, deep * 0.4)),
    }


def _laptop(rng: np.random.Generator) -> Parts:
    wide, deep = rng.uniform(0.3, 0.38), rng.uniform(0.21, 0.26)
    base = extrude(rectangle(wide, deep, 0.012), 0.018, bevel=0.003)
    keys = join(
        *(box((wide * 0.86, 0.006, 0.016), (0, 0.011, z)) for z in np.arange(5) * 0.021)
    )
    pad = box((0.09, 0.004, 0.05), (0, 0.0095, -deep * 0.28))
    lid = extrude(rectangle(wide, deep, 0.012), 0.012, axis="z", bevel=0.003)
    screen = box((wide * 0.92, deep * 0.86, 0.006), (0, 0.004, -0.005))
    angle = rng.uniform(5, 30)
    place = (0, 0.005, deep / 2)
    up = (0, deep / 2, 0)
    return {
        "case": join(base, translate(rotate(translate(lid, up), "x", angle), place)),
        "screen": translate(rotate(translate(screen, up), "x", angle), place),
        "keys": join(keys, pad),
    }


def _curved_case(
    wide: float, tall: float, thick: float, bow: float
) -> tuple[Solid, Solid]:
    """A panel with sides that curve forward, and its screen."""
    x = np.linspace(-1, 1, 9)
    path = np.stack([x * wide / 2, 0 * x, bow * (1 - x**2)], -1)
    case = sweep(path, rectangle(thick, tall))
    inner = path * (0.96, 1, 1) + (0, 0, -thick / 2)
    return case, sweep(inner, rectangle(0.01, tall * 0.9))


def _display_stand(rng: np.random.Generator, wide: float, tall: float) -> Solid:
    """A stand, below and behind a panel with its lower edge at y = 0."""
    drop = rng.uniform(0.06, 0.14)
    kind = rng.integers(5)
    if kind == 0:
        outline = rectangle(wide * 0.4, 0.2, 0.04)
        if rng.random() < 0.5:
            outline = superellipse(wide * 0.42, 0.22, 2.0, 20)
        plate = extrude(outline, 0.015, center=(0, -drop, 0.03))
        return join(
            plate,
            box((0.07, drop + tall * 0.4, 0.03), (0, tall * 0.2 - drop / 2, 0.05)),
        )
    if kind == 1:
        foot = beam(
            (wide * 0.36, -drop, -0.12), (wide * 0.36, -drop, 0.14), 0.03, 0.015
        )
        post = box((0.03, drop + 0.04, 0.02), (wide * 0.36, -drop / 2 + 0.01, 0.01))
        return mirror_pair(join(foot, post))
    if kind == 2:
        leg = beam((wide * 0.3, 0.02, 0.01), (wide * 0.34, -drop, -0.1), 0.02, 0.015)
        other = beam((wide * 0.3, 0.02, 0.01), (wide * 0.34, -drop, 0.12), 0.02, 0.015)
        return mirror_pair(join(leg, other))
    if kind == 3:
        neck = tube(
            [(0, tall * 0.4, 0.03), (0, tall * 0.1, 0.1), (0, -drop, 0.06)], 0.022
        )
        feet = [
            tube([(0, -drop, 0.06), end], (0.02, 0.01), sides=6)
            for end in (
                (wide * 0.25, -drop, -0.12),
                (-wide * 0.25, -drop, -0.12),
                (0, -drop, 0.16),
            )
        ]
        return join(neck, *feet)
    bent = [
        (0.14, -drop - 0.012),
        (0.14, -drop),
        (0.045, tall * 0.5),
        (0.015, tall * 0.5),
    ]
    bent += [(0.11, -drop), (-0.13, -drop), (-0.13, -drop - 0.012)]
    return extrude(bent, wide * 0.3, axis="x")


def _panel(rng: np.random.Generator) -> Parts:
    """Flat, curved, upright and wide panels; stands vary."""
    tall = rng.uniform(0.3, 0.42)
    wide = tall * rng.choice([1.33, 1.6, 1.78, 1.78, 2.35])
    if rng.random() < 0.1:
        wide, tall = tall, wide
    thick = rng.uniform(0.02, 0.05)
    if rng.random() < 0.25:
        case, screen = _curved_case(wide, tall, thick, rng.uniform(0.04, 0.1))
        case, screen = (
            translate(part, (0, tall / 2, -0.02)) for part in (case, screen)
        )
    else:
        chin = rng.choice([0.0, 0.0, 0.06])
        frame = extrude(
            rectangle(wide, tall + chin, 0.012), thick, axis="z", bevel=0.004
        )
        bulge = stack(
            [rectangle(wide * 0.8, tall * 0.75), rectangle(wide * 0.5, tall * 0.5)],
            [0, thick + 0.02],
            axis="z",
        )
        case = translate(join(frame, bulge), (0, (tall - chin) / 2, 0))
        screen = box((wide * 0.94, tall * 0.92, 0.01), (0, tall / 2, -thick / 2))
        if chin:
            case, screen = (translate(part, (0, chin, 0)) for part in (case, screen))
    parts = {"case": case, "screen": screen}
    if rng.random() < 0.92:
        parts["stand"] = _display_stand(rng, wide, tall)
    return parts


KINDS = (
    Kind(_panel, 4),
    Kind(_tube_monitor),
    Kind(_laptop, 0.7),
    Kind(screens.television, 3),
    Kind(screens.old_television, 1.5),
    Kind(screens.desktop_computer, 1.5),
    Kind(screens.notebook),
    Kind(screens.kiosk, 0.6),
    Kind(screens.projection_screen, held_out=True),
)
"""Displays of all kinds; projection screens are held out."""
