"""Tables. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import low_tables
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    four_corners,
    join,
    mirror_pair,
    radial_copies,
    translate,
)
from jaxsoftras.shapes.polygons import (
    circle,
    rectangle,
    superellipse,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    extrude,
    lathe,
    tube,
)


def _table_legs(
    rng: np.random.Generator, style: str, width: float, depth: float, height: float
) -> Solid:
    """Legs or another base of a table top with its underside at ``height``."""
    inward = rng.uniform(0.04, 0.1)
    x, z = width / 2 - inward, depth / 2 - inward
    if style == "straight":
        thick = rng.uniform(0.04, 0.09)
        return four_corners(box((thick, height, thick), (x, height / 2, -z)))
    if style == "tapered":
        splay = rng.uniform(0.0, 0.08) * height
        path = [(x + splay, 0, -z - splay), (x, height, -z)]
        radius = rng.uniform(0.02, 0.04)
        return four_corners(tube(path, (radius * 0.5, radius), sides=8))
    if style == "turned":
        r = rng.uniform(0.025, 0.04)
        shape = [
            (0.6, 0),
            (0.9, 0.08),
            (0.5, 0.14),
            (0.8, 0.3),
            (1.2, 0.6),
            (0.6, 0.72),
        ]
        shape += [(1.3, 0.78), (1.3, 1.0)]
        profile = np.array(shape) * (r, height)
        return four_corners(translate(lathe(profile, sides=10), (x, 0, -z)))
    if style == "trestle":
        x *= rng.uniform(0.7, 0.95)
        frame = [beam((x, 0, -z), (x, height, -z * 0.3), 0.06, 0.05)]
        frame.append(beam((x, 0, z), (x, height, z * 0.3), 0.06, 0.05))
        frame.append(
            beam((x, height * 0.4, -z * 0.7), (x, height * 0.4, z * 0.7), 0.05, 0.05)
        )
        rail = beam((-x, height * 0.42, 0), (x, height * 0.42, 0), 0.04, 0.07)
        return join(mirror_pair(join(*frame)), rail)
    if style == "cross":
        bar = rng.uniform(0.04, 0.07)
        one = beam((x, 0, -z), (x, height, z), bar, bar)
        other = beam((x - bar, 0, z), (x - bar, height, -z), bar, bar)
        rail = beam((-x, height / 2, 0), (x, height / 2, 0), 0.04, 0.05)
        return join(mirror_pair(join(one, other)), rail)
    if style == "panels":
        panel = box((0.04, height, depth * 0.92), (x, height / 2, 0))
        screen = box((2 * x, height * 0.55, 0.025), (0, height * 0.7, z * 0.7))
        return join(mirror_pair(panel), screen)
    reach = min(width, depth) * rng.uniform(0.25, 0.38)
    r = rng.uniform(0.03, 0.06)
    if style == "disc":
        foot = [(reach, 0), (reach, 0.02), (r * 1.6, 0.06), (r, 0.12)]
        top = [(r, height - 0.08), (min(reach, 0.2), height)]
        return lathe([*foot, *top], sides=16)
    shape = [(0.9, 0.12), (1.5, 0.2), (0.8, 0.3), (1.3, 0.5), (0.8, 0.75), (1.8, 1.0)]
    column = lathe(np.array(shape) * (r, height), sides=12)
    path = [
        (r * 0.5, 0.25 * height, 0),
        (reach * 0.6, 0.17 * height, 0),
        (reach, 0.02, 0),
    ]
    foot = tube(path, (0.035, 0.03, 0.02), sides=6)
    return join(column, radial_copies(foot, int(rng.integers(3, 5))))


def _desk_drawers(
    rng: np.random.Generator, width: float, depth: float, height: float
) -> Solid:
    """A drawer block under the right side of a desk's top."""
    wide = min(0.42, width * 0.32)
    low = 0.06 if rng.random() < 0.5 else height * 0.55
    x = width / 2 - wide / 2 - 0.07
    block = box((wide, height - low, depth * 0.8), (x, (height + low) / 2, 0))
    count = 1 if low > 0.1 else 3
    each = (height - low) / count
    fronts = []
    for k in range(count):
        y = low + (k + 0.5) * each
        z = -depth * 0.4 - 0.008
        fronts.append(box((wide * 0.94, each * 0.9, 0.02), (x, y, z)))
        fronts.append(box((wide * 0.4, 0.018, 0.02), (x, y, z - 0.018)))
    return join(block, *fronts)


def _plain_table(rng: np.random.Generator) -> Parts:
    """Dining, coffee and bar tables and desks: top, base, apron and shelf vary."""
    low = rng.random() < 0.3
    height = rng.uniform(0.36, 0.48) if low else rng.uniform(0.68, 0.78)
    thick = rng.uniform(0.025, 0.05)
    round_top = rng.random() < 0.35
    legs = ["straight", "straight", "tapered", "turned"]
    if round_top:
        width = rng.uniform(0.6, 1.3)
        depth = width * (1.0 if rng.random() < 0.6 else rng.uniform(0.6, 0.8))
        if rng.random() < 0.15:
            height = rng.uniform(0.95, 1.08)
        outline = superellipse(width, depth, rng.choice([2.0, 2.0, 3.0]), 28)
        if rng.random() < 0.15:
            outline = circle(width / 2, 8)
        style = str(rng.choice([*legs, "disc", "disc", "feet", "feet"]))
        inner = (width * 0.72, depth * 0.72)
    else:
        width, depth = rng.uniform(0.9, 1.9), rng.uniform(0.5, 0.95)
        if rng.random() < 0.2:
            width = depth
        outline = rectangle(width, depth, rng.choice([0.0, 0.03, 0.12]))
        style = str(rng.choice([*legs, *legs, "trestle", "cross", "panels", "feet"]))
        inner = (width, depth)
    parts = {
        "top": extrude(outline, thick, bevel=0.006, center=(0, height + thick / 2, 0)),
        "legs": _table_legs(rng, style, *inner, height),
    }
    x, z = inner[0] / 2 - 0.07, inner[1] / 2 - 0.07
    if style in legs and rng.random() < 0.6:
        high = rng.uniform(0.06, 0.1)
        side = box((0.02, high, 2 * z), (x, height - high / 2, 0))
        front = box((2 * x, high, 0.02), (0, height - high / 2, -z))
        parts["apron"] = join(mirror_pair(side), mirror_pair(front, "z"))
    if style in legs and rng.random() < (0.5 if low else 0.15):
        y = height * rng.uniform(0.2, 0.4)
        parts["shelf"] = box((2 * x + 0.03, 0.025, 2 * z + 0.03), (0, y, 0))
    desk = style in ("panels", "straight", "tapered") and not (low or round_top)
    if desk and width > 1.1 and rng.random() < 0.55:
        parts["drawers"] = _desk_drawers(rng, width, depth, height)
        if rng.random() < 0.25:
            hutch = box(
                (width * 0.9, 0.3, 0.2), (0, height + thick + 0.15, depth / 2 - 0.12)
            )
            parts["hutch"] = hutch
    return parts


KINDS = (
    Kind(_plain_table, 5),
    Kind(low_tables.coffee_table, 5),
    Kind(low_tables.pedestal_table, 2.5),
    Kind(low_tables.block_table, 1.2),
    Kind(low_tables.crossed_table, 1.5),
    Kind(low_tables.corner_desk),
    Kind(low_tables.workbench, 0.8),
    Kind(low_tables.drop_leaf_table, held_out=True),
    Kind(low_tables.spool_table, held_out=True),
)
"""Tables of all kinds; drop-leaf tables and cable drums are held out."""
