"""Lamps that stand. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import legs
from jaxsoftras.shapes.placement import Parts, join, radial_copies, rotate, translate
from jaxsoftras.shapes.shades import shade
from jaxsoftras.shapes.solids import box, cylinder, lathe, superellipsoid, tube


def tower_lamp(rng: np.random.Generator) -> Parts:
    """A column that glows over all its height, on a plate."""
    wide, tall = rng.uniform(0.06, 0.2), rng.uniform(0.4, 1.3)
    sides = int(rng.choice([4, 4, 6, 14]))
    waist = 1 + rng.uniform(-0.5, 0.5) * np.sin(np.linspace(0, np.pi, 6))
    rings = rng.integers(2)
    if rings:
        waist = np.tile([1.0, rng.uniform(0.75, 0.95)], 6)
    column = lathe(
        np.stack([wide * waist, np.linspace(0, tall, len(waist))], -1), sides=sides
    )
    lift = rng.uniform(0.0, 0.15)
    foot = box((wide * 2.2, 0.03, wide * 2.2), (0, 0.015, 0))
    rod = cylinder(0.02, lift + 0.05, sides=8)
    return {
        "shade": translate(rotate(column, "y", 45), (0, lift + 0.02, 0)),
        "base": join(foot, rod),
    }


def big_shade_lamp(rng: np.random.Generator) -> Parts:
    """A table lamp whose shade is large against its body of stacked bulbs."""
    radius = rng.uniform(0.15, 0.3)
    tall = radius * rng.uniform(0.6, 2.2)
    count = int(rng.integers(1, 6))
    widths = radius * rng.uniform(0.15, 0.6, count)
    profile = [(radius * rng.uniform(0.4, 0.8), 0), (radius * 0.35, tall * 0.06)]
    for k, wide in enumerate(widths):
        low, high = ((k + s) / count * 0.9 + 0.08 for s in (0.1, 0.9))
        profile += [(wide * 0.5, low * tall), (wide, (low + high) / 2 * tall)]
        profile.append((wide * 0.5, high * tall))
    body = lathe(profile, sides=int(rng.choice([4, 6, 12])))
    rod = cylinder(0.012, tall * 0.2 + radius, (0, tall * 0.9, 0), sides=6)
    top = translate(shade(rng, radius), (0, tall * rng.uniform(0.95, 1.05), 0))
    return {"base": body, "rod": rod, "shade": top}


def torchiere(rng: np.random.Generator) -> Parts:
    """A floor lamp with a bowl or a small head that shines upwards."""
    tall, radius = rng.uniform(1.0, 1.7), rng.uniform(0.06, 0.22)
    deep = radius * rng.uniform(0.3, 2.0)
    bowl = lathe(
        [(radius * 0.25, 0), (radius * 0.8, deep * 0.5), (radius, deep)], sides=14
    )
    rod = cylinder(rng.uniform(0.01, 0.03), tall, sides=8)
    foot = legs.pedestal(rng, rng.uniform(0.1, 0.22), tall * rng.uniform(0.06, 0.3))
    return {"shade": translate(bowl, (0, tall - 0.01, 0)), "rod": rod, "base": foot}


def legged_lamp(rng: np.random.Generator) -> Parts:
    """A shade on three or four legs."""
    tall, radius = rng.uniform(0.3, 1.4), rng.uniform(0.15, 0.35)
    reach = tall * rng.uniform(0.15, 0.35)
    leg = tube([(0.03, tall, 0), (reach, 0, 0)], rng.uniform(0.012, 0.03), sides=6)
    cap = cylinder(0.05, 0.05, (0, tall - 0.02, 0), sides=10)
    return {
        "base": radial_copies(leg, int(rng.integers(3, 5))),
        "rod": cap,
        "shade": translate(shade(rng, radius), (0, tall - rng.uniform(0, 0.1), 0)),
    }


def goose_neck(rng: np.random.Generator) -> Parts:
    """A bent neck on a foot, with a head that looks down."""
    tall, reach = rng.uniform(0.25, 0.6), rng.uniform(0.12, 0.4)
    angles = np.linspace(0, np.deg2rad(rng.uniform(110, 190)), 9)
    arc = np.stack([0 * angles, np.sin(angles), np.cos(angles) - 1], -1) * reach / 2
    path = np.concatenate([[(0, 0.02, 0)], arc + (0, tall, 0)])
    head = shade(rng, rng.uniform(0.06, 0.14))
    head = translate(head, (0, -head.vertices[:, 1].max(), 0))
    head = translate(rotate(head, "x", rng.uniform(-40, 20)), path[-1])
    wide = rng.uniform(0.07, 0.14)
    foot = lathe([(wide, 0), (wide, 0.03), (wide * 0.5, wide * rng.uniform(0.3, 0.8))])
    return {
        "base": foot,
        "rod": tube(path, rng.uniform(0.008, 0.02), sides=6),
        "shade": head,
    }


def candle_holder(rng: np.random.Generator) -> Parts:
    """A turned stick with one candle, or with branches for more."""
    tall = rng.uniform(0.25, 0.6)
    radii = rng.uniform(0.012, 0.06, 8)
    profile = np.stack([radii, np.linspace(0.04, tall, 8)], -1)
    foot = [(rng.uniform(0.07, 0.14), 0), (rng.uniform(0.06, 0.1), 0.03)]
    candle = cylinder(
        rng.uniform(0.012, 0.03), rng.uniform(0.1, 0.3), (0, tall, 0), sides=8
    )
    parts = {"base": lathe([*foot, *profile], sides=12), "shade": candle}
    if rng.random() < 0.4:
        reach = rng.uniform(0.1, 0.2)
        path = [
            (0, tall * 0.6, 0),
            (reach * 0.7, tall * 0.55, 0),
            (reach, tall * 0.85, 0),
        ]
        count = int(rng.integers(2, 5))
        parts["rod"] = radial_copies(tube(path, 0.012, sides=6), count)
        second = translate(candle, (reach, -tall * 0.15, 0))
        parts["shade"] = join(candle, radial_copies(second, count))
    return parts


def street_light(rng: np.random.Generator) -> Parts:
    """A post with one arm or two, or a cluster of balls at the top."""
    tall, radius = rng.uniform(1.6, 2.6), rng.uniform(0.02, 0.05)
    post = lathe(
        [(radius * 2.5, 0), (radius * 2.2, 0.25), (radius, 0.3), (radius * 0.7, tall)]
    )
    count = int(rng.integers(1, 4))
    reach, rise = rng.uniform(0.25, 0.7), rng.uniform(-0.05, 0.25)
    path = [(0, tall - 0.05, 0), (reach * 0.6, tall + rise, 0), (reach, tall + rise, 0)]
    size = rng.uniform(0.1, 0.22)
    if rng.random() < 0.6:
        head = box(
            (size * 2.2, size * 0.4, size * 0.8), (reach, tall + rise, 0), bevel=0.02
        )
    else:
        head = superellipsoid((size, size, size), (reach, tall + rise, 0), sides=10)
    arms = radial_copies(tube(path, radius * 0.7, sides=6), count)
    turned = rng.choice([0.0, 90.0, -90.0])
    return {
        "rod": post,
        "base": rotate(arms, "y", turned),
        "shade": rotate(radial_copies(head, count), "y", turned),
    }


def loose_shade(rng: np.random.Generator) -> Parts:
    """A lampshade by itself, with the ring that would hold it."""
    radius = 0.3
    sides = int(rng.choice([4, 6, 10, 16]))
    top, tall = rng.uniform(0.25, 0.9) * radius, radius * rng.uniform(0.7, 1.8)
    wall = 0.03
    outline = [
        (radius, 0),
        (top, tall),
        (max(top - wall, 0.02), tall),
        (radius - wall, 0),
    ]
    body = lathe(outline, sides=sides, closed=True)
    bar = box((1.9 * top, 0.02, 0.02), (0, tall * 0.9, 0))
    return {"shade": body, "rod": join(bar, rotate(bar, "y", 90))}


def lava_lamp(rng: np.random.Generator) -> Parts:
    """Two cones and a bottle of glass between them."""
    wide, tall = rng.uniform(0.06, 0.1), rng.uniform(0.3, 0.5)
    low = tall * rng.uniform(0.3, 0.45)
    foot = lathe([(wide, 0), (wide * 0.7, low * 0.8), (wide * 1.1, low)], sides=14)
    glass = lathe(
        [(wide * 1.05, low), (wide * 1.2, low + tall * 0.2), (wide * 0.5, low + tall)]
    )
    cap = cylinder(
        wide * 0.55, tall * 0.2, (0, low + tall - 0.01, 0), top_radius=wide * 0.35
    )
    return {"base": join(foot, cap), "shade": glass}
