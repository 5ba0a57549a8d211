"""Airplanes. The fuselage is about 1 long, with the nose at -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import aircraft
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    Solid,
    join,
    mirror_pair,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import superellipse
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    stack,
    superellipsoid,
    tapered_box,
    tube,
    wheel,
)
from jaxsoftras.shapes.wings import jet_engine, propeller, wing


def _fuselage(
    rng: np.random.Generator, long: float, radius: float, nose: float
) -> Solid:
    """A body of revolution along z with a raised tail, nose at z = -long / 2."""
    stations = np.array([0, 0.02, 0.06, 0.13, 0.3, 0.62, 0.78, 0.9, 1.0])
    widths = np.array([0.05, 0.35, 0.65, 0.92, 1, 1, 0.75, 0.42, 0.12])
    widths[:4] **= nose
    rise = np.array([-0.25, -0.2, -0.12, -0.03, 0, 0, 0.15, 0.4, 0.65]) * radius
    tall = rng.uniform(0.95, 1.2)
    rings = [
        superellipse(2 * radius * w, 2 * radius * w * tall, 2.2, 14) + (0, y)
        for w, y in zip(widths, rise, strict=True)
    ]
    return stack(rings, (stations - 0.5) * long, axis="z")


def _tail(rng: np.random.Generator, style: str, long: float, radius: float) -> Solid:
    """Fins and tailplane."""
    z, y = long * 0.36, radius * 0.5
    fin_height, chord = long * rng.uniform(0.12, 0.25), long * rng.uniform(0.1, 0.18)
    sweep = chord * rng.uniform(0.3, 0.9)
    span = long * rng.uniform(0.14, 0.22)
    fin = wing((0, y, z), (0, y + fin_height, z + sweep), (chord, chord * 0.5), 0.1)
    level = y + fin_height * 0.95 if style == "T" else y
    forward = sweep * 0.9 if style == "T" else 0.15 * chord
    plane = wing(
        (0, level, z + forward),
        (span, level + 0.02 * span, z + forward + sweep * 0.7),
        (chord * 0.8, chord * 0.4),
        0.1,
    )
    if style == "twin":
        x = span * 0.8
        fin = wing(
            (x, y - fin_height * 0.25, z),
            (x, y + fin_height * 0.6, z + sweep * 0.4),
            (chord, chord * 0.6),
            0.1,
        )
        return join(mirror_pair(fin), mirror_pair(plane))
    if style == "V":
        return mirror_pair(
            wing(
                (0, y, z),
                (span * 0.8, y + fin_height, z + sweep),
                (chord, chord * 0.5),
                0.1,
            )
        )
    return join(fin, mirror_pair(plane))


def _fighter(rng: np.random.Generator) -> Parts:
    long, radius = 1.0, rng.uniform(0.045, 0.06)
    stations = np.array([0, 0.12, 0.3, 0.55, 0.85, 1.0])
    widths = np.array([0.04, 0.5, 0.9, 1.35, 1.3, 0.9]) * 2 * radius
    heights = np.array([0.04, 0.5, 0.95, 1.0, 0.9, 0.75]) * 2 * radius
    rings = [superellipse(w, h, 2.8, 14) for w, h in zip(widths, heights, strict=True)]
    body = stack(rings, stations - 0.5, axis="z")
    half, start = rng.uniform(0.3, 0.4), rng.uniform(-0.12, 0.0)
    tip_chord = rng.uniform(0.06, 0.14)
    panel = wing(
        (0.03, 0, start),
        (half, -0.01, 0.36 - tip_chord),
        (0.42 - start, tip_chord),
        0.05,
    )
    canopy = superellipsoid((0.07, 0.08, 0.24), (0, radius * 0.85, -0.2), sides=10)
    fin = wing((0, 0.03, 0.26), (0, 0.2, 0.42), (0.2, 0.08), 0.06)
    if rng.random() < 0.5:
        fin = mirror_pair(
            wing((0.06, 0.02, 0.26), (0.1, 0.18, 0.4), (0.18, 0.08), 0.06)
        )
    plane_z = -0.22 if rng.random() < 0.3 else 0.36
    plane = wing(
        (0.03, 0.01, plane_z), (0.19, 0.01, plane_z + 0.08), (0.14, 0.06), 0.05
    )
    intake = tapered_box((0.06, 0.34), (0.05, 0.3), 0.07, (radius, -0.04, 0.02))
    nozzle = rotate(
        cylinder(radius * 0.7, 0.06, top_radius=radius * 0.55, sides=12), "x", 90
    )
    return {
        "body": join(body, mirror_pair(intake)),
        "wings": mirror_pair(panel),
        "tail": join(fin, mirror_pair(plane)),
        "glass": canopy,
        "engines": translate(nozzle, (0, 0, long / 2 - 0.01)),
    }


def _light_airplane(rng: np.random.Generator) -> Parts:
    """A propeller airplane with fixed gear: high wing, low wing or biplane."""
    long, radius = 1.0, rng.uniform(0.06, 0.075)
    half, chord = rng.uniform(0.5, 0.7), rng.uniform(0.14, 0.2)
    style = str(rng.choice(["high", "low", "biplane"]))
    levels = {"high": [radius * 1.05], "low": [-radius * 0.6]}.get(
        style, [-radius * 0.6, radius * 2.4]
    )
    rise = half * rng.uniform(0.0, 0.08)
    taper = rng.uniform(0.6, 1.0)
    wings = [
        mirror_pair(
            wing((0, y, -0.22), (half, y + rise, -0.2), (chord, chord * taper), 0.13)
        )
        for y in levels
    ]
    struts = []
    if style == "biplane":
        for x, z in ((0.35, -0.16), (0.35, -0.08), (0.05, -0.16), (0.05, -0.08)):
            low, top = (levels[k] + rise * x / half for k in (0, 1))
            struts.append(mirror_pair(tube([(x, low, z), (x, top, z)], 0.008, sides=5)))
    elif style == "high":
        end = (half * 0.5, radius + rise * 0.5, -0.14)
        struts.append(
            mirror_pair(
                tube([(radius * 0.7, -radius * 0.6, -0.14), end], 0.008, sides=5)
            )
        )
    gear = []
    for x, z in ((0.13, -0.24), (0.0, 0.36 if rng.random() < 0.5 else -0.42)):
        y = -radius - (0.09 if z < 0 else -0.02)
        tyre, hub = wheel(0.035, 0.025, (x, y, z))
        leg = tube([(x * 0.3, -radius * 0.3, z), (x, y, z)], 0.009, sides=5)
        both = join(tyre, hub, leg)
        gear.append(mirror_pair(both) if x else both)
    canopy = superellipsoid(
        (1.5 * radius, 1.6 * radius, 0.26), (0, radius * 0.75, -0.14), sides=10
    )
    blades = translate(propeller(rng, 0.13), (0, -0.25 * radius, -long / 2 - 0.005))
    return {
        "body": _fuselage(rng, long, radius, 0.5),
        "wings": join(*wings),
        "tail": _tail(rng, "plain", long, radius),
        "glass": canopy,
        "wheels": join(*gear),
        "engines": join(blades, *struts),
    }


def _glider(rng: np.random.Generator) -> Parts:
    radius, half = rng.uniform(0.036, 0.05), rng.uniform(0.75, 0.95)
    y, rise = 0.75 * radius, half * rng.uniform(0.02, 0.08)
    tip = rng.uniform(0.03, 0.06)
    panel = wing((0, y, -0.12), (half, y + rise, -0.1), (0.11, tip), 0.12)
    canopy = superellipsoid(
        (1.2 * radius, 1.3 * radius, 0.2), (0, 0.6 * radius, -0.3), sides=10
    )
    return {
        "body": _fuselage(rng, 1.0, radius, 0.8),
        "wings": mirror_pair(panel),
        "tail": _tail(rng, str(rng.choice(["plain", "T", "V"])), 1.0, radius),
        "glass": canopy,
    }


def _engine_below(rng: np.random.Generator, mount: np.ndarray) -> Solid:
    """A jet engine on a pylon under the leading edge of a wing at ``mount``."""
    size = rng.uniform(0.026, 0.036)
    pylon = box((0.01, size, 0.1), mount + (0, -size * 0.4, 0.06))
    return join(jet_engine(size, 0.15, mount + (0, -size * 1.35, 0.02)), pylon)


def _engine_with_propeller(rng: np.random.Generator, mount: np.ndarray) -> Solid:
    """A nacelle in the leading edge of a wing at ``mount``."""
    blades = translate(propeller(rng, 0.08), mount + (0, 0, -0.06))
    return join(jet_engine(0.025, 0.16, mount + (0, 0, 0.02)), blades)


def _engine_at_tail(radius: float) -> Solid:
    """A jet engine beside the tail of a fuselage."""
    pylon = box((0.06, 0.012, 0.08), (radius * 0.8, radius * 0.4, 0.24))
    return join(jet_engine(0.03, 0.17, (radius + 0.03, radius * 0.4, 0.24)), pylon)


def _airliner(rng: np.random.Generator) -> Parts:
    """An airliner with engines under the wings, in the wings or at the tail."""
    radius, half = rng.uniform(0.045, 0.08), rng.uniform(0.38, 0.56)
    drive = str(rng.choice(["jets", "jets", "propellers", "rear"]))
    propellers = drive == "propellers"
    chord = 0.15 if propellers else rng.uniform(0.16, 0.24)
    sweep = rng.uniform(0.0, 0.06) if propellers else rng.uniform(0.1, 0.32)
    high = rng.random() < (0.7 if propellers else 0.15)
    rise, tip_chord = half * rng.uniform(0.02, 0.12), chord * rng.uniform(0.25, 0.5)
    root = np.array(
        [0, radius * (0.75 if high else -0.55), -0.1 - 0.04 * (not propellers)]
    )
    tip = root + (half, rise, sweep)
    panel = wing(root, tip, (chord, tip_chord), 0.12)
    if rng.random() < 0.4:
        end = tip + (0.01, 0.06, 0.05)
        winglet = wing(tip - (0.005, 0, 0), end, (tip_chord, tip_chord * 0.5), 0.1)
        panel = join(panel, winglet)
    if drive == "rear":
        engines = [_engine_at_tail(radius)]
    else:
        make = _engine_with_propeller if propellers else _engine_below
        shares = (0.33, 0.62) if rng.random() < 0.3 else (0.36,)
        engines = [make(rng, root + share * (tip - root)) for share in shares]
    tails = {"rear": ["T"], "propellers": ["T", "plain"]}
    tail = rng.choice(tails.get(drive, ["plain", "plain", "plain", "V", "twin"]))
    windscreen = (1.35 * radius, 0.8 * radius, 0.1)
    return {
        "body": _fuselage(rng, 1.0, radius, rng.uniform(0.6, 1.0)),
        "wings": mirror_pair(panel),
        "tail": _tail(rng, str(tail), 1.0, radius),
        "glass": superellipsoid(
            windscreen, (0, 0.42 * radius, -0.4), sides=10, rings=5
        ),
        "engines": mirror_pair(join(*engines)),
    }


KINDS = (
    Kind(_airliner, 10),
    Kind(_light_airplane, 2),
    Kind(_fighter, 2),
    Kind(_glider),
    Kind(aircraft.stout_airplane, 4),
    Kind(aircraft.delta_airplane, 2),
    Kind(aircraft.flying_wing, 0.8),
    Kind(aircraft.parasol_airplane, 0.8),
    Kind(aircraft.twin_boom, held_out=True),
    Kind(aircraft.rocket_plane, held_out=True),
)
"""Airplanes of all kinds; twin booms and shuttles are held out."""
