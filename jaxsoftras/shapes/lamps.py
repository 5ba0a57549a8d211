"""Lamps. Units are metres; the floor is y = 0, the front -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import ceiling_lamps, standing_lamps
from jaxsoftras.shapes.kinds import Kind
from jaxsoftras.shapes.placement import (
    Parts,
    join,
    mirror_pair,
    radial_copies,
    rotate,
    translate,
)
from jaxsoftras.shapes.polygons import circle
from jaxsoftras.shapes.shades import shade
from jaxsoftras.shapes.solids import (
    box,
    cylinder,
    lathe,
    superellipsoid,
    sweep,
    tube,
)


def _table_lamp(rng: np.random.Generator) -> Parts:
    tall, r = rng.uniform(0.25, 0.45), rng.uniform(0.05, 0.1)
    profiles = [
        [(1.1, 0), (1.1, 0.06), (0.3, 0.1), (0.25, 0.9), (0.15, 1.0)],
        [(0.8, 0), (0.8, 0.05), (0.5, 0.1), (1.2, 0.45), (0.9, 0.75), (0.2, 1.0)],
        [(1.0, 0), (0.5, 0.1), (0.9, 0.25), (0.4, 0.4), (0.8, 0.55), (0.3, 0.7)],
        [(1.2, 0), (1.2, 0.08), (0.8, 0.3), (0.3, 0.7), (0.2, 1.0)],
    ]
    profile = np.array(profiles[rng.integers(4)]) * (r, tall)
    base = lathe(profile, sides=int(rng.choice([4, 6, 14, 14, 14])))
    radius = rng.uniform(0.13, 0.22)
    rod = cylinder(0.01, tall * 0.4 + 0.08, (0, tall * 0.7, 0), sides=6)
    return {
        "base": base,
        "rod": rod,
        "shade": translate(shade(rng, radius), (0, tall + 0.03, 0)),
    }


def _floor_lamp(rng: np.random.Generator) -> Parts:
    tall, radius = rng.uniform(1.2, 1.5), rng.uniform(0.18, 0.28)
    head = translate(shade(rng, radius), (0, tall - 0.1, 0))
    rod = cylinder(0.014, tall + 0.05, sides=8)
    if rng.random() < 0.4:
        leg = tube([(0, tall * 0.75, 0), (tall * 0.22, 0, 0)], (0.014, 0.022), sides=6)
        rod = cylinder(0.016, tall * 0.3 + 0.05, (0, tall * 0.7, 0), sides=8)
        return {"base": radial_copies(leg, 3), "rod": rod, "shade": head}
    wide = rng.uniform(0.12, 0.2)
    foot = lathe([(wide, 0), (wide, 0.02), (wide * 0.4, 0.05), (0.02, 0.09)], sides=16)
    return {"base": foot, "rod": rod, "shade": head}


def _arc_lamp(rng: np.random.Generator) -> Parts:
    reach, tall = rng.uniform(0.6, 1.0), rng.uniform(1.4, 1.8)
    angles = np.linspace(0, np.deg2rad(rng.uniform(125, 150)), 12)
    x, y = reach * (1 - np.cos(angles)) / 1.7, tall * np.sin(angles)
    path = np.stack([x, y, np.zeros(12)], -1)
    base = box((0.3, 0.06, 0.25), (0, 0.03, 0), bevel=0.01)
    head = shade(rng, rng.uniform(0.16, 0.22))
    height = head.vertices[:, 1].max()
    head = translate(head, path[-1] - (0, height, 0))
    return {"base": base, "rod": tube(path, 0.015, sides=6), "shade": head}


def _desk_lamp(rng: np.random.Generator) -> Parts:
    lower, upper = rng.uniform(0.25, 0.38), rng.uniform(0.25, 0.36)
    lean, nod = np.deg2rad(rng.uniform(10, 35)), np.deg2rad(rng.uniform(25, 60))
    elbow = np.array([0, 0.04 + lower * np.cos(lean), lower * np.sin(lean)])
    head = elbow + upper * np.array([0, np.cos(nod), -np.sin(nod)])
    joint = superellipsoid((0.04, 0.04, 0.04), sides=8, rings=5)
    arms = [
        tube([np.array([0, 0.03, 0]), elbow], 0.012, sides=6),
        tube([elbow, head], 0.01, sides=6),
    ]
    cone = lathe(
        [(0.1, 0), (0.045, 0.09), (0.04, 0.16), (0.03, 0.16), (0.035, 0.09), (0.09, 0)],
        closed=True,
        sides=16,
    )
    cap = cylinder(0.038, 0.02, (0, 0.14, 0), sides=12)
    bulb = superellipsoid((0.07, 0.09, 0.07), (0, 0.06, 0), sides=10, rings=5)
    lamp = rotate(
        translate(join(cone, cap, bulb), (0, -0.15, 0)), "x", rng.uniform(15, 45)
    )
    foot = lathe([(0.11, 0), (0.11, 0.02), (0.04, 0.045)], sides=18)
    return {
        "base": foot,
        "rod": join(*arms, translate(joint, elbow), translate(joint, head)),
        "shade": translate(lamp, head),
    }


def _pendant_lamp(rng: np.random.Generator) -> Parts:
    cord, radius = rng.uniform(0.35, 0.8), rng.uniform(0.15, 0.28)
    head = shade(rng, radius)
    top = head.vertices[:, 1].max()
    canopy = cylinder(0.06, 0.04, (0, top + cord, 0), top_radius=0.08, sides=12)
    rod = cylinder(0.008, cord + 0.05, (0, top - 0.03, 0), sides=6)
    return {"base": canopy, "rod": rod, "shade": head}


def _chandelier(rng: np.random.Generator) -> Parts:
    count, reach = int(rng.integers(4, 8)), rng.uniform(0.28, 0.4)
    turns = np.linspace(0, np.pi, 7)
    path = np.stack(
        [reach * (1 - np.cos(turns)) / 2, -0.12 * np.sin(turns), 0 * turns], -1
    )
    arm = tube(path, 0.012, sides=6)
    cup = cylinder(0.02, 0.03, (reach, -0.01, 0), top_radius=0.045, sides=8)
    light = superellipsoid((0.05, 0.13, 0.05), (reach, 0.08, 0), sides=8, rings=5)
    if rng.random() < 0.5:
        light = cylinder(0.07, 0.1, (reach, 0.03, 0), top_radius=0.04, sides=10)
    body = [(0, -0.12), (0.04, -0.08), (0.02, -0.03), (0.05, 0.02), (0.02, 0.1)]
    body += [(0.012, 0.12), (0.012, 0.45), (0.06, 0.46), (0.06, 0.49)]
    return {
        "base": lathe(body, sides=10),
        "rod": radial_copies(join(arm, cup), count),
        "shade": radial_copies(light, count),
    }


def _street_lamp(rng: np.random.Generator) -> Parts:
    tall = rng.uniform(1.4, 2.0)
    post = [(0.14, 0), (0.14, 0.12), (0.06, 0.2), (0.035, 0.3), (0.03, tall)]
    lantern = lathe([(0.09, 0), (0.15, 0.28)], sides=6)
    roof = lathe([(0.19, 0.28), (0.17, 0.32), (0.04, 0.42), (0.02, 0.48)], sides=6)
    collar = cylinder(0.04, 0.04, (0, -0.03, 0), top_radius=0.1, sides=10)
    head = {"shade": lantern, "base": join(roof, collar)}
    if rng.random() < 0.5:
        head = {name: translate(part, (0, tall, 0)) for name, part in head.items()}
    else:
        rail = sweep([(-0.3, tall - 0.05, 0), (0.3, tall - 0.05, 0)], circle(0.02, 6))
        head = {
            name: mirror_pair(translate(part, (0.3, tall, 0)))
            for name, part in head.items()
        }
        head["base"] = join(head["base"], rail)
    return {"rod": lathe(post, sides=10), **head}


KINDS = (
    Kind(_table_lamp, 1.5),
    Kind(_floor_lamp),
    Kind(_arc_lamp, 0.6),
    Kind(_desk_lamp, 0.8),
    Kind(_pendant_lamp, 1.5),
    Kind(_chandelier, 0.6),
    Kind(_street_lamp, 0.6),
    Kind(standing_lamps.tower_lamp, 1.5),
    Kind(standing_lamps.big_shade_lamp, 2.5),
    Kind(standing_lamps.torchiere),
    Kind(standing_lamps.legged_lamp, 0.6),
    Kind(standing_lamps.goose_neck, 0.8),
    Kind(standing_lamps.candle_holder, 0.6),
    Kind(standing_lamps.street_light, 1.2),
    Kind(standing_lamps.loose_shade, 0.8),
    Kind(standing_lamps.lava_lamp, held_out=True),
    Kind(ceiling_lamps.flush_lamp, 2.5),
    Kind(ceiling_lamps.solid_pendant, 2.5),
    Kind(ceiling_lamps.cage_pendant),
    Kind(ceiling_lamps.pendant_group, 1.2),
    Kind(ceiling_lamps.tiered_chandelier),
    Kind(ceiling_lamps.tube_light, 0.8),
    Kind(ceiling_lamps.wall_lamp, 0.8),
    Kind(ceiling_lamps.lantern),
    Kind(ceiling_lamps.ceiling_fan, held_out=True),
)
"""Lamps of all kinds; lava lamps and ceiling fans with a light are held out."""
