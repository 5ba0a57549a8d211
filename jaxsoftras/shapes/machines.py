"""Tractors, karts, lorries and blocky vehicles. Units are metres; the front is -z."""

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
from jaxsoftras.shapes.plates import plate
from jaxsoftras.shapes.solids import beam, box, cylinder, tapered_box, tube, wheel


def _wheels(places: list[tuple[float, float, float, float]]) -> tuple[Solid, Solid]:
    """Wheels and hubs on both sides, from (x, z, radius, width) of each pair."""
    made = [wheel(r, w, (x, r, z)) for x, z, r, w in places]
    tyres, hubs = zip(*made, strict=True)
    return mirror_pair(join(*tyres)), mirror_pair(join(*hubs))


def tractor(rng: np.random.Generator) -> Parts:
    """A bonnet, a cabin or a bare seat, and large wheels behind."""
    long, width = rng.uniform(2.8, 3.8), rng.uniform(1.5, 2.1)
    rear, front = rng.uniform(0.6, 0.95), rng.uniform(0.35, 0.6)
    z_rear, z_front = long * 0.28, -long * 0.34
    thick = rng.uniform(0.25, 0.5)
    bonnet = box((0.7, 0.75, long * 0.55), (0, 1.15, -long * 0.2), bevel=0.08)
    body = [bonnet, box((0.8, 0.5, long * 0.35), (0, 0.9, long * 0.2))]
    fender = box((0.5, 0.08, rear * 1.4), (width * 0.42, 2 * rear + 0.06, z_rear))
    body.append(mirror_pair(fender))
    parts = {}
    if rng.random() < 0.7:
        tall = rng.uniform(0.9, 1.3)
        ends = (width * 0.7, 1.2), (width * 0.62, 1.0)
        parts["glass"] = tapered_box(*ends, tall, (0, 1.3, long * 0.18))
        body.append(box((width * 0.75, 0.12, 1.25), (0, 1.35 + tall, long * 0.18)))
    else:
        body.append(box((0.5, 0.5, 0.15), (0, 1.5, long * 0.28)))
    body.append(
        tube([(0.2, 1.4, -long * 0.25), (0.2, 2.2, -long * 0.25)], 0.06, sides=6)
    )
    if rng.random() < 0.35:
        blade = tapered_box(
            (width * 1.1, 0.3), (width * 1.1, 0.1), 0.7, (0, 0.2, -long * 0.62)
        )
        arm = beam((0.4, 0.9, -0.2), (0.4, 0.4, -long * 0.6), 0.12, 0.2)
        body += [blade, mirror_pair(arm)]
    x = width / 2 - thick / 2
    tyres, hubs = _wheels(
        [(x, z_rear, rear, thick), (x * 0.85, z_front, front, thick * 0.7)]
    )
    return {"body": join(*body), "wheels": tyres, "hubs": hubs} | parts


def block_truck(rng: np.random.Generator) -> Parts:
    """Straight lines: a bonnet or a flat front, a cabin, a box or a bed behind it."""
    long, width = rng.uniform(3.6, 9), rng.uniform(1.8, 2.6)
    radius, floor = rng.uniform(0.35, 0.55), rng.uniform(0.35, 0.7)
    belt, roof = rng.uniform(1.0, 1.6), rng.uniform(1.7, 2.9)
    nose = rng.choice([0.02, rng.uniform(0.15, 0.3)])
    f = -long / 2
    cab = rng.uniform(0.2, 0.35)
    slope = rng.uniform(0.01, 0.06)
    kind = rng.integers(3)
    end = f + long * (nose + cab) if kind else long / 2
    outline = [(f, floor), (end, floor), (end, roof), (f + long * (nose + slope), roof)]
    outline += [(f + long * nose, belt), (f, belt - 0.1)]
    body = [plate(outline, width)]
    rest = long / 2 - end
    middle = (end + long / 2) / 2
    if kind == 1:
        high = rng.uniform(0.9, 1.5) * roof
        body.append(
            box((width * 1.02, high - floor, rest), (0, (high + floor) / 2, middle))
        )
    elif kind == 2:
        body.append(box((width, 0.2, rest + 0.2), (0, floor + 0.1, middle)))
        wall = box(
            (0.08, belt - floor, rest), (width / 2 - 0.04, (belt + floor) / 2, middle)
        )
        gate = box(
            (width, belt - floor, 0.08), (0, (belt + floor) / 2, long / 2 - 0.04)
        )
        body += [mirror_pair(wall), gate]
    places = [-0.34 * long, 0.32 * long]
    if long > 6.5:
        places.append(0.32 * long - 2.2 * radius)
    width_of = rng.uniform(0.2, 0.35)
    x = width / 2 - width_of / 2 + 0.02
    tyres, hubs = _wheels([(x, z, radius, width_of) for z in places])
    z = f + long * (nose + slope * 0.5)
    screen = box((width * 0.85, (roof - belt) * 0.75, 0.08), (0, (roof + belt) / 2, z))
    bar = box((width * 0.98, 0.2, 0.15), (0, floor + 0.1, f))
    return {
        "body": join(*body),
        "glass": screen,
        "wheels": tyres,
        "hubs": hubs,
        "trim": bar,
    }


