"""Colours of a mesh without parts: regions and gradients."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.palette import part_colors

_REGIONS = (0.35, 0.35, 0.3)  # shares of objects of one, two and three regions
_SHARP, _BLURRED = 0.002, 0.15  # width of borders, squared lengths in the model frame
_BLUR = 0.25  # share of objects whose regions have blurred borders
_GRADIENT = 0.2  # standard deviation of the change of brightness along the unit box


def draw_colors(
    rng: np.random.Generator, vertices: np.ndarray, faces: np.ndarray
) -> np.ndarray:
    """Draws the colours of a mesh: regions around random points, and a gradient.

    The regions are symmetric in x = 0. Their hues are those of the parts of embedded
    shapes.

    Args:
        rng: source of randomness.
        vertices: ``[V, 3]`` model frame.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[F, 3]`` RGB from 0 to 1.
    """
    count = 1 + rng.choice(3, p=_REGIONS)
    palette = np.stack([*part_colors(rng, map(str, range(count))).values()])
    folded = np.abs(vertices) * (1, 0, 0) + vertices * (0, 1, 1)
    centers = folded[rng.integers(len(vertices), size=count)]
    width = _BLURRED if rng.random() < _BLUR else _SHARP
    gradient = rng.normal(0, _GRADIENT, 3)

    distances = np.sum((folded[:, None] - centers) ** 2, -1)
    nearness = np.exp((distances.min(1, keepdims=True) - distances) / width)
    colors = nearness / nearness.sum(1, keepdims=True) @ palette
    colors *= (1 + vertices @ gradient)[:, None]
    return colors[faces].mean(1).clip(0, 1)
