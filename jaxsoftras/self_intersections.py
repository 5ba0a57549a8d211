"""Faces of a mesh that meet other faces of it, beyond the corners they share.

Two faces intersect if they have a point in common that is not on a shared corner or
edge, touching included:

* faces without a shared corner: any common point;
* faces that share one corner: another common point, which then lies on the side of one
  of them that is opposite to that corner;
* faces that share an edge: folded onto each other, in one plane and on the same side of
  the edge;
* faces that share all corners: always.

Corners are shared if their positions are equal, whatever their indices. Faces of no
area, whose corners are equal or on a line, have no interior: they take no part.

The answer is exact for the given coordinates: it follows from signs of determinants,
and one that is within its rounding error in double precision is computed in integers
(Shewchuk, *Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
Predicates*, 1997, without the stages in between).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jax.typing import ArrayLike

from jaxsoftras.mesh import checked_faces

_MOST_PAIRS = 2**19  # of faces in memory at a time
_EPSILON = 2.0**-53
# bounds for determinants of differences, 3 x 3 and 2 x 2, relative to their terms
_ERROR_3, _ERROR_2 = 16 * _EPSILON, 8 * _EPSILON


def self_intersecting_faces(vertices: ArrayLike, faces: ArrayLike) -> np.ndarray:
    """Faces of a mesh that intersect another of its faces.

    See `jaxsoftras.self_intersections` for what counts as an intersection.

    Args:
        vertices: ``[V, 3]``, any space.
        faces: ``[F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        ``[F]`` bool; False for padding.

    Raises:
        ValueError: arrays of other shapes, a vertex that does not exist, or one of a
            face that is not finite.

    Example:
        >>> one = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]
        >>> other = [[1, 1, -1], [1, 1, 1], [9, 9, 0]]
        >>> faces = [[0, 1, 2], [3, 4, 5]]
        >>> print(self_intersections.self_intersecting_faces(one + other, faces))
        [ True  True]
    """
    corners, existing = _corners(vertices, faces)
    result = np.zeros(len(existing), bool)
    kept = np.flatnonzero(existing)
    kept = kept[~_has_no_area(corners[kept])]
    triangles = corners[kept]
    names = _names(triangles)
    for first, second in _overlapping_boxes(triangles):
        found = _intersect(triangles, names, first, second)
        result[kept[first[found]]] = True
        result[kept[second[found]]] = True
    return result


def self_intersecting_share(vertices: ArrayLike, faces: ArrayLike) -> float:
    """Share of the faces of a mesh that intersect another of its faces, 0 to 1.

    Args:
        vertices: see `self_intersecting_faces`.
        faces: see `self_intersecting_faces`. Padding is not counted; without any faces,
            the share is 0.

    Raises:
        ValueError: see `self_intersecting_faces`.

    Example:
        >>> sphere = jaxsoftras.icosphere(2)
        >>> pushed = np.array(sphere.vertices)
        >>> pushed[0] *= -1.5  # through the opposite side
        >>> share = self_intersections.self_intersecting_share
        >>> print(share(sphere.vertices, sphere.faces), share(pushed, sphere.faces))
        0.0 0.03125
    """
    intersecting = self_intersecting_faces(vertices, faces)
    count = np.count_nonzero(np.asarray(faces)[:, 0] >= 0)
    return float(np.count_nonzero(intersecting) / max(count, 1))


def _corners(vertices: ArrayLike, faces: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Checked corners ``[F, 3, 3]`` float64, and which faces are no padding."""
    points, rows = np.asarray(vertices), np.asarray(faces)
    if points.ndim != 2 or points.shape[1] != 3 or rows.ndim != 2:
        raise ValueError(
            "Self-intersections are found in one mesh, vertices [V, 3] and faces "
            f"[F, 3]; they have the shapes {list(points.shape)} and "
            f"{list(rows.shape)}."
        )
    rows = np.asarray(checked_faces(rows, len(points)))
    existing = rows[:, 0] >= 0
    corners = np.zeros((len(rows), 3, 3))
    corners[existing] = points[rows[existing]]
    if not np.all(np.isfinite(corners)):
        wrong = int(np.argmin(np.isfinite(corners).all(axis=(1, 2))))
        raise ValueError(
            f"The vertices of face {wrong} are not finite, so that nothing can be said "
            "about its intersections; leave such faces out."
        )
    # products of three lengths neither overflow nor vanish; powers of 2 are exact
    _, exponent = np.frexp(np.abs(corners).max(initial=0))
    return np.ldexp(corners, -exponent), existing


