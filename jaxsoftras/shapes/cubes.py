"""Surfaces of voxel grids, to draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import Solid


def voxel_surface(occupied: ArrayLike) -> Solid:
    """The squares between occupied and empty cells, two triangles each.

    Args:
        occupied: ``[32, 32, 32]`` bool (or another cube), axes (y, x, reversed z): the
            order of the data files.

    Returns:
        The surface in the model frame, turned outwards; a vertex belongs to all the
        squares around it.
    """
    cells = np.swapaxes(np.asarray(occupied, bool)[..., ::-1], 0, 1)  # axes (x, y, z)
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
    # the inverse of the rule by which voxelize places vertices on the grid
    return Solid((lattice / size - 0.5) * size / (size - 1), faces.astype(np.int32))
