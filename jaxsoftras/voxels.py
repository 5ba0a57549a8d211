"""Solid voxel grids of meshes, their intersection over union, and their surfaces.

Meshes are voxelized by the rule behind the published Soft Rasterizer numbers. The rule
is generous: every cell around a lattice line that meets the surface is occupied.
Results therefore compare only with results measured by the same rule.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.mesh import checked_faces

RESOLUTION = 32
"""Cells along each side of a grid."""

# A grid is stored as one 32-bit word for each (x, y) column, with bit z for cell z: the
# marks of triangles are combined by OR, and the flood fill moves 32 cells at a time.
_ALL = np.uint32(0xFFFFFFFF)
# where the grid ends in the model frame, at 32 grid units
_REACH = 16 / 31


class Surface(NamedTuple):
    """The surface of a voxel grid, a triangle mesh in numpy arrays.

    Attributes:
        vertices: ``[V, 3]`` float64, model frame.
        faces: ``[F, 3]`` int32 vertex indices, counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    faces: np.ndarray


def _line_hits(triangles: jax.Array) -> jax.Array:
    """Marks the cells where lattice lines parallel to the last axis meet the surface.

    Args:
        triangles: ``[F, 3, 3]`` corners in grid units, axes in the order (u, v, w).

    Returns:
        ``[32, 32]`` uint32, indexed by the line's (u, v), with bit ``floor(w)`` set for
        each hit.
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
    """Shifts a grid of words by one cell; empty cells move in."""
    if axis == 2:
        return grid << 1 if step > 0 else grid >> 1
    pad = [(0, 0, 0), (0, 0, 0)]
    pad[axis] = (step, -step, 0)
    return lax.pad(grid, jnp.uint32(0), pad)


def _pack(occupied: jax.Array) -> jax.Array:
    """Packs ``[32, 32, 32]`` bool into ``[32, 32]`` words."""
    bits = jnp.uint32(1) << jnp.arange(RESOLUTION, dtype=jnp.uint32)
    return jnp.sum(jnp.where(occupied, bits, jnp.uint32(0)), -1, dtype=jnp.uint32)


def _unpack(grid: jax.Array) -> jax.Array:
    """Unpacks ``[32, 32]`` words into ``[32, 32, 32]`` bool."""
    return (grid[..., None] >> jnp.arange(RESOLUTION, dtype=jnp.uint32)) & 1 == 1


def _surface(vertices: jax.Array, faces: jax.Array) -> jax.Array:
    """Marks the cells at a surface whose vertices are in grid units, as words."""
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
    # without this, an index of -1 would mean the last cell
    inside = {"mode": "drop", "wrap_negative_indices": False}
    at_vertices = at_vertices.at[tuple(cell.T)].set(True, **inside)
    return surface | _pack(at_vertices)


def _fill(surface: jax.Array) -> jax.Array:
    """Adds the cells without a 6-connected path of empty cells to the border."""
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
    """Permutes ``[..., x, y, z]`` to ``[..., y, x, reversed z]``, the file order."""
    return jnp.swapaxes(occupied, -3, -2)[..., ::-1]


def voxelize(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Converts closed meshes to solid voxel grids.

    A vertex v lies at ``32 (31/32 v + 1/2)`` grid units. A cell is occupied if (a) it
    borders a lattice line (an integer coordinate in two axes) at the height where that
    line meets a triangle, or (b) it holds a vertex, or (c) no path of empty cells that
    share a side connects it to the border of the grid.

    Args:
        vertices: ``[..., V, 3]`` model frame, within ``[-0.5, 0.5]``. The grid ends at
            -16/31 and 16/31; a mesh that reaches beyond is open there, so that its
            inside is not filled, or is nowhere in the grid. A warning says so, but not
            under a transformation, where values are not known.
        faces: ``[F, 3]`` vertex indices, one topology for all meshes.

    Returns:
        ``[..., 32, 32, 32]`` bool, axes (y, x, reversed z): the order of the data
        files.

    Raises:
        ValueError: a wrong shape or dtype, a topology for each mesh, or a vertex that
            does not exist; a vertex that is not finite, but not under a transformation,
            where values are not known.

    Example:
        >>> from jaxsoftras import mesh, voxels
        >>> sphere = mesh.icosphere(2)
        >>> grid = voxels.voxelize(0.25 * sphere.vertices, sphere.faces)
        >>> grid.shape, bool(grid[16, 16, 16]), bool(grid[0, 0, 0])
        ((32, 32, 32), True, False)
    """
    (vertices,) = checks.as_floats(vertices)
    checks.check_shape("vertices", vertices, 3)
    checks.check_finite({"vertices": vertices})
    faces = checked_faces(faces, vertices.shape[-2])
    if faces.ndim > 2:
        raise ValueError(
            "voxelize takes one topology [F, 3] for all meshes, not "
            f"{list(faces.shape)}; voxelize the meshes of a batch one by one."
        )
    _warn_of_reach(vertices, faces)
    return _voxelize(vertices, jnp.asarray(faces))


