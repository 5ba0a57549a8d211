"""Benches of many kinds. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.legs import cushion
from jaxsoftras.shapes.low_tables import top
from jaxsoftras.shapes.placement import Parts, join, mirror_pair, rotate, translate
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import beam, box, extrude, sweep, tapered_box, tube


def backless_bench(rng: np.random.Generator) -> Parts:
    """A seat on posts, slabs, a sled or crossed legs; pads and stretchers vary."""
    width = rng.uniform(0.6, 1.9)
    depth, height = rng.uniform(0.28, 0.6), rng.uniform(0.3, 0.52)
    thick, leg = rng.uniform(0.03, 0.14), rng.uniform(0.03, 0.14)
    kind = rng.integers(5)
    if kind < 2:
        base = legs.posts(width * 0.96, depth * 0.96, height, leg)
        if rng.random() < 0.5:
            bars = legs.stretchers(rng, width * 0.96, depth * 0.96, height, leg)
            base = join(base, bars)
    elif kind == 2:
        slab = box((leg, height, depth * 0.9), (width * 0.4, height / 2, 0))
        base = mirror_pair(slab)
    elif kind == 3:
        base = legs.sled(width * 0.95, depth * 0.95, height, leg * 0.3)
    else:
        base = legs.crossed(width * 0.85, depth, height, leg * 0.7)
    seat = top(rng, width, depth, thick)
    if rng.random() < 0.4:
        seat = cushion((width, thick * 1.4, depth), (0, thick * 0.7, 0), 6)
    return {"legs": base, "seat": translate(seat, (0, height - 0.006, 0))}


def scroll_bench(rng: np.random.Generator) -> Parts:
    """Slats that follow one curve from the front of the seat to the top of the back."""
    width, depth = rng.uniform(1.0, 1.9), rng.uniform(0.4, 0.6)
    seat, rise = rng.uniform(0.36, 0.46), rng.uniform(0.35, 0.55)
    lean, count = rng.uniform(0.08, 0.3), int(rng.integers(7, 15))
    t = np.linspace(0, 1, count)
    knee = rng.uniform(0.45, 0.6)
    z = np.where(t < knee, -depth / 2 + depth * t / knee, 0)
    s = np.clip((t - knee) / (1 - knee), 0, 1)
    z = np.where(t < knee, z, depth / 2 + lean * s)
    y = seat - 0.04 * np.sin(np.pi * np.clip(t / knee, 0, 1)) + rise * s
    plank = depth / count * rng.uniform(0.9, 1.6)
    slats = []
    for k in range(count):
        angle = 90 - rng.uniform(8, 14) if t[k] >= knee else 0
        slat = rotate(box((width, 0.025, plank)), "x", -angle)
        slats.append(translate(slat, (0, y[k], z[k])))
    x = width / 2 - rng.uniform(0.03, 0.25)
    curve = np.stack([np.full(count, x), y - 0.025, z], -1)
    iron = [sweep(curve, rectangle(0.05, 0.04))]
    spread = rng.uniform(0.0, 0.1)
    for foot in (-depth / 2 - spread, depth / 2 + spread):
        start = (x, seat - 0.03, foot * 0.6)
        iron.append(tube([start, (x, 0, foot)], 0.03, sides=6))
    if rng.random() < 0.5:
        arm = [(x, seat, -depth * 0.4), (x, seat + 0.2, -depth * 0.45)]
        arm += [(x, seat + 0.22, depth * 0.5 + lean * 0.4)]
        iron.append(tube(arm, 0.022, sides=6))
    return {"seat": join(*slats), "legs": mirror_pair(join(*iron))}


def backed_bench(rng: np.random.Generator) -> Parts:
    """A bench of posts and boards with a back, and arms or none."""
    width, depth = rng.uniform(0.7, 1.8), rng.uniform(0.38, 0.6)
    seat, back = rng.uniform(0.36, 0.48), rng.uniform(0.3, 0.6)
    thick, board = rng.uniform(0.04, 0.12), rng.uniform(0.03, 0.1)
    z = depth / 2 - thick / 2
    tall = seat + back
    x = width / 2 - thick / 2
    lean = rng.uniform(0, 12)
    rows = int(rng.integers(1, 4))
    pitch = back * 0.8 / rows
    rest = [
        box((width, pitch * rng.uniform(0.55, 0.95), board * 0.6), (0, y, 0))
        for y in back * 0.2 + (np.arange(rows) + 0.5) * pitch
    ]
    stem = mirror_pair(box((thick, back, thick), (x, back / 2, 0)))
    if rng.random() < 0.35:
        rungs = np.linspace(-0.85, 0.85, int(rng.integers(4, 9))) * x
        size = (board * 0.5, back * 0.9, board * 0.4)
        rest = [box(size, (r, back / 2, 0)) for r in rungs]
        rest.append(box((width, pitch * 0.4, board * 0.6), (0, back * 0.93, 0)))
    place = (0, seat, z)
    parts = {
        "legs": legs.posts(width, depth, seat, thick),
        "seat": translate(top(rng, width, depth, board), (0, seat - board / 2, 0)),
        "back": translate(rotate(join(*rest), "x", lean), place),
        "posts": translate(rotate(stem, "x", lean), place),
    }
    if rng.random() < 0.5:
        y = seat + rng.uniform(0.15, 0.25)
        rail = box((thick * 1.3, thick * 0.6, depth), (x, y, 0))
        post = box((thick, y - seat, thick), (x, (y + seat) / 2, -z))
        parts["arms"] = mirror_pair(join(rail, post))
    if tall > 0.9 and rng.random() < 0.4:  # a settle: boards down to the floor
        panel = box((0.04, tall, depth), (width / 2, tall / 2, 0))
        parts["arms"] = mirror_pair(panel)
    return parts


def slab_bench(rng: np.random.Generator) -> Parts:
    """Stone: a slab on blocks, one solid block, or a bent sheet."""
    width, depth = rng.uniform(1.0, 2.2), rng.uniform(0.3, 0.6)
    height, thick = rng.uniform(0.32, 0.5), rng.uniform(0.05, 0.16)
    kind = rng.integers(3)
    if kind == 0:
        x = width * rng.uniform(0.25, 0.44)
        ends = (rng.uniform(0.1, 0.3), depth * 0.9), (0.15, depth * 0.7)
        feet = mirror_pair(tapered_box(*ends, height, (x, 0, 0)))
    elif kind == 1:
        size = (width * rng.uniform(0.5, 0.98), height, depth * rng.uniform(0.5, 0.95))
        feet = box(size, (0, height / 2, 0))
    else:
        x = width / 2
        path = [(-x, 0, 0), (-x, height, 0), (x, height, 0), (x, 0, 0)]
        feet = sweep(path, rectangle(depth, thick))
    seat = box((width, thick, depth), (0, height + thick * 0.4, 0), bevel=0.02)
    return {"legs": feet, "seat": seat}


def table_bench(rng: np.random.Generator) -> Parts:
    """A picnic table: two benches that share their frame with a table."""
    width, gap = rng.uniform(1.2, 1.9), rng.uniform(0.55, 0.75)
    height, seat = rng.uniform(0.68, 0.78), rng.uniform(0.4, 0.46)
    board = rng.uniform(0.03, 0.06)
    x = width * 0.36
    frame = [
        beam((x, 0, gap * 0.9), (x, height, gap * 0.35), 0.06, 0.1),
        beam((x, 0, -gap * 0.9), (x, height, -gap * 0.35), 0.06, 0.1),
        beam((x, seat - 0.03, -gap - 0.1), (x, seat - 0.03, gap + 0.1), 0.05, 0.09),
    ]
    table = box((width, board, rng.uniform(0.6, 0.8)), (0, height, 0))
    plank = box((width, board, rng.uniform(0.22, 0.3)), (0, seat, gap))
    return {
        "legs": mirror_pair(join(*frame)),
        "top": table,
        "seat": mirror_pair(plank, "z"),
    }


def swing_seat(rng: np.random.Generator) -> Parts:
    """A bench that hangs from a frame below a roof."""
    width, tall = rng.uniform(1.1, 1.6), rng.uniform(1.4, 1.8)
    x, z = width / 2 + 0.1, 0.5
    sides = [tube([(x, 0, s * z), (x, tall, 0)], 0.03, sides=6) for s in (-1, 1)]
    bar = beam((-x, tall, 0), (x, tall, 0), 0.06, 0.06)
    ropes = [
        tube([(width * 0.45, 0.45, s * 0.2), (width * 0.45, tall, 0)], 0.012)
        for s in (-1, 1)
    ]
    roof = [(-0.5, tall), (0.5, tall), (0.0, tall + 0.15)]
    back = rotate(box((width, 0.45, 0.06), (0, 0.25, 0)), "x", rng.uniform(5, 20))
    return {
        "legs": join(mirror_pair(join(*sides, *ropes)), bar),
        "seat": join(
            box((width, 0.08, 0.5), (0, 0.45, 0)), translate(back, (0, 0.45, 0.24))
        ),
        "roof": extrude(roof, width + 0.3, axis="x"),
    }
