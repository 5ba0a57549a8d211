"""Upholstered chairs. Units are metres; the floor is y = 0, the front -z."""

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
from jaxsoftras.shapes.solids import box, loft, stack, superellipsoid, sweep, tube


def _feet(rng: np.random.Generator, width: float, depth: float, height: float) -> Solid:
    """Short feet, a plinth, or a skirt down to the floor."""
    kind = rng.integers(3)
    if kind == 0:
        return legs.posts(width, depth, height + 0.02, rng.uniform(0.04, 0.09))
    if kind == 1:
        size = (width * 0.9, height + 0.02, depth * 0.9)
        return box(size, (0, size[1] / 2, 0))
    return legs.splayed(rng, width * 0.9, depth * 0.9, height + 0.02, 0.06)


def club_chair(rng: np.random.Generator) -> Parts:
    """A deep chair of blocks: seat, back and arms to the floor or on feet."""
    width, depth = rng.uniform(0.65, 1.05), rng.uniform(0.65, 1.0)
    lift, arm_width = rng.uniform(0.02, 0.22), rng.uniform(0.08, 0.28)
    seat, arm = rng.uniform(0.34, 0.46), rng.uniform(0.5, 0.7)
    back, thick = rng.uniform(0.62, 1.05), rng.uniform(0.12, 0.28)
    soft = rng.choice([4.0, 6.0, 12.0])

    def block(low, high, size, center):
        tall = high - low
        middle = (center[0], (low + high) / 2, center[1])
        return cushion((size[0], tall, size[1]), middle, soft)

    inside = width - 2 * arm_width
    x, z = (width - arm_width) / 2, (depth - thick) / 2
    rest = block(lift, back, (inside + 0.04, thick), (0, 0))
    rest = translate(rotate(rest, "x", rng.uniform(0, 14)), (0, 0, z))
    parts = {
        "frame": block(lift, seat, (inside + 0.05, depth * 0.95), (0, -0.02)),
        "back": rest,
        "arms": mirror_pair(block(lift, arm, (arm_width, depth), (x, 0))),
        "legs": _feet(rng, width * 0.95, depth * 0.9, lift),
    }
    if rng.random() < 0.6:
        size = (inside * 0.98, 0.14, depth - thick)
        parts["cushions"] = cushion(size, (0, seat + 0.03, -thick / 2))
    return parts


def tub_chair(rng: np.random.Generator) -> Parts:
    """A round chair: one wall makes the back and the arms."""
    reach, squash = rng.uniform(0.32, 0.48), rng.uniform(0.85, 1.25)
    wall, lift = rng.uniform(0.06, 0.2), rng.uniform(0.03, 0.24)
    arm, back = rng.uniform(0.5, 0.65), rng.uniform(0.65, 0.95)
    seat = rng.uniform(0.36, 0.46)
    opening = rng.uniform(25, 70)
    angles = np.deg2rad(np.linspace(-90 + opening, 270 - opening, 15))
    around = np.stack([np.cos(angles), 0 * angles, np.sin(angles) * squash], -1)
    top = arm + (back - arm) * (0.5 + 0.5 * np.sin(angles)) ** 1.5
    sections = []
    for ray, high in zip(around, top, strict=True):
        inner, outer = (reach - wall) * ray, reach * ray
        section = [outer * 0.92 + (0, lift, 0), outer + (0, high, 0)]
        section += [inner + (0, high, 0), inner * 0.95 + (0, lift, 0)]
        sections.append(section)
    size = (2 * reach * 0.95, seat - lift, 2 * reach * squash * 0.95)
    pad = superellipsoid(size, (0, (seat + lift) / 2, 0), exponent=3.5, sides=16)
    parts = {"back": loft(sections), "seat": pad}
    if rng.random() < 0.4:
        parts["legs"] = legs.pedestal(rng, reach * 0.7, lift + 0.05)
    else:
        parts["legs"] = _feet(rng, reach * 1.5, reach * 1.5, lift + 0.03)
    return parts


def wing_chair(rng: np.random.Generator) -> Parts:
    """A chair with a high back and sides that reach forwards from it."""
    width, depth = rng.uniform(0.6, 0.8), rng.uniform(0.6, 0.8)
    seat, back = rng.uniform(0.38, 0.48), rng.uniform(0.9, 1.2)
    lift, thick = rng.uniform(0.1, 0.25), rng.uniform(0.08, 0.14)
    z = depth / 2
    arm = rng.uniform(0.55, 0.65)
    wing = rng.uniform(0.3, 0.8) * depth
    side = [(z, lift), (z, back), (z - wing * 0.6, back), (z - wing, arm + 0.05)]
    side += [(-z + 0.05, arm), (-z + 0.05, lift)]
    outline = np.array(side)
    thin = outline.mean(0) + 0.95 * (outline - outline.mean(0))
    panel = stack([thin, outline, thin], [-thick / 2, 0, thick / 2], axis="x")
    rest = cushion((width - thick, back - lift, 0.16), (0, 0, 0), 6)
    rest = rotate(rest, "x", rng.uniform(0, 12))
    return {
        "arms": mirror_pair(translate(panel, (width / 2, 0, 0))),
        "back": translate(rest, (0, (back + lift) / 2, z - 0.08)),
        "seat": cushion((width, seat - lift, depth), (0, (seat + lift) / 2, -0.02), 6),
        "legs": legs.splayed(rng, width * 0.9, depth * 0.8, lift + 0.03, 0.05),
    }


