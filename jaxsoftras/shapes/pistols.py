"""Pistols and revolvers, about 1 long. The bore is y = 0, its muzzle at -z."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Parts, Solid, join, rotate, translate
from jaxsoftras.shapes.plates import plate
from jaxsoftras.shapes.solids import box, cylinder, lathe, tube


def _grip(rng: np.random.Generator, z: float, top: float, width: float) -> Solid:
    """A grip that leans backwards below (z, top), straight or with a curved back."""
    long, lean = rng.uniform(0.32, 0.6), rng.uniform(0.05, 0.3)
    front, back = rng.uniform(0.08, 0.13), rng.uniform(0.08, 0.13)
    belly = rng.choice([0.0, 0.03, 0.06])
    outline = [
        (z - front, top),
        (z + back, top),
        (z + back + lean * 0.5 + belly, top - long * 0.5),
        (z + back * 0.8 + lean, top - long),
        (z - front * 0.8 + lean, top - long * 0.97),
        (z - front + lean * 0.5 + belly * 0.5, top - long * 0.5),
    ]
    return plate(outline, width)


def _guard(front: float, back: float, top: float, drop: float, wire: float) -> Solid:
    """A trigger in its guard, between two points below the frame."""
    path = [
        (0, top, front),
        (0, top - drop * 0.7, front),
        (0, top - drop, front + 0.04),
    ]
    path += [(0, top - drop, back - 0.04), (0, top - drop * 0.6, back)]
    middle = (front + 2 * back) / 3
    return join(
        tube(path, wire, sides=5),
        box((wire, drop * 0.7, wire * 2), (0, top - drop * 0.3, middle)),
    )


def pistol(rng: np.random.Generator) -> Parts:
    """A pistol with a slide, or a plain barrel on a frame."""
    width, tall = rng.uniform(0.09, 0.2), rng.uniform(0.13, 0.26)
    rear = rng.uniform(0.32, 0.48)
    nose = rng.uniform(0.0, 0.1)
    slide = [(-0.5, -tall / 2), (rear, -tall / 2), (rear, tall * 0.35)]
    slide += [(rear - 0.03, tall / 2), (-0.5 + nose, tall / 2), (-0.5, tall * 0.3)]
    low = -tall / 2 - rng.uniform(0.05, 0.14)
    frame_end = -0.5 + rng.uniform(0.03, 0.35)
    frame = [(frame_end, low), (rear - 0.05, low), (rear + 0.03, -tall / 2 + 0.02)]
    frame.append((frame_end, -tall / 2 + 0.02))
    grip_z = rear - 0.15
    drop = rng.uniform(0.1, 0.16)
    metal = [plate(slide, width), plate(frame, width * 0.9)]
    metal.append(_guard(grip_z - 0.33, grip_z - 0.08, low + 0.01, drop, 0.016))
    metal.append(box((0.03, 0.04, 0.03), (0, tall / 2 + 0.01, -0.45)))
    metal.append(box((0.05, 0.04, 0.04), (0, tall / 2 + 0.01, rear - 0.06)))
    if rng.random() < 0.25:
        metal.append(tube([(0, 0, -0.48), (0, 0, -0.9)], width * 0.35, sides=10))
    return {
        "metal": join(*metal),
        "stock": _grip(rng, grip_z, low + 0.02, width * 0.85),
    }


def revolver(rng: np.random.Generator) -> Parts:
    """A revolver with a drum, or a flintlock pistol without one."""
    barrel, radius = rng.uniform(0.3, 0.75), rng.uniform(0.035, 0.06)
    drum, width = rng.uniform(0.09, 0.13), rng.uniform(0.1, 0.15)
    low = -rng.uniform(0.14, 0.2)
    frame = [(0.0, low), (0.34, low), (0.42, -0.02), (0.3, 0.1), (0.0, 0.1)]
    bore = tube(
        [(0, 0.04, 0.05), (0, 0.04, -barrel)], (radius, radius * 0.85), sides=10
    )
    metal = [plate(frame, width * 0.6), bore]
    if rng.random() < 0.75:
        turned = rotate(cylinder(drum, 0.22, sides=12), "x", 90)
        metal.append(translate(turned, (0, -0.02, 0.06)))
        metal.append(box((radius, radius, barrel * 0.7), (0, -0.03, -barrel * 0.35)))
    else:
        fore = [(0.1, -0.1), (0.1, 0.02), (-barrel * 0.8, 0.0), (-barrel * 0.8, -0.06)]
        metal.append(plate(fore, width * 0.5))
    hammer = [(0.36, 0.05), (0.43, 0.03), (0.47, 0.15), (0.42, 0.14)]
    metal += [plate(hammer, 0.03), _guard(0.02, 0.24, low + 0.01, 0.13, 0.014)]
    return {"metal": join(*metal), "stock": _grip(rng, 0.36, low + 0.1, width * 0.8)}


def flare_gun(rng: np.random.Generator) -> Parts:
    """A short pistol with a wide bell as its barrel."""
    wide, long = rng.uniform(0.12, 0.2), rng.uniform(0.5, 0.8)
    profile = [(wide * 0.8, 0), (wide * 0.6, 0.2), (wide * 0.6, 0.7), (wide, 1.0)]
    bell = rotate(lathe(np.array(profile) * (1, long), sides=14), "x", -90)
    frame = [(0.0, -wide), (0.25, -wide * 1.1), (0.3, wide * 0.4), (0.0, wide * 0.6)]
    guard = _guard(-0.06, 0.14, -wide + 0.02, 0.14, 0.02)
    return {
        "metal": join(bell, plate(frame, wide), guard),
        "stock": _grip(rng, 0.2, -wide * 0.9, wide),
    }
