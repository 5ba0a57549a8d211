"""Kitchen units and appliances. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    four_corners,
    join,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import rectangle
from jaxsoftras.shapes.solids import box, cylinder, extrude, lathe, stack, tube


def handle(rng: np.random.Generator, wide: float, upright: bool) -> Solid:
    """A bar, a bow or a knob in front of the plane z = 0."""
    kind = rng.integers(3)
    if kind == 0:
        return rotate(cylinder(0.018, 0.04, sides=8), "x", -90)
    reach = wide * rng.uniform(0.15, 0.7)
    if kind == 1:
        bar = box((reach, 0.018, 0.03), (0, 0, -0.015))
    else:
        half = reach / 2
        path = [(-half, 0, 0.01), (-half, 0, -0.04), (half, 0, -0.04), (half, 0, 0.01)]
        bar = tube(path, 0.008, sides=5)
    return rotate(bar, "z", 90) if upright else bar


def _front(
    rng: np.random.Generator, width: float, low: float, high: float, z: float
) -> tuple[Solid, Solid]:
    """A door or a drawer between two heights, before the plane z, and its handle."""
    tall, raised = (high - low) * 0.95, rng.uniform(0.01, 0.04)
    middle = (0, (low + high) / 2, z - raised / 2 + 0.004)
    panel = box((width * 0.95, tall, raised), middle, bevel=0.004)
    upright = tall > width * 0.8
    x = rng.choice([-0.36, 0.36]) * width if upright else 0.0
    bar = handle(rng, min(tall, width), upright)
    y = (low + high) / 2 + rng.uniform(0, 0.35) * tall
    return panel, translate(bar, (x, y, z - raised))


def cupboard(rng: np.random.Generator) -> Parts:
    """A closed block, low or tall, with doors and drawers in one column."""
    width, depth = rng.uniform(0.35, 1.1), rng.uniform(0.3, 0.75)
    height = rng.choice([rng.uniform(0.35, 1.0), rng.uniform(1.0, 2.1)])
    lift = rng.choice([0.0, 0.08, rng.uniform(0.05, 0.2)])
    shell = box((width, height - lift, depth), (0, (height + lift) / 2, 0))
    cuts = np.sort(rng.uniform(0.2, 0.8, int(rng.integers(0, 3))))
    levels = lift + np.array([0, *cuts, 1]) * (height - lift)
    fronts, handles = zip(
        *(
            _front(rng, width, low, high, -depth / 2)
            for low, high in zip(levels, levels[1:], strict=False)
            if high - low > 0.06
        ),
        strict=True,
    )
    parts = {"carcass": shell, "fronts": join(*fronts), "handles": join(*handles)}
    over = rng.choice([0.0, 0.02, 0.08])
    if over:
        size = (width + over, rng.uniform(0.02, 0.08), depth + over)
        parts["top"] = box(size, (0, height, -over / 4), bevel=0.006)
    if lift > 0.1:
        thick = rng.uniform(0.03, 0.08)
        place = (width / 2 - thick, lift / 2, depth / 2 - thick)
        parts["legs"] = four_corners(box((thick, lift + 0.01, thick), place))
    elif lift:
        parts["legs"] = box(
            (width * 0.95, lift + 0.01, depth * 0.85), (0, lift / 2, 0.02)
        )
    return parts


def kitchen_unit(rng: np.random.Generator) -> Parts:
    """A cupboard below a worktop with an upstand, a sink with a tap, or a hob."""
    parts = cupboard(rng)
    low, high = parts["carcass"].vertices.min(0), parts["carcass"].vertices.max(0)
    width, depth, y = high[0] - low[0], high[2] - low[2], high[1]
    scale = (1, rng.uniform(0.75, 0.95) / y, 1) if y > 1 else (1, 1, 1)
    parts = {k: s._replace(vertices=s.vertices * scale) for k, s in parts.items()}
    y *= scale[1]
    thick = rng.uniform(0.03, 0.06)
    parts["top"] = box((width * 1.02, thick, depth * 1.05), (0, y + thick / 2, -0.02))
    rise = rng.uniform(0.04, 0.15)
    upstand = box(
        (width * 1.02, rise, 0.03), (0, y + thick + rise / 2, depth / 2 - 0.015)
    )
    kind = rng.integers(3)
    if kind == 0:
        rings = [
            cylinder(
                rng.uniform(0.06, 0.1) * width, 0.02, (x * width, y + thick, z * depth)
            )
            for x in (-0.24, 0.24)
            for z in (-0.2, 0.2)
        ]
        parts["rings"] = join(*rings)
    elif kind == 1:
        inner, outer = (
            rectangle(width * 0.5, depth * 0.5),
            rectangle(width * 0.56, depth * 0.6),
        )
        top = y + thick
        rim = stack([outer, outer, inner, inner], [top, top + 0.02, top + 0.02, top])
        tap = [(0, top, depth * 0.36), (0, top + 0.22, depth * 0.36)]
        tap += [(0, top + 0.24, depth * 0.2), (0, top + 0.16, depth * 0.12)]
        parts["rings"] = join(rim, tube(tap, 0.014, sides=6))
    if rng.random() < 0.6:
        parts["upstand"] = upstand
    return parts


def oven(rng: np.random.Generator) -> Parts:
    """A cooker: hob, knobs, a door with a bar, and a drawer below."""
    width, depth = rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.7)
    height = rng.uniform(0.6, 0.95)
    z = -depth / 2
    door = box((width * 0.92, height * 0.5, 0.04), (0, height * 0.48, z), bevel=0.008)
    bar = box((width * 0.8, 0.025, 0.03), (0, height * 0.68, z - 0.06))
    drawer = box(
        (width * 0.92, height * 0.16, 0.03), (0, height * 0.12, z), bevel=0.006
    )
    knob = rotate(cylinder(0.025, 0.04, sides=8), "x", -90)
    places = np.linspace(-0.4, 0.4, int(rng.integers(3, 7))) * width
    knobs = [translate(knob, (x, height * 0.88, z)) for x in places]
    plates = [
        cylinder(
            rng.uniform(0.07, 0.11) * width,
            0.02,
            (x * width, height - 0.003, s * depth),
        )
        for x in (-0.23, 0.23)
        for s in (-0.22, 0.2)
    ]
    parts = {
        "carcass": box((width, height, depth), (0, height / 2, 0)),
        "fronts": join(door, drawer),
        "handles": join(bar, *knobs),
        "rings": join(*plates),
    }
    if rng.random() < 0.4:
        rise = rng.uniform(0.06, 0.2)
        parts["upstand"] = box(
            (width, rise, 0.05), (0, height + rise / 2, depth / 2 - 0.025)
        )
    return parts


def washing_machine(rng: np.random.Generator) -> Parts:
    """A block with a round door, or with a lid on top."""
    width, depth, height = (
        rng.uniform(0.55, 0.7),
        rng.uniform(0.45, 0.7),
        rng.uniform(0.8, 0.95),
    )
    radius = width * rng.uniform(0.26, 0.38)
    profile = [(1, 0), (1, 0.12), (0.8, 0.2), (0.6, 0.12)]
    door = rotate(lathe(np.array(profile) * radius, sides=18), "x", -90)
    y = height * rng.uniform(0.42, 0.5)
    panel = box((width * 0.94, height * 0.13, 0.02), (0, height * 0.9, -depth / 2))
    return {
        "carcass": box((width, height, depth), (0, height / 2, 0), bevel=0.02),
        "fronts": translate(door, (0, y, -depth / 2)),
        "handles": panel,
    }


def fridge(rng: np.random.Generator) -> Parts:
    """One door above another, or two beside each other, with long handles."""
    width, depth = rng.uniform(0.5, 1.0), rng.uniform(0.5, 0.75)
    height = rng.uniform(0.8, 1.9)
    z, split = -depth / 2, rng.uniform(0.3, 0.75)
    panel = rng.uniform(0.03, 0.09)
    if rng.random() < 0.6:
        spans = [(0.02, split), (split + 0.01, 1.0)]
        doors = [
            box(
                (width, (b - a) * height, panel),
                (0, (a + b) / 2 * height, z),
                bevel=0.015,
            )
            for a, b in spans
        ]
        x = width * 0.4
        bars = [
            box(
                (0.03, (b - a) * height * 0.5, 0.04),
                (x, (a + b) / 2 * height, z - 0.07),
            )
            for a, b in spans
        ]
    else:
        doors = [
            box(
                (width * 0.49, height * 0.97, panel),
                (s * width * 0.25, height / 2, z),
                bevel=0.015,
            )
            for s in (-1, 1)
        ]
        bars = [
            box((0.03, height * 0.45, 0.04), (s * 0.05, height * 0.55, z - 0.07))
            for s in (-1, 1)
        ]
    return {
        "carcass": box((width, height, depth), (0, height / 2, 0)),
        "fronts": join(*doors),
        "handles": join(*bars),
    }


def corner_unit(rng: np.random.Generator) -> Parts:
    """A cupboard or shelves for a corner: cut off, hollow or rounded in front."""
    side, height = rng.uniform(0.6, 1.1), rng.uniform(0.5, 1.9)
    half, cut = side / 2, side * rng.uniform(0.35, 0.7)
    kind = rng.integers(3)
    if kind == 0:
        plan = [(-half, half), (-half, -half), (half - cut, -half), (half, cut - half)]
        plan.append((half, half))
    elif kind == 1:
        plan = [(-half, half), (-half, -half), (half - cut, -half)]
        plan += [(half - cut, cut - half), (half, cut - half), (half, half)]
    else:
        angles = np.linspace(-np.pi / 2, 0, 7)
        arc = np.stack([np.cos(angles), np.sin(angles)], -1) * side - (half, -half)
        plan = [(-half, half), *arc]
    outline = np.array(plan)[::-1]
    outline = outline if rng.random() < 0.5 else (outline * (-1, 1))[::-1]
    board = rng.uniform(0.02, 0.05)
    if rng.random() < 0.5:
        body = extrude(outline, height, center=(0, height / 2, 0))
        top = extrude(outline * 1.03, board, center=(0, height, 0))
        return {"carcass": body, "top": top}
    levels = np.linspace(board / 2, height - board / 2, int(rng.integers(3, 6)))
    shelves = [extrude(outline, board, center=(0, y, 0)) for y in levels]
    backs = [box((side, height, 0.02), (0, height / 2, half - 0.01))]
    wall = np.sign(outline[np.argmin(np.sum(outline * (0, 1), 1)), 0]) or 1.0
    backs.append(box((0.02, height, side), (wall * (half - 0.01), height / 2, 0)))
    return {"carcass": join(*shelves), "fronts": join(*backs)}
