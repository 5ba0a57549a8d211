"""Triangulation of the polygons of mesh files.

A polygon becomes the fan from its first corner where that is right, as it is for every
convex polygon; otherwise the fan from its second corner (quadrilaterals) or what
mapbox_earcut finds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import extras

# Areas that differ by less than this, relative to that of the polygon, are equal.
_SLACK = 1e-6


class Triangles(NamedTuple):
    """Triangles of polygons, in the order of the polygons.

    Attributes:
        corners: ``[T, 3]`` indices into the corners of all polygons.
        owners: ``[T]`` index of the polygon of each triangle.
        notes: clauses about polygons that are not split rightly; see
            `jaxsoftras.meshfile.surface.Surface`.
    """

    corners: np.ndarray
    owners: np.ndarray
    notes: tuple[str, ...]


class _Polygons(NamedTuple):
    """Polygons of at least three corners.

    Attributes:
        points: ``[C, 3]`` positions of all corners.
        starts: ``[N]`` index of the first corner of each polygon.
        counts: ``[N]`` number of its corners.
    """

    points: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


def _fans(polygons: _Polygons) -> tuple[np.ndarray, np.ndarray]:
    """Fans from the first corners: corners ``[T, 3]`` and owners ``[T]``."""
    sizes = polygons.counts - 2
    owners = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = polygons.starts[owners]
    middle = first + 1 + within
    return np.stack([first, middle, middle + 1], axis=-1), owners


def _double_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Cross products of the edges of triangles: ``[T, 3]``."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _project(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Coordinates ``[C, 2]`` of points on planes of unit normals ``[C, 3]``.

    Counter-clockwise about the normal.
    """
    axes = np.eye(3)[np.argmin(np.abs(normals), axis=1)]
    right = np.cross(axes, normals)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    up = np.cross(normals, right)
    return np.stack([np.einsum("ck,ck->c", points, axis) for axis in (right, up)], -1)


def _fill_gaps(triangles: np.ndarray, count: int) -> np.ndarray:
    """Adds the triangles without area that a triangulation leaves out.

    A corner on the straight line between its neighbours may be a vertex of the polygon
    next to it. Without it, the surface would not be closed.

    Args:
        triangles: ``[T, 3]`` corners, oriented as the polygon.
        count: number of corners of the polygon.
    """
    found = [tuple(triangle) for triangle in triangles.tolist()]
    edges = {(t[k], t[k - 2]) for t in found for k in range(3)}
    outline = {(k, (k + 1) % count) for k in range(count)}
    gaps: dict[int, list[int]] = {}
    for a, b in (outline - edges) | {
        (b, a) for a, b in edges - outline if (b, a) not in edges
    }:
        gaps.setdefault(a, []).append(b)
    while gaps:
        trail = [next(iter(gaps))]
        while trail:
            if not gaps.get(trail[-1]):
                gaps.pop(trail.pop(), None)
                continue
            end = gaps[trail[-1]].pop()
            if end not in trail:
                trail.append(end)
                continue
            first = trail.index(end)
            found += [(end, *pair) for pair in itertools.pairwise(trail[first + 1 :])]
            del trail[first + 1 :]
    return np.array(found).reshape(-1, 3)