def _warn_of_reach(vertices: jax.Array, faces: jax.Array | np.ndarray) -> None:
    """Warns of meshes ``[..., V, 3]`` that are known to reach out of the grid."""
    if any(isinstance(array, Tracer) for array in (vertices, faces)):
        return
    used = np.unique(faces)
    corners = np.asarray(vertices)[..., used[used >= 0], :]
    if not corners.size:
        return
    # a corner at 32 grid units is in no cell
    low, high = corners.min(axis=(-2, -1)), corners.max(axis=(-2, -1))
    beyond = (low < -_REACH) | (high >= _REACH)
    if count := np.count_nonzero(beyond):
        several = f"{count} of {beyond.size} meshes reach"
        warnings.warn(
            f"{several if beyond.ndim else 'The mesh reaches'} out of the grid, from "
            f"{low.min():.4g} to {high.max():.4g}, and cannot be filled where the grid "
            f"ends, at {-_REACH:.3f} and {_REACH:.3f}; scale to [-0.5, 0.5], such as by"
            " load_mesh(path, normalize=True) and halving the vertices.",
            stacklevel=checks.caller_depth(),
        )


@jax.jit
def _voxelize(vertices: jax.Array, faces: jax.Array) -> jax.Array:
    """`voxelize` of arguments that have been checked, compiled once."""
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
        ``[...]`` float32 from 0 to 1; 1 where both are empty.

    Raises:
        ValueError: grids that are not bool, or of two sizes.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsoftras import voxels
        >>> empty = jnp.zeros((32, 32, 32), bool)
        >>> float(voxels.iou(empty.at[:2].set(True), empty.at[:8].set(True)))
        0.25
    """
    for grid in (predicted, target):
        if grid.dtype != np.bool_:
            raise ValueError(
                f"Voxel grids must be bool, not {grid.dtype}; compare them with a "
                "threshold, as in grid > 0.5."
            )
    if predicted.shape[-3:] != target.shape[-3:]:
        raise ValueError(
            "Voxel grids must be of one size, not "
            f"{list(predicted.shape)} and {list(target.shape)}."
        )
    axes = (-3, -2, -1)
    intersection = jnp.sum(predicted & target, axes, dtype=jnp.float32)
    union = jnp.sum(predicted | target, axes, dtype=jnp.float32)
    return jnp.where(union > 0, intersection / jnp.maximum(union, 1), 1.0)


def voxel_surface(occupied: ArrayLike) -> Surface:
    """Builds the boundary between occupied and empty cells, two triangles a square.

    Vertices are shared by all squares around them. The surface is the exact outline of
    the cells, in the frame in which `voxelize` places the mesh that it fills.

    Args:
        occupied: ``[32, 32, 32]`` bool, or another cube, axes (y, x, reversed z): the
            order of the data files.

    Returns:
        The surface, oriented outwards; without faces if no cell is occupied.

    Raises:
        ValueError: the grid is not a cube of at least 2 cells a side.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras import mesh, voxels
        >>> occupied = np.zeros((32, 32, 32), bool)
        >>> occupied[20, 3, 16] = True
        >>> surface = voxels.voxel_surface(occupied)
        >>> surface.vertices.shape, surface.faces.shape
        ((8, 3), (12, 3))
        >>> cube = mesh.Mesh(*surface)  # to be rendered or saved
    """
    grid = np.asarray(occupied, bool)
    if grid.ndim != 3 or len(set(grid.shape)) != 1 or len(grid) < 2:
        raise ValueError(
            "A voxel grid must be a cube [n, n, n] with n of at least 2, not "
            f"{list(grid.shape)}."
        )
    cells = np.swapaxes(grid[..., ::-1], 0, 1)  # axes (x, y, z)
    size = len(cells)
    padded = np.pad(cells, 1)
    quads = []
    for axis in range(3):
        u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        for side in (0, 1):
            neighbours = np.roll(padded, 1 - 2 * side, axis)[1:-1, 1:-1, 1:-1]
            corner = np.argwhere(cells & ~neighbours)
            corner[:, axis] += side
            ring = np.array([0 * u, u, u + v, v])[:: 2 * side - 1]
            quads.append(corner[:, None] + ring)
    corners = np.concatenate(quads)  # [Q, 4, 3] lattice points
    number = np.ravel_multi_index(tuple(np.moveaxis(corners, -1, 0)), (size + 1,) * 3)
    used, index = np.unique(number, return_inverse=True)
    lattice = np.stack(np.unravel_index(used, (size + 1,) * 3), -1)
    index = index.reshape(-1, 4)
    faces = np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])
    # the inverse of the map by which voxelize places vertices on the grid
    vertices = (lattice / size - 0.5) * size / (size - 1)
    return Surface(vertices, faces.astype(np.int32))
