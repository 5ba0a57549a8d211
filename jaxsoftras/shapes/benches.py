"""Benches. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import seats
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
from jaxsoftras.shapes.polygons import (
    rectangle,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    cylinder,
    extrude,
    superellipsoid,
    sweep,
    tapered_box,
)


def _slats(width: float, depth: float, count: int, thickness: float) -> Solid:
    """Planks along x, side by side in z, centred at the origin."""
    pitch = depth / count
    plank = box((width, thickness, pitch * 0.72))
    places = (np.arange(count) - (count - 1) / 2) * pitch
    return join(*(translate(plank, (0, 0, z)) for z in places))


def _bench_support(
    rng: np.random.Generator, width: float, depth: float, height: float
) -> Solid:
    """A support for a bench's seat: legs, slabs, trestles or iron sides."""
    x, z = width / 2 - rng.uniform(0.06, 0.25), depth / 2 - 0.04
    kind = rng.integers(4)
    if kind == 0:
        leg = box((0.06, height, 0.06), (x, height / 2, -z))
        stretcher = beam((x, 0.12, -z), (x, 0.12, z), 0.03, 0.05)
        return join(four_corners(leg), mirror_pair(stretcher))
    if kind == 1:
        slab = tapered_box(
            (0.16, depth * 0.95), (0.12, depth * 0.75), height, (x, 0, 0)
        )
        return mirror_pair(slab)
    if kind == 2:
        leg = beam((x, 0, -z * 1.2), (x, height, z * 0.7), 0.06, 0.06)
        cross = beam((x + 0.03, 0, z * 1.2), (x + 0.03, height, -z * 0.7), 0.06, 0.06)
        rail = beam((-x, height / 2, 0), (x, height / 2, 0), 0.04, 0.05)
        return join(mirror_pair(leg), mirror_pair(cross), rail)
    arch = [(-z, 0), (-z * 0.75, height * 0.75), (0, height * 0.85)]
    outline = arch + [(-p, q) for p, q in arch[1::-1]]
    outline += [(z + 0.05, 0), (z, height), (-z, height), (-z - 0.05, 0)]
    return mirror_pair(extrude(outline, 0.05, axis="x", center=(x, 0, 0)))


def _plain_bench(rng: np.random.Generator) -> Parts:
    """Park, plank, stone, upholstered and curved benches, with and without a back."""
    width, depth = rng.uniform(1.0, 1.9), rng.uniform(0.32, 0.5)
    height = rng.uniform(0.38, 0.46)
    kind = str(rng.choice(["slats", "slats", "slats", "plank", "padded", "curved"]))
    if kind == "curved":
        reach, radius = rng.uniform(40, 75), rng.uniform(0.8, 1.2)
        angles = np.deg2rad(np.linspace(-reach, reach, 13))
        path = (
            radius
            * np.stack([np.sin(angles), np.zeros(13), 1 - np.cos(angles)], -1)
            * (1, 1, -1)
        )
        seat = sweep(path + (0, height, 0), rectangle(depth, 0.06))
        solids = []
        for k in (1, 6, 11):
            solids.append(cylinder(0.09, height, path[k], top_radius=0.06, sides=10))
        return {"seat": seat, "legs": join(*solids)}
    support = _bench_support(rng, width, depth, height)
    if kind == "plank":
        thick = rng.uniform(0.05, 0.1)
        seat = box((width, thick, depth), (0, height + thick / 2, 0), bevel=0.012)
        return {"seat": seat, "legs": support}
    if kind == "padded":
        frame = box((width, 0.06, depth), (0, height + 0.03, 0))
        size, place = (width * 0.98, 0.12, depth * 0.98), (0, height + 0.09, 0)
        pad = superellipsoid(size, place, exponent=5.0, rings=5)
        return {"frame": frame, "seat": pad, "legs": support}
    seat = _slats(width, depth, int(rng.integers(3, 6)), 0.035)
    parts = {"seat": translate(seat, (0, height + 0.017, 0)), "legs": support}
    if rng.random() < 0.75:
        tall, tilt = rng.uniform(0.3, 0.45), rng.uniform(8, 18)
        slats = rotate(
            _slats(width, tall * 0.85, int(rng.integers(2, 5)), 0.03), "x", -90
        )
        slats = translate(slats, (0, tall * 0.58, -0.03))
        x = width / 2 - 0.15
        posts = mirror_pair(box((0.05, tall + 0.06, 0.04), (x, tall / 2 - 0.02, 0.005)))
        place = (0, height + 0.02, depth / 2 - 0.02)
        parts["back"] = translate(rotate(slats, "x", tilt), place)
        parts["posts"] = translate(rotate(posts, "x", tilt), place)
        if rng.random() < 0.5:
            x, z, y = width / 2 - 0.05, depth / 2, height + 0.2
            path = [(x, height, -z + 0.03), (x, y, -z + 0.02), (x, y, z + 0.08)]
            parts["arms"] = mirror_pair(sweep(path, rectangle(0.06, 0.04)))
    return parts


KINDS = (
    Kind(_plain_bench, 3),
    Kind(seats.backless_bench, 3),
    Kind(seats.backed_bench, 2.5),
    Kind(seats.scroll_bench, 1.5),
    Kind(seats.slab_bench),
    Kind(seats.table_bench, held_out=True),
    Kind(seats.swing_seat, held_out=True),
)
"""Benches of all kinds; picnic tables and swing seats are held out."""
