"""Corner sofas, low sofas and others of plain blocks. Units are metres."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.legs import cushion
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import box, cylinder, loft, sweep, tube


def _block(
    low: tuple[float, float, float], high: tuple[float, float, float], soft: float
) -> Solid:
    """A block between two corners; ``soft`` is its exponent, 0 for sharp edges."""
    start, end = np.array(low), np.array(high)
    size, middle = end - start, (start + end) / 2
    return cushion(size, middle, soft) if soft else box(size, middle, bevel=0.03)


def _base(rng: np.random.Generator, width: float, depth: float, lift: float) -> Solid:
    kind = rng.integers(3)
    if kind == 0:
        return legs.posts(
            width * 0.96, depth * 0.92, lift + 0.02, rng.uniform(0.04, 0.1)
        )
    if kind == 1:
        return box((width * 0.93, lift + 0.02, depth * 0.9), (0, lift / 2, 0))
    return legs.splayed(rng, width * 0.94, depth * 0.85, lift + 0.02, 0.05)


def corner_sofa(rng: np.random.Generator) -> Parts:
    """An L or a U of seats with backs along its outer sides."""
    width, wing = rng.uniform(1.8, 3.2), rng.uniform(1.3, 2.6)
    deep, thick = rng.uniform(0.75, 1.05), rng.uniform(0.14, 0.3)
    lift, seat = rng.uniform(0.02, 0.16), rng.uniform(0.34, 0.46)
    back, soft = rng.uniform(0.6, 0.95), rng.choice([0.0, 6.0, 12.0])
    x, z = width / 2, wing / 2
    inner = -z if rng.random() < 0.6 else z - deep  # the wing reaches the front
    arm = rng.uniform(0.12, 0.25)
    seats = [_block((-x, lift, z - deep), (x, seat, z), soft)]
    seats.append(_block((-x, lift, -z), (-x + deep, seat, z - deep + 0.03), soft))
    backs = [_block((-x, lift, z - thick), (x, back, z), soft)]
    if rng.random() < 0.6:
        backs.append(_block((-x, lift, -z + arm), (-x + thick, back, z), soft))
    arms = []
    high = rng.uniform(seat + 0.05, back)
    if rng.random() < 0.75:
        arms.append(_block((x - arm, lift, z - deep), (x, high, z), soft))
    if rng.random() < 0.3:
        arms.append(_block((-x, lift, -z), (-x + deep, high, -z + arm), soft))
    if rng.random() < 0.2:
        seats.append(_block((x - deep, lift, -z), (x, seat, z - deep + 0.03), soft))
    parts = {"frame": join(*seats), "back": join(*backs)}
    if arms:
        parts["arms"] = join(*arms)
    foot = [
        box((0.08, lift + 0.02, 0.08), (a * (x - 0.1), lift / 2, b))
        for a, b in (
            (-1, -z + 0.1),
            (-1, z - 0.1),
            (1, z - 0.1),
            (1, max(inner, z - deep) + 0.1),
        )
    ]
    parts["legs"] = join(*foot)
    if rng.random() < 0.75:
        return parts
    return {name: translate(_flipped(s), (0, 0, 0)) for name, s in parts.items()}


def _flipped(solid: Solid) -> Solid:
    return Solid(solid.vertices * (-1, 1, 1), solid.faces[:, ::-1])


def low_sofa(rng: np.random.Generator) -> Parts:
    """A sofa whose arms are as high as its back, or low, on any feet."""
    width, depth = rng.uniform(1.1, 2.5), rng.uniform(0.7, 1.1)
    lift, seat = rng.uniform(0.02, 0.2), rng.uniform(0.32, 0.46)
    back, thick = rng.uniform(0.58, 0.95), rng.uniform(0.1, 0.3)
    arm = rng.uniform(0.08, 0.3)
    high = back if rng.random() < 0.4 else rng.uniform(seat + 0.04, back)
    soft = rng.choice([0.0, 5.0, 10.0])
    x, z = width / 2, depth / 2
    count = int(rng.integers(1, 4))
    inside = (width - 2 * arm) / count
    pads = [
        cushion(
            (inside * 0.98, 0.15, depth - thick),
            (-x + arm + (k + 0.5) * inside, seat + 0.03, -thick / 2),
        )
        for k in range(count)
    ]
    rest = cushion((width - arm, back - lift, thick), (0, 0, 0), soft or 12)
    rest = rotate(rest, "x", rng.uniform(0, 16))
    return {
        "frame": _block((-x + arm * 0.5, lift, -z), (x - arm * 0.5, seat, z), soft),
        "back": translate(rest, (0, (back + lift) / 2, z - thick / 2)),
        "arms": mirror_pair(_block((x - arm, lift, -z), (x, high, z), soft)),
        "cushions": join(*pads),
        "legs": _base(rng, width, depth, lift),
    }


def chesterfield(rng: np.random.Generator) -> Parts:
    """Rolls along the arms and the back, at one height."""
    width, depth = rng.uniform(1.0, 2.3), rng.uniform(0.75, 1.0)
    lift, seat, high = (
        rng.uniform(0.03, 0.14),
        rng.uniform(0.38, 0.46),
        rng.uniform(0.6, 0.8),
    )
    roll, wall = rng.uniform(0.07, 0.13), rng.uniform(0.1, 0.18)
    x, z = width / 2 - roll, depth / 2 - roll
    path = [(x, high, -z), (x, high, z - 0.1), (x - 0.1, high, z), (0, high, z)]
    path = path + [(-a, b, c) for a, b, c in path[-2::-1]]
    plain = np.array(path) * (1, 0, 1) + (0, (high + lift) / 2, 0)
    return {
        "arms": tube(path, roll, sides=10),
        "back": sweep(plain, rectangle(wall, high - lift)),
        "cushions": _block((-x, lift, -z), (x, seat, z), 6.0),
        "legs": _base(rng, width * 0.9, depth * 0.85, lift),
    }


def framed_sofa(rng: np.random.Generator) -> Parts:
    """Loose pads in an open frame of tube or wood."""
    width, depth = rng.uniform(1.1, 2.2), rng.uniform(0.65, 0.9)
    seat, back, arm = (
        rng.uniform(0.34, 0.46),
        rng.uniform(0.7, 0.95),
        rng.uniform(0.52, 0.66),
    )
    bar, x, z = rng.uniform(0.02, 0.05), width / 2, depth / 2
    hoop = [(x, 0, -z), (x, arm, -z), (x, arm, z), (x, 0, z)]
    frame = [mirror_pair(tube(hoop, bar / 2, sides=6))]
    frame += [box((width, bar, bar), (0, seat - 0.1, s * z * 0.9)) for s in (-1, 1)]
    count = int(rng.integers(1, 4))
    each = width * 0.97 / count
    places = (np.arange(count) - (count - 1) / 2) * each
    thick = rng.uniform(0.1, 0.2)
    rest = rotate(
        cushion((each * 0.98, back - seat + 0.05, thick * 0.8)), "x", rng.uniform(5, 22)
    )
    pads = [
        cushion((each * 0.98, thick, depth * 0.9), (p, seat - 0.02, -0.02))
        for p in places
    ]
    rests = [translate(rest, (p, (seat + back) / 2 + 0.05, z - 0.08)) for p in places]
    return {"legs": join(*frame), "cushions": join(*pads), "pillows": join(*rests)}


def ottoman(rng: np.random.Generator) -> Parts:
    """A padded block without a back, square or long, on feet."""
    width = rng.uniform(0.6, 1.6)
    depth, height = rng.uniform(0.5, 0.9), rng.uniform(0.25, 0.5)
    lift = rng.uniform(0.03, 0.2)
    body = _block(
        (-width / 2, lift, -depth / 2),
        (width / 2, height, depth / 2),
        rng.choice([0.0, 6.0]),
    )
    pad = cushion((width * 1.01, 0.12, depth * 1.01), (0, height, 0), 8)
    return {"frame": body, "cushions": pad, "legs": _base(rng, width, depth, lift)}


def day_bed(rng: np.random.Generator) -> Parts:
    """A couch with one raised end and a back that falls away from it."""
    width, depth = rng.uniform(1.5, 2.1), rng.uniform(0.6, 0.85)
    seat, head, lift = (
        rng.uniform(0.36, 0.46),
        rng.uniform(0.7, 0.95),
        rng.uniform(0.12, 0.22),
    )
    x, z = width / 2, depth / 2
    t = np.linspace(0, 1, 9)
    tops = seat + 0.05 + (head - seat) * (1 - t) ** rng.uniform(1, 2.5)
    thick = rng.uniform(0.06, 0.12)
    sections = [
        [(s, lift, z), (s, y, z), (s, y, z - thick), (s, lift, z - thick)]
        for s, y in zip(-x + width * 0.8 * t, tops, strict=True)
    ]
    end = rotate(cushion((0.2, head - lift, depth)), "z", rng.uniform(5, 25))
    parts = {
        "frame": _block((-x, lift, -z), (x, seat, z), 8.0),
        "back": loft(sections),
        "arms": translate(end, (-x + 0.08, (head + lift) / 2, 0)),
        "legs": legs.splayed(rng, width * 0.9, depth * 0.8, lift + 0.03, 0.05),
    }
    bolster = rotate(
        cylinder(0.09, depth * 0.9, (0, -depth * 0.45, 0), sides=10), "x", 90
    )
    return parts | {"pillows": translate(bolster, (x - 0.2, seat + 0.07, 0))}
