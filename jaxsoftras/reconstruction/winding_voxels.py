"""The thin voxelizer: cells whose centre is inside the mesh, by its winding number.

`jaxsoftras.voxels.voxelize`, the rule of the published numbers, marks every cell around
a line that meets the surface, and so thickens shapes by up to a cell on every side.
Here a cell is occupied if its centre has a winding number of more than a half in size.
The volume of the cells is that of the mesh, on average.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.voxels import RESOLUTION


def voxelize(vertices: ArrayLike, faces: ArrayLike) -> np.ndarray:
    """Converts a mesh to the grid of the cells whose centres are inside.

    A vertex v lies at ``32 (31/32 v + 1/2)`` grid units, as in
    `jaxsoftras.voxels.voxelize`. The winding number of a point is the signed number of
    faces that a ray from there crosses, averaged over all directions (Jacobson et al.,
    2013), for which the six directions of the axes stand. In a closed mesh all rays
    agree: the result is exact, and parts that overlap or are turned inside out are
    solid. In an open mesh it is an estimate, and sheets enclose nothing.

    Args:
        vertices: ``[V, 3]`` finite, model frame; the grid ends at -0.5 and 0.5, and
            parts of a mesh beyond it are cut off.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[32, 32, 32]`` bool, axes (y, x, reversed z), the order of the data files.
    """
    points = np.asarray(vertices, float) * (RESOLUTION - 1) + RESOLUTION / 2
    triangles = points[np.asarray(faces)]
    winding = np.zeros((RESOLUTION,) * 3, np.int32)  # six times the winding number
    for w in range(3):
        order = [(w + 1) % 3, (w + 2) % 3, w]  # a rotation keeps the orientation
        along = _sum_rays(triangles[..., order])
        winding += along.transpose(np.argsort(order))
    return np.swapaxes(np.abs(winding) > 3, 0, 1)[..., ::-1]


class _Pairs(NamedTuple):
    """Pairs of a face and a line through centres of cells, parallel to the last axis.

    Attributes:
        face: ``[N]`` index of the face.
        u: ``[N]`` index of the line along the first axis, which lies at u + 0.5.
        v: ``[N]`` the same along the second axis.
    """

    face: np.ndarray
    u: np.ndarray
    v: np.ndarray


def _sum_rays(triangles: np.ndarray) -> np.ndarray:
    """Adds the signed crossings of both rays from each centre along the last axis.

    Args:
        triangles: ``[F, 3, 3]`` corners in grid units, axes (u, v, w).

    Returns:
        ``[32, 32, 32]`` int32, axes (u, v, w).
    """
    pairs = _pair_lines(triangles)
    corners = triangles[pairs.face]
    sign = _wind(corners[..., :2], np.stack([pairs.u, pairs.v], -1) + 0.5)
    crossed = sign != 0
    u, v, sign, corners = (x[crossed] for x in (pairs.u, pairs.v, sign, corners))
    heights = _heights(corners, np.stack([u, v], -1) + 0.5)
    # the first cell whose centre is not below the face; 32 if there is none
    first = np.clip(np.ceil(heights - 0.5), 0, RESOLUTION).astype(int)
    crossings = np.zeros((RESOLUTION, RESOLUTION, RESOLUTION + 1), np.int32)
    np.add.at(crossings, (u, v, first), sign)
    below = np.cumsum(crossings, -1, dtype=np.int32)[..., :-1]
    above = crossings.sum(-1, keepdims=True, dtype=np.int32) - below
    return above - below


def _pair_lines(triangles: np.ndarray) -> _Pairs:
    """Pairs each face with the lines through its bounding box."""
    low = np.ceil(triangles[..., :2].min(1) - 0.5).clip(0, RESOLUTION).astype(int)
    high = np.floor(triangles[..., :2].max(1) - 0.5).clip(-1, RESOLUTION - 1)
    size = np.maximum(high.astype(int) - low + 1, 0)
    counts = size.prod(1)
    face = np.repeat(np.arange(len(triangles)), counts)
    number = np.arange(len(face)) - (np.cumsum(counts) - counts)[face]
    across = size[face, 1]
    return _Pairs(face, low[face, 0] + number // across, low[face, 1] + number % across)


def _wind(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Winding numbers of triangles about points of a plane, -1, 0 or 1.

    Faces that share an edge agree on which side of it a point lies, so that no line
    slips through a closed mesh, and none is counted twice.

    Args:
        corners: ``[N, 3, 2]`` corners.
        points: ``[N, 2]`` points.

    Returns:
        ``[N]`` int32, 1 where the triangle is counter-clockwise.
    """
    winding = np.zeros(len(points), np.int32)
    above = corners[..., 1] > points[:, None, 1]
    for k in range(3):
        p, q = corners[:, k], corners[:, (k + 1) % 3]
        rises = above[:, (k + 1) % 3].astype(np.int32) - above[:, k]
        crosses = np.flatnonzero(rises)
        p, q, point, rise = p[crosses], q[crosses], points[crosses], rises[crosses]
        # the same operands for the edge of either face
        low, high = np.where(rise[:, None] > 0, p, q), np.where(rise[:, None] > 0, q, p)
        share = (point[:, 1] - low[:, 1]) / (high[:, 1] - low[:, 1])
        right = low[:, 0] + share * (high[:, 0] - low[:, 0]) > point[:, 0]
        winding[crosses] += np.where(right, rise, 0)
    return winding


def _heights(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Heights ``[N]`` of triangles ``[N, 3, 3]`` over points ``[N, 2]`` in them."""
    a, b, c = (corners[:, k] for k in range(3))

    def cross(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (
            r[:, 0] - p[:, 0]
        )

    weights = np.stack([cross(b, c, points), cross(c, a, points), cross(a, b, points)])
    area = weights.sum(0)
    # seen edge-on, a face may contain a point by rounding alone
    heights = np.sum(weights * corners[..., 2].T, 0) / np.where(area != 0, area, 1)
    return heights.clip(corners[..., 2].min(1), corners[..., 2].max(1))
