"""Chairs. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import armchairs, legs, stools
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.legs import cushion
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
    superellipse,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    extrude,
    lathe,
    stack,
    superellipsoid,
    sweep,
    tube,
)


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
        return legs.star(rng, rng.uniform(0.27, 0.33), height)
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


def _plain_chair(rng: np.random.Generator) -> Parts:
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


def _office_chair(rng: np.random.Generator) -> Parts:
    """A padded seat and back on a star, with or without arms and a head rest."""
    width, depth = rng.uniform(0.45, 0.62), rng.uniform(0.42, 0.6)
    height, thick = rng.uniform(0.38, 0.55), rng.uniform(0.05, 0.16)
    back, pad = rng.uniform(0.35, 0.8), rng.uniform(0.05, 0.16)
    soft = rng.choice([2.5, 4.0, 7.0])
    rest = cushion((width * rng.uniform(0.7, 1), back, pad), (0, back / 2, 0), soft)
    rest = rotate(rest, "x", rng.uniform(2, 16))
    gap = rng.uniform(-0.04, 0.16)
    z = depth / 2 - pad / 3
    parts = {
        "legs": legs.star(rng, rng.uniform(0.26, 0.36), height),
        "seat": cushion((width, thick, depth), (0, height + thick / 2 - 0.01, 0), soft),
        "back": translate(rest, (0, height + thick + gap, z)),
        "spine": beam((0, height, 0), (0, height + thick + gap + 0.12, z), 0.07, 0.025),
    }
    if rng.random() < 0.65:
        x, y = width / 2 + 0.02, height + thick + rng.uniform(0.14, 0.22)
        loop = [(x * 0.6, height, 0), (x, height + 0.04, 0), (x, y, -depth * 0.3)]
        loop += [(x, y, depth * 0.35)]
        arm = tube(loop, rng.uniform(0.015, 0.035), sides=6)
        parts["arms"] = mirror_pair(arm)
    return parts


def _cantilever_chair(rng: np.random.Generator) -> Parts:
    """One bent tube or board on each side that is open at the back."""
    width, depth = rng.uniform(0.45, 0.65), rng.uniform(0.45, 0.65)
    seat, back = rng.uniform(0.4, 0.48), rng.uniform(0.75, 1.0)
    x, z, wire = width / 2, depth / 2, rng.uniform(0.012, 0.035)
    lean = rng.uniform(0.05, 0.25)
    path = [(x, wire, z), (x, wire, -z + 0.04), (x, 0.05, -z), (x, seat - 0.04, -z)]
    arms = rng.random() < 0.4
    rise = 0.2 if arms else 0.0
    path += [(x, seat + rise, -z + 0.05), (x, seat + rise, z)]
    if not arms:
        path.append((x, back, z + lean))
    rails = mirror_pair(tube(path, wire, sides=6))
    bars = [beam((-x, wire, z), (x, wire, z), 2 * wire, 2 * wire)]
    thick = rng.uniform(0.02, 0.09)
    side = [(0, seat, -z + 0.03), (0, seat - 0.02, z - 0.02), (0, back, z + lean)]
    bars.append(beam((-x, seat, -z + 0.06), (x, seat, -z + 0.06), 2 * wire, 2 * wire))
    return {"legs": join(rails, *bars), "seat": sweep(side, rectangle(width, thick))}


def _bent_chair(rng: np.random.Generator) -> Parts:
    """Seat and back of one bent sheet, on any base."""
    width, depth = rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6)
    seat, back = rng.uniform(0.36, 0.48), rng.uniform(0.3, 0.6)
    z, thick, lean = depth / 2, rng.uniform(0.015, 0.06), rng.uniform(0.02, 0.25)
    t = np.linspace(0, 1, 5)
    up = np.stack([0 * t, seat + back * t, z + lean * t**1.2], -1)
    nose = [(0, seat - rng.uniform(0, 0.06), -z), (0, seat, -z * 0.6)]
    path = [*nose, (0, seat - 0.015, z * 0.3), (0, seat + 0.04, z * 0.92), *up[1:]]
    taper = np.linspace(1, rng.uniform(0.6, 1.1), len(path))
    sheet = sweep(path, rectangle(width, thick), scale=taper)
    kind = rng.integers(4)
    if kind == 0:
        base = legs.splayed(rng, width * 0.8, depth * 0.8, seat, 0.045)
    elif kind == 1:
        base = legs.sled(width * 0.9, depth * 0.9, seat, 0.012)
    elif kind == 2:
        base = legs.posts(width * 0.85, depth * 0.85, seat, 0.035)
    else:
        base = legs.pedestal(rng, 0.25, seat)
    return {"seat": sheet, "legs": base}


def _framed_chair(rng: np.random.Generator) -> Parts:
    """Posts from the floor to the top of the back; rails, a cross or a panel."""
    width, depth = rng.uniform(0.38, 0.58), rng.uniform(0.38, 0.52)
    seat, top = rng.uniform(0.4, 0.5), rng.uniform(0.78, 1.2)
    thick, lean = rng.uniform(0.025, 0.07), rng.uniform(0.0, 0.14)
    x, z = (width - thick) / 2, (depth - thick) / 2
    path = [(x, 0, z + lean * 0.4), (x, seat, z), (x, top, z + lean)]
    post = sweep(path, rectangle(thick, thick))
    front = box((thick, seat, thick), (x, seat / 2, -z))
    sides = beam((x, seat * 0.3, -z), (x, seat * 0.3, z), thick * 0.6, thick * 0.6)
    parts = {"legs": mirror_pair(join(post, front, sides))}
    board = rng.uniform(0.02, 0.08)
    parts["seat"] = box((width, board, depth), (0, seat, 0), bevel=0.008)
    rise = top - seat
    kind = rng.integers(4)
    if kind == 0:
        share = rng.uniform(0.4, 0.85)
        rest = [
            box((2 * x, rise * share, thick * 0.5), (0, rise * (0.97 - share / 2), 0))
        ]
    elif kind == 1:
        levels = np.linspace(0.35, 0.95, int(rng.integers(2, 5)))
        rest = [box((2 * x, rise * 0.1, thick * 0.5), (0, rise * y, 0)) for y in levels]
    elif kind == 2:
        rest = [box((2 * x, rise * 0.12, thick * 0.6), (0, rise * 0.93, 0))]
        low = rng.uniform(0.05, 0.3)
        for s in (-1, 1):
            ends = (-s * x, rise * low, 0), (s * x, rise * 0.9, 0)
            rest.append(beam(*ends, thick * 0.4, thick * 0.7))
    else:
        rest = [box((2 * x, rise * 0.12, thick * 0.6), (0, rise * 0.93, 0))]
        for k in np.linspace(-0.7, 0.7, int(rng.integers(1, 7))):
            size = (thick * rng.uniform(0.3, 1.2), rise * 0.9, thick * 0.4)
            rest.append(box(size, (k * x, rise * 0.45, 0)))
    angle = np.rad2deg(np.arctan2(lean, rise))
    parts["back"] = translate(rotate(join(*rest), "x", angle), (0, seat, z))
    if rng.random() < 0.3:
        y = seat + rng.uniform(0.16, 0.26)
        arm = box((thick * 1.4, thick * 0.7, depth), (x, y, 0))
        stem = box((thick, y - seat, thick), (x, (y + seat) / 2, -z * 0.8))
        parts["arms"] = mirror_pair(join(arm, stem))
    return parts


def _rocking_chair(rng: np.random.Generator) -> Parts:
    """A chair on two curved runners."""
    parts = _framed_chair(rng)
    low, high = parts["legs"].vertices.min(0), parts["legs"].vertices.max(0)
    thick, reach = rng.uniform(0.03, 0.05), rng.uniform(0.4, 0.55)
    t = np.linspace(-1, 1, 9)
    x = high[0] - thick / 2
    bend = rng.uniform(0.06, 0.14)
    path = np.stack([0 * t + x, low[1] + bend * t**2 - 0.02, reach * t], -1)
    return parts | {"runners": mirror_pair(sweep(path, rectangle(thick, thick)))}


KINDS = (
    Kind(_plain_chair, 3),
    Kind(_framed_chair, 3),
    Kind(_office_chair, 1.5),
    Kind(_bent_chair, 1.5),
    Kind(_cantilever_chair),
    Kind(armchairs.club_chair, 2),
    Kind(armchairs.tub_chair, 1.2),
    Kind(armchairs.wing_chair, 0.8),
    Kind(armchairs.egg_chair, 1.2),
    Kind(armchairs.lounger, 1.5),
    Kind(armchairs.recliner, 0.5),
    Kind(stools.stool, 2.5),
    Kind(stools.bar_chair),
    Kind(stools.block_chair, 2.5),
    Kind(stools.folding_chair),
    Kind(stools.deck_chair, 0.8),
    Kind(_rocking_chair, held_out=True),
)
"""Chairs of all kinds; rocking chairs are held out."""
