"""Colours of the parts of an object."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

import numpy as np

# Typical colours of parts that do not follow the object's colour: lowest and highest
# (hue, saturation, value).
_FIXED = {
    "wheels": ((0.55, 0.0, 0.16), (0.7, 0.15, 0.26)),
    "hubs": ((0.0, 0.0, 0.6), (1.0, 0.08, 0.8)),
    "glass": ((0.53, 0.3, 0.3), (0.62, 0.5, 0.5)),
    "screen": ((0.55, 0.2, 0.15), (0.68, 0.5, 0.35)),
    "lights": ((0.12, 0.2, 0.85), (0.16, 0.5, 0.98)),
    "sails": ((0.08, 0.02, 0.85), (0.15, 0.22, 0.98)),
    "cones": ((0.55, 0.0, 0.2), (0.7, 0.15, 0.4)),
}


def part_colors(
    rng: np.random.Generator, names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Draws a random colour for each part: mostly one hue, sometimes a second one.

    Args:
        rng: source of randomness.
        names: names of the parts.

    Returns:
        ``[3]`` RGB from 0 to 1 by name.
    """
    main = rng.random()
    second = main + rng.choice([0.08, -0.08, 0.33, 0.5])
    colors = {}
    for name in names:
        if name in _FIXED:
            hsv = rng.uniform(*_FIXED[name])
        else:
            hue = main if rng.random() < 0.65 else second
            hsv = (hue, rng.uniform(0.2, 0.6), rng.uniform(0.55, 0.95))
        colors[name] = np.array(colorsys.hsv_to_rgb(hsv[0] % 1.0, hsv[1], hsv[2]))
    return colors
