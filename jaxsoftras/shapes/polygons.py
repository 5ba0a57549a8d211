"""Simple polygons in the plane: outlines, insets and triangulation.

A polygon is a float64 array ``[N, 2]`` of corners in order, without repeating the first
one at the end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def circle(radius: float, sides: int = 16) -> np.ndarray:
    """A regular polygon around the origin, counter-clockwise, ``[sides, 2]``."""
    return superellipse(2 * radius, 2 * radius, 2.0, sides)


def superellipse(
    width: float, height: float, exponent: float = 4.0, sides: int = 16
) -> np.ndarray:
    """Outline ``|x / (width / 2)|^e + |y / (height / 2)|^e = 1``, counter-clockwise.

    Args:
        width: extent in x.
        height: extent in y.
        exponent: 2 is an ellipse; larger values approach the rectangle.
        sides: number of corners; a multiple of 4 touches all four sides.

    Returns:
        ``[sides, 2]`` corners.
    """
    angles = 2 * np.pi * np.arange(sides) / sides
    # makes zeros exact, because a power below 1 would inflate rounding errors
    unit = np.round(np.stack([np.cos(angles), np.sin(angles)], -1), 12)
    rounded = np.sign(unit) * np.abs(unit) ** (2 / exponent)
    return rounded * (width / 2, height / 2)


def rectangle(
    width: float, height: float, corner: float = 0.0, segments: int = 3
) -> np.ndarray:
    """A rectangle around the origin, counter-clockwise.

    Args:
        width: extent in x.
        height: extent in y.
        corner: radius of the rounded corners, less than half of either side; 0 leaves
            them sharp.
        segments: straight pieces in each rounded corner.

    Returns:
        ``[4, 2]`` corners, or ``[4 (segments + 1), 2]`` with rounded ones.
    """
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    if corner == 0:
        return signs * (width / 2, height / 2)
    quarter = np.linspace(0, np.pi / 2, segments + 1)
    angles = quarter + np.pi / 2 * np.arange(4)[:, None]
    arcs = corner * np.stack([np.cos(angles), np.sin(angles)], -1)
    centers = signs * (width / 2 - corner, height / 2 - corner)
    return (centers[:, None] + arcs).reshape(-1, 2)


def following(points: np.ndarray) -> np.ndarray:
    """The next of each point along the first axis; the first one follows the last."""
    return np.concatenate([points[1:], points[:1]])


def signed_area(polygon: ArrayLike) -> float:
    """Computes the area, positive if the corners run counter-clockwise."""
    x, y = np.asarray(polygon, float).T
    return float(np.sum(x * following(y) - following(x) * y) / 2)


def inset(polygon: ArrayLike, distance: float) -> np.ndarray:
    """Moves every side inwards by a distance that is small against all sides.

    Args:
        polygon: ``[N, 2]`` corners in either direction.
        distance: how far, in the polygon's units.

    Returns:
        ``[N, 2]`` corners of the smaller polygon, in the same order.
    """
    corners = np.asarray(polygon, float)
    sides = following(corners) - corners
    sides /= np.linalg.norm(sides, axis=-1, keepdims=True)
    inwards = np.stack([-sides[:, 1], sides[:, 0]], -1) * np.sign(signed_area(corners))
    before = np.roll(inwards, 1, 0)
    cosine = np.sum(before * inwards, -1, keepdims=True)
    return corners + distance * (before + inwards) / (1 + cosine)


def _turns(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Computes twice the signed area of triangles (a, b, c), ``[..., 2]`` each."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _is_ear(corners: np.ndarray, triangle: list[int], others: list[int]) -> bool:
    a, b, c = corners[triangle]
    if _turns(a, b, c) <= 1e-12:
        return False
    rest = corners[others]
    inside = (
        (_turns(a, b, rest) >= 0)
        & (_turns(b, c, rest) >= 0)
        & (_turns(c, a, rest) >= 0)
    )
    return not inside.any()


def triangulate(polygon: ArrayLike) -> np.ndarray:
    """Splits a simple polygon into triangles between its corners.

    Args:
        polygon: ``[N, 2]`` corners, counter-clockwise, convex or not.

    Returns:
        ``[N - 2, 3]`` corner indices, each triangle counter-clockwise.

    Raises:
        ValueError: the polygon crosses itself or runs clockwise.
    """
    corners = np.asarray(polygon, float)
    remaining = list(range(len(corners)))
    after = following(corners)
    if np.all(_turns(corners, after, following(after)) > 0):
        return np.array([(0, k, k + 1) for k in remaining[1:-1]])
    triangles = []
    while len(remaining) > 2:
        for k in range(len(remaining)):
            triangle = [
                remaining[k - 1],
                remaining[k],
                remaining[k + 1 - len(remaining)],
            ]
            others = [corner for corner in remaining if corner not in triangle]
            if _is_ear(corners, triangle, others):
                break
        else:
            raise ValueError(
                "The polygon has no triangulation: give the corners of a polygon that "
                "does not cross itself, counter-clockwise."
            )
        triangles.append(triangle)
        del remaining[k]
    return np.array(triangles)
