"""Rifles and shotguns, about 1 long: the bore at y = 0, its muzzle at -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import blasters, pistols
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.plates import plate
from jaxsoftras.shapes.solids import (
    box,
    extrude,
    lathe,
    superellipsoid,
    tube,
)


def _barrel(
    start: float, end: float, radius: float, x: float = 0.0, y: float = 0.0
) -> Solid:
    """A bore from z = start forward to z = end."""
    return tube([(x, y, start), (x, y, end)], radius, sides=10)


def _scope(rng: np.random.Generator, z: float, height: float) -> Solid:
    long, radius = rng.uniform(0.16, 0.26), rng.uniform(0.011, 0.015)
    profile = [(1.6, 0), (1.6, 0.2), (1, 0.3), (1, 0.75), (1.4, 0.85), (1.4, 1.0)]
    body = rotate(lathe(np.array(profile) * (radius, long), sides=10), "x", 90)
    feet = [box((0.012, 0.03, 0.02), (0, -0.014, long * t)) for t in (0.35, 0.7)]
    knob = box((0.014, 0.02, 0.014), (0, radius, long * 0.52))
    return translate(join(body, knob, *feet), (0, height + 0.03, z - long / 2))


def _trigger(z: float, y: float) -> Solid:
    """A trigger inside its guard."""
    guard = [(0, y, z - 0.045), (0, y - 0.03, z - 0.035), (0, y - 0.03, z + 0.02)]
    guard.append((0, y, z + 0.03))
    return join(
        tube(guard, 0.004, sides=5), box((0.006, 0.022, 0.006), (0, y - 0.012, z))
    )


def _bipod(rng: np.random.Generator, z: float) -> Solid:
    spread, drop = rng.uniform(0.05, 0.08), rng.uniform(0.12, 0.16)
    leg = tube([(0.005, -0.01, z), (spread, -drop, z - 0.02)], (0.006, 0.005), sides=6)
    return mirror_pair(leg)


def _hunting_rifle(rng: np.random.Generator) -> Parts:
    """A rifle or shotgun with a one-piece stock and one barrel or two."""
    butt, drop = 0.42, rng.uniform(0.03, 0.06)
    fore = -rng.uniform(0.05, 0.28)
    heel, wrist = drop + rng.uniform(0.1, 0.13), 0.07 + rng.uniform(0, 0.03)
    under = [(butt, -drop), (butt + 0.005, -heel), (0.2, -0.085), (0.13, -wrist)]
    under += [(0.08, -0.045), (fore, -0.03), (fore - 0.01, -0.005)]
    stock = [*under, (0.06, 0.0), (0.12, -0.012), (0.18, -drop * 0.8)]
    muzzle = -rng.uniform(0.48, 0.62)
    radius = rng.uniform(0.008, 0.011)
    double = rng.random() < 0.25
    if double:
        barrel = mirror_pair(_barrel(0.05, muzzle, radius, x=radius * 0.95, y=0.006))
    else:
        barrel = _barrel(0.05, muzzle, radius, y=0.006)
    metal = [
        barrel,
        box((0.03, 0.032, 0.17), (0, 0.005, 0.06), bevel=0.004),
        _trigger(0.09, -0.04),
    ]
    if rng.random() < 0.5:
        handle = tube([(0.01, 0.01, 0.1), (0.05, -0.01, 0.11)], 0.005, sides=6)
        ball = superellipsoid((0.02,) * 3, (0.052, -0.012, 0.11), sides=8, rings=5)
        metal += [handle, ball]
    else:
        metal.append(box((0.006, 0.02, 0.006), (0, 0.02, muzzle + 0.02)))
    if not double and rng.random() < 0.3:
        metal.append(_barrel(fore + 0.02, muzzle + 0.06, radius, y=-0.014))
    parts = {"stock": plate(stock, rng.uniform(0.032, 0.042)), "metal": join(*metal)}
    if not double and rng.random() < 0.6:
        parts["scope"] = _scope(rng, 0.06, 0.022)
    if not double and rng.random() < 0.25:
        parts["bipod"] = _bipod(rng, fore + 0.02)
    return parts


def _magazine(rng: np.random.Generator, z: float, y: float) -> Solid:
    """A straight or curved magazine that hangs from (z, y)."""
    long, bend = rng.uniform(0.1, 0.17), rng.choice([0.0, 0.02, 0.06])
    t = np.linspace(0, 1, 5)
    front = np.stack([z - 0.028 - bend * t**2, y - long * t], -1)
    back = np.stack([z + 0.028 - bend * t**2 * 1.1, y - long * t * 0.97], -1)
    return extrude([*front, *back[::-1]], 0.026, axis="x")


def _assault_rifle(rng: np.random.Generator) -> Parts:
    """An assault rifle with a pistol grip, a magazine and one of several stocks."""
    short = rng.random() < 0.3
    muzzle = -0.34 if short else -rng.uniform(0.42, 0.56)
    bullpup = rng.random() < 0.15
    receiver = [
        (0.2, 0.03),
        (-0.08, 0.034),
        (-0.09, -0.03),
        (0.02, -0.045),
        (0.2, -0.035),
    ]
    grip_z = rng.uniform(0.1, 0.14)
    grip = [
        (grip_z - 0.02, -0.03),
        (grip_z + 0.025, -0.03),
        (grip_z + 0.065, -0.13),
        (grip_z + 0.02, -0.14),
    ]
    guard_end = muzzle + rng.uniform(0.1, 0.18)
    guard = [(-0.08, 0.024), (guard_end, 0.018), (guard_end, -0.022), (-0.08, -0.03)]
    metal = [
        plate(receiver, 0.042),
        _barrel(-0.05, muzzle, 0.009),
        _barrel(muzzle + 0.045, muzzle - 0.005, 0.014),
        _trigger(grip_z - 0.045, -0.032),
    ]
    end = 0.44 if not short else 0.36
    kind = rng.integers(3)
    if kind == 0 or bullpup:
        stock = [
            (0.19, 0.025),
            (end, 0.02),
            (end + 0.005, -0.1),
            (end - 0.04, -0.105),
            (0.19, -0.03),
        ]
        furniture = [plate(stock, 0.036)]
    elif kind == 1:
        butt = [(end - 0.025, 0.02), (end, 0.02), (end, -0.1), (end - 0.025, -0.09)]
        rods = [
            tube([(0, y0, 0.19), (0, y1, end - 0.01)], 0.008, sides=6)
            for y0, y1 in ((0.01, 0.0), (-0.025, -0.075))
        ]
        furniture = [plate(butt, 0.03), *rods]
    else:
        stock = [
            (0.22, 0.012),
            (end, 0.015),
            (end, -0.09),
            (end - 0.06, -0.05),
            (0.22, -0.018),
        ]
        furniture = [
            plate(stock, 0.034),
            tube([(0, 0, 0.19), (0, 0, 0.26)], 0.013, sides=8),
        ]
    furniture += [plate(grip, 0.03), plate(guard, 0.036)]
    parts = {
        "metal": join(*metal),
        "stock": join(*furniture),
        "magazine": _magazine(rng, 0.26 if bullpup else rng.uniform(0.0, 0.04), -0.03),
    }
    top = rng.integers(3)
    if top == 0:
        parts["scope"] = _scope(rng, 0.06, 0.03)
    elif top == 1:  # carrying handle and front sight
        handle = [
            (0.15, 0.03),
            (0.15, 0.065),
            (-0.02, 0.065),
            (-0.05, 0.032),
            (-0.03, 0.032),
            (-0.01, 0.052),
            (0.12, 0.052),
            (0.12, 0.03),
        ]
        sight = [
            (muzzle + 0.11, 0.005),
            (muzzle + 0.08, 0.05),
            (muzzle + 0.065, 0.05),
            (muzzle + 0.06, 0.005),
        ]
        parts["scope"] = join(
            extrude(handle, 0.016, axis="x"), extrude(sight, 0.012, axis="x")
        )
    else:
        rail = box((0.02, 0.012, 0.24), (0, 0.036, 0.04))
        dot = box((0.03, 0.035, 0.05), (0, 0.055, 0.03), bevel=0.006)
        parts["scope"] = join(rail, dot)
    if not short and rng.random() < 0.25:
        parts["bipod"] = _bipod(rng, guard_end + 0.01)
    return parts


def _scaled(parts: Parts, width: float, height: float) -> Parts:
    """Makes the parts of a weapon wider and taller."""
    factors = (width, height, 1.0)
    return {
        name: solid._replace(vertices=solid.vertices * factors)
        for name, solid in parts.items()
    }


def hunting_rifle(rng: np.random.Generator) -> Parts:
    """A rifle or shotgun of any girth."""
    return _scaled(_hunting_rifle(rng), rng.uniform(1, 2.4), rng.uniform(0.7, 1.5))


def assault_rifle(rng: np.random.Generator) -> Parts:
    """An assault rifle of any girth."""
    return _scaled(_assault_rifle(rng), rng.uniform(1, 2.4), rng.uniform(0.9, 1.6))


KINDS = (
    Kind(hunting_rifle, 3),
    Kind(assault_rifle, 3),
    Kind(pistols.pistol, 2.5),
    Kind(pistols.revolver, 1.5),
    Kind(pistols.flare_gun, 0.7),
    Kind(blasters.blaster, 5),
    Kind(blasters.submachine_gun, 1.5),
    Kind(blasters.machine_gun, 0.8),
    Kind(blasters.crossbow, 1),
    Kind(blasters.launcher, held_out=True),
)
"""Long guns, pistols, blasters, crossbows; launchers are held out."""
