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


# Materials: lowest and highest (hue, saturation, value).
_MATERIALS = (
    ((0.04, 0.3, 0.3), (0.1, 0.65, 0.85)),  # wood
    ((0.5, 0.0, 0.35), (0.7, 0.12, 0.85)),  # metal
    ((0.0, 0.0, 0.1), (1.0, 0.15, 0.3)),  # black plastic
    ((0.0, 0.0, 0.85), (1.0, 0.1, 0.98)),  # white paint
    ((0.0, 0.35, 0.35), (1.0, 0.8, 0.9)),  # cloth or coloured paint
)


def part_colors(
    rng: np.random.Generator, names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Draws a random colour for each part.

    Some objects have one colour, as models without materials do, some have two hues,
    and some have a material for each part.

    Args:
        rng: source of randomness.
        names: names of the parts.

    Returns:
        ``[3]`` RGB from 0 to 1 by name.
    """
    scheme = rng.random()
    main = rng.random()
    second = main + rng.choice([0.08, -0.08, 0.33, 0.5])
    one = (main, rng.uniform(0.0, 0.8), rng.uniform(0.3, 0.98))
    colors = {}
    for name in names:
        if scheme < 0.35:
            hsv = one
        elif name in _FIXED:
            hsv = rng.uniform(*_FIXED[name])
        elif scheme < 0.65:
            hue = main if rng.random() < 0.65 else second
            hsv = (hue, rng.uniform(0.1, 0.7), rng.uniform(0.45, 0.98))
        else:
            hsv = rng.uniform(*_MATERIALS[rng.integers(len(_MATERIALS))])
        colors[name] = np.array(colorsys.hsv_to_rgb(hsv[0] % 1.0, hsv[1], hsv[2]))
    return colors
