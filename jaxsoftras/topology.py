"""Connectivity of the faces of a mesh: edges, boundaries, closedness, subdivision.

Everything here is numpy, as a topology is known before anything is traced. Rows of -1
among the faces are padding and have no edges.
"""

from __future__ import annotations

import numpy as np
from jax.typing import ArrayLike


def _existing(faces: ArrayLike) -> np.ndarray:
    """``[F, 3]`` vertex indices without padding."""
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(
            "faces must belong to one mesh, [F, 3] vertex indices; they have the shape "
            f"{list(faces.shape)}."
        )
    if not np.issubdtype(faces.dtype, np.integer):
        raise ValueError(f"faces must be integers, vertex indices, not {faces.dtype}.")
    return faces[faces[:, 0] >= 0]


def _sides(faces: np.ndarray) -> np.ndarray:
    """Sides of faces, first to second corner and so on: ``[3 F, 2]``."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def edges(faces: ArrayLike) -> np.ndarray:
    """Distinct edges of a topology.

    Args:
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[E, 2]`` vertex indices, lower first.

    Example:
        >>> print(topology.edges([[0, 1, 2], [2, 1, 3]]).tolist())
        [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    return np.unique(np.sort(_sides(_existing(faces)), axis=1), axis=0)


def interior_edges(faces: ArrayLike) -> np.ndarray:
    """Edges that exactly two faces share, with the corners opposite to them.

    Boundary edges (one face) and non-manifold edges (three or more) are left out: no
    angle between two faces is defined there.

    Args:
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[E, 4]`` vertex indices: the edge's two ends, lower first, then the third
        corner of either face.

    Example:
        >>> print(topology.interior_edges([[0, 1, 2], [2, 1, 3]]).tolist())
        [[1, 2, 0, 3]]
    """
    faces = _existing(faces)
    sides = np.sort(_sides(faces), axis=1)
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    order = np.lexsort((opposite, sides[:, 1], sides[:, 0]))
    sides, opposite = sides[order], opposite[order]
    _, first, count = np.unique(sides, axis=0, return_index=True, return_counts=True)
    first = first[count == 2]
    return np.concatenate(
        [sides[first], opposite[first, None], opposite[first + 1, None]], axis=1
    )


def boundary_edges(faces: ArrayLike) -> np.ndarray:
    """Edges with one face only.

    Args:
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[E, 2]`` vertex indices, lower first.

    Example:
        >>> print(topology.boundary_edges([[0, 1, 2], [2, 1, 3]]).tolist())
        [[0, 1], [0, 2], [1, 3], [2, 3]]
    """
    sides = np.sort(_sides(_existing(faces)), axis=1)
    distinct, count = np.unique(sides, axis=0, return_counts=True)
    return distinct[count == 1]


def is_watertight(faces: ArrayLike) -> bool:
    """Whether a surface is closed and consistently oriented, enclosing a volume.

    Every edge has two faces, which traverse it in opposite directions. A mesh without
    faces is not watertight.

    Args:
        faces: ``[F, 3]`` vertex indices.

    Example:
        >>> faces = jaxsoftras.icosphere(0).faces
        >>> print(topology.is_watertight(faces), topology.is_watertight(faces[1:]))
        True False
    """
    sides = _sides(_existing(faces))
    forward, count = np.unique(sides, axis=0, return_counts=True)
    backward = np.unique(sides[:, ::-1], axis=0)
    return len(sides) > 0 and bool(np.all(count == 1) and np.all(forward == backward))


def unreferenced_vertices(faces: ArrayLike, count: int) -> np.ndarray:
    """Indices of the vertices that are no corner of any face, in rising order.

    Args:
        faces: ``[F, 3]`` vertex indices.
        count: V, the number of vertices.

    Example:
        >>> print(topology.unreferenced_vertices([[0, 1, 3]], count=5))
        [2 4]
    """
    return np.setdiff1d(np.arange(count), _existing(faces))


def split_faces(faces: ArrayLike, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits every face in four at new vertices on its edges.

    Args:
        faces: ``[F, 3]`` vertex indices.
        count: V, the number of vertices.

    Returns:
        The edges ``[E, 2]``, lower index first, where edge e gets vertex V + e; and the
        faces ``[4 F, 3]`` int32: all children at first corners, then all at second
        corners, at third corners, and in the middle. Corner 0 of the four children of a
        face is its corner 0, 1, 2, and the new vertex between 0 and 1.

    Example:
        >>> edges, children = topology.split_faces([[0, 1, 2]], count=3)
        >>> print(children.tolist())
        [[0, 3, 4], [1, 5, 3], [2, 4, 5], [3, 5, 4]]
    """
    faces, existing = np.asarray(faces), _existing(faces)
    distinct, inverse = np.unique(
        np.sort(_sides(existing), axis=1), axis=0, return_inverse=True
    )
    ab, bc, ca = count + inverse.reshape(3, -1)
    a, b, c = existing.T
    children = np.full((4, len(faces), 3), -1, np.int32)
    families = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    children[:, faces[:, 0] >= 0] = np.moveaxis(np.asarray(families), 1, 2)
    return distinct, children.reshape(-1, 3)
