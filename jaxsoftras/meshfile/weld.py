"""Merging of the vertices of files that repeat them for each face or normal."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxsoftras.meshfile.surface import Surface

_PRIME = np.uint64(11400714819323198485)  # odd, about 2**64 divided by the golden ratio
# Faces whose normals differ from opposite ones by less, in the cosine, lie on each
# other; single precision does not tell smaller angles from none.
_FLAT = 1e-6
# Products with a unit vector that opposite normals, within _FLAT, do not both exceed
_SLOPE = 2e-3
# Faces at one edge that are compared with each other.
_MOST_AT_EDGE = 8


def _order_rows(rows: np.ndarray) -> np.ndarray:
    """Order of rows in which equal ones follow each other."""
    if rows.dtype == np.float32 and rows.shape[1] == 3:
        # one number for each row, which only equal rows share as a rule
        x, y, z = rows.view(np.uint32).astype(np.uint64).T
        mixed = (x * _PRIME + y) * _PRIME + z
        order = np.argsort(mixed * _PRIME)
        same = np.diff(mixed[order]) == 0
        if np.array_equal(same, np.all(rows[order[1:]] == rows[order[:-1]], axis=1)):
            return order
    return np.lexsort(rows.T[::-1])


def _rank_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the different rows of an array, in the order of their first occurrence.

    Returns:
        The first occurrence of each, and ``[N]`` the number of each row.
    """
    order = _order_rows(rows)
    rows = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = np.any(rows[1:] != rows[:-1], axis=1)
    if np.all(new):
        return np.arange(len(rows)), np.arange(len(rows))
    group = np.cumsum(new) - 1
    first = np.minimum.reduceat(order, np.flatnonzero(new)) if len(order) else order
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    number = np.empty(len(order), int)
    number[order] = rank[group]
    return np.sort(first), number


def _unit_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals ``[F, 3]``; zero for faces without an area."""
    # `take` is several times as fast as an index
    a, b, c = (vertices.take(faces[:, k], axis=0) for k in range(3))
    normals = np.cross(b - a, c - a)
    length = np.sqrt(np.einsum("fk,fk->f", normals, normals))[:, None]
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)


class _Pairs(NamedTuple):
    """Pairs of sides of faces that run along one edge in opposite directions.

    Side k of a face runs from its corner k to the next, and has the number 3 f + k.

    Attributes:
        one: ``[P]`` a side.
        other: ``[P]`` another one.
        cosine: ``[P]`` cosine of the angle between the normals of their faces.
    """

    one: np.ndarray
    other: np.ndarray
    cosine: np.ndarray


def _pair_faces(faces: np.ndarray, normals: np.ndarray, sides: np.ndarray) -> _Pairs:
    """Pairs sides of faces.

    Args:
        faces: ``[F, 3]``.
        normals: ``[F, 3]`` of length 1.
        sides: ``[N]`` numbers of the sides to look at.
    """
    start = faces.ravel()
    following = sides + np.where(sides % 3 == 2, -2, 1)
    one, other = start[sides], start[following]
    edge = np.minimum(one, other) * (start.max() + 1) + np.maximum(one, other)
    order = np.argsort(edge)
    edge, order = edge[order], sides[order]
    ones, others = [order[:0]], [order[:0]]
    for shift in range(1, _MOST_AT_EDGE):
        same = edge[shift:] == edge[:-shift]
        if not np.any(same):
            break
        one, other = order[shift:][same], order[:-shift][same]
        opposite = start[one] != start[other]
        ones.append(one[opposite])
        others.append(other[opposite])
    one, other = np.concatenate(ones), np.concatenate(others)
    cosine = np.einsum("pk,pk->p", normals[one // 3], normals[other // 3])
    return _Pairs(one, other, cosine)


def _may_fold(faces: np.ndarray, normals: np.ndarray, count: int) -> np.ndarray:
    """Finds vertices at which faces may lie on each other with opposite normals.

    Of two opposite normals, one has no positive product with the sum of all normals at
    the vertex. This is far quicker than pairs, and few vertices of most surfaces are
    found.

    Returns:
        ``[count]`` bool.
    """
    corners, columns = faces.T.copy(), normals.T.copy()
    sums: list[Any] = [
        sum(np.bincount(corner, column, count) for corner in corners)
        for column in columns
    ]
    least = _SLOPE * np.sqrt(sum(row * row for row in sums))
    solid = np.any(columns != 0, axis=0)
    found = np.zeros(count, bool)
    for corner in corners:
        terms = zip(columns, sums, strict=True)
        product = sum(column * row.take(corner) for column, row in terms)
        found[corner[solid & (product <= least.take(corner))]] = True
    return found


def _label(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Numbers the connected components of a graph of ``count`` nodes: ``[count]``."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _sum_outlines(faces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fingerprints of the outlines of groups of faces.

    Each edge has a random number, with the sign of the direction in which a face lists
    it. Edges within a group cancel: its sum is that of its outline, the negative of the
    sum of a group with the reversed outline, and 0 for a closed surface.

    Args:
        faces: ``[F, 3]``.
        labels: ``[F]`` group of each face.

    Returns:
        int64, one for each group.
    """
    start, end = faces, np.roll(faces, -1, axis=1)
    edges = np.stack([np.minimum(start, end), np.maximum(start, end)], axis=-1)
    _, edge = _rank_rows(edges.reshape(-1, 2))
    numbers = np.random.default_rng(0).integers(1, 2**62, edge.max() + 1)
    sides = np.sign(end - start) * numbers[edge].reshape(-1, 3)
    sums = np.zeros(labels.max() + 1, np.int64)
    np.add.at(sums, labels, sides.sum(axis=1))  # wraps around
    return sums


