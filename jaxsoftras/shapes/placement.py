"""Closed solids, and functions that move and join them.

Coordinates are right-handed with +y up; every triangle runs counter-clockwise seen from
outside.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Axis = Literal["x", "y", "z"]

_AFTER, _BEFORE = np.array([1, 2, 0]), np.array([2, 0, 1])


class Solid(NamedTuple):
    """A closed triangle surface, or several of them.

    Attributes:
        vertices: ``[V, 3]`` float64 positions.
        faces: ``[F, 3]`` int32 vertex indices, counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    faces: np.ndarray


Parts = dict[str, Solid]
"""Output of a generator: the parts of an object by name; names determine colours."""


def cross(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """``np.cross`` of ``[..., 3]`` vectors, which takes longer if they are few."""
    a, b = np.asarray(a), np.asarray(b)
    positive = a.take(_AFTER, -1) * b.take(_BEFORE, -1)
    return positive - a.take(_BEFORE, -1) * b.take(_AFTER, -1)


def volume(solid: Solid) -> float:
    """Computes the enclosed volume, negative for a surface that is inside out."""
    a, b, c = solid.vertices[solid.faces].swapaxes(0, 1)
    return float(np.sum(a * cross(b, c)) / 6)


def join(*solids: Solid) -> Solid:
    """Joins solids, which may overlap, into one."""
    counts = np.cumsum([0, *(len(solid.vertices) for solid in solids[:-1])])
    faces = [solid.faces + count for solid, count in zip(solids, counts, strict=True)]
    return Solid(
        np.concatenate([solid.vertices for solid in solids]),
        np.concatenate(faces).astype(np.int32),
    )


def translate(solid: Solid, offset: ArrayLike) -> Solid:
    """Moves a solid by ``offset`` ``[3]``."""
    return solid._replace(vertices=solid.vertices + np.asarray(offset, float))


def rotate(solid: Solid, axis: Axis, degrees: float) -> Solid:
    """Rotates a solid around an axis through the origin, right-handed."""
    k = "xyz".index(axis)
    i, j = (k + 1) % 3, (k + 2) % 3
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turned = solid.vertices.copy()
    turned[:, i] = cosine * solid.vertices[:, i] - sine * solid.vertices[:, j]
    turned[:, j] = sine * solid.vertices[:, i] + cosine * solid.vertices[:, j]
    return solid._replace(vertices=turned)


def mirror(solid: Solid, axis: Axis = "x") -> Solid:
    """Reflects a solid in the plane through the origin perpendicular to an axis."""
    signs = np.where(np.arange(3) == "xyz".index(axis), -1.0, 1.0)
    return Solid(solid.vertices * signs, solid.faces[:, ::-1])


def mirror_pair(solid: Solid, axis: Axis = "x") -> Solid:
    """Joins a solid with its reflection; see `mirror`."""
    return join(solid, mirror(solid, axis))


def four_corners(solid: Solid) -> Solid:
    """Joins a solid with its reflections in x, in z and in both, as for table legs."""
    return mirror_pair(mirror_pair(solid, "x"), "z")


def radial_copies(solid: Solid, count: int) -> Solid:
    """Joins copies of a solid at equal angles around the y axis."""
    return join(*(rotate(solid, "y", 360 * k / count) for k in range(count)))


def normalize(solid: Solid) -> Solid:
    """Centres the bounding box at the origin and makes its longest side 1."""
    low, high = solid.vertices.min(0), solid.vertices.max(0)
    return solid._replace(
        vertices=(solid.vertices - (low + high) / 2) / np.max(high - low)
    )