def _flat_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Twice the signed areas of triangles ``[T, 3]`` of points ``[C, 2]``."""
    a, b, c = points[triangles.T]
    (x, y), (u, v) = (b - a).T, (c - a).T
    return x * v - y * u


def _cut_ears(points: np.ndarray) -> np.ndarray | None:
    """Triangulates a polygon ``[C, 2]``, counter-clockwise.

    Returns:
        Corners ``[T, 3]``; None if the triangles do not add up to the polygon.

    Raises:
        MissingExtraError: mapbox_earcut is not installed.
    """
    extras.require("triangulate concave polygons", "mapbox_earcut")
    import mapbox_earcut

    points = points / np.abs(points).max()
    count = len(points)
    moves = np.flatnonzero(np.any(points != np.roll(points, 1, axis=0), axis=1))
    found = mapbox_earcut.triangulate_float64(
        points[moves], np.array([len(moves)], np.uint32)
    )
    triangles = moves[found.reshape(-1, 3)]
    if _flat_areas(points, triangles).sum() < 0:  # the order depends on the version
        triangles = triangles[:, ::-1]
    if len(triangles) < count - 2:
        triangles = _fill_gaps(triangles, count)
    areas = _flat_areas(points, triangles)
    x, y = points.T
    whole = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    if len(triangles) != count - 2 or not abs(np.abs(areas).sum() / whole - 1) < _SLACK:
        return None
    return triangles


def _split(polygons: _Polygons) -> tuple[np.ndarray, np.ndarray, int]:
    """Splits polygons; see `triangulate`.

    Returns:
        Corners ``[T, 3]``, owners ``[T]``, and the number of polygons that cross
        themselves.
    """
    points, starts, counts = polygons
    triangles, owners = _fans(polygons)
    first = np.cumsum(counts - 2) - (counts - 2)  # triangle of each polygon
    areas = _double_areas(points, triangles)
    normals = np.add.reduceat(areas, first, axis=0)
    lengths = np.linalg.norm(normals, axis=1)
    least = -_SLACK * lengths * lengths
    heights = np.einsum("tk,tk->t", areas, normals[owners])
    wrong = np.minimum.reduceat(heights, first) < least
    # a polygon whose parts cancel has no side to look at it from
    total = np.add.reduceat(np.linalg.norm(areas, axis=1), first)
    crossed = lengths < _SLACK * total
    wrong &= ~crossed

    # the other diagonal of quadrilaterals
    quads = np.flatnonzero(wrong & (counts == 4))
    turned = starts[quads, None] + np.array([[1, 2, 3, 1, 3, 0]])
    areas = _double_areas(points, turned.reshape(-1, 3)).reshape(-1, 2, 3)
    heights = np.einsum("qtk,qk->qt", areas, normals[quads])
    right = np.all(heights >= least[quads, None], axis=1)
    rows = first[quads[right], None] + [0, 1]
    triangles[rows] = turned[right].reshape(-1, 2, 3)
    crossed[quads[~right]] = True

    many = np.flatnonzero(wrong & (counts > 4))
    sizes = counts[many]
    ends: Any = np.cumsum(sizes)
    rows: Any = np.repeat(starts[many] - ends + sizes, sizes) + np.arange(sizes.sum())
    origins = np.repeat(points[starts[many]], sizes, axis=0)
    sides = np.repeat(normals[many] / lengths[many, None], sizes, axis=0)
    flat = np.split(_project(points[rows] - origins, sides), ends[:-1])
    for k, polygon in zip(many, flat, strict=False):
        corners = _cut_ears(polygon)
        if corners is None:
            crossed[k] = True
        else:
            triangles[first[k] :][: counts[k] - 2] = starts[k] + corners
    return triangles, owners, int(crossed.sum())


def triangulate(
    vertices: np.ndarray, corners: np.ndarray, counts: Sequence[int] | np.ndarray
) -> Triangles:
    """Splits polygons into triangles of the same orientation.

    A polygon of n corners becomes n - 2 triangles; together they have its area, also if
    it is concave or has repeated corners. Polygons that cross themselves become fans,
    and those of fewer than three corners are left out, both with a note.

    Args:
        vertices: ``[V, 3]`` positions.
        corners: ``[C]`` vertex indices of all polygons, one after the other.
        counts: ``[N]`` number of corners of each polygon; their sum is C.

    Returns:
        Triangles of corners.
    """
    corners, counts = np.asarray(corners, int), np.asarray(counts, int)
    starts = np.cumsum(counts) - counts
    kept = np.flatnonzero(counts >= 3)
    notes = []
    if few := len(counts) - len(kept):
        notes.append(f"faces of fewer than three corners: {few}, left out")
    if len(kept) == 0 or len(vertices) == 0:
        return Triangles(np.zeros((0, 3), int), np.zeros(0, int), tuple(notes))
    if np.all(counts[kept] == 3):
        triangles = starts[kept, None] + np.arange(3)
        return Triangles(triangles, kept, tuple(notes))
    # indices out of range are refused later, in one sentence for all formats
    points = np.asarray(vertices, float)[np.clip(corners, 0, len(vertices) - 1)]
    polygons = _Polygons(points, starts[kept], counts[kept])
    with np.errstate(all="ignore"):  # vertices that are not finite, refused later
        triangles, owners, crossed = _split(polygons)
    if crossed:
        notes.append(f"polygons that cross themselves: {crossed}, split into fans")
    return Triangles(triangles, kept[owners], tuple(notes))
