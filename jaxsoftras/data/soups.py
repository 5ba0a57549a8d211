"""The voxelizer of triangle soups, in numpy.

Most meshes that people have are not closed: walls without thickness, parts that cross,
faces that are missing. A grid of such a mesh is solid by this rule: a cell is occupied
if (a) its cube, sides included, meets a triangle, or (b) no path of empty cells that
share a side leads from it out of the grid. Thin walls are therefore as thick as a cell,
crossing parts do no harm, and gaps narrower than a cell are closed; a shell with an
opening that is wider stays hollow. Neither the direction of faces nor their number at
an edge plays a part.

Up to rounding, every cell that `jaxsoftras.voxels.voxelize` marks is marked here, too;
it passes over some of which a triangle meets no more than a corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

_CANDIDATES = 100_000  # pairs of a triangle and a cell that are tested together


def voxelize(vertices: ArrayLike, faces: ArrayLike, resolution: int = 32) -> np.ndarray:
    """Converts any triangle mesh to a solid voxel grid.

    A vertex v lies at ``(R - 1) v + R / 2`` grid units, as in
    `jaxsoftras.voxels.voxelize` for R = 32.

    Args:
        vertices: ``[V, 3]`` model frame, within ``[-0.5, 0.5]``.
        faces: ``[F, 3]`` vertex indices.
        resolution: R, the cells along each side of the grid.

    Returns:
        ``[R, R, R]`` bool, axes (y, x, reversed z).

    Raises:
        ValueError: a vertex outside the grid.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras.data import soups
        >>> corners = 0.5 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
        >>> grid = soups.voxelize(corners, [[0, 1, 2], [0, 2, 3]], resolution=4)
        >>> int(grid.sum())  # a sheet between two layers of 4 x 4 cells
        32
    """
    points = np.asarray(vertices, float) * (resolution - 1) + resolution / 2
    triangles = points[np.asarray(faces)]
    if not np.all((triangles >= 0) & (triangles <= resolution)):
        raise ValueError("The mesh reaches out of the grid: normalize it first.")
    surface = np.zeros((resolution,) * 3, bool)
    low = np.maximum(np.ceil(triangles.min(1)) - 1, 0).astype(int)
    high = np.minimum(np.floor(triangles.max(1)), resolution - 1).astype(int)
    sides = high - low + 1
    counts = sides.prod(1)
    several = counts > 1
    surface[tuple(low[~several].T)] = True  # with nothing to test
    triangles, low, sides, counts = (
        array[several] for array in (triangles, low, sides, counts)
    )
    ends = np.cumsum(counts)
    start = 0
    while start < len(triangles):
        limit = ends[start] - counts[start] + _CANDIDATES
        stop = max(start + 1, int(np.searchsorted(ends, limit, "right")))
        part = slice(start, stop)
        cells, owner = _list_cells(low[part], sides[part])
        meets = _meets(triangles[part], cells, owner)
        surface[tuple(cells[meets].T)] = True
        start = stop
    solid = np.asarray(ndimage.binary_fill_holes(surface))
    return np.swapaxes(solid, 0, 1)[..., ::-1]


def _list_cells(low: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists the cells of boxes.

    Args:
        low: ``[F, 3]`` first cell of each box.
        sides: ``[F, 3]`` its number of cells along each axis.

    Returns:
        ``[N, 3]`` cells, and ``[N]`` the box of each.
    """
    counts = sides.prod(1)
    owner = np.repeat(np.arange(len(low)), counts)
    number = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    number, z = np.divmod(number, sides[owner, 2])
    x, y = np.divmod(number, sides[owner, 1])
    return low[owner] + np.stack([x, y, z], -1), owner


def _meets(triangles: np.ndarray, cells: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Tests which closed unit cubes meet their triangle: by separating axes.

    Two convex bodies are apart if their projections on one of these axes are: the
    normals of the cube (which the boxes of the cells have tested), the normal of the
    triangle, and the products of an edge of either.

    Args:
        triangles: ``[F, 3, 3]`` corners in grid units.
        cells: ``[N, 3]`` lowest corners of the cubes.
        owner: ``[N]`` the triangle of each.

    Returns:
        ``[N]`` bool.
    """
    edges = np.roll(triangles, -1, 1) - triangles
    normal = np.cross(edges[:, 0], edges[:, 1])
    products = np.cross(edges[:, :, None], np.eye(3))  # [F, edge, axis, 3]
    axes = np.concatenate([normal[:, None], products.reshape(-1, 9, 3)], 1)
    spans = triangles @ axes.swapaxes(1, 2)  # [F, corner, axis]
    reach = 0.5 * np.abs(axes).sum(-1)
    # rounding must not open a surface that lies between two cells
    slack = 1e-9 * (1 + np.abs(spans).max(1))
    low, high = spans.min(1) - reach - slack, spans.max(1) + reach + slack
    centers = cells + 0.5
    meets = np.ones(len(cells), bool)
    for k in range(axes.shape[1]):
        place = np.einsum("nc,nc->n", centers, axes[owner, k])
        meets &= (low[owner, k] <= place) & (place <= high[owner, k])
    return meets
