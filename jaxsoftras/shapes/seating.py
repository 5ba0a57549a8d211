"""Chairs and benches. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    four_corners,
    join,
    mirror_pair,
    radial_copies,
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
    cylinder,
    extrude,
    lathe,
    stack,
    superellipsoid,
    sweep,
    tapered_box,
    tube,
)


def _star_base(rng: np.random.Generator, height: float) -> Solid:
    """The foot of an office chair: a column, spokes and castors."""
    radius = rng.uniform(0.27, 0.33)
    spoke = tube([(0, 0.12, 0), (radius, 0.075, 0)], (0.03, 0.018), sides=6)
    castor = superellipsoid((0.05, 0.06, 0.06), (radius, 0.03, 0), sides=8, rings=5)
    column = cylinder(0.028, height - 0.06, (0, 0.06, 0), sides=10)
    return join(column, radial_copies(join(spoke, castor), int(rng.integers(4, 6))))


def _chair_base(
    rng: np.random.Generator, style: str, width: float, depth: float, height: float
) -> Solid:
    """Legs up to the seat's underside at ``height``."""
    x, z = width / 2 - 0.035, depth / 2 - 0.035
    splay = rng.uniform(0.0, 0.06)
    if style == "disc":
        foot = [(0.24, 0), (0.24, 0.015), (0.06, 0.04), (0.03, 0.08), (0.03, height)]
        return lathe(foot, sides=14)
    if style == "star":
        return _star_base(rng, height)
    if style == "sled":
        back = -z if rng.random() < 0.5 else z
        path = [(x, height, back), (x, 0.05, back), (x, 0.015, back * 0.9)]
        path += [(x, 0.015, -back * 0.9), (x, 0.05, -back), (x, height, -back)]
        rails = mirror_pair(tube(path, 0.015, sides=6))
        return join(rails, beam((-x, 0.015, z * 0.7), (x, 0.015, z * 0.7), 0.02, 0.02))
    thickness = rng.uniform(0.03, 0.05)
    foot, top = (x + splay, 0, -z - splay), (x, height, -z)
    if style == "round":
        leg = tube([foot, top], (thickness * 0.3, thickness * 0.55), sides=8)
    else:
        leg = sweep([foot, top], rectangle(thickness, thickness), scale=(0.7, 1.0))
    solids = [four_corners(leg)]
    if rng.random() < 0.5:
        y = rng.uniform(0.3, 0.6) * height
        out = splay * (1 - y / height)
        solids.append(
            mirror_pair(beam((x + out, y, -z), (x + out, y, z), 0.02, 0.03)),
        )
        solids.append(beam((-x, y + 0.01, 0), (x, y + 0.01, 0), 0.02, 0.025))
    return join(*solids)


def _curved_panel(
    width: float, height: float, thickness: float, bow: float, top: float
) -> Solid:
    """An upright panel over y = 0, bowed backwards, ``top`` times as wide above."""
    angle = np.linspace(-1, 1, 7)
    plan = np.stack([angle * width / 2, bow * (1 - angle**2)], -1)
    outline = np.concatenate([plan, plan[::-1] + (0, thickness)])
    levels = np.linspace(0, 1, 4)
    widths = 1 + (top - 1) * levels**2
    sections = outline * np.stack([widths, np.ones(4)], -1)[:, None]
    return stack(sections, levels * height)


def _chair_back(
    rng: np.random.Generator, style: str, width: float, height: float
) -> Solid:
    """A backrest above y = 0 in the plane z = 0, before it is tilted."""
    post = rng.uniform(0.025, 0.04)
    x = width / 2 - post / 2
    if style == "shell":
        bow, top = rng.uniform(0.02, 0.08), rng.uniform(0.7, 1.05)
        return _curved_panel(width, height, 0.03, bow, top)
    if style == "oval":
        outline = superellipse(width, height * 0.75, rng.uniform(2, 4), 20)
        panel = extrude(outline, 0.04, axis="z", bevel=0.008)
        struts = mirror_pair(box((post, height * 0.5, 0.025), (x / 2, height * 0.2, 0)))
        return join(translate(panel, (0, height * 0.62, 0)), struts)
    posts = mirror_pair(box((post, height, post), (x, height / 2, 0)))
    rail = box((width - post, 0.07, 0.022), (0, height - 0.045, 0))
    solids = [posts, rail]
    if style == "spindles":
        for k in np.linspace(-1, 1, int(rng.integers(3, 7))):
            start, end = (k * x * 0.75, 0, 0), (k * x * 0.75, height - 0.05, 0)
            solids.append(tube([start, end], 0.011, sides=6))
    elif style == "ladder":
        count = int(rng.integers(2, 4))
        for y in np.linspace(0.25, 0.72, count) * height:
            solids.append(box((width - post, 0.05, 0.018), (0, y, 0)))
    else:  # a padded panel in a frame
        size = (width - 1.6 * post, height * rng.uniform(0.5, 0.75), 0.06)
        solids.append(superellipsoid(size, (0, height * 0.58, 0), exponent=6, rings=5))
    return join(*solids)


def chair(rng: np.random.Generator) -> Parts:
    """Dining, office, lounge and bar chairs: base, seat, back and arms vary."""
    base = str(
        rng.choice(["square", "square", "round", "round", "sled", "star", "disc"])
    )
    tall = base in ("round", "square", "disc") and rng.random() < 0.18
    width, depth = rng.uniform(0.4, 0.54), rng.uniform(0.4, 0.5)
    height = rng.uniform(0.66, 0.78) if tall else rng.uniform(0.42, 0.48)
    thick = rng.uniform(0.03, 0.05)
    kind = rng.integers(3)
    if kind == 0:
        outline = rectangle(width, depth, rng.uniform(0.03, 0.1))
        seat = extrude(outline, thick, bevel=0.01)
    elif kind == 1:
        outline = superellipse(width, depth, rng.uniform(2.2, 4), 20)
        seat = extrude(outline, thick, bevel=0.008)
    else:
        seat = superellipsoid(
            (width, 2.2 * thick, depth), exponent=5, rings=5, sides=16
        )
    parts = {
        "legs": _chair_base(rng, base, width * 0.92, depth * 0.92, height),
        "seat": translate(seat, (0, height + thick / 2 - 0.002, 0)),
    }
    style = str(rng.choice(["shell", "oval", "spindles", "ladder", "padded"]))
    back_height = rng.uniform(0.25, 0.35) if tall else rng.uniform(0.38, 0.62)
    back = rotate(
        _chair_back(rng, style, width * 0.92, back_height), "x", rng.uniform(3, 14)
    )
    parts["back"] = translate(back, (0, height + thick * 0.3, depth / 2 - 0.05))
    if not tall and rng.random() < 0.4:
        x, y = width / 2 + 0.012, height + rng.uniform(0.18, 0.24)
        z = depth / 2 - 0.02
        if rng.random() < 0.5:
            path = [(x, height, -z * 0.7), (x, y, -z * 0.8), (x, y, z + 0.02)]
            arm = tube(path, 0.018, sides=6)
        else:
            pad = box((0.05, 0.03, 2 * z), (x, y, 0.01), bevel=0.008)
            arm = join(
                pad, box((0.03, y - height, 0.04), (x, (y + height) / 2, -z / 2))
            )
        parts["arms"] = mirror_pair(arm)
    return parts


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


def bench(rng: np.random.Generator) -> Parts:
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
