"""Lamps that hang or sit below a ceiling or on a wall. Units are metres."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    radial_copies,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.shades import shade
from jaxsoftras.shapes.solids import (
    beam,
    box,
    cylinder,
    extrude,
    lathe,
    stack,
    superellipsoid,
    tube,
)


def flush_lamp(rng: np.random.Generator) -> Parts:
    """A disc, a bowl, a drum or a panel directly below the ceiling."""
    wide = rng.uniform(0.2, 0.6)
    tall = wide * rng.uniform(0.12, 0.9)
    sides = int(rng.choice([4, 6, 8, 12, 20]))
    kind = rng.integers(4)
    if kind == 0:
        angles = np.linspace(0, np.pi / 2, 6)
        profile = np.stack([np.sin(angles), -np.cos(angles)], -1)
    elif kind == 1:
        profile = np.array([(0.9, -1), (1, -0.9), (1, -0.1), (0.9, 0)])
    elif kind == 2:
        profile = np.array([(rng.uniform(0.3, 0.7), -1), (1, 0)])
    else:
        step = rng.uniform(0.4, 0.8)
        profile = np.array([(step, -1), (step, -0.5), (1, -0.5), (1, 0)])
    glass = lathe(profile * (wide, tall), sides=sides)
    rim = cylinder(wide * rng.uniform(0.5, 1.08), tall * 0.12, sides=sides)
    return {
        "shade": rotate(glass, "y", 180 / sides),
        "base": rotate(rim, "y", 180 / sides),
    }


def solid_pendant(rng: np.random.Generator) -> Parts:
    """A ball, a cube, a cylinder or a cone on a rod below a canopy."""
    size = rng.uniform(0.1, 0.3)
    cord = rng.uniform(0.1, 0.8)
    kind = rng.integers(4)
    if kind == 0:
        body = superellipsoid(
            (2 * size, 2 * size * rng.uniform(0.6, 1.4), 2 * size),
            exponent=rng.uniform(1.8, 3),
        )
    elif kind == 1:
        body = box((2 * size, 2 * size * rng.uniform(0.5, 1.3), 2 * size))
    elif kind == 2:
        sides = int(rng.choice([5, 8, 14]))
        ends = rng.uniform(0.4, 1, 2) * size
        body = lathe([(ends[0], -size), (size, 0), (ends[1], size)], sides=sides)
    else:
        waist = rng.uniform(0.3, 0.8, 4) * size
        levels = np.linspace(-size, size, 4) * rng.uniform(0.8, 1.8)
        body = lathe(np.stack([waist, levels], -1), sides=12)
    top = body.vertices[:, 1].max()
    disc = rng.uniform(0.05, 0.2)
    canopy = cylinder(disc, rng.uniform(0.02, 0.06), (0, top + cord, 0), sides=14)
    rod = cylinder(rng.uniform(0.006, 0.02), cord + 0.04, (0, top - 0.03, 0), sides=6)
    return {"shade": body, "rod": rod, "base": canopy}


def cage_pendant(rng: np.random.Generator) -> Parts:
    """Wires along the edges of a cube, a prism or a double cone around a bulb."""
    size, wire = rng.uniform(0.12, 0.3), rng.uniform(0.006, 0.014)
    sides = int(rng.integers(3, 8))
    angles = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([np.cos(angles), 0 * angles, np.sin(angles)], -1) * size
    after = np.roll(ring, -1, 0)
    up = np.array([0, size * rng.uniform(0.5, 1.2), 0])
    edges = []
    if rng.random() < 0.5:
        for p, q in zip(ring, after, strict=True):
            edges += [(p - up, q - up), (p + up, q + up), (p - up, p + up)]
    else:
        for p, q in zip(ring, after, strict=True):
            edges += [(p, q), (p, up * 1.2), (p, -up * 1.2)]
    wires = join(*(tube(edge, wire, sides=4) for edge in edges))
    cord = rng.uniform(0.1, 0.6)
    rod = cylinder(wire, cord + size, (0, 0, 0), sides=5)
    bulb = superellipsoid((size * 0.5, size * 0.7, size * 0.5), sides=8, rings=5)
    canopy = cylinder(rng.uniform(0.05, 0.12), 0.03, (0, cord + size, 0), sides=12)
    if rng.random() < 0.4:
        wires = rotate(rotate(wires, "x", rng.uniform(10, 50)), "y", rng.uniform(0, 90))
    return {"shade": wires, "rod": rod, "bulb": bulb, "base": canopy}


def pendant_group(rng: np.random.Generator) -> Parts:
    """Several shades below one bar or disc, at one height or at different ones."""
    count, radius = int(rng.integers(2, 5)), rng.uniform(0.06, 0.14)
    one = shade(rng, radius, sides=10)
    top = one.vertices[:, 1].max()
    spread = radius * rng.uniform(2.2, 3)
    if rng.random() < 0.5:
        places = [((k - (count - 1) / 2) * spread, 0.0) for k in range(count)]
        bar = box((spread * count, 0.03, 0.08), (0, 0, 0))
    else:
        turns = 2 * np.pi * np.arange(count) / count
        places = list(zip(spread * np.cos(turns), spread * np.sin(turns), strict=True))
        bar = cylinder(spread * 1.1, 0.03, sides=16)
    drop = rng.uniform(0.15, 0.6)
    uneven = rng.choice([0.0, 0.25])
    shades, cords = [], []
    for x, z in places:
        low = -drop - rng.uniform(0, uneven)
        shades.append(translate(one, (x, low - top, z)))
        cords.append(tube([(x, 0, z), (x, low, z)], 0.008, sides=5))
    return {"base": bar, "rod": join(*cords), "shade": join(*shades)}


def tiered_chandelier(rng: np.random.Generator) -> Parts:
    """Rings of lights in tiers around a stem, or hoops with drops."""
    tiers = int(rng.integers(1, 4))
    stem = rng.uniform(0.4, 0.9)
    lights, arms = [], []
    for k in range(tiers):
        reach = rng.uniform(0.2, 0.5) * (1 - 0.25 * k)
        y = 0.18 * k
        count = int(rng.integers(4, 8))
        bend = rng.uniform(-0.12, 0.1)
        path = [(0, y, 0), (reach * 0.5, y + bend, 0), (reach, y, 0)]
        arms.append(radial_copies(tube(path, 0.014, sides=5), count))
        size = rng.uniform(0.04, 0.11)
        light = superellipsoid(
            (size, size * rng.uniform(0.8, 2.5), size), sides=6, rings=5
        )
        lights.append(
            radial_copies(translate(light, (reach, y + size * 0.4, 0)), count)
        )
    drop = superellipsoid((0.12, 0.16, 0.12), (0, -0.04, 0), sides=10, rings=5)
    rod = cylinder(0.018, stem, sides=8)
    canopy = cylinder(0.07, 0.04, (0, stem, 0), top_radius=0.09, sides=12)
    return {"base": join(drop, canopy), "rod": join(rod, *arms), "shade": join(*lights)}


def tube_light(rng: np.random.Generator) -> Parts:
    """A long fluorescent tube in its tray, below the ceiling or on a wall."""
    long, wide = rng.uniform(0.6, 1.4), rng.uniform(0.08, 0.25)
    tray = stack(
        [rectangle(long, wide), rectangle(long * 0.97, wide * 0.6)], [0, wide * 0.4]
    )
    lights = [
        rotate(
            cylinder(wide * 0.14, long * 0.95, (0, -long * 0.475, 0), sides=10), "z", 90
        )
        for _ in range(2)
    ]
    gap = wide * 0.22
    pair = [
        translate(light, (0, -wide * 0.1, s * gap))
        for light, s in zip(lights, (-1, 1), strict=True)
    ]
    parts = {"base": tray, "shade": join(*pair)}
    if rng.random() < 0.4:
        cord = tube([(long * 0.4, wide * 0.3, 0), (long * 0.4, 0.5, 0)], 0.008, sides=5)
        parts["rod"] = join(cord, translate(cord, (-long * 0.8, 0, 0)))
    return parts if rng.random() < 0.7 else _turned(parts)


def _turned(parts: Parts) -> Parts:
    return {name: rotate(solid, "y", 90) for name, solid in parts.items()}


def wall_lamp(rng: np.random.Generator) -> Parts:
    """A plate on the wall behind, an arm and a shade, or a shell on the plate."""
    plate = box((0.1, rng.uniform(0.12, 0.35), 0.02), (0, 0, 0.25))
    if rng.random() < 0.35:
        outline = [(-0.2, 0.14), (0.24, 0.14), (0.24, -0.12), (0.1, -0.12)]
        shell = extrude(outline, rng.uniform(0.15, 0.6), axis="x")
        return {"base": plate, "shade": shell}
    reach = rng.uniform(0.0, 0.2)
    path = [(0, 0, 0.25), (0, -0.04, 0.1), (0, 0, -reach), (0, 0.06, -reach)]
    one = translate(shade(rng, rng.uniform(0.08, 0.16)), (0, 0.03, -reach))
    return {"base": plate, "rod": tube(path, 0.014, sides=6), "shade": one}


def ceiling_fan(rng: np.random.Generator) -> Parts:
    """Blades around a hub with a light below."""
    reach = rng.uniform(0.4, 0.65)
    blade = box((reach, 0.015, rng.uniform(0.1, 0.16)), (reach / 2 + 0.08, 0, 0))
    blades = radial_copies(
        rotate(blade, "x", rng.uniform(5, 15)), int(rng.integers(3, 6))
    )
    hub = lathe(
        [(0.08, -0.06), (0.12, 0), (0.1, 0.08), (0.03, 0.1), (0.03, 0.3)], sides=12
    )
    light = translate(flush_lamp(rng)["shade"], (0, -0.05, 0))
    small = light.vertices * (0.35, 0.5, 0.35)
    arm = beam((0, -0.05, 0), (0, 0.02, 0), 0.06, 0.06)
    return {
        "base": join(hub, arm),
        "blades": blades,
        "shade": light._replace(vertices=small),
    }


def lantern(rng: np.random.Generator) -> Parts:
    """A glass body in a frame with a roof, hanging or standing."""
    wide, tall = rng.uniform(0.1, 0.25), rng.uniform(0.15, 0.45)
    sides = int(rng.choice([4, 6, 8]))
    foot = rng.uniform(0.6, 1.0)
    body = lathe([(wide * foot, 0), (wide, tall)], sides=sides)
    eaves = wide * rng.uniform(1.1, 1.6)
    roof = lathe(
        [(eaves, tall - 0.01), (eaves * 0.9, tall + 0.04), (0.03, tall + wide)],
        sides=sides,
    )
    floor = cylinder(wide * foot * 1.2, 0.04, (0, -0.03, 0), sides=sides)
    parts: dict[str, Solid] = {"shade": body, "base": join(roof, floor)}
    if rng.random() < 0.4:  # a stone lantern on a pillar
        high = rng.uniform(0.1, 0.5)
        pillar = [(wide * 1.3, -high - 0.1), (wide * 0.6, -high), (wide * 0.5, -0.1)]
        parts["stand"] = lathe([*pillar, (wide * 1.2, 0)], sides=sides)
    else:
        ring = lathe(
            [(0.03, 0), (0.045, 0), (0.045, 0.015), (0.03, 0.015)], closed=True
        )
        parts["rod"] = translate(rotate(ring, "x", 90), (0, tall + wide + 0.03, 0))
    return parts
