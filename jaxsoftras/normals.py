"""Unit normals of faces and of vertices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.mesh import checked_faces, face_vertices, vertex_sums

# Twice the area of a face, squared, below which it has no direction: the derivatives of
# 1 / length stay finite in single precision.
_NO_AREA = 1e-24


def area_vectors(corners: jax.Array) -> jax.Array:
    """Normals of faces as long as twice their area: ``(p1 - p0) x (p2 - p0)``.

    Args:
        corners: ``[..., F, 3, 3]``; a face with a corner that is not finite, as padding
            has, counts as one without area.

    Returns:
        ``[..., F, 3]``, outward for faces that are counter-clockwise seen from outside
        in right-handed numbers.
    """
    finite = jnp.all(jnp.isfinite(corners), axis=(-2, -1), keepdims=True)
    corners = jnp.where(finite, corners, 0)
    origin = corners[..., 0, :]
    return jnp.cross(corners[..., 1, :] - origin, corners[..., 2, :] - origin)


def _normalize(vectors: jax.Array) -> jax.Array:
    """Vectors of length 1, or 0 where there is no direction to speak of."""
    length2 = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    enough = length2 > _NO_AREA
    # both branches of `where` stay finite, for the sake of automatic differentiation
    return jnp.where(enough, vectors * jax.lax.rsqrt(jnp.where(enough, length2, 1)), 0)


def face_normals(corners: jax.Array) -> jax.Array:
    """Unit normals of faces.

    Args:
        corners: ``[..., F, 3, 3]``, in any space of right-handed numbers.

    Returns:
        ``[..., F, 3]``, outward for faces that are counter-clockwise seen from outside;
        zero, with zero gradient, for faces without area (below 5e-13) and for padding.
    """
    return _normalize(area_vectors(corners))


def vertex_normals(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Unit normals of vertices: the normals around each, weighted by area.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        ``[..., V, 3]``, outward for faces that are counter-clockwise seen from outside;
        zero, with zero gradient, where no face has an area or they cancel.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.
    """
    (vertices,) = checks.as_floats(vertices)
    checks.check_shape("vertices", vertices, 3)
    faces = checked_faces(faces, vertices.shape[-2])
    normals = area_vectors(face_vertices(vertices, faces))
    corners = jnp.broadcast_to(
        normals[..., None, :], (*normals.shape[:-1], 3, normals.shape[-1])
    )
    return _normalize(vertex_sums(corners, faces, vertices.shape[-2]))