def _names(triangles: np.ndarray) -> np.ndarray:
    """Numbers ``[F, 3]`` of the corners, equal for equal positions."""
    # -0.0 and 0.0 are one position
    flat = triangles.reshape(-1, 3) + 0.0
    return np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1, 3)


def _has_no_area(triangles: np.ndarray) -> np.ndarray:
    """Whether the corners ``[F, 3, 3]`` are on a line."""
    flat = [
        _area_sign(*(triangles[:, k][:, axes] for k in range(3))) == 0
        for axes in ([0, 1], [1, 2], [2, 0])
    ]
    return np.all(flat, axis=0)


def _overlapping_boxes(
    triangles: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of triangles whose bounding boxes meet, in batches of bounded size.

    The boxes are sorted along the axis on which they are smallest in comparison with
    the whole; each is compared with those that begin before it ends.
    """
    if len(triangles) < 2:
        return
    low, high = triangles.min(axis=1), triangles.max(axis=1)
    whole = np.ptp(triangles, axis=(0, 1))
    sides = np.where(whole > 0, np.sum(high - low, axis=0), np.inf)
    axis = int(np.argmin(sides / np.where(whole > 0, whole, 1)))
    order = np.argsort(low[:, axis], kind="stable")
    low, high = low[order], high[order]
    end = np.searchsorted(low[:, axis], high[:, axis], side="right")
    count = end - np.arange(len(order)) - 1
    begin, total = 0, np.concatenate([[0], np.cumsum(count)])
    while begin < len(order):
        stop = int(np.searchsorted(total, total[begin] + _MOST_PAIRS, side="right")) - 1
        stop = max(stop, begin + 1)
        counts = count[begin:stop]
        first = np.repeat(np.arange(begin, stop), counts)
        offsets = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        second = first + 1 + offsets
        meet = np.ones(len(first), bool)
        for other in {0, 1, 2} - {axis}:
            meet &= low[first, other] <= high[second, other]
            meet &= low[second, other] <= high[first, other]
        yield order[first[meet]], order[second[meet]]
        begin = stop


def _intersect(
    triangles: np.ndarray, names: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Whether pairs of triangles intersect, ``[K]`` bool."""
    same = names[first][:, :, None] == names[second][:, None, :]  # [K, 3, 3]
    shared = np.count_nonzero(same, axis=(1, 2))
    result = shared == 3
    for count, test in ((0, _disjoint), (1, _at_corner), (2, _at_edge)):
        pairs = np.flatnonzero(shared == count)
        if len(pairs):
            a, b = triangles[first[pairs]], triangles[second[pairs]]
            result[pairs] = test(a, b, same[pairs])
    return result


def _disjoint(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Whether triangles without a common corner meet: a side of one meets the other."""
    del same
    meet = np.zeros(len(a), bool)
    # nearly all pairs are apart: one lies on one side of the plane of the other
    near = np.flatnonzero(~_is_beside(a, b) & ~_is_beside(b, a))
    a, b = a[near], b[near]
    for k in range(3):
        meet[near] |= _segment_meets(a[:, k], a[:, (k + 1) % 3], b)
        meet[near] |= _segment_meets(b[:, k], b[:, (k + 1) % 3], a)
    return meet


def _is_beside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether all corners of b lie on one side of the plane of a, none on it."""
    sides = sum(_volume_sign(a[:, 0], a[:, 1], a[:, 2], b[:, k]) for k in range(3))
    return np.abs(sides) == 3


def _at_corner(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Whether triangles with one common corner meet elsewhere.

    The points in common are a segment from that corner, which leaves one of the
    triangles through the opposite side.
    """
    a = _roll(a, np.argmax(same.any(axis=2), axis=1))
    b = _roll(b, np.argmax(same.any(axis=1), axis=1))
    return _segment_meets(a[:, 1], a[:, 2], b) | _segment_meets(b[:, 1], b[:, 2], a)


def _at_edge(a: np.ndarray, b: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Whether triangles with a common edge lie on each other, folded by 180 degrees."""
    a = _roll(a, np.argmin(same.any(axis=2), axis=1))
    b = _roll(b, np.argmin(same.any(axis=1), axis=1))
    flat = _volume_sign(a[:, 0], a[:, 1], a[:, 2], b[:, 0]) == 0
    opposite, u, v, other = _project(a, a[:, 0], a[:, 1], a[:, 2], b[:, 0])
    return flat & (_area_sign(u, v, opposite) == _area_sign(u, v, other))


def _roll(triangles: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Triangles ``[K, 3, 3]`` whose corner 0 is the corner ``first`` ``[K]``."""
    index = (first[:, None] + np.arange(3)) % 3
    return np.take_along_axis(triangles, index[:, :, None], axis=1)


def _segment_meets(p: np.ndarray, q: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Whether segments ``[K, 3]`` to ``[K, 3]`` meet triangles ``[K, 3, 3]``."""
    a, b, c = (triangle[:, k] for k in range(3))
    side_p, side_q = _volume_sign(a, b, c, p), _volume_sign(a, b, c, q)
    turns = [_volume_sign(p, q, u, v) for u, v in ((a, b), (b, c), (c, a))]
    around = np.maximum.reduce(turns) - np.minimum.reduce(turns) < 2
    meets = (side_p * side_q <= 0) & around
    flat = np.flatnonzero((side_p == 0) & (side_q == 0))
    if len(flat):
        triangle = triangle[flat]
        meets[flat] = _segment_meets_flat(
            *_project(triangle, p[flat], q[flat], *(triangle[:, k] for k in range(3)))
        )
    return meets


def _segment_meets_flat(
    p: np.ndarray, q: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray
) -> np.ndarray:
    """`_segment_meets` within a plane, with points ``[K, 2]``."""
    sides = ((a, b), (b, c), (c, a))
    turns = [_area_sign(u, v, p) for u, v in sides]
    inside = np.maximum.reduce(turns) - np.minimum.reduce(turns) < 2
    for u, v in sides:
        inside |= _segments_meet(p, q, u, v)
    return inside


def _segments_meet(
    p: np.ndarray, q: np.ndarray, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Whether segments of the plane have a common point."""
    apart = _area_sign(p, q, u) * _area_sign(p, q, v) > 0
    apart |= _area_sign(u, v, p) * _area_sign(u, v, q) > 0
    # those on one line are apart if their boxes are
    apart |= np.any(np.maximum(p, q) < np.minimum(u, v), axis=-1)
    apart |= np.any(np.maximum(u, v) < np.minimum(p, q), axis=-1)
    return ~apart


def _project(triangle: np.ndarray, *points: np.ndarray) -> list[np.ndarray]:
    """Points ``[K, 2]`` without the coordinate along which a triangle is thinnest."""
    normal = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    drop = np.argmax(np.abs(normal), axis=1)
    axes = np.array([[1, 2], [2, 0], [0, 1]])[drop]
    return [np.take_along_axis(each, axes, axis=1) for each in points]


def _volume_sign(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray
) -> np.ndarray:
    """Side of the plane (a, b, c) that d is on, for points ``[K, 3]``: -1, 0 or 1."""
    volume, size = _volume(a, b, c, d)
    doubtful = (np.abs(volume) <= _ERROR_3 * size) & (size > 0)
    return _settle(_volume, volume, doubtful, a, b, c, d)


def _area_sign(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Side of the line (a, b) that c is on, for points ``[K, 2]``: -1, 0 or 1."""
    area, size = _area(a, b, c)
    doubtful = (np.abs(area) <= _ERROR_2 * size) & (size > 0)
    return _settle(_area, area, doubtful, a, b, c)


def _volume(a, b, c, d) -> tuple[np.ndarray, np.ndarray]:
    """Determinant of a - d, b - d, c - d, and the sum of the sizes of its terms."""
    a, b, c = a - d, b - d, c - d
    plus = a[:, [1, 2, 0]] * b[:, [2, 0, 1]]
    minus = a[:, [2, 0, 1]] * b[:, [1, 2, 0]]
    size = np.sum((np.abs(plus) + np.abs(minus)) * np.abs(c), axis=1)
    return np.sum((plus - minus) * c, axis=1), size


def _area(a, b, c) -> tuple[np.ndarray, np.ndarray]:
    """Determinant of a - c, b - c, and the sum of the sizes of its terms."""
    a, b = a - c, b - c
    plus, minus = a[:, 0] * b[:, 1], a[:, 1] * b[:, 0]
    return plus - minus, np.abs(plus) + np.abs(minus)


def _settle(
    determinant: Callable,
    values: np.ndarray,
    doubtful: np.ndarray,
    *points: np.ndarray,
) -> np.ndarray:
    """Signs of determinants, of which the doubtful ones are computed in integers."""
    signs = np.sign(values).astype(int)
    rows = np.flatnonzero(doubtful)
    if len(rows):
        mantissas, exponents = np.frexp(np.stack([point[rows] for point in points]))
        integers = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
        integers = integers << (exponents - exponents.min()).astype(object)
        exact, _ = determinant(*integers)
        signs[rows] = (exact > 0).astype(int) - (exact < 0).astype(int)
    return signs
