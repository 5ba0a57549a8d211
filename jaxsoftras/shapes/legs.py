"""Supports that several kinds of furniture share. The floor is y = 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import (
    Solid,
    four_corners,
    join,
    mirror_pair,
    radial_copies,
    translate,
)
from jaxsoftras.shapes.solids import (
    beam,
    box,
    cylinder,
    lathe,
    superellipsoid,
    tapered_box,
    tube,
)


def cushion(
    size: ArrayLike, center: ArrayLike = (0.0, 0.0, 0.0), exponent: float = 5.0
) -> Solid:
    """A pad with soft edges and extents ``size`` ``[3]``."""
    return superellipsoid(size, center, exponent=exponent, rings=5)


def posts(width: float, depth: float, height: float, thick: float) -> Solid:
    """Four square legs, flush with a rectangle of width x depth."""
    x, z = (width - thick) / 2, (depth - thick) / 2
    return four_corners(box((thick, height, thick), (x, height / 2, z)))


def splayed(
    rng: np.random.Generator, width: float, depth: float, height: float, thick: float
) -> Solid:
    """Four round legs that lean outwards and become thinner downwards."""
    x, z = width / 2 - thick, depth / 2 - thick
    out = height * rng.uniform(0.05, 0.3)
    path = [(x + out, 0, z + out), (x, height, z)]
    return four_corners(tube(path, (0.3 * thick, 0.6 * thick), sides=8))


def stretchers(
    rng: np.random.Generator, width: float, depth: float, height: float, thick: float
) -> Solid:
    """Bars between four legs: a frame around them, or an H."""
    y = height * rng.uniform(0.12, 0.55)
    x, z = (width - thick) / 2, (depth - thick) / 2
    sides = mirror_pair(beam((x, y, -z), (x, y, z), thick * 0.6, thick * 0.7))
    if rng.random() < 0.5:
        return join(sides, beam((-x, y, 0), (x, y, 0), thick * 0.6, thick * 0.7))
    front = beam((-x, y, z), (x, y, z), thick * 0.6, thick * 0.7)
    return join(sides, mirror_pair(front, "z"))


def pedestal(rng: np.random.Generator, reach: float, height: float) -> Solid:
    """One column on a disc, a block or spreading feet."""
    radius = reach * rng.uniform(0.1, 0.45)
    kind = rng.integers(5)
    if kind == 0:
        foot = [(reach, 0), (reach, 0.03 * height), (radius, 0.1 * height)]
        return lathe([*foot, (radius, height)], sides=14)
    if kind == 1:  # a turned baluster
        shape = rng.uniform(0.5, 1.6, 6) * radius
        profile = zip(shape, np.linspace(0.1, 1, 6) * height, strict=True)
        foot = [(reach, 0), (reach * 0.9, 0.06 * height)]
        return lathe([*foot, *profile], sides=12)
    if kind == 2:
        block = tapered_box((reach, reach), (radius, radius), height * 0.25)
        return join(block, box((radius, height, radius), (0, height / 2, 0)))
    if kind == 3:  # a trumpet
        t = np.linspace(0, 1, 7)
        curve = radius * 0.4 + (reach - radius * 0.4) * (1 - t) ** rng.uniform(2, 5)
        return lathe(np.stack([curve, t * height], -1), sides=14)
    rise = height * rng.uniform(0.1, 0.4)
    thick = rng.uniform(0.25, 0.6) * radius
    path = [(0, rise, 0), (reach * 0.6, rise * 0.8, 0), (reach, thick, 0)]
    foot = tube(path, (thick * 1.3, thick, thick * 0.8), sides=6)
    column = cylinder(radius * 0.6, height - 0.5 * rise, (0, 0.5 * rise, 0), sides=10)
    return join(column, radial_copies(foot, int(rng.integers(3, 6))))


def star(rng: np.random.Generator, reach: float, height: float) -> Solid:
    """A column on spokes with castors, as of an office chair."""
    spoke = tube([(0, 0.12, 0), (reach, 0.075, 0)], (0.03, 0.018), sides=6)
    castor = superellipsoid((0.05, 0.06, 0.06), (reach, 0.03, 0), sides=8, rings=5)
    wide = rng.uniform(0.025, 0.04)
    column = cylinder(wide, height - 0.06, (0, 0.06, 0), sides=10)
    return join(column, radial_copies(join(spoke, castor), int(rng.integers(4, 6))))


def crossed(width: float, depth: float, height: float, thick: float) -> Solid:
    """Two pairs of bars that cross at each side, and rails between them."""
    x, z = (width - thick) / 2, depth / 2
    one = beam((x, 0, -z), (x, height, z), thick, thick)
    other = beam((x - thick, 0, z), (x - thick, height, -z), thick, thick)
    rails = [
        beam((-x, y, s * z), (x, y, s * z), thick * 0.8, thick * 0.8)
        for y, s in ((thick / 2, 1), (thick / 2, -1))
    ]
    return join(mirror_pair(join(one, other)), *rails)


def hairpins(width: float, depth: float, height: float, wire: float) -> Solid:
    """Four legs of bent wire."""
    x, z, gap = width / 2 - wire, depth / 2 - wire, 0.12 * width
    path = [(x - gap, height, z), (x, wire, z), (x, height, z - gap)]
    return four_corners(tube(path, wire, sides=5))


def sled(width: float, depth: float, height: float, wire: float) -> Solid:
    """Two rectangular hoops of tube, one at each side."""
    x, z = width / 2 - wire, depth / 2 - wire
    bars = [
        beam((x, wire, -z), (x, wire, z), 2 * wire, 2 * wire),
        beam((x, height - wire, -z), (x, height - wire, z), 2 * wire, 2 * wire),
    ]
    upright = box((2 * wire, height, 2 * wire), (x, height / 2, z))
    return mirror_pair(join(*bars, upright, translate(upright, (0, 0, -2 * z))))
