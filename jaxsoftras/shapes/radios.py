"""Radios, speaker sets, docks and horns. Units are metres; the front is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.drivers import driver
from jaxsoftras.shapes.placement import Parts, join, mirror_pair, rotate, translate
from jaxsoftras.shapes.polygons import superellipse
from jaxsoftras.shapes.solids import box, cylinder, extrude, lathe, superellipsoid, tube


def portable_radio(rng: np.random.Generator) -> Parts:
    """A case with a handle, an aerial or both, and one driver or two."""
    wide = rng.uniform(0.25, 0.5)
    tall, deep = wide * rng.uniform(0.4, 0.85), wide * rng.uniform(0.15, 0.45)
    if rng.random() < 0.4:
        case = superellipsoid((wide, tall, deep), exponent=rng.uniform(3, 8), sides=16)
    else:
        outline = superellipse(wide, tall, rng.choice([4.0, 8.0, 30.0]), 24)
        case = extrude(outline, deep, axis="z")
    z = -deep / 2 + 0.003
    radius = min(tall, wide / 2) * rng.uniform(0.25, 0.42)
    x = wide * 0.25 if rng.random() < 0.6 else 0.0
    ring, cone = driver(radius, (x, -tall * 0.05, z))
    rings, cones = (mirror_pair(p) if x else p for p in (ring, cone))
    keys = box((wide * 0.4, tall * 0.12, 0.02), (0, tall * 0.36, z))
    parts = {"case": case, "rings": rings, "cones": cones, "keys": keys}
    if rng.random() < 0.6:
        half, rise = wide * rng.uniform(0.3, 0.46), rng.uniform(0.03, 0.12)
        path = [(-half, tall * 0.4, 0), (-half, tall / 2 + rise, 0)]
        path += [(half, tall / 2 + rise, 0), (half, tall * 0.4, 0)]
        parts["handle"] = tube(path, 0.012, sides=6)
    if rng.random() < 0.5:
        lean = rng.uniform(-0.1, 0.2)
        path = [
            (wide * 0.42, tall * 0.4, 0),
            (wide * 0.42 + lean, tall / 2 + rng.uniform(0.15, 0.4), 0),
        ]
        parts["aerial"] = tube(path, 0.006, sides=5)
    return parts


def speaker_set(rng: np.random.Generator) -> Parts:
    """Boxes side by side: two of a pair, or a player between them."""
    wide, tall = rng.uniform(0.12, 0.25), rng.uniform(0.18, 0.4)
    deep, gap = rng.uniform(0.12, 0.25), rng.uniform(0.0, 0.12)
    middle = rng.choice([0.0, rng.uniform(0.15, 0.35)])
    x = wide / 2 + middle / 2 + gap + 0.01
    cases = [mirror_pair(box((wide, tall, deep), (x, tall / 2, 0), bevel=0.008))]
    if middle:
        high = tall * rng.uniform(0.4, 1.05)
        cases.append(box((middle, high, deep * 0.95), (0, high / 2, 0), bevel=0.008))
    else:
        cases.append(box((2 * x, 0.02, 0.04), (0, 0.01, deep * 0.3)))
    size = wide * rng.uniform(0.3, 0.45)
    made = [
        driver(size, (x, tall * 0.35, -deep / 2)),
        driver(size * 0.5, (x, tall * 0.75, -deep / 2)),
    ]
    rings, cones = (mirror_pair(join(*p)) for p in zip(*made, strict=True))
    return {"case": join(*cases), "rings": rings, "cones": cones}


def dock(rng: np.random.Generator) -> Parts:
    """A low body with a player standing upright on it."""
    wide, deep = rng.uniform(0.25, 0.45), rng.uniform(0.12, 0.25)
    tall = rng.uniform(0.06, 0.16)
    plan = superellipse(wide, deep, rng.uniform(2.2, 6), 24)
    body = extrude(plan, tall, bevel=0.01, center=(0, tall / 2, 0))
    rise = rng.uniform(0.08, 0.16)
    player = rotate(
        box((rise * 0.6, rise, 0.015), (0, rise / 2, 0), bevel=0.003),
        "x",
        rng.uniform(0, 20),
    )
    ring, cone = driver(tall * 0.4, (wide * 0.28, tall / 2, -deep * 0.46))
    return {
        "case": body,
        "screen": translate(player, (0, tall - 0.01, 0)),
        "rings": mirror_pair(ring),
        "cones": mirror_pair(cone),
    }


def rolled_speaker(rng: np.random.Generator) -> Parts:
    """A cylinder that lies on its side, with drivers at its ends and a strap."""
    radius, long = rng.uniform(0.05, 0.12), rng.uniform(0.25, 0.6)
    half = long / 2
    shape = [(0.8, -half), (1.0, -half * 0.93), (1.0, half * 0.93), (0.8, half)]
    body = rotate(lathe(np.array(shape) * (radius, 1), sides=18), "z", 90)
    ends = rotate(
        cylinder(radius * 0.7, long + 0.02, (0, -half - 0.01, 0), sides=14), "z", 90
    )
    parts = {"case": body, "cones": ends}
    drop = radius * rng.uniform(0.8, 1.3)
    x = half * rng.uniform(0.3, 0.9)
    if rng.random() < 0.5:
        path = [
            (-x, 0, 0),
            (-x, radius + drop * 0.5, 0),
            (x, radius + drop * 0.5, 0),
            (x, 0, 0),
        ]
        parts["handle"] = tube(path, 0.012, sides=6)
    else:
        foot = box((0.05, drop, radius * 1.4), (x, -drop / 2 - 0.2 * radius, 0))
        parts["stand"] = mirror_pair(foot)
    return parts


def cube_speaker(rng: np.random.Generator) -> Parts:
    """A plain box of any proportions with one large driver, or a grille."""
    wide, tall, deep = rng.uniform(0.25, 0.6, 3) * (1, rng.uniform(0.8, 2.2), 1)
    case = box((wide, tall, deep), bevel=rng.choice([0.004, 0.03]))
    z = -deep / 2
    if rng.random() < 0.4:
        grille = box((wide * 0.92, tall * 0.94, 0.03), (0, 0, z), bevel=0.006)
        badge = box((wide * 0.2, 0.02, 0.01), (0, -tall * 0.4, z - 0.016))
        return {"case": case, "cones": grille, "keys": badge}
    made = [driver(wide * rng.uniform(0.3, 0.45), (0, -tall * 0.15, z))]
    if tall > wide * 1.2:
        made.append(driver(wide * 0.25, (0, tall * 0.33, z)))
    rings, cones = (join(*p) for p in zip(*made, strict=True))
    return {"case": case, "rings": rings, "cones": cones}


def gramophone(rng: np.random.Generator) -> Parts:
    """A box with a turntable and a wide horn above it."""
    side, radius = rng.uniform(0.3, 0.4), rng.uniform(0.2, 0.32)
    case = box((side, 0.16, side), (0, 0.08, 0), bevel=0.015)
    t = np.linspace(0, 1, 7)
    horn = lathe(np.stack([0.02 + radius * t**2.2, 0.5 * t], -1), sides=16)
    horn = translate(rotate(horn, "x", -rng.uniform(40, 70)), (0, 0.3, side * 0.35))
    arm = tube(
        [(0, 0.14, side * 0.4), (0, 0.3, side * 0.42), (0, 0.31, side * 0.33)],
        0.02,
        sides=6,
    )
    plate = cylinder(side * 0.4, 0.02, (0, 0.155, -0.02), sides=18)
    return {"case": case, "horn": horn, "rings": plate, "stand": arm}
