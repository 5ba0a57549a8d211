"""Cars and lorries. Units are metres; the road is y = 0, the front -z."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes import machines
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
    inset,
    rectangle,
    superellipse,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    cylinder,
    stack,
    superellipsoid,
    tapered_box,
    tube,
    wheel,
)


def _car_body(profile: ArrayLike, width: float) -> Solid:
    """A body with the given side profile in (z, y), its sides rounded inwards."""
    outline = np.asarray(profile, float)
    rounded = [(0.5, 0.08), (0.47, 0.03), (0.4, 0.0)]
    rings = [inset(outline, depth) for _, depth in rounded]
    offsets = [width * x for x, _ in rounded]
    return stack(
        [*rings, *rings[::-1]], [*offsets, *(-x for x in offsets[::-1])], axis="x"
    )


def _cabin(
    ends: ArrayLike, low: float, high: float, width: float
) -> tuple[Solid, Solid]:
    """Windows and roof of a car.

    Args:
        ends: z of the lower front, upper front, upper rear and lower rear edges.
        low: y of the lower edges.
        high: y of the upper edges.
        width: width of the windows at the lower edges.

    Returns:
        The windows and the roof.
    """
    front, top_front, top_rear, rear = np.asarray(ends, float)
    rings = []
    for z0, z1, wide in ((front, rear, width), (top_front, top_rear, width * 0.8)):
        corner = min(0.12, 0.4 * (z1 - z0))
        rings.append(rectangle(wide, z1 - z0, corner) + (0, (z0 + z1) / 2))
    glass = stack(rings, [low, high])
    roof_rings = [rings[1] * (1.03, 1), inset(rings[1] * (1.03, 1), 0.4 * corner)]
    roof = stack([roof_rings[0], *roof_rings], [high - 0.06, high, high + 0.05])
    return glass, roof


def _racing_car(rng: np.random.Generator) -> Parts:
    long = rng.uniform(4.2, 4.8)
    z = np.array([-0.5, -0.3, -0.1, 0.15, 0.35, 0.5]) * long
    widths, heights = (
        [0.25, 0.4, 0.65, 0.7, 0.5, 0.3],
        [0.15, 0.3, 0.5, 0.65, 0.45, 0.3],
    )
    rings = [
        superellipse(w, h, 3.0, 12) + (0, 0.2 + h / 2)
        for w, h in zip(widths, heights, strict=True)
    ]
    pod = box((0.4, 0.35, 1.5), (0.5, 0.35, 0.35), bevel=0.08)
    intake = tapered_box((0.35, 0.9), (0.2, 0.3), 0.4, (0, 0.75, 0.7), shift=(0, -0.2))
    front = box((1.7, 0.05, 0.45), (0, 0.2, -long / 2 + 0.1))
    plates = mirror_pair(box((0.05, 0.25, 0.5), (0.85, 0.28, -long / 2 + 0.1)))
    rear = box((1.2, 0.06, 0.4), (0, 0.95, long / 2 - 0.1))
    posts = mirror_pair(box((0.05, 0.75, 0.45), (0.6, 0.65, long / 2 - 0.1)))
    tyres, hubs = [], []
    for x, z_wheel in ((0.75, -0.3 * long), (0.75, 0.33 * long)):
        tyre, hub = wheel(0.34, 0.35, (x, 0.34, z_wheel))
        axle = beam((0, 0.34, z_wheel), (x, 0.34, z_wheel), 0.06, 0.06)
        tyres.append(mirror_pair(tyre))
        hubs.append(mirror_pair(join(hub, axle)))
    head = superellipsoid((0.3, 0.3, 0.35), (0, 0.78, 0.15), sides=10, rings=7)
    return {
        "body": join(stack(rings, z, axis="z"), mirror_pair(pod), intake),
        "wings": join(front, plates, rear, posts),
        "wheels": join(*tyres),
        "hubs": join(*hubs),
        "glass": head,
    }


# Edges of the windows as fractions of the length from the front: lower front (random if
# None), upper front, upper rear and lower rear; then the height of the windows.
_BODIES = {
    "saloon": (None, 0.38, 0.68, 0.84, 0.5),
    "hatchback": (None, 0.36, 0.82, 0.96, 0.52),
    "coupe": (None, 0.42, 0.62, 0.92, 0.38),
    "estate": (None, 0.36, 0.9, 0.97, 0.52),
    "van": (0.1, 0.2, 0.96, 0.98, 0.9),
    "pickup": (None, 0.36, 0.54, 0.57, 0.58),
    "lorry": (0.02, 0.1, 0.24, 0.25, 1.0),
    "open": (None, 0.36, 0.38, 0.42, 0.36),
    "bus": (0.01, 0.03, 0.98, 0.99, 1.4),
}
_FREQUENT = ["saloon", "hatchback", "coupe", "estate", "van"]


def _profile(
    rng: np.random.Generator,
    kind: str,
    long: float,
    floor: float,
    belt: float,
    foot: float,
) -> list[tuple[float, float]]:
    """Side profile in (z, y) below the windows; the windscreen begins at z ``foot``."""
    f, r = -long / 2, long / 2
    if kind == "lorry":
        cut = f + 0.27 * long
        return [(f, floor), (cut, floor), (cut, belt), (f + 0.04, belt)]
    if kind == "bus":
        return [(f, floor), (r, floor), (r, belt), (f, belt)]
    hood = belt - rng.uniform(0.08, 0.2)
    tail = belt - rng.uniform(0.0, 0.08)
    rear = [(r - 0.06, floor), (r, floor + 0.25), (r - 0.04, tail)]
    top = [(foot + 0.25, belt), (foot - 0.05, belt - 0.02), (f + 0.12, hood)]
    return [(f + 0.06, floor), *rear, *top, (f, hood - 0.2), (f - 0.02, floor + 0.2)]


def _lorry_load(
    rng: np.random.Generator, long: float, width: float, floor: float
) -> Solid:
    """A chassis with a box or a tank on it."""
    start, tall = -0.21 * long, rng.uniform(1.6, 2.2)
    reach = long / 2 - start
    chassis = box((width * 0.5, 0.25, long * 0.8), (0, floor + 0.25, long * 0.08))
    if rng.random() < 0.3:
        tank = rotate(cylinder(tall * 0.5, reach, sides=16), "x", 90)
        return join(chassis, translate(tank, (0, floor + 0.3 + tall / 2, start)))
    place = (0, floor + 0.35 + tall / 2, start + reach / 2)
    return join(chassis, box((width * 1.05, tall, reach), place))


def _tray(long: float, width: float, belt: float) -> Solid:
    """The walls around the load of a pickup."""
    start, end = 0.1 * long, long / 2 - 0.1
    size, middle = (0.08, 0.3, end - start), (start + end) / 2
    side = mirror_pair(box(size, (width * 0.42, belt + 0.05, middle)))
    gate = box((width * 0.84, 0.3, 0.08), (0, belt + 0.05, 0))
    return join(side, *(translate(gate, (0, 0, z)) for z in (start, end - 0.02)))


def _panel_sides(long: float, width: float, belt: float, high: float) -> Solid:
    """Panels that cover the rear windows of a van."""
    start, end = -0.08 * long, long / 2 - 0.06
    size = (width * 0.91, high + 0.06, end - start)
    return box(size, (0, belt - 0.05 + size[1] / 2, (start + end) / 2), bevel=0.05)


def _roof_rails(long: float, width: float, roof: float) -> Solid:
    x, z0, z1 = width * 0.3, -0.05 * long, 0.4 * long
    rail = tube([(x, roof + 0.1, z0), (x, roof + 0.1, z1)], 0.035, sides=6)
    posts = [box((0.05, 0.12, 0.05), (x, roof + 0.05, z)) for z in (z0, z1)]
    return mirror_pair(join(rail, *posts))


def _spoiler(long: float, width: float, belt: float) -> Solid:
    z = long / 2 - 0.2
    stand = box((0.06, 0.28, 0.15), (width * 0.3, belt + 0.06, z))
    return join(box((width * 0.85, 0.05, 0.25), (0, belt + 0.2, z)), mirror_pair(stand))


def _car(rng: np.random.Generator) -> Parts:
    """Saloons, hatchbacks, estates, vans, pickups, lorries, buses and open cars."""
    kind = str(rng.choice([*_FREQUENT, *_BODIES]))
    big = kind in ("van", "bus", "lorry")
    stout = big or kind == "pickup"
    long = rng.uniform(6, 8.5) if kind in ("lorry", "bus") else rng.uniform(3.8, 4.8)
    width = rng.uniform(1.7, 1.9) + 0.3 * big
    radius = rng.uniform(0.31, 0.37) + 0.08 * stout
    floor, belt = radius * 0.62, rng.uniform(0.85, 0.98) + 0.15 * stout
    *fractions, high = _BODIES[kind]
    fractions[0] = fractions[0] or rng.uniform(0.22, 0.27)
    ends = (np.array(fractions) - 0.5) * long - (0, 0, 0, 0.05)
    glass, roof = _cabin(ends, belt - 0.08, belt + high, width * 0.9)
    profile = _profile(rng, kind, long, floor, belt, ends[0])
    mirrors = superellipsoid((0.22, 0.16, 0.12), sides=8, rings=5)
    place = (width * 0.49, belt + 0.08, ends[0] + 0.3)
    body = [_car_body(profile, width), roof, mirror_pair(translate(mirrors, place))]

    bumper = box((width * 0.92, 0.14, 0.16), (0, floor + 0.12, -long / 2), bevel=0.03)
    trim = [bumper, translate(bumper, (0, 0, long))]
    if kind in ("van", "estate") and rng.random() < 0.4:
        trim.append(_roof_rails(long, width, belt + high))
    if kind == "van" and rng.random() < 0.6:
        body.append(_panel_sides(long, width, belt, high))
    elif kind == "lorry":
        trim.append(_lorry_load(rng, long, width, floor))
    elif kind == "pickup":
        body.append(_tray(long, width, belt))
    elif kind == "open":
        seat = box((0.45, 0.4, 0.15), (width * 0.2, belt + 0.1, 0.25), bevel=0.04)
        trim.append(mirror_pair(seat))
    elif kind in ("coupe", "saloon") and rng.random() < 0.35:
        trim.append(_spoiler(long, width, belt))

    tyres, hubs = [], []
    front, rear = rng.uniform(-0.33, -0.3) * long, rng.uniform(0.28, 0.32) * long
    for z in (front, rear - 2.3 * radius, rear) if kind == "lorry" else (front, rear):
        tyre, hub = wheel(radius, 0.24, (width / 2 - 0.1, radius, z))
        tyres.append(mirror_pair(tyre))
        hubs.append(mirror_pair(hub))
    light = box((0.32, 0.13, 0.1), (width * 0.33, belt - 0.32, -long / 2 + 0.02))
    return {
        "body": join(*body),
        "glass": glass,
        "wheels": join(*tyres),
        "hubs": join(*hubs),
        "lights": mirror_pair(light),
        "trim": join(*trim),
    }


KINDS = (
    Kind(_car, 12),
    Kind(_racing_car),
    Kind(machines.toy_car, 3),
    Kind(machines.block_truck, 4),
    Kind(machines.tractor, 1.2),
    Kind(machines.kart),
    Kind(machines.vintage_car, held_out=True),
)
"""Cars of all kinds; vintage cars are held out."""
