"""The voxelizer of data sets in numpy: that of `jaxsoftras.voxels`, without JAX.

It visits only the lattice lines within each triangle's bounds, so that one mesh takes
milliseconds on one core, and processes that make data sets need not start JAX. Being
another implementation of the rule, it also serves to check that of `jaxsoftras.voxels`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

RESOLUTION = 32
"""Cells along each side of a grid."""


def voxelize(vertices: ArrayLike, faces: ArrayLike) -> np.ndarray:
    """Converts a closed mesh to a solid voxel grid: see `jaxsoftras.voxels.voxelize`.

    Args:
        vertices: ``[V, 3]`` model frame, within ``[-0.5, 0.5]``; taken in single
            precision.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[32, 32, 32]`` bool, axes (y, x, reversed z).
    """
    points = np.asarray(vertices, np.float32).astype(float) * (31 / 32) + 0.5
    points = points.astype(np.float32) * RESOLUTION
    triangles = points[np.asarray(faces)]
    surface = np.zeros((RESOLUTION,) * 3, bool)
    for w in range(3):
        order = [axis for axis in range(3) if axis != w] + [w]
        lines = _line_hits(triangles[..., order])
        # a line at a lattice point borders four cells
        lines[:-1] |= lines[1:]
        lines[:, :-1] |= lines[:, 1:]
        surface |= lines.transpose(np.argsort(order))
    cells = np.floor(points).astype(int)
    inside = np.all((cells >= 0) & (cells < RESOLUTION), 1)
    surface[tuple(cells[inside].T)] = True
    return np.swapaxes(_fill(surface), 0, 1)[..., ::-1]


def _line_hits(triangles: np.ndarray) -> np.ndarray:
    """Marks the cells where lattice lines parallel to the last axis meet the surface.

    Args:
        triangles: ``[F, 3, 3]`` float32 corners in grid units, axes (u, v, w).

    Returns:
        ``[32, 32, 32]`` bool, axes (u, v, w).
    """
    low = np.clip(np.ceil(triangles[..., :2].min(1)), 0, RESOLUTION).astype(int)
    high = np.clip(np.floor(triangles[..., :2].max(1)), -1, RESOLUTION - 1).astype(int)
    size = np.maximum(high - low + 1, 0)
    face = np.repeat(np.arange(len(triangles)), size.prod(1))
    starts = np.cumsum(size.prod(1)) - size.prod(1)
    number = np.arange(len(face)) - starts[face]
    u_cell = low[face, 0] + number // np.maximum(size[face, 1], 1)
    v_cell = low[face, 1] + number % np.maximum(size[face, 1], 1)
    u, v = u_cell.astype(np.float32), v_cell.astype(np.float32)
    a, b, c = (triangles[face, k].T for k in range(3))

    def cross(p: np.ndarray, q: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return _fused(q[0] - p[0], v - p[1], -((q[1] - p[1]) * (u - p[0])))

    weights = cross(b, c, u, v), cross(c, a, u, v), cross(a, b, u, v)
    area = cross(a, b, c[0], c[1])
    least, most = np.minimum.reduce(weights), np.maximum.reduce(weights)
    hit = ((least >= 0) | (most <= 0)) & (area != 0)
    heights = _fused(weights[0], a[2], weights[1] * b[2])
    heights = _fused(weights[2], c[2], heights)
    w_cell = np.floor(heights / np.where(area != 0, area, 1)).astype(int)
    hit &= (w_cell >= 0) & (w_cell < RESOLUTION)
    lines = np.zeros((RESOLUTION,) * 3, bool)
    lines[u_cell[hit], v_cell[hit], w_cell[hit]] = True
    return lines


def _fused(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """``x y + z`` of float32 rounded once, as processors and XLA compute it."""
    return (x.astype(float) * y + z).astype(np.float32)


def _fill(surface: np.ndarray) -> np.ndarray:
    """Adds the cells without a 6-connected path of empty cells to the border."""
    bits = np.uint32(1) << np.arange(RESOLUTION, dtype=np.uint32)
    walls = np.sum(np.where(surface, bits, np.uint32(0)), -1, dtype=np.uint32)
    free = ~walls
    outside = np.full_like(walls, 0xFFFFFFFF)
    outside[1:-1, 1:-1] = 0x80000001
    outside &= free
    while True:
        grown = outside | (outside << 1) | (outside >> 1)
        grown[1:] |= outside[:-1]
        grown[:-1] |= outside[1:]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown &= free
        if np.array_equal(grown, outside):
            return (~outside[..., None] & bits) != 0
        outside = grown
