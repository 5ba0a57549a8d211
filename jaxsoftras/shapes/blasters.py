"""Toy blasters, machine guns, crossbows and launchers, about 1 long, muzzle at -z."""

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
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import box, cylinder, extrude, lathe, sweep, tube


def _handle(
    rng: np.random.Generator, z: float, top: float, long: float, wide: float
) -> Solid:
    lean = long * rng.uniform(-0.1, 0.45)
    deep = rng.uniform(0.07, 0.13)
    outline = [(z - deep, top), (z + deep, top), (z + deep + lean, top - long)]
    return plate([*outline, (z - deep + lean, top - long)], wide)


def _top(rng: np.random.Generator, level: float, wide: float) -> Solid:
    """A sight, a carrying handle or a rail on top of a body."""
    z, long = rng.uniform(-0.15, 0.15), rng.uniform(0.15, 0.45)
    kind = rng.integers(3)
    if kind == 0:
        radius = rng.uniform(0.03, 0.07)
        shape = [(1.3, 0), (1.3, 0.2), (0.8, 0.3), (0.8, 0.75), (1.2, 0.85), (1.2, 1)]
        scope = rotate(lathe(np.array(shape) * (radius, long), sides=10), "x", 90)
        foot = box((wide * 0.3, 0.08, long * 0.5), (0, level + 0.02, z))
        return join(translate(scope, (0, level + 0.04 + radius, z - long / 2)), foot)
    if kind == 1:
        rise = rng.uniform(0.08, 0.16)
        path = [(0, level - 0.01, z - long / 2), (0, level + rise, z - long * 0.35)]
        path += [(0, level + rise, z + long * 0.35), (0, level - 0.01, z + long / 2)]
        return sweep(path, rectangle(wide * 0.3, 0.045))
    return box((wide * 0.5, 0.08, long), (0, level + 0.03, z), bevel=0.015)


def blaster(rng: np.random.Generator) -> Parts:
    """A chunky toy blaster: a deep body, barrels, a handle and fittings."""
    wide, tall = rng.uniform(0.1, 0.34), rng.uniform(0.18, 0.42)
    front, rear = -rng.uniform(0.1, 0.35), rng.uniform(0.22, 0.5)
    cut, tail = rng.uniform(0, 0.5, 2) * tall
    body = [(front, -tall / 2), (rear - 0.08, -tall / 2), (rear, -tall / 2 + tail)]
    body += [(rear, tall / 2 - 0.05), (rear - 0.1, tall / 2), (front + 0.1, tall / 2)]
    body.append((front, tall / 2 - cut))
    metal = [plate(body, wide)]
    y = rng.uniform(-0.2, 0.2) * tall
    radius = rng.uniform(0.15, 0.42) * min(wide, tall)
    barrel = rotate(cylinder(radius, 0.6 + front, (0, 0, 0), sides=12), "x", -90)
    metal.append(translate(barrel, (0, y, front + 0.06)))
    if rng.random() < 0.6:
        ring = rotate(
            cylinder(radius * 1.35, rng.uniform(0.05, 0.15), sides=12), "x", 90
        )
        metal.append(translate(ring, (0, y, -0.54)))
    long = rng.uniform(0.2, 0.45)
    grip = [
        _handle(rng, rng.uniform(0.05, rear - 0.1), -tall / 2 + 0.03, long, wide * 0.6)
    ]
    if rng.random() < 0.5:
        second = rng.uniform(0.5, 1.0) * long
        grip.append(_handle(rng, front + 0.12, -tall / 2 + 0.03, second, wide * 0.55))
    parts = {"metal": join(*metal), "stock": join(*grip)}
    if rng.random() < 0.45:
        end = rear + rng.uniform(0.15, 0.35)
        butt = [(rear - 0.05, tall * 0.2), (rear - 0.05, -tall * 0.1)]
        butt += [(end - 0.02, -tall * 0.6), (end, tall * 0.2)]
        parts["butt"] = plate(butt, wide * 0.5)
    if rng.random() < 0.8:
        parts["scope"] = _top(rng, tall / 2, wide)
    if rng.random() < 0.5:
        radius = rng.uniform(0.1, 0.2)
        drum = rotate(
            cylinder(radius, wide * 1.5, (0, -wide * 0.75, 0), sides=14), "z", 90
        )
        parts["magazine"] = translate(
            drum, (0, rng.uniform(-0.5, 0.2) * tall, front + 0.25)
        )
    return parts


