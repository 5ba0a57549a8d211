"""Shelves, racks, clocks, chests and sideboards. Units are metres; the front is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.appliances import handle
from jaxsoftras.shapes.placement import Parts, join, mirror_pair, translate
from jaxsoftras.shapes.polygons import superellipse
from jaxsoftras.shapes.solids import beam, box, extrude, superellipsoid, tapered_box


def open_shelf(rng: np.random.Generator) -> Parts:
    """Boards between two sides or four posts, with a back or without."""
    width, depth = rng.uniform(0.3, 1.4), rng.uniform(0.2, 0.6)
    height = rng.uniform(0.4, 2.0)
    board, thick = rng.uniform(0.015, 0.06), rng.uniform(0.02, 0.09)
    posts = rng.random() < 0.5
    if posts:
        sides = legs.posts(width, depth, height, thick)
    else:
        panel = box((board, height, depth), ((width - board) / 2, height / 2, 0))
        sides = mirror_pair(panel)
    low = rng.uniform(0.02, 0.2)
    levels = np.linspace(low, 0.97, int(rng.integers(2, 8))) * height
    boards = [box((width * 0.99, board, depth * 0.98), (0, y, 0)) for y in levels]
    parts = {"carcass": sides, "top": join(*boards)}
    if rng.random() < 0.6 and not posts:
        parts["back"] = box(
            (width * 0.98, height * 0.97, 0.02), (0, height / 2, depth / 2)
        )
    if rng.random() < 0.25:
        x = rng.uniform(-0.2, 0.2) * width
        parts["divider"] = box((board, height * 0.9, depth * 0.9), (x, height * 0.5, 0))
    return parts


def side_table(rng: np.random.Generator) -> Parts:
    """A drawer or two below a top on legs, with a shelf or none."""
    width, depth = rng.uniform(0.4, 1.2), rng.uniform(0.35, 0.9)
    height, leg = rng.uniform(0.4, 0.9), rng.uniform(0.03, 0.12)
    deep = height * rng.uniform(0.2, 0.6)
    over = rng.uniform(1.0, 1.2)
    y = height - deep / 2
    front = box((width * 0.85, deep * 0.8, 0.03), (0, y, -depth / 2))
    parts = {
        "legs": legs.posts(width, depth, height, leg),
        "carcass": box((width * 0.97, deep, depth * 0.97), (0, y, 0)),
        "top": box(
            (width * over, rng.uniform(0.02, 0.07), depth * over), (0, height, 0)
        ),
        "fronts": join(
            front, translate(handle(rng, width, False), (0, y, -depth / 2 - 0.015))
        ),
    }
    if rng.random() < 0.45:
        shelf = rng.uniform(0.1, 0.4) * height
        parts["shelf"] = box((width * 0.95, 0.03, depth * 0.95), (0, shelf, 0))
    return parts


def low_board(rng: np.random.Generator) -> Parts:
    """A long low sideboard on feet, with doors, drawers and open cells."""
    width, depth = rng.uniform(1.2, 2.2), rng.uniform(0.3, 0.6)
    height, lift = rng.uniform(0.3, 0.85), rng.uniform(0.02, 0.25)
    cells, board = int(rng.integers(2, 5)), 0.03
    rows = int(rng.integers(1, 3))
    shell = [
        box((width, board, depth), (0, y, 0)) for y in (lift + 0.015, height - 0.015)
    ]
    tall = height - lift
    shell.append(box((width, tall, board), (0, lift + tall / 2, depth / 2 - board / 2)))
    shell += [
        box((board, tall, depth), (x, lift + tall / 2, 0))
        for x in np.linspace(-1, 1, cells + 1) * (width - board) / 2
    ]
    fronts = [shell[0]._replace(vertices=shell[0].vertices * (0.9, 1, 0.9))]
    each = (width - board) / cells
    for row, column in np.ndindex(rows, cells):
        if rng.random() < 0.35:
            continue
        x = -width / 2 + board / 2 + (column + 0.5) * each
        y = lift + (row + 0.5) * tall / rows
        fronts.append(box((each * 0.96, tall / rows * 0.95, 0.03), (x, y, -depth / 2)))
        fronts.append(
            translate(handle(rng, each, rows == 1), (x, y, -depth / 2 - 0.015))
        )
    if rng.random() < 0.5:
        feet = legs.splayed(rng, width * 0.85, depth * 0.8, lift + 0.01, 0.05)
    else:
        feet = legs.posts(
            width * 0.95, depth * 0.9, lift + 0.01, rng.uniform(0.04, 0.1)
        )
    return {"carcass": join(*shell), "fronts": join(*fronts), "legs": feet}


def long_case_clock(rng: np.random.Generator) -> Parts:
    """A tall narrow case: a base, a waist and a wider hood with a round dial."""
    width, depth = rng.uniform(0.35, 0.6), rng.uniform(0.25, 0.4)
    height, waist = rng.uniform(1.6, 2.3), rng.uniform(0.6, 0.95)
    base, hood = height * rng.uniform(0.18, 0.3), height * rng.uniform(0.18, 0.26)
    middle = height - base - hood
    case = [
        tapered_box((width * 1.05, depth * 1.05), (width, depth), base),
        box((width * waist, middle + 0.02, depth * waist), (0, base + middle / 2, 0)),
        box((width, hood, depth), (0, height - hood / 2, 0)),
    ]
    if rng.random() < 0.5:
        crown = superellipse(width, width * rng.uniform(0.4, 1), 2.0, 24)
        arch = crown[crown[:, 1] >= -1e-9]
        case.append(extrude(arch, depth, axis="z", center=(0, height - 0.005, 0)))
    else:
        case.append(box((width * 1.2, 0.06, depth * 1.2), (0, height, 0)))
    dial = superellipsoid((width * 0.7, width * 0.7, 0.06), exponent=2, sides=16)
    dial = translate(dial, (0, height - hood / 2, -depth / 2))
    door = box(
        (width * waist * 0.7, middle * 0.85, 0.02),
        (0, base + middle / 2, -depth * waist / 2),
    )
    return {"carcass": join(*case), "fronts": door, "screen": dial}


def trunk(rng: np.random.Generator) -> Parts:
    """A chest with a curved or flat lid and bands around it."""
    width, depth = rng.uniform(0.7, 1.2), rng.uniform(0.4, 0.75)
    height, rise = rng.uniform(0.25, 0.6), depth * rng.uniform(0.05, 0.5)
    sides = int(rng.choice([8, 12, 24]))
    oval = superellipse(depth, 2 * rise, rng.uniform(2, 3), sides)
    lid = oval[oval[:, 1] >= -1e-9]
    outline = np.concatenate([lid + (0, height), [(-depth / 2, 0), (depth / 2, 0)]])
    swell = rng.uniform(1.04, 1.12)
    middle = outline.mean(0)
    band = middle + (outline - middle) * swell
    x = width * rng.uniform(0.2, 0.42)
    bands = [
        extrude(band, width * 0.1, axis="x", center=(s * x, 0, 0)) for s in (-1, 1)
    ]
    lock = box((0.1, 0.12, 0.05), (0, height, -depth / 2))
    return {
        "carcass": extrude(outline, width, axis="x"),
        "handles": join(*bands, lock),
    }


def dresser(rng: np.random.Generator) -> Parts:
    """A chest of drawers with a shallower case of shelves or doors above it."""
    width, depth = rng.uniform(0.8, 1.4), rng.uniform(0.4, 0.6)
    low, high = rng.uniform(0.6, 0.95), rng.uniform(1.5, 2.1)
    upper, lift = depth * rng.uniform(0.5, 0.85), rng.uniform(0.04, 0.15)
    z = (depth - upper) / 2
    base = box((width, low - lift, depth), (0, (low + lift) / 2, 0))
    over = [box((width * 1.05, 0.04, depth * 1.06), (0, low, 0))]
    crown = rng.uniform(1.0, 1.15)
    over.append(box((width * crown, 0.07, upper * crown), (0, high, z)))
    if rng.random() < 0.4:
        arch = superellipse(width * 0.9, rng.uniform(0.2, 0.5), 2.0, 24)
        arch = arch[arch[:, 1] >= -1e-9]
        over.append(extrude(arch, upper * 0.6, axis="z", center=(0, high, z)))
    wall = 0.04
    tall = high - low
    frame = [box((width * 0.97, tall, wall), (0, low + tall / 2, depth / 2 - wall / 2))]
    frame.append(
        mirror_pair(box((wall, tall, upper), (width * 0.47, low + tall / 2, z)))
    )
    levels = low + np.linspace(0.3, 0.75, int(rng.integers(1, 4))) * tall
    frame += [box((width * 0.95, 0.03, upper * 0.9), (0, y, z)) for y in levels]
    if rng.random() < 0.4:
        frame.append(
            box((width * 0.9, tall * 0.95, 0.03), (0, low + tall / 2, z - upper / 2))
        )
    fronts = []
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    for row, column in np.ndindex(rows, columns):
        size = (width / columns * 0.9, (low - lift) / rows * 0.88, 0.03)
        x = ((column + 0.5) / columns - 0.5) * width
        fronts.append(
            box(size, (x, lift + (row + 0.5) / rows * (low - lift), -depth / 2))
        )
    return {
        "carcass": join(base, *frame),
        "top": join(*over),
        "fronts": join(*fronts),
        "legs": legs.posts(width, depth, lift + 0.01, rng.uniform(0.06, 0.12)),
    }


def ladder_shelf(rng: np.random.Generator) -> Parts:
    """Shelves of growing depth in a frame that leans, or between two ladders."""
    width, depth, height = (
        rng.uniform(0.5, 0.9),
        rng.uniform(0.4, 0.7),
        rng.uniform(1.2, 1.9),
    )
    thick, x, z = rng.uniform(0.03, 0.06), width / 2, depth / 2
    both = rng.random() < 0.5
    front = beam((x, 0, -z), (x, height, 0 if both else z), thick, thick)
    back = beam((x, 0, z), (x, height, 0 if both else z), thick, thick)
    boards = []
    for share in np.linspace(0.08, 0.88, int(rng.integers(3, 6))):
        start = -z * (1 - share) if both else -z + depth * share
        end = z * (1 - share) if both else z
        size = (width, 0.03, max(end - start, 0.06))
        boards.append(box(size, (0, share * height, (start + end) / 2)))
    return {"carcass": mirror_pair(join(front, back)), "top": join(*boards)}


def round_cabinet(rng: np.random.Generator) -> Parts:
    """A drum or an oval case with bands, as for bottles."""
    width, height = rng.uniform(0.5, 0.9), rng.uniform(0.6, 1.1)
    plan = superellipse(width, width * rng.uniform(0.6, 1), rng.uniform(2, 3), 20)
    body = extrude(plan, height, center=(0, height / 2, 0))
    bands = [
        extrude(plan * 1.05, 0.05, center=(0, y * height, 0)) for y in (0.03, 0.5, 0.98)
    ]
    return {"carcass": body, "top": join(*bands)}
