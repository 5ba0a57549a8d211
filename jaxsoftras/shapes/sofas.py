"""Sofas. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes import corner_sofas
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
    circle,
    rectangle,
)
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    extrude,
    stack,
    superellipsoid,
    sweep,
    tapered_box,
)


def _cushion(width: float, height: float, depth: float, center: ArrayLike) -> Solid:
    return superellipsoid((width, height, depth), center, exponent=5.0, rings=5)


def _sofa_arm(rng: np.random.Generator, depth: float, height: float) -> Solid:
    """A right-hand armrest that stands on y = 0, its inner side at x = 0."""
    width = rng.uniform(0.12, 0.24)
    kind = rng.integers(3)
    if kind == 0:
        return box((width, height, depth), (width / 2, height / 2, 0), bevel=0.02)
    if kind == 1:
        roll = rotate(cylinder(width * 0.55, depth, sides=14), "x", 90)
        roll = translate(roll, (width * 0.6, height - width * 0.5, -depth / 2))
        size = (width * 0.8, height - width * 0.5, depth * 0.97)
        return join(roll, box(size, (width * 0.45, size[1] / 2, 0)))
    bottom, top = (width * 0.7, depth), (width, depth * 0.9)
    block = tapered_box(bottom, top, height, shift=(width * 0.15, depth * 0.04))
    return translate(block, (width * 0.4, 0, 0))


def _curved_sofa(rng: np.random.Generator) -> Parts:
    """A sofa along an arc: one profile for the seat and one for the back."""
    reach, radius = rng.uniform(45, 85), rng.uniform(1.1, 1.5)
    angles = np.deg2rad(np.linspace(-reach, reach, 15))
    flat = np.zeros(15)
    arc = radius * np.stack([np.sin(angles), flat, np.cos(angles)], -1)
    seat = sweep(arc * (1, 1, 1) + (0, 0.28, 0), rectangle(0.75, 0.3, 0.06))
    behind = arc * ((radius + 0.34) / radius) + (0, 0.48, 0)
    back = sweep(behind, rectangle(0.2, 0.72, 0.07))
    foot = cylinder(0.03, 0.14, sides=8)
    feet = [translate(foot, arc[k] * s) for k in (1, 7, 13) for s in (0.8, 1.2)]
    return {"seat": seat, "back": back, "legs": join(*feet)}


def _straight_sofa(rng: np.random.Generator) -> Parts:
    """Sofas of one to four seats, some with a chaise; arms, pads, feet vary."""
    seats = int(rng.choice([1, 2, 2, 3, 3, 4]))
    each = rng.uniform(0.55, 0.7) + (0.12 if seats == 1 else 0.0)
    width, depth = seats * each, rng.uniform(0.78, 0.95)
    lift, seat_height = rng.uniform(0.05, 0.15), rng.uniform(0.38, 0.44)
    thick = rng.uniform(0.18, 0.26)
    back_height = rng.uniform(0.72, 0.92)
    frame = [
        box(
            (width, seat_height - 0.12 - lift, depth * 0.98),
            (0, (seat_height - 0.12 + lift) / 2, 0),
        )
    ]
    z_back = depth / 2 - thick / 2
    if rng.random() < 0.3:  # arched or rounded top
        x = np.linspace(-1, 1, 9)
        crest = back_height + rng.uniform(0.06, 0.12) * (np.cos(x * np.pi) - 1) / 2
        corners = [(-width / 2, lift), (width / 2, lift)]
        corners += list(zip(x[::-1] * width / 2, crest[::-1], strict=True))
        frame.append(
            extrude(corners, thick, axis="z", bevel=0.02, center=(0, 0, z_back))
        )
    else:
        tall = back_height - lift
        frame.append(
            box((width, tall, thick), (0, lift + tall / 2, z_back), bevel=0.025)
        )
    cushion_depth = depth - thick
    z_seat = -thick / 2 - 0.01
    places = (np.arange(seats) - (seats - 1) / 2) * each
    pads = [
        _cushion(each * 0.98, 0.2, cushion_depth, (x, seat_height - 0.05, z_seat))
        for x in places
    ]
    parts = {"frame": join(*frame)}
    if rng.random() < 0.75:
        rest = _cushion(each * 0.94, back_height - seat_height, 0.2, (0, 0, 0))
        rest = rotate(rest, "x", rng.uniform(5, 14))
        y, z = (back_height + seat_height) / 2, z_back - thick / 2 - 0.06
        parts["pillows"] = join(*(translate(rest, (x, y, z)) for x in places))
    arm = _sofa_arm(rng, depth, rng.uniform(0.52, 0.66) - lift)
    x = width / 2
    if seats == 1 or rng.random() < 0.88:
        parts["arms"] = mirror_pair(translate(arm, (x - 0.01, lift, 0)))
    if lift > 0.07:
        outline = circle(0.03, 8) if rng.random() < 0.5 else rectangle(0.07, 0.07)
        foot = stack([outline * 0.7, outline], [0, lift + 0.02])
        feet = four_corners(translate(foot, (x - 0.08, 0, -depth / 2 + 0.08)))
    else:
        foot = box((0.06, lift + 0.02, 0.06), (0, lift / 2 + 0.01, 0))
        size = (width * 0.94, lift + 0.02, depth * 0.85)
        feet = box(size, (0, size[1] / 2, 0))
    if seats > 1 and rng.random() < 0.3:  # a chaise in front of the last seat
        reach = rng.uniform(0.5, 0.75)
        side = rng.choice([-1, 1])
        middle = (side * (x - each / 2), 0, -depth / 2 - reach / 2)
        tall = seat_height - 0.12 - lift
        block = box((each, tall, reach + 0.04), (0, lift + tall / 2, 0.02))
        pad = _cushion(each * 0.98, 0.2, reach + 0.05, (0, seat_height - 0.05, 0.02))
        front = mirror_pair(translate(foot, (each / 2 - 0.08, 0, -reach / 2 + 0.08)))
        parts["frame"] = join(parts["frame"], translate(block, middle))
        pads.append(translate(pad, middle))
        feet = join(feet, translate(front, middle))
    return parts | {"cushions": join(*pads), "legs": feet}


KINDS = (
    Kind(_straight_sofa, 5),
    Kind(_curved_sofa, 0.8),
    Kind(corner_sofas.corner_sofa, 3),
    Kind(corner_sofas.low_sofa, 5),
    Kind(corner_sofas.chesterfield, 1.5),
    Kind(corner_sofas.framed_sofa, 1.5),
    Kind(corner_sofas.ottoman, 0.7),
    Kind(corner_sofas.day_bed, held_out=True),
)
"""Sofas of all kinds; day beds are held out."""