def _find_sheets(faces: np.ndarray, pairs: _Pairs, count: int) -> np.ndarray:
    """Finds the faces that are one of the two sides of a sheet.

    These are triangles, or flat groups of them, with the same outline as others in the
    opposite direction. In a closed surface with other faces they are left as they are,
    such as a fin without thickness, since it would no longer be closed.

    Args:
        faces: ``[F, 3]``.
        pairs: their pairs.
        count: number of vertices.

    Returns:
        ``[F]`` bool.
    """
    number = np.arange(len(faces))
    flat = pairs.cosine > 1 - _FLAT
    sheet = np.zeros(len(faces), bool)
    for labels in (
        number,
        _label(len(faces), pairs.one[flat] // 3, pairs.other[flat] // 3),
    ):
        sums = _sum_outlines(faces, labels)
        sheet |= (np.isin(-sums, sums) & (sums != 0))[labels]
    whole = _label(count, faces.ravel(), np.roll(faces, 1, axis=1).ravel())[faces[:, 0]]
    closed = _sum_outlines(faces, whole) == 0
    mixed = np.zeros(len(closed), bool)
    mixed[whole[~sheet]] = True
    return sheet & ~(closed & mixed)[whole]


def _split_sheets(surface: Surface) -> Surface:
    """Gives the two sides of sheets vertices of their own.

    A sheet is often drawn as faces in opposite directions. At vertices that both sides
    share, their normals would cancel. A vertex is split if its faces fall apart into
    groups once the two sides are not joined.
    """
    vertices, faces = surface.vertices, surface.faces
    if len(faces) == 0:
        return surface
    normals = _unit_normals(vertices, faces)
    suspects = _may_fold(faces, normals, len(vertices))
    ends = suspects[faces] & suspects[np.roll(faces, -1, axis=1)]
    pairs = _pair_faces(faces, normals, np.flatnonzero(ends))
    if not np.any(pairs.cosine < _FLAT - 1):
        return surface
    pairs = _pair_faces(faces, normals, np.arange(faces.size))
    folded = pairs.cosine < _FLAT - 1
    sheet = _find_sheets(faces, pairs, len(vertices))
    folded &= sheet[pairs.one // 3] & sheet[pairs.other // 3]
    touched = np.zeros(len(vertices), bool)
    for side in (pairs.one[folded], pairs.other[folded]):
        touched[faces.ravel()[side]] = True
    # sides that are joined have both corners in common, in opposite order
    one, other = pairs.one[~folded], pairs.other[~folded]
    following = np.arange(faces.size).reshape(-1, 3)[:, [1, 2, 0]].ravel()
    links = np.append(one, following[one]), np.append(following[other], other)
    group = _label(faces.size, *links)
    corners = np.flatnonzero(touched[faces.ravel()])
    rows = np.stack([faces.ravel()[corners], group[corners]], axis=1)
    first, number = _rank_rows(rows)
    # the first group keeps the vertex, and the others get new ones
    owner = rows[first, 0]
    new = np.ones(len(owner), bool)
    new[np.unique(owner, return_index=True)[1]] = False
    index = np.where(new, len(vertices) - 1 + np.cumsum(new), owner)
    split = faces.ravel().copy()
    split[corners] = index[number]
    colors = surface.vertex_colors
    if colors is not None:
        colors = np.concatenate([colors, colors[owner[new]]])
    return surface._replace(
        vertices=np.concatenate([vertices, vertices[owner[new]]]),
        faces=split.reshape(-1, 3),
        vertex_colors=colors,
    )


def weld(surface: Surface) -> Surface:
    """Merges vertices at the same position and with the same colour, in order.

    Closed surfaces become closed by this. The two sides of a sheet, drawn as faces in
    opposite directions, are not merged: their normals would cancel.

    Args:
        surface: faces must be in range.
    """
    with np.errstate(over="ignore"):
        keys = surface.vertices.astype(np.float32) + 0.0  # -0 equals 0
    colors = surface.vertex_colors
    if colors is not None:
        keys = np.concatenate([keys, colors], axis=1)
    first, number = _rank_rows(keys)
    welded = surface._replace(
        vertices=surface.vertices[first],
        faces=number[surface.faces],
        vertex_colors=None if colors is None else colors[first],
    )
    return _split_sheets(welded)
