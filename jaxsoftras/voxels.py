"""Solid voxel grids of meshes and their intersection over union, the metric.

The rule is the one by which the published Soft Rasterizer numbers were measured. It is
a generous one (every cell around a lattice line that meets the surface counts), so
numbers compare only with those measured the same way.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

# A grid is kept as one 32-bit word for each (x, y) column, with bit z for cell z: a
# triangle's marks are then OR-ed, and the flood fill moves 32 cells at a time.
RESOLUTION = 32
_ALL = np.uint32(0xFFFFFFFF)


def _line_hits(triangles: jax.Array) -> jax.Array:
    """Marks the cells where lattice lines parallel to the last axis meet the surface.

    Args:
        triangles: ``[F, 3, 3]`` grid units, axes in the order (u, v, w).

    Returns:
        ``[32, 32]`` uint32, indexed by the line's (u, v): bit ``floor(w)`` of each hit.
    """
    u = jnp.arange(RESOLUTION, dtype=triangles.dtype)[None, :, None]
    v = u.reshape(1, 1, RESOLUTION)
    a, b, c = (triangles[:, k, :, None, None] for k in range(3))  # [F, 3, 1, 1]

    def cross(p, q):  # twice the signed area of (p, q, line) on the u-v plane
        return (q[:, 0] - p[:, 0]) * (v - p[:, 1]) - (q[:, 1] - p[:, 1]) * (u - p[:, 0])

    weight_a, weight_b, weight_c = cross(b, c), cross(c, a), cross(a, b)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (
        c[:, 0] - a[:, 0]
    )
    low = jnp.minimum(weight_a, jnp.minimum(weight_b, weight_c))
    high = jnp.maximum(weight_a, jnp.maximum(weight_b, weight_c))
    hit = ((low >= 0) | (high <= 0)) & (area != 0)
    w = (weight_a * a[:, 2] + weight_b * b[:, 2] + weight_c * c[:, 2]) / jnp.where(
        area != 0, area, 1
    )
    cell = jnp.floor(w).astype(jnp.int32)
    hit &= (cell >= 0) & (cell < RESOLUTION)
    bit = jnp.uint32(1) << jnp.clip(cell, 0, RESOLUTION - 1).astype(jnp.uint32)
    return lax.reduce(
        jnp.where(hit, bit, jnp.uint32(0)), np.uint32(0), lax.bitwise_or, (0,)
    )


def _shift(grid: jax.Array, axis: int, step: int) -> jax.Array:
    """Moves a grid of words by one cell, filling with empty cells."""
    if axis == 2:
        return grid << 1 if step > 0 else grid >> 1
    pad = [(0, 0, 0), (0, 0, 0)]
    pad[axis] = (step, -step, 0)
    return lax.pad(grid, jnp.uint32(0), pad)


def _pack(occupied: jax.Array) -> jax.Array:
    """``[32, 32, 32]`` bool to ``[32, 32]`` words."""
    bits = jnp.uint32(1) << jnp.arange(RESOLUTION, dtype=jnp.uint32)
    return jnp.sum(jnp.where(occupied, bits, jnp.uint32(0)), -1, dtype=jnp.uint32)


def _unpack(grid: jax.Array) -> jax.Array:
    """``[32, 32]`` words to ``[32, 32, 32]`` bool."""
    return (grid[..., None] >> jnp.arange(RESOLUTION, dtype=jnp.uint32)) & 1 == 1


def _surface(vertices: jax.Array, faces: jax.Array) -> jax.Array:
    """Words of the cells that the surface touches; vertices in grid units."""
    triangles = vertices[faces]
    surface = jnp.zeros((RESOLUTION, RESOLUTION), jnp.uint32)
    for w in range(3):
        order = [axis for axis in range(3) if axis != w] + [w]
        lines = _line_hits(triangles[..., jnp.array(order)])
        # a line at a lattice point borders four cells
        lines |= _shift(lines, 0, -1)
        lines |= _shift(lines, 1, -1)
        cells = _unpack(lines)  # axes (u, v, w)
        surface |= _pack(jnp.transpose(cells, np.argsort(order).tolist()))
    cell = jnp.floor(vertices).astype(jnp.int32)
    at_vertices = jnp.zeros((RESOLUTION,) * 3, bool)
    at_vertices = at_vertices.at[tuple(cell.T)].set(True, mode="drop")
    return surface | _pack(at_vertices)


def _fill(surface: jax.Array) -> jax.Array:
    """Adds the cells that no 6-connected path of empty cells joins to the border."""
    border = jnp.full_like(surface, _ALL)
    border = border.at[1:-1, 1:-1].set(np.uint32(0x80000001))
    outside = border & ~surface

    def grow(state):
        outside, _ = state
        grown = outside
        for axis in range(3):
            for step in (-1, 1):
                grown |= _shift(grown, axis, step)
                grown &= ~surface
        return grown, jnp.any(grown != outside)

    outside, _ = lax.while_loop(lambda state: state[1], grow, (outside, True))
    return ~outside


def to_file_axes(occupied: jax.Array) -> jax.Array:
    """Permutes ``[..., x, y, z]`` to ``[..., y, x, reversed z]``, the files' order."""
    return jnp.swapaxes(occupied, -3, -2)[..., ::-1]


def voxelize(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Solid voxel grids of closed meshes.

    A vertex v lies at ``32 (31/32 v + 1/2)`` grid units. A cell is occupied if (a) it
    borders a lattice line (an integer coordinate in two axes) at the height where that
    line meets a triangle, or (b) holds a vertex, or (c) no path of empty cells, through
    their faces, joins it to the border of the grid.

    Args:
        vertices: ``[..., V, 3]`` model frame, within ``[-0.5, 0.5]``.
        faces: ``[F, 3]`` vertex indices, one topology for all meshes.

    Returns:
        ``[..., 32, 32, 32]`` bool, axes (y, x, reversed z): the order of the data
        files.
    """
    vertices, faces = jnp.asarray(vertices), jnp.asarray(faces)
    grid_vertices = (vertices * (31 / 32) + 0.5) * RESOLUTION
    flat = grid_vertices.reshape(-1, *vertices.shape[-2:])
    occupied = jax.vmap(lambda v: _unpack(_fill(_surface(v, faces))))(flat)
    occupied = occupied.reshape(*vertices.shape[:-2], *occupied.shape[1:])
    return to_file_axes(occupied)


def iou(predicted: jax.Array, target: jax.Array) -> jax.Array:
    """Intersection over union of boolean voxel grids.

    Args:
        predicted: ``[..., 32, 32, 32]`` bool.
        target: ``[..., 32, 32, 32]`` bool.

    Returns:
        ``[...]`` fractions from 0 to 1; 1 where both are empty.
    """
    axes = (-3, -2, -1)
    intersection = jnp.sum(predicted & target, axes, dtype=jnp.float32)
    union = jnp.sum(predicted | target, axes, dtype=jnp.float32)
    return jnp.where(union > 0, intersection / jnp.maximum(union, 1), 1.0)