def kart(rng: np.random.Generator) -> Parts:
    """A low frame with a seat and four free wheels, with a roll cage or an engine."""
    long, width = rng.uniform(1.8, 3.2), rng.uniform(1.2, 2.0)
    radius, thick = rng.uniform(0.22, 0.5), rng.uniform(0.2, 0.5)
    floor = radius * 0.7
    tray = box((width * 0.5, 0.15, long * 0.85), (0, floor, 0), bevel=0.03)
    seat = box((0.5, 0.55, 0.14), (0, floor + 0.35, long * 0.12), bevel=0.03)
    body = [tray, seat, box((width * 0.6, 0.4, 0.5), (0, floor + 0.2, long * 0.33))]
    nose = tapered_box(
        (width * 0.5, 0.7), (width * 0.3, 0.3), 0.35, (0, floor, -long * 0.33)
    )
    body.append(nose)
    if rng.random() < 0.6:
        high = rng.uniform(1.0, 1.6)
        x = width * 0.28
        cage = [
            (x, floor, -long * 0.2),
            (x, floor + high, 0),
            (x, floor + high, long * 0.2),
        ]
        cage.append((x, floor, long * 0.42))
        bars = [
            beam((-x, floor + high, z), (x, floor + high, z), 0.06, 0.06)
            for z in (0, long * 0.2)
        ]
        body += [mirror_pair(tube(cage, 0.04, sides=6)), *bars]
    tyres, hubs = _wheels([(width / 2, z * long, radius, thick) for z in (-0.34, 0.34)])
    axles = [
        beam((-width / 2, radius, z * long), (width / 2, radius, z * long), 0.08, 0.08)
        for z in (-0.34, 0.34)
    ]
    return {"body": join(*body), "wheels": tyres, "hubs": join(hubs, *axles)}


def toy_car(rng: np.random.Generator) -> Parts:
    """A short, tall, rounded car as in cartoons, some with a roof load."""
    long, width = rng.uniform(2.4, 3.8), rng.uniform(1.5, 2.1)
    radius, floor = rng.uniform(0.3, 0.55), rng.uniform(0.25, 0.45)
    belt, roof = rng.uniform(0.9, 1.2), rng.uniform(1.5, 2.1)
    f, r = -long / 2, long / 2
    shell = [(f, floor), (r, floor), (r, belt - 0.1), (r - 0.2, belt)]
    shell += [(f + 0.3, belt - rng.uniform(0, 0.25)), (f, belt - 0.4)]
    start, end = f + long * rng.uniform(0.1, 0.35), r - long * rng.uniform(0.02, 0.3)
    ends = (
        (width * 0.92, end - start),
        (width * rng.uniform(0.6, 0.85), (end - start) * 0.65),
    )
    cabin = tapered_box(*ends, roof - belt + 0.1, (0, belt - 0.1, (start + end) / 2))
    top = box(
        (ends[1][0] * 1.04, 0.1, ends[1][1] * 1.04),
        (0, roof, (start + end) / 2),
        bevel=0.03,
    )
    body = [plate(shell, width), top]
    if rng.random() < 0.25:
        body.append(box((width * 0.5, 0.2, 0.4), (0, roof + 0.12, (start + end) / 2)))
    thick = rng.uniform(0.2, 0.35)
    x = width / 2 - thick * 0.35
    tyres, hubs = _wheels([(x, z * long, radius, thick) for z in (-0.31, 0.31)])
    lamp = rotate(cylinder(0.14, 0.12, sides=10), "x", -90)
    lights = mirror_pair(translate(lamp, (width * 0.33, belt - 0.35, f + 0.05)))
    return {
        "body": join(*body),
        "glass": cabin,
        "wheels": tyres,
        "hubs": hubs,
        "lights": lights,
    }


def vintage_car(rng: np.random.Generator) -> Parts:
    """A narrow bonnet, free mudguards, running boards and an upright cabin."""
    long, width = rng.uniform(3.2, 4.4), rng.uniform(1.4, 1.7)
    radius, wide = rng.uniform(0.34, 0.42), rng.uniform(0.75, 1.0)
    f = -long / 2
    bonnet = box((wide * 0.75, 0.6, long * 0.4), (0, 0.8, f + long * 0.25), bevel=0.08)
    tub = box((wide * 1.2, 0.6, long * 0.5), (0, 0.8, long * 0.15), bevel=0.05)
    tall = rng.uniform(0.6, 0.9)
    cabin = tapered_box(
        (wide * 1.15, long * 0.42),
        (wide * 1.05, long * 0.38),
        tall,
        (0, 1.05, long * 0.14),
    )
    roof = box(
        (wide * 1.15, 0.08, long * 0.42), (0, 1.07 + tall, long * 0.14), bevel=0.02
    )
    guards = []
    for z in (f + radius + 0.1, long / 2 - radius - 0.1):
        t = np.linspace(0.1, np.pi - 0.1, 7)
        arc = np.stack(
            [
                0 * t + width * 0.42,
                radius + np.sin(t) * radius * 1.25,
                z + np.cos(t) * radius * 1.3,
            ],
            -1,
        )
        guards.append(tube(arc, 0.1, sides=6))
    board = box((0.25, 0.06, long * 0.4), (width * 0.42, 0.4, 0))
    x = width * 0.42
    tyres, hubs = _wheels(
        [(x, z, radius, 0.16) for z in (f + radius + 0.1, long / 2 - radius - 0.1)]
    )
    return {
        "body": join(bonnet, tub, roof, mirror_pair(join(board, *guards))),
        "glass": cabin,
        "wheels": tyres,
        "hubs": hubs,
    }
