"""Loudspeakers. Units are metres; the front is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import radios
from jaxsoftras.shapes.drivers import driver
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    four_corners,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    extrude,
    lathe,
    stack,
    superellipsoid,
    tapered_box,
    tube,
)


def _box_speaker(rng: np.random.Generator) -> Parts:
    """Towers and bookshelf boxes with one to four drivers, some on legs."""
    wide = rng.uniform(0.18, 0.26)
    tower = rng.random() < 0.5
    tall = wide * (rng.uniform(3.2, 4.6) if tower else rng.uniform(1.4, 2.0))
    deep = wide * rng.uniform(0.9, 1.5)
    if rng.random() < 0.35:
        plan = rectangle(wide, deep, wide * 0.22)
        case = extrude(plan, tall, bevel=0.01)
    elif rng.random() < 0.4:
        # narrower above, with an upright front
        ends = (wide, deep), (wide * 0.85, deep * 0.8)
        case = tapered_box(*ends, tall, (0, -tall / 2, 0), shift=(0, -0.1 * deep))
    else:
        case = box((wide, tall, deep), bevel=0.012)
    z = -deep / 2 + 0.005
    sizes = [0.42, 0.24] if not tower else [0.4] * int(rng.integers(2, 4)) + [0.22]
    rings, cones = [], []
    y = -tall / 2 + wide * 0.15
    gap = (tall - wide * 0.25 - 2 * wide * sum(sizes)) / len(sizes)
    for size in sizes:
        y += wide * size
        ring, cone = driver(wide * size * 0.95, (0, y, z))
        rings.append(ring)
        cones.append(cone)
        y += wide * size + min(gap, 0.05)
    parts = {"case": case, "rings": join(*rings), "cones": join(*cones)}
    kind = rng.random()
    if kind < 0.25:
        spike = cylinder(
            0.012, 0.04, (wide / 2 - 0.03, -tall / 2 - 0.035, -deep / 2 + 0.03), sides=6
        )
        parts["stand"] = four_corners(spike)
    elif kind < 0.5 and not tower:
        post = cylinder(0.025, tall * 1.4, (0, -tall * 1.9, 0), sides=8)
        plate = box((wide * 1.2, 0.02, deep * 1.1), (0, -tall * 1.9, 0))
        parts["stand"] = join(post, plate)
    return parts


def _boom_box(rng: np.random.Generator) -> Parts:
    """A portable player with two drivers and a handle."""
    wide, tall = rng.uniform(0.5, 0.6), rng.uniform(0.2, 0.28)
    deep = rng.uniform(0.12, 0.18)
    case = extrude(rectangle(wide, tall, 0.03), deep, axis="z", bevel=0.012)
    x, radius = wide * 0.31, tall * 0.38
    ring, cone = driver(radius, (x, 0, -deep / 2 + 0.004))
    deck = box((wide * 0.2, tall * 0.45, 0.02), (0, -tall * 0.1, -deep / 2))
    x, y = wide * 0.4, tall / 2
    path = [(x, y - 0.02, 0), (x, y + 0.06, 0), (x * 0.9, y + 0.08, 0)]
    path += [(-p, q, r) for p, q, r in path[::-1]]
    return {
        "case": case,
        "rings": mirror_pair(ring),
        "cones": mirror_pair(cone),
        "keys": deck,
        "handle": tube(path, 0.012, sides=6),
    }


def _wedge_speaker(rng: np.random.Generator) -> Parts:
    """A stage monitor that leans back, or a horn-loaded box."""
    wide, lean = rng.uniform(0.45, 0.6), rng.uniform(35, 55)
    tall, deep = rng.uniform(0.34, 0.42), 0.36
    run = tall / np.tan(np.deg2rad(90 - lean * 0.6))
    outline = [
        (-deep / 2, 0),
        (deep / 2, 0),
        (deep / 2, tall * 0.8),
        (-deep / 2 + run, tall),
    ]
    case = extrude(outline, wide, axis="x", bevel=0.012)
    angle = np.rad2deg(np.arctan2(run, tall))
    ring, cone = driver(tall * 0.32, (0, 0, 0))
    horn = stack([rectangle(0.15, 0.15), rectangle(0.1, 0.1)], [-0.015, 0.02], axis="z")
    middle = np.array((0, tall / 2, -deep / 2 + run / 2))

    def on_front(solid: Solid, x: float) -> Solid:
        return translate(rotate(translate(solid, (x, 0, 0.005)), "x", angle), middle)

    return {
        "case": case,
        "rings": on_front(ring, -wide * 0.18),
        "cones": on_front(cone, -wide * 0.18),
        "horn": on_front(horn, wide * 0.28),
    }


def _pod_speaker(rng: np.random.Generator) -> Parts:
    """A ball or an egg with a driver in front, or a can with openings around."""
    kind = rng.integers(3)
    if kind == 0:
        radius, tall = rng.uniform(0.08, 0.11), rng.uniform(0.2, 0.34)
        profile = [(0.9, 0), (1, 0.03), (1, 0.97), (0.9, 1.0)]
        case = lathe(np.array(profile) * (radius, tall), sides=20)
        rings = [
            cylinder(radius * 1.03, 0.012, (0, y, 0), sides=20)
            for y in (tall * 0.12, tall * 0.85)
        ]
        cap = lathe(
            [(radius * 0.7, tall - 0.002), (radius * 0.6, tall + 0.015)], sides=20
        )
        return {"case": case, "rings": join(*rings), "cones": cap}
    tall = 0.3 * (1 if kind == 1 else rng.uniform(1.2, 1.6))
    case = superellipsoid(
        (0.3, tall, 0.28), exponent=rng.uniform(2, 2.6), sides=18, rings=11
    )
    ring, cone = driver(0.1, (0, 0, -0.125))
    foot = lathe([(0.11, 0), (0.11, 0.015), (0.03, 0.04), (0.03, 0.1)], sides=14)
    return {
        "case": case,
        "rings": ring,
        "cones": cone,
        "stand": translate(foot, (0, -tall / 2 - 0.06, 0)),
    }


def _sound_bar(rng: np.random.Generator) -> Parts:
    wide, tall, deep = (
        rng.uniform(0.7, 1.0),
        rng.uniform(0.08, 0.12),
        rng.uniform(0.08, 0.13),
    )
    case = extrude(rectangle(deep, tall, 0.02), wide, axis="x", bevel=0.008)
    rings, cones = [], []
    for x in np.linspace(0.12, 0.42, int(rng.integers(2, 4))) * wide:
        ring, cone = driver(tall * 0.38, (x, 0, -deep / 2 + 0.003))
        rings.append(ring)
        cones.append(cone)
    foot = box((0.06, 0.03, deep * 0.8), (wide * 0.38, -tall / 2 - 0.01, 0))
    return {
        "case": case,
        "rings": mirror_pair(join(*rings)),
        "cones": mirror_pair(join(*cones)),
        "stand": mirror_pair(foot),
    }


KINDS = (
    Kind(_box_speaker, 4),
    Kind(_boom_box),
    Kind(_wedge_speaker),
    Kind(_pod_speaker, 1.5),
    Kind(_sound_bar),
    Kind(radios.portable_radio, 2),
    Kind(radios.speaker_set, 1.5),
    Kind(radios.dock),
    Kind(radios.rolled_speaker),
    Kind(radios.cube_speaker, 2),
    Kind(radios.gramophone, held_out=True),
)
"""Loudspeakers of all kinds; gramophones are held out."""
