"""Triangle meshes: the sphere template, gathering of faces, edge topology."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import gather


class Mesh(NamedTuple):
    """A triangle mesh, or a batch of meshes of one topology; a pytree.

    Attributes:
        vertices: ``[..., V, 3]`` positions, world space.
        faces: ``[F, 3]`` int32 vertex indices, counter-clockwise seen from outside in
            right-handed numbers.
    """

    vertices: jax.Array | np.ndarray
    faces: jax.Array | np.ndarray


def _icosahedron() -> Mesh:
    """The regular icosahedron in the unit sphere, with vertices at y = -1 and 1."""
    ring = np.deg2rad(72.0 * np.arange(5))
    height, radius = 1 / np.sqrt(5), 2 / np.sqrt(5)

    def circle(angles, y):
        return np.stack(
            [radius * np.cos(angles), np.full(5, y), radius * np.sin(angles)], -1
        )

    vertices = np.concatenate(
        [
            [[0.0, 1.0, 0.0]],
            circle(ring, height),
            circle(ring + np.pi / 5, -height),
            [[0.0, -1.0, 0.0]],
        ]
    )
    k = np.arange(5)
    upper, upper_next = 1 + k, 1 + (k + 1) % 5
    lower, lower_next = 6 + k, 6 + (k + 1) % 5
    top, bottom = np.zeros(5, int), np.full(5, 11)
    faces = np.concatenate(
        [
            np.stack([top, upper_next, upper], -1),
            np.stack([upper, upper_next, lower], -1),
            np.stack([upper_next, lower_next, lower], -1),
            np.stack([lower, lower_next, bottom], -1),
        ]
    )
    return Mesh(vertices, faces.astype(np.int32))


def _subdivide(mesh: Mesh) -> Mesh:
    """Splits every triangle in four at the midpoints of its edges."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, inverse = np.unique(np.sort(sides, 1), axis=0, return_inverse=True)
    ab, bc, ca = len(vertices) + inverse.reshape(3, -1)
    a, b, c = faces.T
    children = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return Mesh(
        np.concatenate([vertices, vertices[edges].mean(1)]),
        np.concatenate([np.stack(child, -1) for child in children]).astype(np.int32),
    )


@functools.cache
def icosphere(level: int = 3) -> Mesh:
    """A unit sphere of nearly equal triangles, poles on the y axis; numpy arrays.

    Each level quarters the flat triangles of an icosahedron; at the end all vertices
    are moved onto the sphere: ``10 * 4**level + 2`` vertices and ``20 * 4**level``
    faces. Level 3 (642 vertices, 1280 faces) is the template of Soft Rasterizer.

    Args:
        level: number of subdivisions, 0 to 7.

    Returns:
        vertices ``[V, 3]`` float64 of norm 1 and faces ``[F, 3]`` int32, read-only.
    """
    if not 0 <= level <= 7:
        raise ValueError(f"icosphere level must be from 0 to 7, not {level}.")
    mesh = _icosahedron()
    for _ in range(level):
        mesh = _subdivide(mesh)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    vertices[np.abs(vertices) < 1e-12] = 0  # on a plane of symmetry
    # cached, so shared by all callers
    vertices.setflags(write=False)
    faces.setflags(write=False)
    return Mesh(vertices, faces)


def face_vertices(vertices: jax.Array, faces: jax.Array | np.ndarray) -> jax.Array:
    """Gathers the corners of each face.

    Args:
        vertices: ``[..., V, C]`` positions, in any space, or other vertex attributes.
        faces: ``[F, 3]`` vertex indices; a numpy array differentiates fastest.

    Returns:
        ``[..., F, 3, C]``.
    """
    return gather.take(vertices, faces)


def edges(faces: ArrayLike) -> np.ndarray:
    """The distinct edges of a topology: ``[F, 3]`` to ``[E, 2]``, lower index first."""
    faces = np.asarray(faces)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(sides, axis=1), axis=0)


def interior_edges(faces: ArrayLike) -> np.ndarray:
    """The edges that exactly two faces share, with the corners opposite to them.

    Boundary edges (one face) and non-manifold edges (three or more) are left out: no
    angle between two faces is defined there.

    Args:
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[E, 4]`` vertex indices: the edge's two ends, lower first, then the third
        corner of either face.
    """
    faces = np.asarray(faces)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    sides = np.sort(sides, axis=1)
    order = np.lexsort((opposite, sides[:, 1], sides[:, 0]))
    sides, opposite = sides[order], opposite[order]
    _, first, count = np.unique(sides, axis=0, return_index=True, return_counts=True)
    first = first[count == 2]
    return np.concatenate(
        [sides[first], opposite[first, None], opposite[first + 1, None]], axis=1
    )
