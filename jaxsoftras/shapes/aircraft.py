"""Airplanes of other outlines: stout, tailless, twin-boomed. The nose is at -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import superellipse
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    lathe,
    stack,
    superellipsoid,
    tube,
    wheel,
)
from jaxsoftras.shapes.wings import jet_engine, propeller, wing


def _body(rng: np.random.Generator, long: float, radius: float) -> Solid:
    """A body of any fullness, blunt or pointed at both ends."""
    t = np.array([0, 0.03, 0.12, 0.3, 0.55, 0.75, 0.9, 1.0])
    nose, tail = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.4)
    full = np.interp(
        t, [0, 0.03, 0.12, 0.3, 1], [nose * 0.7, nose, (1 + nose) / 2, 1, tail]
    )
    full[4] = rng.uniform(0.75, 1)
    full[5:] = np.minimum(full[5:] + rng.uniform(0, 0.15), full[4])
    rise = np.clip(t - 0.5, 0, 1) * radius * rng.uniform(0, 1.4)
    squash, square = rng.uniform(0.8, 1.4), rng.uniform(2, 4)
    rings = [
        superellipse(2 * radius * w, 2 * radius * w * squash, square, 14) + (0, y)
        for w, y in zip(full, rise, strict=True)
    ]
    return stack(rings, (t - 0.5) * long, axis="z")


def stout_airplane(rng: np.random.Generator) -> Parts:
    """A thick body with broad wings; one, two or four propellers, wheels or none."""
    long, radius = rng.uniform(0.75, 1.0), rng.uniform(0.065, 0.14)
    half, chord = rng.uniform(0.4, 0.75), rng.uniform(0.14, 0.3)
    taper, sweep = rng.uniform(0.45, 1.0), rng.uniform(-0.03, 0.1)
    z, rise = -rng.uniform(0.1, 0.28), rng.uniform(-0.02, 0.1)
    levels = [radius * rng.choice([-0.7, 0.0, 0.9])]
    if rng.random() < 0.25:
        levels.append(levels[0] + radius * rng.uniform(1.5, 2.5))
    thick = rng.uniform(0.08, 0.2)
    wings = [
        mirror_pair(
            wing((0, y, z), (half, y + rise, z + sweep), (chord, chord * taper), thick)
        )
        for y in levels
    ]
    tail_z, fin = long * rng.uniform(0.3, 0.38), rng.uniform(0.1, 0.24)
    span, tail_chord = half * rng.uniform(0.3, 0.5), rng.uniform(0.08, 0.18)
    level = fin if rng.random() < 0.25 else radius * 0.4
    ends = (tail_chord, tail_chord * rng.uniform(0.5, 1))
    tail = [
        wing((0, 0.02, tail_z), (0, fin + radius * 0.5, tail_z + 0.06), ends, 0.12),
        mirror_pair(wing((0, level, tail_z), (span, level, tail_z + 0.02), ends, 0.1)),
    ]
    engines = []
    count = int(rng.choice([1, 1, 2, 4]))
    disc = rng.uniform(0.08, 0.2)
    if count == 1:
        engines.append(translate(propeller(rng, disc), (0, 0, -long / 2 - 0.01)))
        cowl = cylinder(radius * rng.uniform(0.7, 1.05), 0.12, sides=12)
        engines.append(translate(rotate(cowl, "x", 90), (0, 0, -long / 2 + 0.01)))
    for k in range(count // 2):
        x = half * (0.28 + 0.3 * k)
        place = np.array([x, levels[0] + rise * x / half, z + 0.03 + sweep * x / half])
        pair = join(
            jet_engine(radius * 0.4, 0.2, place),
            translate(propeller(rng, disc * 0.7), place - (0, 0, 0.11)),
        )
        engines.append(mirror_pair(pair))
    parts = {
        "body": _body(rng, long, radius),
        "wings": join(*wings),
        "tail": join(*tail),
        "engines": join(*engines),
    }
    if rng.random() < 0.6:
        size = rng.uniform(0.03, 0.07)
        place = (rng.uniform(0.08, 0.16), -radius - size, z + 0.05)
        tyre, hub = wheel(size, size * 0.7, place)
        leg = tube([place, (0.03, -radius * 0.3, z + 0.08)], 0.012, sides=5)
        parts["wheels"] = mirror_pair(join(tyre, hub, leg))
    return parts


def delta_airplane(rng: np.random.Generator) -> Parts:
    """A triangular or double-swept wing, one fin or two, with canards or none."""
    long, radius = 1.0, rng.uniform(0.03, 0.07)
    half, start = rng.uniform(0.25, 0.5), rng.uniform(-0.25, 0.0)
    end, tip = rng.uniform(0.32, 0.46), rng.uniform(0.02, 0.12)
    wings = [
        mirror_pair(
            wing((0.02, 0, start), (half, 0, end - tip), (end - start, tip), 0.05)
        )
    ]
    if rng.random() < 0.5:
        wings.append(
            mirror_pair(
                wing(
                    (0.02, 0.01, start - 0.2),
                    (half * 0.4, 0.01, start + 0.2),
                    (0.4, 0.2),
                    0.04,
                )
            )
        )
    if rng.random() < 0.4:
        z = -rng.uniform(0.2, 0.32)
        wings.append(
            mirror_pair(
                wing((0.02, 0.02, z), (half * 0.5, 0.02, z + 0.1), (0.12, 0.04), 0.06)
            )
        )
    tall, sweep = rng.uniform(0.12, 0.24), rng.uniform(0.08, 0.2)
    x = rng.choice([0.0, 0.06, 0.14])
    lean = rng.uniform(0, 0.06) if x else 0.0
    fin = wing((x, 0.01, 0.4 - sweep), (x + lean, tall, 0.42), (0.18, 0.08), 0.06)
    canopy = superellipsoid(
        (0.07, 0.09, 0.22), (0, radius * 0.8, -0.22), sides=10, rings=5
    )
    jets = [
        jet_engine(radius * 0.7, 0.2, (s * radius * 0.8, 0, long * 0.42))
        for s in (-1, 1)
    ]
    return {
        "body": _body(rng, long, radius),
        "wings": join(*wings),
        "tail": mirror_pair(fin) if x else fin,
        "glass": canopy,
        "engines": join(*jets),
    }


def flying_wing(rng: np.random.Generator) -> Parts:
    """A wing without a tail that thickens into a body in the middle."""
    half, root = rng.uniform(0.5, 0.9), rng.uniform(0.35, 0.7)
    sweep, tip = rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.2)
    thick = rng.uniform(0.06, 0.2)
    shell = mirror_pair(
        wing((0, 0, -root / 2), (half, 0.02, -root / 2 + sweep), (root, tip), thick)
    )
    hump = superellipsoid((root * 0.35, root * thick * 1.6, root * 0.8), sides=12)
    parts = {"wings": shell, "body": hump}
    if rng.random() < 0.6:
        x, z = half * 0.95, -root / 2 + sweep
        parts["tail"] = mirror_pair(
            wing((x, 0, z), (x + 0.02, 0.12, z + 0.08), (tip, tip * 0.5), 0.1)
        )
    return parts


def parasol_airplane(rng: np.random.Generator) -> Parts:
    """A frame with a seat below a wide wing, a pushing propeller behind."""
    half, chord = rng.uniform(0.6, 0.9), rng.uniform(0.18, 0.32)
    high, long = rng.uniform(0.14, 0.28), rng.uniform(0.8, 1.0)
    bow = rng.uniform(0.0, 0.12)
    top = mirror_pair(
        wing(
            (0, high, -0.2),
            (half, high - bow, -0.2 + bow),
            (chord, chord * rng.uniform(0.5, 1)),
            0.1,
        )
    )
    boom = tube([(0, 0.02, -0.3), (0, 0.04, long / 2)], (0.03, 0.015), sides=6)
    struts = [
        tube([(0.02, 0, z), (half * 0.35, high, z)], 0.01, sides=5)
        for z in (-0.18, -0.05)
    ]
    pod = superellipsoid((0.12, 0.14, rng.uniform(0.25, 0.4)), (0, 0, -0.22), sides=10)
    z = long / 2 - 0.1
    tail = [wing((0, 0.03, z), (0, 0.17, z + 0.03), (0.12, 0.08), 0.1)]
    tail.append(
        mirror_pair(wing((0, 0.04, z), (0.2, 0.04, z + 0.02), (0.1, 0.08), 0.1))
    )
    return {
        "body": join(boom, pod),
        "wings": join(top, mirror_pair(join(*struts))),
        "tail": join(*tail),
        "engines": translate(propeller(rng, 0.13), (0, high * 0.4, 0.02)),
    }


def twin_boom(rng: np.random.Generator) -> Parts:
    """A pod between two booms that carry the tail."""
    half, chord = rng.uniform(0.5, 0.7), rng.uniform(0.15, 0.22)
    x, z = rng.uniform(0.14, 0.22), 0.38
    span = mirror_pair(
        wing((0, 0.02, -0.15), (half, 0.05, -0.1), (chord, chord * 0.5), 0.12)
    )
    boom = tube(
        [(x, 0, -0.25), (x, 0, 0.1), (x, 0.02, 0.45)], (0.045, 0.035, 0.015), sides=8
    )
    fin = wing((x, 0, z), (x, 0.14, z + 0.04), (0.11, 0.07), 0.1)
    plane = mirror_pair(wing((0, 0.06, z), (x, 0.06, z), (0.09, 0.09), 0.1))
    pod = superellipsoid((0.1, 0.12, rng.uniform(0.4, 0.6)), (0, 0.02, -0.15), sides=12)
    props = mirror_pair(translate(propeller(rng, 0.1), (x, 0, -0.27)))
    gear = box((0.02, 0.1, 0.02), (x, -0.07, -0.1))
    return {
        "body": join(pod, mirror_pair(join(boom, gear))),
        "wings": span,
        "tail": join(plane, mirror_pair(fin)),
        "engines": props,
    }


def rocket_plane(rng: np.random.Generator) -> Parts:
    """A blunt shuttle with short wings and bells behind."""
    radius = rng.uniform(0.09, 0.14)
    profile = [(0.2, 0), (0.6, 0.05), (1, 0.2), (1, 1.0)]
    hull = translate(
        rotate(lathe(np.array(profile) * (radius, 1), sides=14), "x", 90), (0, 0, -0.5)
    )
    wings = mirror_pair(
        wing((0, -radius * 0.8, -0.2), (0.35, -radius * 0.8, 0.3), (0.68, 0.15), 0.05)
    )
    fin = wing((0, radius * 0.8, 0.2), (0, radius + 0.2, 0.42), (0.28, 0.12), 0.08)
    return {
        "body": hull,
        "wings": wings,
        "tail": fin,
        "engines": mirror_pair(jet_engine(0.05, 0.15, (0.06, 0, 0.52))),
    }
