"""Telephones. The screen or dial faces -z; on a desk telephone it is tilted upwards."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import handsets
from jaxsoftras.shapes.handset_parts import keypad, receiver, slab
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    extrude,
    lathe,
    tube,
)


def _smartphone(rng: np.random.Generator) -> Parts:
    wide, tall = rng.uniform(0.065, 0.08), rng.uniform(0.135, 0.165)
    thick = rng.uniform(0.008, 0.012)
    if rng.random() < 0.2:
        wide, tall = wide * 1.7, tall * 1.2
    margin = rng.uniform(0.006, 0.02)
    screen = box((wide - 0.007, tall - 2 * margin, 0.003), (0, 0, -thick / 2))
    bump = slab(wide * 0.3, wide * rng.uniform(0.3, 0.6), 0.008, 0.006)
    bump = translate(bump, (wide * 0.25, tall * 0.33, thick / 2))
    parts = {
        "case": slab(wide, tall, thick, rng.uniform(0.006, 0.014)),
        "screen": screen,
        "keys": bump,
    }
    if margin > 0.012:
        button = rotate(cylinder(0.005, 0.004, sides=10), "x", -90)
        place = (0, -tall / 2 + margin / 2, -thick / 2 + 0.001)
        parts["keys"] = join(bump, translate(button, place))
    return parts


def _key_phone(rng: np.random.Generator) -> Parts:
    """A pocket telephone with keys below a small screen, some with an aerial."""
    wide, tall = rng.uniform(0.044, 0.055), rng.uniform(0.11, 0.15)
    thick = rng.uniform(0.016, 0.025)
    share = rng.uniform(0.3, 0.42)
    screen = box(
        (wide * 0.78, tall * share * 0.75, 0.003),
        (0, tall * (0.46 - share / 2), -thick / 2),
    )
    keys = translate(
        keypad(wide * 0.86, tall * (0.82 - share), 3, int(rng.integers(4, 6)), 0.005),
        (0, -tall * share / 2 - tall * 0.02, -thick / 2),
    )
    case = slab(wide, tall, thick, wide * rng.uniform(0.12, 0.35))
    if rng.random() < 0.5:
        x, y = wide * 0.34, tall * 0.45
        path = [(x, y, 0), (x, y + rng.uniform(0.03, 0.05), 0)]
        case = join(case, tube(path, (0.006, 0.004), sides=8))
    return {"case": case, "screen": screen, "keys": keys}


def _flip_phone(rng: np.random.Generator) -> Parts:
    wide, half, thick = rng.uniform(0.045, 0.052), rng.uniform(0.07, 0.085), 0.012
    plate = translate(slab(wide, half, thick, 0.008), (0, half / 2, 0))
    screen = box((wide * 0.78, half * 0.6, 0.003), (0, half * 0.55, -thick / 2))
    keys = translate(
        keypad(wide * 0.86, half * 0.75, 3, 4, 0.004), (0, -half * 0.5, -thick / 2)
    )
    hinge = rotate(
        cylinder(thick * 0.6, wide * 0.9, (0, -wide * 0.45, 0), sides=10), "z", 90
    )
    fold = -rng.uniform(15, 50)
    lower = rotate(plate, "x", 180)
    return {
        "case": join(rotate(plate, "x", fold), lower, hinge),
        "screen": rotate(screen, "x", fold),
        "keys": keys,
    }


def _desk_phone(rng: np.random.Generator) -> Parts:
    wide, deep = rng.uniform(0.18, 0.24), rng.uniform(0.18, 0.22)
    low, high = rng.uniform(0.02, 0.035), rng.uniform(0.06, 0.1)
    outline = [(-deep / 2, 0), (deep / 2, 0), (deep / 2, high), (-deep / 2, low)]
    case = extrude(outline, wide, axis="x", bevel=0.006)
    slope = np.rad2deg(np.arctan2(high - low, deep))
    across = wide * 0.28  # the handset lies along z on the left
    keys = keypad(wide * 0.45, deep * 0.42, 3, 4, 0.012)
    screen = box((wide * 0.48, deep * 0.2, 0.012), (0, deep * 0.36, 0))

    def on_top(solid: Solid) -> Solid:
        solid = rotate(translate(solid, (wide * 0.17, -deep * 0.1, 0)), "x", 90 - slope)
        return translate(solid, (0, (low + high) / 2, 0))

    handset = rotate(receiver(deep * 0.98, 0.024), "y", 90)
    handset = translate(
        rotate(handset, "x", -slope), (-across, (low + high) / 2 + 0.034, 0)
    )
    return {
        "case": case,
        "handset": handset,
        "keys": on_top(keys),
        "screen": on_top(screen),
    }


def _dial_phone(rng: np.random.Generator) -> Parts:
    """A rotary telephone: the handset lies on a cradle across the top."""
    wide, tall = rng.uniform(0.17, 0.21), rng.uniform(0.09, 0.12)
    outline = [(-0.1, 0), (0.09, 0), (0.08, tall * 0.6), (0.05, tall)]
    outline += [(-0.01, tall), (-0.085, 0.03)]
    case = extrude(outline, wide, axis="x", bevel=0.01)
    angle = np.rad2deg(np.arctan2(tall - 0.03, 0.075))
    dial = lathe(
        [(0.06, 0), (0.06, 0.01), (0.052, 0.014), (0.02, 0.014), (0.018, 0.022)],
        sides=20,
    )
    holes = [
        translate(
            cylinder(0.009, 0.006, (0, 0.011, 0), sides=8),
            (0.037 * np.cos(a), 0, 0.037 * np.sin(a)),
        )
        for a in np.linspace(0, 1.6 * np.pi, 8)
    ]

    def on_slope(solid: Solid) -> Solid:
        return translate(
            rotate(solid, "x", -angle), (0, (tall + 0.03) / 2 - 0.004, -0.05)
        )

    fork = box((0.02, 0.03, 0.05), (wide * 0.3, tall + 0.008, 0.02))
    handset = translate(receiver(wide * 1.2, 0.024), (0, tall + 0.036, 0.02))
    return {
        "case": join(case, mirror_pair(fork)),
        "keys": on_slope(dial),
        "screen": on_slope(join(*holes)),
        "handset": handset,
    }


def _cordless_phone(rng: np.random.Generator) -> Parts:
    """A handset that stands in a charging cradle."""
    wide, tall, thick = rng.uniform(0.045, 0.055), rng.uniform(0.14, 0.17), 0.026
    case = slab(wide, tall, thick, wide * 0.25)
    screen = box((wide * 0.7, tall * 0.2, 0.004), (0, tall * 0.24, -thick / 2))
    keys = translate(
        keypad(wide * 0.75, tall * 0.42, 3, 4, 0.005), (0, -tall * 0.12, -thick / 2)
    )
    lean = rng.uniform(8, 25)
    base = lathe([(0.07, 0), (0.07, 0.015), (0.04, 0.045)], sides=18)
    if rng.random() < 0.5:
        base = box((0.1, 0.04, 0.1), (0, 0.02, 0), bevel=0.008)

    def upright(solid: Solid) -> Solid:
        return translate(rotate(solid, "x", lean), (0, tall * 0.5 + 0.015, 0.015))

    return {
        "handset": upright(case),
        "screen": upright(screen),
        "keys": upright(keys),
        "case": base,
    }


def _wall_phone(rng: np.random.Generator) -> Parts:
    wide, tall, thick = rng.uniform(0.17, 0.22), rng.uniform(0.24, 0.34), 0.05
    case = slab(wide, tall, thick, 0.02)
    keys = translate(
        keypad(wide * 0.42, tall * 0.4, 3, 4, 0.014),
        (wide * 0.2, -tall * 0.05, -thick / 2),
    )
    screen = box(
        (wide * 0.42, tall * 0.12, 0.01), (wide * 0.2, tall * 0.32, -thick / 2)
    )
    handset = rotate(rotate(receiver(tall * 0.75, 0.026), "x", -90), "z", 90)
    handset = translate(handset, (-wide * 0.26, 0, -thick / 2 - 0.026))
    turns = np.linspace(0, 1, 10)
    y = -tall * 0.35 - 0.35 * tall * np.sin(np.pi * turns)
    cord = np.stack([-wide * 0.26 + wide * 0.5 * turns, y, 0 * turns - 0.01], -1)
    return {
        "case": case,
        "keys": keys,
        "screen": screen,
        "handset": join(handset, tube(cord, 0.006, sides=6)),
    }


KINDS = (
    Kind(_smartphone, 2),
    Kind(_key_phone, 1.5),
    Kind(_flip_phone),
    Kind(_desk_phone, 1.5),
    Kind(_dial_phone),
    Kind(_cordless_phone),
    Kind(_wall_phone),
    Kind(handsets.bar_phone, 3),
    Kind(handsets.slider_phone),
    Kind(handsets.cradle_phone, 1.5),
    Kind(handsets.door_phone),
    Kind(handsets.office_phone),
    Kind(handsets.candlestick_phone, held_out=True),
    Kind(handsets.novelty_phone, held_out=True),
)
"""Telephones of all kinds; candlesticks and balls are held out."""
