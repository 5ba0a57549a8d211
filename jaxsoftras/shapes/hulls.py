"""Hulls of ships and boats. The bow is -z, the waterline y = 0, the length about 1."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Solid
from jaxsoftras.shapes.solids import loft


def hull(
    beam_width: float, draught: float, freeboard: float, *, bow: float, stern: float
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the sections of one half of a hull.

    Args:
        beam_width: greatest width.
        draught: depth of the keel below the waterline.
        freeboard: height of the deck above the waterline amidships.
        bow: how much the bow rises and rakes forward, about 0 to 1.
        stern: width of the stern as a fraction of the beam; 0 is pointed.

    Returns:
        ``[S, 4, 3]`` points of each section on the right-hand side, from deck to keel,
        and ``[S]`` half widths of the deck.
    """
    t = np.linspace(0, 1, 11)
    forward = np.clip(t / 0.42, 0, 1)
    aft = np.clip((1 - t) / 0.35, 0, 1)
    half = beam_width / 2 * np.sin(forward * np.pi / 2) ** 0.8
    half *= stern + (1 - stern) * np.sin(aft * np.pi / 2) ** 0.7
    deck = freeboard * (1 + bow * (1 - forward) ** 2 + 0.15 * (1 - aft) ** 2)
    keel = -draught * np.clip(t / 0.12, 0, 1) ** 0.6 * (0.55 + 0.45 * aft)
    rake = 0.14 * bow * (1 - forward) ** 2
    levels = ((1.0, 1.0, 1.0), (0.93, 0.35, 0.5), (0.6, 0.06, 0.1), (0.0, 0.0, 0.0))
    sides = []
    for width, height, lean in levels:
        y = keel + (deck - keel) * height
        sides.append(np.stack([half * width, y, t - 0.5 - rake * lean], -1))
    return np.stack(sides, 1), half


def closed_hull(sides: np.ndarray) -> Solid:
    """Builds a decked hull from the sections of one half."""
    port = sides[:, -2::-1] * (-1, 1, 1)
    return loft(np.concatenate([sides, port], 1))


def open_hull(sides: np.ndarray, wall: float) -> Solid:
    """Builds a hull that is open above, with a floor, from the sections of one half."""
    deck, keel = sides[:, :1, 1], sides[:, -1:, 1]
    floor = keel + 0.35 * (deck - keel)
    inner = sides[:, :-1].copy()
    inner[..., 0] = np.maximum(inner[..., 0] - wall, 0.3 * inner[..., 0])
    # the side meets the floor a little above it, so that no two corners coincide
    inner[..., 1] = np.maximum(inner[..., 1], floor + (deck - floor) * (1, 0.02, 0))
    solid = sides[:, 0, 0] < 2 * wall  # a bow too narrow to hollow out, and the transom
    solid[-1] = True
    inner[solid, :, 1] = deck[solid]
    inner[solid, :, 0] = inner[solid, :1, 0] * (1.0, 0.6, 0.2)
    starboard = np.concatenate([inner[:, ::-1], sides], 1)
    port = np.concatenate([sides[:, -2::-1], inner], 1) * (-1, 1, 1)
    return loft(np.concatenate([starboard, port], 1))
