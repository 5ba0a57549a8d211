"""Random deformations of a mesh, small enough for it to stay in its category.

Points are in the model frame, within the unit box; x = 0 is the plane of symmetry of
most objects.
"""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes.placement import Solid, mirror, normalize

_STRETCH = 0.15  # standard deviation of the logarithm, of each axis
_WAVES = 4  # of the random field
_FIELD = 0.02  # standard deviation of its displacement before it is made symmetric
_FREQUENCY = 0.7  # standard deviation of a wave's frequency along each axis, 1 / length
_SYMMETRIC = 0.75  # share of random fields that are symmetric in x = 0

_PASSES = 3  # of smoothing, at most
_STEPS = (0.5, -0.53)  # of a pass: towards the mean, and away from it


def deform(rng: np.random.Generator, solid: Solid) -> Solid:
    """Deforms a mesh at random.

    Args:
        rng: source of randomness.
        solid: the mesh; none of the sides of its bounding box is 0.

    Returns:
        A mesh of the same topology, its bounding box centred at the origin and the
        longest side of that 1; faces are counter-clockwise seen from outside.
    """
    points = smooth(solid.vertices, solid.faces, int(rng.integers(_PASSES + 1)))
    points = normalize(Solid(points, solid.faces)).vertices
    for change, share, deviation in _CHANGES:
        chosen, axes = rng.random() < share, rng.permutation(3)
        amount = rng.normal(0, deviation)
        if chosen:
            points = change(points, axes, amount)
    points = points + draw_field(rng, points)
    points = points * np.exp(rng.normal(0, _STRETCH, 3))
    deformed = normalize(Solid(points, solid.faces))
    return mirror(deformed) if rng.random() < 0.5 else deformed


def smooth(points: np.ndarray, faces: np.ndarray, passes: int) -> np.ndarray:
    """Smooths a closed mesh with little loss of volume.

    Fits have bumps that silhouettes do not show. Each pass moves vertices towards the
    mean of their neighbours, then away from it (Taubin, SIGGRAPH 1995).

    Args:
        points: ``[V, 3]`` vertices.
        faces: ``[F, 3]`` vertex indices; every edge belongs to two faces, which run
            along it in opposite directions.
        passes: number of passes.

    Returns:
        ``[V, 3]`` float64.
    """
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()
    degree = np.bincount(start, minlength=len(points))[:, None]
    for step in _STEPS * passes:
        sums = [np.bincount(start, axis[end], len(points)) for axis in points.T]
        points = points + step * (np.stack(sums, 1) / degree - points)
    return points


def taper(points: np.ndarray, axes: np.ndarray, amount: float) -> np.ndarray:
    """Widens a mesh along ``axes[0]``: its other coordinates grow by ``amount``."""
    factor = 1 + amount * points[:, axes[:1]]
    along = np.arange(3) == axes[0]
    return np.where(along, points, points * np.maximum(factor, 0.25))


def bend(points: np.ndarray, axes: np.ndarray, amount: float) -> np.ndarray:
    """Moves points along ``axes[1]`` by ``amount`` times their square on ``axes[0]``.

    The third axis stays as it is. Along x, a bend would break the symmetry: the two
    axes then change places.
    """
    along, by = (axes[1], axes[0]) if axes[1] == 0 else (axes[0], axes[1])
    moved = points.copy()
    moved[:, by] += amount * points[:, along] ** 2
    return moved


def twist(points: np.ndarray, axes: np.ndarray, amount: float) -> np.ndarray:
    """Turns points around ``axes[0]`` by ``amount`` (radians) a unit along it."""
    along, first, second = axes
    angles = amount * points[:, along]
    cosines, sines = np.cos(angles), np.sin(angles)
    a, b = points[:, first], points[:, second]
    turned = points.copy()
    turned[:, first] = cosines * a - sines * b
    turned[:, second] = sines * a + cosines * b
    return turned


def draw_field(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Draws a smooth random vector field, a sum of plane waves.

    Args:
        rng: source of randomness.
        points: ``[V, 3]`` where to evaluate it.

    Returns:
        ``[V, 3]`` displacements.
    """
    frequencies = 2 * np.pi * rng.normal(0, _FREQUENCY, (3, _WAVES))
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    amplitudes = rng.normal(0, _FIELD * np.sqrt(2 / _WAVES), (_WAVES, 3))
    symmetric = rng.random() < _SYMMETRIC

    def evaluate(places: np.ndarray) -> np.ndarray:
        return np.sin(places @ frequencies + phases) @ amplitudes

    if not symmetric:
        return evaluate(points)
    opposite = np.array([-1.0, 1.0, 1.0])
    return (evaluate(points) + opposite * evaluate(opposite * points)) / 2


# each with its share of objects, and the standard deviation of the amount
_CHANGES = (
    (taper, 0.4, 0.3),
    (bend, 0.3, 0.2),
    (twist, 0.2, np.deg2rad(12)),
)
