"""Telephones of further kinds. Units are metres; the front is -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.handset_parts import keypad, receiver, slab
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.solids import box, cylinder, extrude, lathe, superellipsoid, tube


def _tipped(parts: Parts, degrees: float) -> Parts:
    """Leans an upright telephone backwards; 90 lays it on its back."""
    return {name: rotate(solid, "x", degrees) for name, solid in parts.items()}


def bar_phone(rng: np.random.Generator) -> Parts:
    """A bar of any proportions, upright, leaning or lying, with keys or a screen."""
    wide = rng.uniform(0.04, 0.09)
    tall, thick = wide * rng.uniform(1.7, 3.2), wide * rng.uniform(0.1, 0.5)
    case = slab(wide, tall, thick, wide * rng.uniform(0.05, 0.35))
    share = rng.uniform(0.25, 0.9)
    screen = box(
        (wide * 0.85, tall * share * 0.85, 0.003),
        (0, tall * (0.46 - share / 2), -thick / 2),
    )
    parts = {"case": case, "screen": screen}
    if share < 0.6:
        rows = int(rng.integers(4, 6))
        keys = keypad(wide * 0.85, tall * (0.88 - share), 3, rows, 0.004)
        parts["keys"] = translate(
            keys, (0, -tall * share / 2 - tall * 0.02, -thick / 2)
        )
    else:
        button = rotate(cylinder(wide * 0.08, 0.004, sides=8), "x", -90)
        parts["keys"] = translate(button, (0, -tall * 0.46, -thick / 2))
    if rng.random() < 0.25:
        x = wide * 0.35
        parts["aerial"] = tube(
            [(x, tall * 0.4, 0), (x, tall * rng.uniform(0.6, 0.85), 0)], 0.006, sides=6
        )
    return _tipped(parts, rng.choice([0.0, 0.0, rng.uniform(5, 40), 90.0]))


def slider_phone(rng: np.random.Generator) -> Parts:
    """Two plates, the upper one pushed up or aside."""
    wide, tall, thick = (
        rng.uniform(0.045, 0.06),
        rng.uniform(0.09, 0.12),
        rng.uniform(0.007, 0.012),
    )
    shift = (0, tall * rng.uniform(0.3, 0.5), 0)
    if rng.random() < 0.3:
        shift = (wide * rng.uniform(0.4, 0.7), 0, 0)
    plate = slab(wide, tall, thick, 0.006)
    upper = translate(plate, (*shift[:2], -thick))
    screen = translate(
        box((wide * 0.85, tall * 0.8, 0.003)), (*shift[:2], -thick * 1.5)
    )
    keys = translate(
        keypad(wide * 0.8, tall * 0.35, 3, 4, 0.004), (0, -tall * 0.28, -thick / 2)
    )
    parts = {"case": join(plate, upper), "screen": screen, "keys": keys}
    return _tipped(parts, rng.choice([0.0, 90.0]))


def cradle_phone(rng: np.random.Generator) -> Parts:
    """A slim handset that stands or lies in a wide base."""
    wide, tall = rng.uniform(0.045, 0.06), rng.uniform(0.13, 0.2)
    base_wide, deep, high = (
        rng.uniform(0.07, 0.2),
        rng.uniform(0.09, 0.2),
        rng.uniform(0.025, 0.08),
    )
    outline = [
        (-deep / 2, 0),
        (deep / 2, 0),
        (deep / 2, high),
        (0, high),
        (-deep / 2, high * 0.35),
    ]
    base = extrude(outline, base_wide, axis="x", bevel=0.004)
    thick = rng.uniform(0.02, 0.035)
    case = slab(wide, tall, thick, wide * 0.25)
    screen = box((wide * 0.7, tall * 0.2, 0.004), (0, tall * 0.25, -thick / 2))
    keys = translate(
        keypad(wide * 0.75, tall * 0.4, 3, 4, 0.004), (0, -tall * 0.1, -thick / 2)
    )
    lean = rng.uniform(5, 75)
    x = rng.choice([0.0, 0.2]) * base_wide

    def stood(solid: Solid) -> Solid:
        up = rotate(translate(solid, (0, tall * 0.45, 0)), "x", lean)
        return translate(up, (x, high * 0.6, 0))

    return {
        "case": base,
        "handset": stood(case),
        "screen": stood(screen),
        "keys": stood(keys),
    }


def door_phone(rng: np.random.Generator) -> Parts:
    """A handset that hangs upright on a plate, with a cord in a loop below."""
    wide, tall, thick = (
        rng.uniform(0.08, 0.16),
        rng.uniform(0.18, 0.26),
        rng.uniform(0.03, 0.06),
    )
    plate = slab(wide, tall, thick, 0.01)
    grip = rotate(
        rotate(receiver(tall * rng.uniform(0.8, 1.05), 0.026), "x", -90), "z", 90
    )
    x = -wide * rng.uniform(0.1, 0.4)
    loop = np.linspace(0, np.pi, 9)
    drop = tall * rng.uniform(0.2, 0.5)
    cord = np.stack(
        [
            x + wide * 0.5 * (1 - np.cos(loop)) / 2,
            -tall * 0.45 - drop * np.sin(loop),
            0 * loop,
        ],
        -1,
    )
    keys = keypad(wide * 0.4, tall * 0.3, int(rng.integers(1, 4)), 3, 0.012)
    return {
        "case": plate,
        "handset": join(
            translate(grip, (x, 0, -thick / 2 - 0.026)), tube(cord, 0.007, sides=6)
        ),
        "keys": translate(keys, (wide * 0.25, -tall * 0.1, -thick / 2)),
    }


def office_phone(rng: np.random.Generator) -> Parts:
    """A flat body propped up behind, a handset on its left and a large screen."""
    wide, deep = rng.uniform(0.2, 0.3), rng.uniform(0.16, 0.24)
    thick, tilt = rng.uniform(0.025, 0.05), rng.uniform(15, 55)
    plate = box((wide, thick, deep), bevel=0.006)
    screen = box(
        (wide * rng.uniform(0.3, 0.6), 0.012, deep * 0.3),
        (wide * 0.15, thick / 2, deep * 0.28),
    )
    pad = rotate(keypad(wide * 0.4, deep * 0.45, 3, 4, 0.01), "x", 90)
    keys = translate(pad, (wide * 0.15, thick / 2, -deep * 0.18))
    grip = translate(
        rotate(receiver(deep * 1.02, 0.024), "y", 90),
        (-wide * 0.34, thick / 2 + 0.03, 0),
    )
    turned = _tipped(
        {"case": plate, "screen": screen, "keys": keys, "handset": grip}, -tilt
    )
    low = turned["case"].vertices[:, 1].min()
    foot = box((wide * 0.7, 0.015, deep * 0.6), (0, low, deep * 0.15))
    prop = box((wide * 0.5, -low, 0.02), (0, low / 2, deep * 0.12))
    return turned | {"stand": join(foot, prop)}


def candlestick_phone(rng: np.random.Generator) -> Parts:
    """A stand with a mouthpiece at the top and the earpiece on a hook."""
    tall, radius = rng.uniform(0.24, 0.34), rng.uniform(0.06, 0.09)
    shape = [
        (radius, 0),
        (radius, 0.02),
        (0.02, 0.06),
        (0.015, tall * 0.9),
        (0.02, tall),
    ]
    cup = lathe([(0.012, 0), (0.02, 0.03), (0.045, 0.07)], sides=14)
    mouth = translate(rotate(cup, "x", -rng.uniform(60, 90)), (0, tall, 0))
    hook = tube([(0, tall * 0.8, 0), (0.07, tall * 0.8, 0)], 0.008, sides=6)
    ear = lathe([(0.035, 0), (0.035, 0.015), (0.016, 0.04), (0.014, 0.13)], sides=12)
    return {
        "case": lathe(shape, sides=16),
        "screen": mouth,
        "handset": join(hook, translate(ear, (0.075, tall * 0.8 - 0.11, 0))),
    }


def novelty_phone(rng: np.random.Generator) -> Parts:
    """A ball or an egg on a foot, with a handset across it."""
    wide = rng.uniform(0.14, 0.2)
    ball = superellipsoid((wide, wide * rng.uniform(0.6, 1.2), wide), sides=16, rings=9)
    top = ball.vertices[:, 1].max()
    foot = cylinder(wide * 0.35, 0.04, (0, -top - 0.02, 0), sides=12)
    dial = rotate(cylinder(wide * 0.25, 0.03, sides=14), "x", -70)
    grip = translate(receiver(wide * 1.2, 0.022), (0, top + 0.02, 0))
    forks = mirror_pair(box((0.015, 0.04, 0.03), (wide * 0.25, top, 0)))
    return {
        "case": join(ball, foot, forks),
        "keys": translate(dial, (0, 0, -wide * 0.46)),
        "handset": grip,
    }
