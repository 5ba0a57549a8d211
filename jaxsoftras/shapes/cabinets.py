"""Cabinets. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import appliances, shelves
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    four_corners,
    join,
    mirror_pair,
    translate,
)
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    superellipsoid,
)


def _handle(rng: np.random.Generator, upright: bool) -> Solid:
    """A knob or a bar handle in front of the plane z = 0."""
    if rng.random() < 0.4:
        return superellipsoid((0.035, 0.035, 0.04), (0, 0, -0.02), sides=8, rings=5)
    size = (0.018, 0.16, 0.03) if upright else (0.16, 0.018, 0.03)
    return box(size, (0, 0, -0.015))


# Ranges of the numbers of columns and rows, size (x, y, z), fronts to choose from.
_ANY = ("door", "door", "drawer", "open", "mixed")
_CABINETS = {
    "wardrobe": ((2, 3), (1, 1), (1.2, 1.9, 0.55), ("door",)),
    "chest": ((1, 2), (3, 5), (0.85, 1.0, 0.45), ("drawer",)),
    "sideboard": ((2, 4), (1, 2), (1.5, 0.75, 0.42), _ANY),
    "bookcase": ((1, 2), (3, 5), (0.9, 1.8, 0.32), ("open", "open", "open", "door")),
    "nightstand": ((1, 1), (1, 3), (0.5, 0.55, 0.4), ("drawer", "open", "door")),
    "cupboard": ((1, 2), (2, 3), (0.9, 1.5, 0.45), _ANY),
}


def _plain_cabinet(rng: np.random.Generator) -> Parts:
    """Wardrobes, chests, sideboards, shelves: doors, drawers and openings in a grid."""
    kind = str(rng.choice(list(_CABINETS)))
    (low, high), (least, most), size, fronts_allowed = _CABINETS[kind]
    columns, rows = int(rng.integers(low, high + 1)), int(rng.integers(least, most + 1))
    width, height, depth = np.array(size) * rng.uniform(0.8, 1.2, 3)
    board = rng.uniform(0.018, 0.03)
    lift = rng.uniform(0.04, 0.2) if height < 1.2 else rng.uniform(0.03, 0.08)
    inner = height - lift

    carcass = [
        mirror_pair(
            box((board, inner, depth), (width / 2 - board / 2, lift + inner / 2, 0))
        ),
        box((width - board, board, depth * 0.99), (0, lift + board / 2, 0)),
        box(
            (width - board, inner - board, board),
            (0, lift + inner / 2, depth / 2 - board),
        ),
    ]
    overhang = rng.choice([0.0, 0.03, 0.06])
    top = box(
        (width + overhang, board * 1.5, depth + overhang), (0, height, 0), bevel=0.006
    )
    cell_width = (width - board) / columns
    cell_height = (inner - board) / rows
    bottom = lift + board / 2
    for k in range(1, columns):
        x = -width / 2 + board / 2 + k * cell_width
        carcass.append(
            box((board, inner - board, depth * 0.97), (x, lift + inner / 2, 0))
        )
    for k in range(1, rows):
        y = bottom + k * cell_height
        carcass.append(box((width - board, board, depth * 0.96), (0, y, 0)))

    fronts, handles = [], []
    front_of_row = rng.choice(fronts_allowed, rows)
    for row, column in np.ndindex(rows, columns):
        front = front_of_row[row]
        if front == "mixed":
            front = rng.choice(["door", "drawer", "open"])
        if front == "open":
            continue
        x = -width / 2 + board / 2 + (column + 0.5) * cell_width
        y = bottom + (row + 0.5) * cell_height
        face = box(
            (cell_width * 0.96, cell_height - 0.015, 0.025),
            (x, y, -depth / 2 - 0.008),
            bevel=0.004,
        )
        fronts.append(face)
        at_door = front == "door"
        shift = (0.38 if column % 2 == 0 else -0.38) * cell_width if at_door else 0.0
        handle = _handle(rng, upright=bool(at_door))
        handles.append(translate(handle, (x + shift, y, -depth / 2 - 0.02)))
    parts = {"carcass": join(*carcass), "top": top}
    if fronts:
        parts |= {"fronts": join(*fronts), "handles": join(*handles)}
    if lift > 0.08 and rng.random() < 0.8:
        place = (width / 2 - 0.05, 0, -depth / 2 + 0.05)
        leg = cylinder(0.015, lift + 0.005, place, top_radius=0.025, sides=8)
        parts["legs"] = four_corners(leg)
    else:
        size = (width * 0.94, lift + 0.005, depth * 0.86)
        parts["legs"] = box(size, (0, size[1] / 2, 0.01))
    return parts


KINDS = (
    Kind(_plain_cabinet, 4),
    Kind(appliances.cupboard, 5),
    Kind(appliances.kitchen_unit, 2.5),
    Kind(appliances.oven, 1.2),
    Kind(appliances.washing_machine, 0.8),
    Kind(appliances.fridge, 1.5),
    Kind(appliances.corner_unit, 1.2),
    Kind(shelves.open_shelf, 2.5),
    Kind(shelves.side_table, 1.5),
    Kind(shelves.low_board, 2),
    Kind(shelves.dresser, 1.5),
    Kind(shelves.long_case_clock),
    Kind(shelves.trunk),
    Kind(shelves.ladder_shelf, held_out=True),
    Kind(shelves.round_cabinet, held_out=True),
)
"""Cabinets of all kinds; ladder shelves and round cabinets are held out."""