def lounger(rng: np.random.Generator) -> Parts:
    """A chair to lie on: a seat, a reclined back and a rest for the legs."""
    width, thick = rng.uniform(0.5, 0.8), rng.uniform(0.03, 0.18)
    seat, long = rng.uniform(0.22, 0.45), rng.uniform(0.4, 0.65)
    lean, lower = np.deg2rad((rng.uniform(25, 75), rng.uniform(-10, 50)))
    back, rest = rng.uniform(0.5, 0.95), rng.uniform(0.35, 0.9)
    tilt = rng.uniform(0, 0.12)
    hip, knee = np.array([0, seat, long / 2]), np.array([0, seat + tilt, -long / 2])
    head = hip + back * np.array([0, np.cos(lean), np.sin(lean)])
    toe = knee - rest * np.array([0, np.sin(lower), np.cos(lower)])
    toe[1] = max(toe[1], thick / 2)
    path = [head, hip, knee, toe]
    kind = rng.integers(3)
    if kind == 0:  # one bent slab
        pad = sweep(path, rectangle(width, thick))
    else:
        pads = []
        for start, end in zip(path, path[1:], strict=False):
            run = end - start
            size = (width, thick, float(np.linalg.norm(run)) * 1.02)
            piece = rotate(cushion(size), "x", np.rad2deg(np.arctan2(-run[1], run[2])))
            pads.append(translate(piece, (start + end) / 2))
        pad = join(*pads)
    parts = {"seat": pad}
    if kind == 2:
        parts["legs"] = legs.star(rng, rng.uniform(0.25, 0.35), seat)
    else:
        parts["legs"] = legs.posts(width, long, seat, rng.uniform(0.03, 0.07))
    if rng.random() < 0.6:
        y, x = seat + rng.uniform(0.15, 0.25), width / 2 + 0.03
        rail = [(x, seat, -long / 2), (x, y, -long * 0.4), (x, y, long * 0.6)]
        parts["arms"] = mirror_pair(sweep(rail, rectangle(0.06, 0.04)))
    return parts


def recliner(rng: np.random.Generator) -> Parts:
    """A padded chair that is tilted back, with its foot rest out."""
    parts = club_chair(rng)
    low, high = parts["frame"].vertices.min(0), parts["frame"].vertices.max(0)
    width, reach = (high - low)[0], rng.uniform(0.25, 0.5)
    pad = rotate(cushion((width * 0.95, 0.1, reach)), "x", -rng.uniform(-10, 35))
    z = low[2] - reach * 0.42
    parts["rest"] = translate(pad, (0, high[1] - 0.1, z))
    arm = tube(
        [(0, high[1] * 0.6, low[2] + 0.2), (0, high[1] - 0.12, z)], 0.03, sides=6
    )
    return parts | {"struts": mirror_pair(translate(arm, (width * 0.3, 0, 0)))}


def egg_chair(rng: np.random.Generator) -> Parts:
    """A moulded shell, a bucket or an egg, on a foot, legs, wire or rockers."""
    width, depth = rng.uniform(0.45, 0.8), rng.uniform(0.45, 0.75)
    seat, back = rng.uniform(0.38, 0.46), rng.uniform(0.35, 0.75)
    wall, rim = rng.uniform(0.02, 0.07), rng.uniform(0.05, 0.3)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    plan = np.stack([np.cos(angles), np.sin(angles)], -1)
    rise = rim * (1 - np.clip(-plan[:, 1], 0, 1)) + (back - rim) * np.clip(
        plan[:, 1], 0, 1
    ) ** rng.uniform(0.7, 2)
    rings = []
    for share, inner in ((0.4, False), (0.8, False), (1.0, False), (1.0, True)):
        rings.append((share, share**2.5, inner))
    rings += [(0.8, 0.8**2.5, True), (0.4, 0.4**2.5, True)]
    sections = []
    for share, climb, inner in rings:
        size = np.array([width, depth]) / 2 * share - (wall if inner else 0)
        size = np.maximum(size, 0.02)
        y = seat + rise * climb + (wall if inner else 0) * (1.2 - climb)
        lean = 0.12 * rise * climb
        sections.append(
            np.stack([plan[:, 0] * size[0], y, plan[:, 1] * size[1] + lean], -1)
        )
    base = rng.integers(4)
    if base == 0:
        foot = legs.pedestal(rng, rng.uniform(0.2, 0.3), seat + 0.02)
    elif base == 1:
        foot = legs.splayed(rng, width * 0.55, depth * 0.55, seat + 0.05, 0.04)
    elif base == 2:
        foot = legs.hairpins(width * 0.8, depth * 0.8, seat + 0.05, 0.012)
    else:
        foot = legs.star(rng, rng.uniform(0.26, 0.33), seat)
    return {"seat": loft(sections), "legs": foot}
