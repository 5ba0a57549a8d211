"""Wings, propellers and jet engines of airplanes. The nose is at -z."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import Solid, join, radial_copies, rotate, translate
from jaxsoftras.shapes.solids import box, cylinder, lathe, loft


def wing(
    root: ArrayLike, tip: ArrayLike, chords: tuple[float, float], thickness: float
) -> Solid:
    """A wing panel from root to tip, given by its leading edge at both ends.

    Args:
        root: ``[3]`` leading edge at the root.
        tip: ``[3]`` leading edge at the tip.
        chords: lengths in z at the root and at the tip.
        thickness: greatest thickness as a fraction of the chord.

    Returns:
        The panel.
    """
    start, end = np.asarray(root, float), np.asarray(tip, float)
    span = (end - start) * (1, 1, 0)
    across = np.cross(span / np.linalg.norm(span), (0, 0, 1))
    chordwise = np.array([0, 0.08, 0.35, 0.7, 1, 0.7, 0.35, 0.08])
    height = np.array([0, 0.6, 1, 0.6, 0, -0.5, -0.8, -0.5]) * thickness / 1.8
    section = chordwise[:, None] * (0, 0, 1) + height[:, None] * across
    return loft([start + chords[0] * section, end + chords[1] * section])


def propeller(rng: np.random.Generator, radius: float) -> Solid:
    """A propeller in the plane z = 0, spinner forwards."""
    spinner = rotate(
        cylinder(radius * 0.16, radius * 0.3, top_radius=0.02, sides=8), "x", -90
    )
    blade = box((radius * 0.16, radius, radius * 0.06), (0, radius / 2, 0))
    blades = rotate(
        radial_copies(rotate(blade, "x", -90), int(rng.integers(2, 5))), "x", 90
    )
    return join(spinner, blades)


def jet_engine(radius: float, long: float, center: ArrayLike) -> Solid:
    """A nacelle along z around a centre."""
    profile = [(0.75, 0.06), (0.88, 0), (1, 0.12), (1, 0.5), (0.7, 0.9), (0.4, 1.0)]
    return translate(
        rotate(lathe(np.array(profile) * (radius, long), sides=12), "x", 90),
        np.asarray(center, float) - (0, 0, long / 2),
    )
