"""Stools, toy chairs and folding chairs. Units are metres; the front is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.legs import cushion
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    radial_copies,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import circle, rectangle, superellipse
from jaxsoftras.shapes.solids import beam, box, extrude, lathe, stack, sweep, tube


def _seat(rng: np.random.Generator, width: float, depth: float, thick: float) -> Solid:
    """A seat with its lower side at y = 0: square, round, many-sided or padded."""
    kind = rng.integers(4)
    if kind == 0:
        return box((width, thick, depth), (0, thick / 2, 0), bevel=0.15 * thick)
    if kind == 1:
        return extrude(
            superellipse(width, depth, 2.0, 20), thick, center=(0, thick / 2, 0)
        )
    if kind == 2:
        sides = int(rng.choice([6, 8, 12]))
        outline = circle(1.0, sides) * (width / 2, depth / 2)
        return stack([outline * 0.9, outline, outline * 0.95], [0, thick * 0.3, thick])
    return cushion((width, thick, depth), (0, thick / 2, 0), rng.uniform(2.5, 8))


def stool(rng: np.random.Generator) -> Parts:
    """A seat without a back, low or high, on legs, a pedestal or a frame."""
    width = rng.uniform(0.28, 0.55)
    depth = width * (1 if rng.random() < 0.7 else rng.uniform(0.7, 1.3))
    height = rng.choice([rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.8)])
    seat = _seat(rng, width, depth, rng.uniform(0.03, 0.16))
    thick = rng.uniform(0.025, 0.09)
    kind = rng.integers(5)
    if kind == 0:
        base = legs.posts(width * 0.8, depth * 0.8, height, thick)
        bars = legs.stretchers(rng, width * 0.8, depth * 0.8, height, thick)
        base = join(base, bars)
    elif kind == 1:
        base = legs.splayed(rng, width * 0.8, depth * 0.8, height, thick)
        ring = lathe(
            [(0.4, -0.01), (0.46, -0.01), (0.46, 0.01), (0.4, 0.01)], closed=True
        )
        ring = ring._replace(vertices=ring.vertices * (width, 1.5, depth))
        base = join(base, translate(ring, (0, height * rng.uniform(0.2, 0.5), 0)))
    elif kind == 2:
        base = legs.pedestal(rng, width * rng.uniform(0.35, 0.6), height)
    elif kind == 3:
        out = rng.uniform(0.0, 0.1)
        path = [(width * 0.36 + out, 0, 0), (width * 0.36, height, 0)]
        count = int(rng.integers(3, 7))
        base = radial_copies(tube(path, thick * 0.4, sides=6), count)
    else:
        base = legs.sled(width * 0.9, depth * 0.9, height, thick * 0.35)
    return {"legs": base, "seat": translate(seat, (0, height - 0.005, 0))}


def bar_chair(rng: np.random.Generator) -> Parts:
    """A stool with a low back."""
    parts = stool(rng)
    low, high = parts["seat"].vertices.min(0), parts["seat"].vertices.max(0)
    width, z = high[0] - low[0], high[2]
    rise, thick = rng.uniform(0.12, 0.45), rng.uniform(0.015, 0.05)
    kind = rng.integers(3)
    if kind == 0:
        panel = box((width * 0.9, rise, thick), (0, rise / 2, 0), bevel=0.004)
    elif kind == 1:
        rail = box((width * 0.95, rise * 0.35, thick), (0, rise * 0.82, 0))
        post = box((thick, rise, thick), (width * 0.38, rise / 2, 0))
        panel = join(rail, mirror_pair(post))
    else:
        reach = np.linspace(-np.pi / 2, np.pi / 2, 9)
        arc = np.stack([np.sin(reach), 0 * reach, np.cos(reach)], -1) * width / 2
        band = sweep(arc + (0, rise * 0.8, -width / 2), rectangle(thick, rise * 0.35))
        post = box((thick, rise, thick), (width * 0.36, rise / 2, -width * 0.18))
        panel = join(band, mirror_pair(post))
    panel = rotate(panel, "x", rng.uniform(0, 12))
    return parts | {"back": translate(panel, (0, high[1] - 0.02, z - thick))}


def block_chair(rng: np.random.Generator) -> Parts:
    """A chair of thick boards and posts, as children and gardens have them."""
    width, depth = rng.uniform(0.4, 0.7), rng.uniform(0.38, 0.65)
    height, back = rng.uniform(0.22, 0.46), rng.uniform(0.25, 0.7)
    thick, board = rng.uniform(0.05, 0.14), rng.uniform(0.05, 0.16)
    seat = _seat(rng, width, depth, board)
    z = depth / 2 - board / 2
    kind = rng.integers(4)
    if kind == 0:
        rest = box(
            (width * rng.uniform(0.7, 1), back, board), (0, back / 2, 0), bevel=0.02
        )
    elif kind == 1:
        x = (width - thick) / 2
        rest = mirror_pair(box((thick, back, board), (x, back / 2, 0)))
        for y in np.linspace(0.45, 0.9, int(rng.integers(1, 4))):
            slat = box(
                (width, back * rng.uniform(0.12, 0.24), board * 0.7), (0, y * back, 0)
            )
            rest = join(rest, slat)
    elif kind == 2:
        outline = superellipse(width, 2 * back, rng.uniform(2, 4), 24)
        arch = outline[outline[:, 1] >= -1e-9] * (1, 1)
        if rng.random() < 0.5:
            inner = arch * (0.55, 0.65)
            arch = np.concatenate([arch, inner[::-1]])
        rest = extrude(arch, board, axis="z")
    else:
        count = int(rng.integers(2, 5))
        places = (np.arange(count) - (count - 1) / 2) * width / count
        rest = join(
            *(box((width / count * 0.8, back, board), (x, back / 2, 0)) for x in places)
        )
    rest = rotate(rest, "x", rng.uniform(0, 18))
    parts = {
        "legs": legs.posts(width * 0.85, depth * 0.85, height, thick),
        "seat": translate(seat, (0, height - 0.005, 0)),
        "back": translate(rest, (0, height + board * 0.5, z)),
    }
    if rng.random() < 0.3:
        x, y = width / 2, height + board + rng.uniform(0.1, 0.2)
        arm = box((thick, 0.6 * board, depth), (x, y, 0))
        post = box((thick, y, thick), (x, y / 2, -depth / 2 + thick / 2))
        parts["arms"] = mirror_pair(join(arm, post))
    return parts


def folding_chair(rng: np.random.Generator) -> Parts:
    """Crossed legs, a thin seat, and a back that continues two of the legs."""
    width, depth = rng.uniform(0.38, 0.5), rng.uniform(0.35, 0.5)
    seat, back = rng.uniform(0.38, 0.48), rng.uniform(0.75, 0.95)
    thick, x = rng.uniform(0.015, 0.04), width / 2
    z = depth / 2
    lean = rng.uniform(0.02, 0.18)
    long = [(x, 0, -z), (x, seat, z * 0.8), (x, back, z * 0.8 + lean)]
    short = [(x - thick, 0, z), (x - thick, seat, -z * 0.9)]
    frame = mirror_pair(
        join(tube(long, thick / 2, sides=6), tube(short, thick / 2, sides=6))
    )
    bars = [
        beam((-x, y, s), (x, y, s), thick, thick)
        for y, s in ((0.05, -z * 0.9), (0.05, z * 0.9))
    ]
    parts = {"legs": join(frame, *bars)}
    count = int(rng.choice([1, 1, 4, 6]))
    pitch = depth / count
    boards = [
        box((width, 0.02, pitch * 0.8), (0, seat, -z * 0.9 + (k + 0.5) * pitch * 0.9))
        for k in range(count)
    ]
    parts["seat"] = join(*boards)
    if rng.random() < 0.8:
        rows = int(rng.integers(1, 4))
        tall = (back - seat) * 0.75 / rows
        rest = [
            box(
                (width, tall * 0.8, 0.02),
                (0, seat + (back - seat) * 0.22 + (k + 0.5) * tall, 0),
            )
            for k in range(rows)
        ]
        angle = np.rad2deg(np.arctan2(lean, back - seat))
        raised = translate(join(*rest), (0, -seat, 0))
        parts["back"] = translate(rotate(raised, "x", angle), (0, seat, z * 0.8))
    return parts


def deck_chair(rng: np.random.Generator) -> Parts:
    """A cloth that hangs between two crossed frames, or a camp stool's seat."""
    width, reach = rng.uniform(0.45, 0.65), rng.uniform(0.4, 0.65)
    x, wire = width / 2, rng.uniform(0.012, 0.03)
    camp = rng.random() < 0.3
    front, top = rng.uniform(0.3, 0.45), rng.uniform(0.75, 1.0)
    if camp:
        top = front
    one = [(x, 0, -reach), (x, top, reach)]
    other = [(x - 2 * wire, 0, reach * 0.8), (x - 2 * wire, front, -reach * 0.9)]
    frame = mirror_pair(join(tube(one, wire, sides=6), tube(other, wire, sides=6)))
    rails = [
        tube([(-x, y, z), (x, y, z)], wire, sides=6)
        for y, z in (
            (top, reach),
            (front, -reach * 0.9),
            (wire, -reach),
            (wire, reach * 0.8),
        )
    ]
    t = np.linspace(0, 1, 7)
    sag = rng.uniform(0.05, 0.25) * (1 if not camp else 0.4)
    y = front + (top - front) * t - sag * np.sin(np.pi * t) * 1.2
    cloth = np.stack([0 * t, y, -reach * 0.9 + 1.9 * reach * t], -1)
    return {
        "legs": join(frame, *rails),
        "seat": sweep(cloth, rectangle(width * 0.92, 0.02)),
    }
