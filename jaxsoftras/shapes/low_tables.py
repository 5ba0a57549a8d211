"""Coffee tables, pedestal tables and workbenches. Units are metres."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import circle, rectangle, superellipse
from jaxsoftras.shapes.solids import beam, box, extrude, lathe, stack, tapered_box, tube


def top(
    rng: np.random.Generator,
    width: float,
    depth: float,
    thick: float,
    *,
    rounded: bool = False,
) -> Solid:
    """A table top with its lower side at y = 0: of planks, plain, round or cut.

    Args:
        rng: source of randomness.
        width: extent in x.
        depth: extent in z.
        thick: extent in y.
        rounded: whether it may lack its corners.

    Returns:
        The top.
    """
    if rounded:
        outline = superellipse(width, depth, rng.choice([2.0, 2.0, 3.0, 5.0]), 24)
        if rng.random() < 0.3:
            sides = int(rng.choice([5, 6, 8]))
            outline = circle(1.0, sides) * (width / 2, depth / 2)
    elif rng.random() < 0.25:
        count = int(rng.integers(2, 7))
        pitch = depth / count
        places = (np.arange(count) - (count - 1) / 2) * pitch
        board = box((width, thick, pitch * rng.uniform(0.85, 0.97)), (0, thick / 2, 0))
        return join(*(translate(board, (0, 0, z)) for z in places))
    else:
        corner = rng.choice([0.0, 0.05, 0.12]) * min(width, depth)
        outline = rectangle(width, depth, corner)
    edge = rng.uniform(0.9, 1.0)
    return stack([outline * edge, outline, outline], [0, thick * 0.5, thick])


def coffee_table(rng: np.random.Generator) -> Parts:
    """A low table on posts, panels, a frame or splayed legs, with a shelf or none."""
    width = rng.uniform(0.6, 1.4)
    depth = width * rng.uniform(0.4, 1.0)
    height, thick = rng.uniform(0.22, 0.55), rng.uniform(0.02, 0.14)
    leg = rng.uniform(0.03, 0.16)
    kind = rng.integers(6)
    rounded = rng.random() < 0.35
    inner = rng.uniform(0.55, 0.7) if rounded else rng.uniform(0.75, 1.0)
    wide, deep = width * inner, depth * inner
    if kind < 2:
        base = legs.posts(wide, deep, height, leg)
        if rng.random() < 0.6:
            base = join(base, legs.stretchers(rng, wide, deep, height, leg))
    elif kind == 2:
        base = legs.splayed(rng, wide * 0.8, deep * 0.8, height, leg * 0.8)
    elif kind == 3:
        panel = box((leg, height, deep), ((wide - leg) / 2, height / 2, 0))
        base = mirror_pair(panel)
    elif kind == 4:
        base = legs.sled(wide, deep, height, leg * 0.3)
    else:
        base = legs.hairpins(wide, deep, height, 0.012)
    surface = top(rng, width, depth, thick, rounded=rounded)
    surface = translate(surface, (0, height - 0.004, 0))
    parts = {"legs": base, "top": surface}
    if kind < 4 and rng.random() < 0.45:
        y = height * rng.uniform(0.1, 0.5)
        parts["shelf"] = box((wide, rng.uniform(0.02, 0.06), deep * 0.95), (0, y, 0))
    if rng.random() < 0.25:
        size = (wide * rng.uniform(0.3, 0.95), height * 0.4, deep * 0.9)
        parts["drawers"] = box(size, (0, height - size[1] / 2, 0))
    return parts


def pedestal_table(rng: np.random.Generator) -> Parts:
    """A top on one column, or on two."""
    width = rng.uniform(0.45, 1.3)
    height = rng.uniform(0.3, 1.1)
    thick = rng.uniform(0.02, 0.12)
    two = rng.random() < 0.25
    depth = width * (rng.uniform(0.4, 0.7) if two else rng.uniform(0.8, 1.0))
    reach = min(width, depth) * rng.uniform(0.2, 0.45)
    base = legs.pedestal(rng, reach, height)
    if two:
        bar = beam((-width * 0.28, 0.2, 0), (width * 0.28, 0.2, 0), 0.05, 0.07)
        base = join(mirror_pair(translate(base, (width * 0.28, 0, 0))), bar)
    surface = top(rng, width, depth, thick, rounded=rng.random() < 0.7)
    return {"legs": base, "top": translate(surface, (0, height - 0.004, 0))}


def block_table(rng: np.random.Generator) -> Parts:
    """A top on a drum, a box, an hourglass or slabs."""
    width = rng.uniform(0.4, 1.3)
    depth = width * rng.uniform(0.5, 1.0)
    height, thick = rng.uniform(0.25, 0.8), rng.uniform(0.03, 0.15)
    share = rng.uniform(0.35, 0.95)
    kind = rng.integers(4)
    if kind == 0:
        body = box((width * share, height, depth * share), (0, height / 2, 0))
    elif kind == 1:
        ends = (
            (width * share, depth * share),
            (width * rng.uniform(0.3, 0.9), depth * 0.5),
        )
        body = tapered_box(*ends, height)
    elif kind == 2:
        waist = rng.uniform(0.2, 0.6) * width
        wide = width * share / 2
        body = lathe([(wide, 0), (waist / 2, height / 2), (wide, height)], sides=14)
    else:
        slab = box((width * 0.12, height, depth * share), (width * 0.34, height / 2, 0))
        body = mirror_pair(slab)
    surface = top(rng, width, depth, thick, rounded=rng.random() < 0.5)
    surface = translate(surface, (0, height - 0.004, 0))
    return {"legs": body, "top": surface}


def crossed_table(rng: np.random.Generator) -> Parts:
    """A top on crossed legs at both ends, or on folding trestles."""
    width = rng.uniform(0.9, 1.9)
    depth, height = width * rng.uniform(0.35, 0.75), rng.uniform(0.4, 0.85)
    thick = rng.uniform(0.02, 0.12)
    wide = width * rng.uniform(0.6, 0.95)
    if rng.random() < 0.5:
        base = legs.crossed(wide, depth * 0.85, height, rng.uniform(0.03, 0.12))
    else:
        z, x, wire = depth * 0.42, wide / 2, rng.uniform(0.02, 0.04)
        gap = rng.uniform(0.05, 0.2)
        path = [(x - gap, 0, -z), (x, height, -z), (x, height, z), (x - gap, 0, z)]
        second = [(x + gap, 0, -z), (x, height, -z), (x, height, z), (x + gap, 0, z)]
        base = mirror_pair(join(*(tube(p, wire, sides=6) for p in (path, second))))
    surface = translate(top(rng, width, depth, thick), (0, height - 0.004, 0))
    return {"legs": base, "top": surface}


def corner_desk(rng: np.random.Generator) -> Parts:
    """A desk with two wings, or with a top that bulges at one end."""
    width, other = rng.uniform(1.2, 1.9), rng.uniform(0.9, 1.7)
    deep, thick = rng.uniform(0.45, 0.75), rng.uniform(0.02, 0.05)
    height = rng.uniform(0.68, 0.78)
    x, z = width / 2, other / 2
    if rng.random() < 0.6:
        outline = [(-x, -z), (-x + deep, -z), (-x + deep, z - deep), (x, z - deep)]
        outline += [(x, z), (-x, z)]
    else:
        z = deep * 0.75
        outline = [(-x, -z), (-x * 0.3, -z), (x * 0.1, -z * 0.2), (x, -z * 0.2)]
        outline += [(x, z), (-x, z)]
    left = rng.random() < 0.5
    plan = np.array(outline) * (1 if left else -1, 1)
    plan = plan if left else plan[::-1]
    surface = extrude(plan, thick, center=(0, height, 0))
    feet = []
    panel = rng.random() < 0.5
    for corner in plan[[0, 1, 3, 4, 5]]:
        place = corner * 0.96
        size = (0.3, height, 0.04) if panel else (0.05, height, 0.05)
        middle = (place[0] * (0.9 if panel else 1), height / 2, place[1])
        feet.append(box(size, middle))
    return {"top": surface, "legs": join(*feet)}


def workbench(rng: np.random.Generator) -> Parts:
    """A table with a shelf above its back, a panel or a rack."""
    width, depth = rng.uniform(0.9, 1.7), rng.uniform(0.45, 0.75)
    height, rise = rng.uniform(0.6, 0.9), rng.uniform(0.3, 0.9)
    thick, leg = rng.uniform(0.03, 0.1), rng.uniform(0.04, 0.1)
    z = depth / 2
    back = [box((width, rise, 0.03), (0, height + rise / 2, z - 0.03))]
    for y in np.linspace(0.5, 1.0, int(rng.integers(1, 3))) * rise:
        shelf = rng.uniform(0.12, 0.3)
        back.append(box((width, 0.03, shelf), (0, height + y, z - shelf / 2)))
    ends = mirror_pair(
        box((0.03, rise, 0.2), (width / 2 - 0.015, height + rise / 2, z - 0.1))
    )
    parts = {
        "legs": legs.posts(width, depth, height, leg),
        "top": box((width * 1.03, thick, depth * 1.03), (0, height, 0)),
        "hutch": join(*back, ends),
    }
    if rng.random() < 0.6:
        y = rng.uniform(0.08, 0.3)
        parts["shelf"] = box((width * 0.97, 0.03, depth * 0.9), (0, y, 0))
    return parts


def drop_leaf_table(rng: np.random.Generator) -> Parts:
    """A table with a leaf that hangs from each side of its top."""
    width, depth = rng.uniform(0.4, 0.7), rng.uniform(0.7, 1.0)
    height, thick = rng.uniform(0.6, 0.78), 0.03
    leaf = rng.uniform(0.25, 0.5)
    hanging = translate(
        box((thick, leaf, depth)), (width / 2 + thick / 2, height - leaf / 2, 0)
    )
    if rng.random() < 0.5:  # one leaf is up
        up = box((leaf, thick, depth), (-width / 2 - leaf / 2, height, 0))
        leaves = join(hanging, up)
    else:
        leaves = mirror_pair(hanging)
    return {
        "top": box((width, thick, depth), (0, height, 0)),
        "leaves": leaves,
        "legs": legs.posts(width * 0.9, depth * 0.85, height, rng.uniform(0.04, 0.08)),
    }


def spool_table(rng: np.random.Generator) -> Parts:
    """A cable drum on its end, or tipped like a wheel."""
    radius, height = rng.uniform(0.3, 0.5), rng.uniform(0.35, 0.7)
    core, disc = radius * rng.uniform(0.4, 0.7), rng.uniform(0.03, 0.07)
    plate = lathe([(radius, 0), (radius, disc)], sides=20)
    drum = lathe([(core, 0), (core, height)], sides=16)
    hub = lathe([(0.05, height), (0.05, height + disc * 1.5)], sides=8)
    plates = join(plate, translate(plate, (0, height, 0)))
    bolts = rotate(box((radius, disc * 1.3, 0.04), (0, height + disc / 2, 0)), "y", 30)
    return {"legs": drum, "top": plates, "bolts": join(hub, bolts)}
