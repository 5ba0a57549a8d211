"""Unit normals of faces and of vertices."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, known
from jaxsoftras.mesh import checked_faces, gather_corners, vertex_sums

# A vector with no component beyond this has no direction. The square of its reciprocal
# is still finite in single precision.
_NO_LENGTH = 1e-18
# Square of the part of the faces' areas that is left where normals cancel: rounding.
_CANCELLED = 1e-8


def area_vectors(corners: jax.Array) -> jax.Array:
    """Face normals whose length is twice the area: ``(p1 - p0) x (p2 - p0)``.

    Args:
        corners: ``[..., F, 3, 3]``; a face with a corner that is not finite, such as
            padding, counts as one without area.

    Returns:
        ``[..., F, 3]``, outward for faces that are counter-clockwise seen from outside
        in a right-handed space.

    Example:
        >>> corners = jnp.array([[[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]])
        >>> print(normals.area_vectors(corners))
        [[0. 0. 6.]]
    """
    finite = jnp.all(jnp.isfinite(corners), axis=(-2, -1), keepdims=True)
    corners = jnp.where(finite, corners, 0)
    origin = corners[..., 0, :]
    return jnp.cross(corners[..., 1, :] - origin, corners[..., 2, :] - origin)


def normalize(vectors: jax.Array) -> jax.Array:
    """Vectors of length 1, or 0 where they are too short to have a direction.

    Example:
        >>> print(normals.normalize(jnp.array([[0.0, 3, 4], [0, 0, 0]])))
        [[0.  0.6 0.8]
         [0.  0.  0. ]]
    """
    # scale first: the squares of a small face's area vector underflow
    size = jnp.max(jnp.abs(vectors), axis=-1, keepdims=True)
    enough = size > _NO_LENGTH
    size = jax.lax.stop_gradient(jnp.where(enough, size, 1))
    # both branches of `where` stay finite, so that their derivatives do
    scaled = jnp.where(enough, vectors, 0) / size
    square = jnp.sum(scaled * scaled, axis=-1, keepdims=True)
    return scaled * jax.lax.rsqrt(jnp.where(enough, square, 1))


def face_normals(corners: ArrayLike) -> jax.Array:
    """Unit normals of faces.

    Args:
        corners: ``[..., F, 3, 3]``, in any right-handed space.

    Returns:
        ``[..., F, 3]``, outward for faces that are counter-clockwise seen from outside;
        zero, with zero gradient, for faces without area (below 5e-19) and for padding;
        in single precision for corners of half precision, whose areas would underflow.

    Raises:
        ValueError: another shape.

    Example:
        >>> corners = jnp.array([[[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]])
        >>> print(jaxsoftras.face_normals(corners))
        [[0. 0. 1.]]
    """
    (corners,) = checks.as_floats(corners)
    checks.check_shape("corners", corners, 3, 3)
    return _face_normals(corners)


# inline: part of the renderer's program, not a function that it calls
@functools.partial(jax.jit, inline=True)
def _face_normals(corners: jax.Array) -> jax.Array:
    """`face_normals`, compiled once."""
    return normalize(area_vectors(corners))


def vertex_normals(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Unit normals of vertices: means of the face normals around them, by area.

    Args:
        vertices: ``[..., V, 3]``, in any right-handed space.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        ``[..., V, 3]``, outward for faces that are counter-clockwise seen from outside;
        zero, with zero gradient, where no face has an area or the normals cancel.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> normals = jaxsoftras.vertex_normals(sphere.vertices, sphere.faces)
        >>> print(jnp.abs(normals - sphere.vertices).max() < 1e-6)
        True
    """
    (vertices,) = checks.as_floats(vertices)
    checks.check_shape("vertices", vertices, 3)
    faces = checked_faces(faces, vertices.shape[-2])
    return _vertex_normals(vertices, known.as_topology(faces, vertices))


@jax.jit
def _vertex_normals(
    vertices: jax.Array, topology: known.KnownArray | known.Array
) -> jax.Array:
    """`vertex_normals` of faces that have been checked, compiled once."""
    faces = known.as_faces(topology)
    corners = gather_corners(vertices, faces)
    return vertex_normals_from_corners(corners, faces, vertices.shape[-2])


def vertex_normals_from_corners(
    corners: jax.Array,
    faces: jax.Array | np.ndarray,
    count: int,
    *,
    two_sided: bool = False,
) -> jax.Array:
    """Unit normals of vertices as from `vertex_normals`, without its checks.

    Args:
        corners: ``[..., F, 3, 3]``, as `jaxsoftras.mesh.gather_corners` returns them.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.
        count: V, the number of vertices.
        two_sided: whether a vertex where the normals cancel, as on a sheet that is made
            of faces and their opposites, has the normal of the sheet, of either sign.

    Returns:
        ``[..., V, 3]``.

    Example:
        >>> corners = jnp.array([[[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]])
        >>> faces = np.array([[0, 1, 2]])
        >>> print(normals.vertex_normals_from_corners(corners, faces, count=3))
        [[0. 0. 1.]
         [0. 0. 1.]
         [0. 0. 1.]]
    """
    areas = area_vectors(corners)
    if two_sided:
        # all to one side of a plane that faces of a mesh are hardly parallel to
        side = jnp.sum(areas * jnp.array([0.36, 0.48, 0.8], areas.dtype), axis=-1)
        turned = jnp.where(side[..., None] < 0, -areas, areas)
        areas = jnp.concatenate([areas, turned], axis=-1)
    shares = jnp.broadcast_to(
        areas[..., None, :], (*areas.shape[:-1], 3, areas.shape[-1])
    )
    sums = vertex_sums(shares, faces, count)
    if two_sided:
        sums, turned = jnp.split(sums, 2, axis=-1)
        rest, whole = (
            jnp.sum(v * v, axis=-1, keepdims=True)
            for v in map(jax.lax.stop_gradient, (sums, turned))
        )
        sums = jnp.where(rest < _CANCELLED * whole, turned, sums)
    return normalize(sums)