def submachine_gun(rng: np.random.Generator) -> Parts:
    """A compact gun of straight lines with a long magazine and a skeleton butt."""
    wide, tall = rng.uniform(0.06, 0.12), rng.uniform(0.1, 0.2)
    rear = rng.uniform(0.15, 0.3)
    body = box((wide, tall, rear + 0.3), (0, 0, (rear - 0.3) / 2), bevel=0.015)
    jacket = tube(
        [(0, 0, -0.28), (0, 0, -0.5)], tall * rng.uniform(0.15, 0.35), sides=10
    )
    grip = _handle(rng, rear * 0.5, -tall / 2 + 0.02, rng.uniform(0.2, 0.3), wide * 0.8)
    reach = rng.uniform(0.2, 0.5)
    clip = _handle(rng, -rng.uniform(0.05, 0.2), -tall / 2 + 0.02, reach, wide * 0.6)
    parts = {"metal": join(body, jacket), "stock": grip, "magazine": clip}
    if rng.random() < 0.6:
        end = rear + rng.uniform(0.15, 0.35)
        path = [(0, tall * 0.2, rear - 0.03), (0, tall * 0.2, end)]
        path += [
            (0, -tall, end + 0.02),
            (0, -tall * 0.8, end - 0.04),
            (0, -0.02, rear - 0.02),
        ]
        parts["butt"] = tube(path, 0.018, sides=6)
    if rng.random() < 0.6:
        parts["scope"] = _top(rng, tall / 2, wide)
    return parts


def machine_gun(rng: np.random.Generator) -> Parts:
    """A heavy gun on a bipod, a tripod or none, with a box or a drum below."""
    wide, tall = rng.uniform(0.06, 0.13), rng.uniform(0.09, 0.18)
    body = box((wide, tall, 0.4), (0, 0, 0.1), bevel=0.015)
    jacket = tube([(0, 0.01, -0.1), (0, 0.01, -0.4)], tall * 0.32, sides=10)
    bore = tube([(0, 0.01, -0.38), (0, 0.01, -0.62)], tall * 0.16, sides=8)
    butt = plate([(0.28, 0.04), (0.55, 0.03), (0.56, -0.13), (0.28, -0.06)], wide * 0.7)
    spread, drop = rng.uniform(0.1, 0.25), rng.uniform(0.16, 0.35)
    z = rng.choice([-0.38, 0.0])
    legs = mirror_pair(
        tube([(0.01, -0.02, z), (spread, -drop, z - 0.08)], 0.014, sides=6)
    )
    if z == 0:
        legs = join(legs, tube([(0, -0.02, z), (0, -drop, z + 0.3)], 0.014, sides=6))
    grip = _handle(rng, 0.22, -tall / 2 + 0.02, 0.16, wide * 0.6)
    case = box(
        (wide * 2.2, 0.15, 0.18), (wide * 0.4, -tall / 2 - 0.05, 0.02), bevel=0.01
    )
    return {
        "metal": join(body, jacket, bore),
        "stock": join(butt, grip),
        "bipod": legs,
        "magazine": case,
    }


def crossbow(rng: np.random.Generator) -> Parts:
    """A stock with a bow across it; the bow is drawn or slack."""
    reach, bend = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.25)
    front = -rng.uniform(0.3, 0.5)
    t = np.linspace(-1, 1, 9)
    bow = np.stack([t * reach, 0 * t, front + bend * np.abs(t) ** 1.6], -1)
    limbs = tube(bow, 0.03 * (1.2 - 0.7 * np.abs(t)), sides=6)
    nock = rng.uniform(0.0, 0.25)
    string = [bow[0], (0, 0.02, max(nock, front + bend)), bow[-1]]
    stock = [(front, -0.05), (0.1, -0.06), (0.45, -rng.uniform(0.1, 0.2)), (0.5, -0.02)]
    stock += [(0.2, 0.02), (front, 0.03)]
    grip = _handle(rng, 0.15, -0.04, rng.uniform(0.15, 0.28), 0.06)
    stirrup = box((0.1, 0.02, 0.1), (0, 0, front - 0.04))
    parts = {
        "stock": join(plate(stock, rng.uniform(0.05, 0.09)), grip),
        "metal": join(limbs, stirrup),
        "string": tube(string, 0.008, sides=5),
    }
    if rng.random() < 0.5:
        parts["scope"] = _top(rng, 0.03, 0.07)
    return parts


def launcher(rng: np.random.Generator) -> Parts:
    """A tube carried on the shoulder, with two grips and a sight."""
    radius = rng.uniform(0.05, 0.11)
    shape = [(1.5, 0), (1, 0.08), (1, 0.85), (1.7, 1.0)]
    pipe = rotate(lathe(np.array(shape) * (radius, 1), sides=14), "x", 90)
    grips = [_handle(rng, z, -radius * 0.8, 0.18, radius * 0.6) for z in (-0.12, 0.12)]
    rest = extrude([(0.2, 0), (0.4, 0), (0.38, -0.08), (0.22, -0.08)], 0.06, axis="x")
    return {
        "metal": translate(pipe, (0, 0, -0.5)),
        "stock": join(*grips, translate(rest, (0, -radius * 0.8, 0))),
        "scope": translate(_top(rng, radius, radius), (radius * 0.3, 0, 0)),
    }
