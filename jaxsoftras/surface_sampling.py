"""Random points on the surface of meshes."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras import checks, guesses, known
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh, gather_corners
from jaxsoftras.normals import area_vectors


class SurfacePoints(NamedTuple):
    """Points on the surface of a mesh, or of a batch of meshes; a pytree.

    Attributes:
        points: ``[..., N, 3]`` positions, in the space of the vertices.
        faces: ``[..., N]`` int32 index of the face that each point lies on.
        weights: ``[..., N, 3]`` barycentric coordinates on that face.
    """

    points: jax.Array
    faces: jax.Array
    weights: jax.Array


def _choose_faces(areas: jax.Array, fractions: jax.Array) -> jax.Array:
    """Faces where the running sum of areas ``[F]`` reaches fractions ``[N]`` of all."""
    totals = jnp.cumsum(areas)
    chosen = jnp.searchsorted(totals, fractions * totals[-1], side="right")
    # Rounding of the totals can lead to a face without area. Take the last face before
    # it that has an area instead, or else the first one.
    usable = jnp.where(areas > 0, jnp.arange(len(areas), dtype=jnp.int32), -1)
    usable = jnp.maximum(lax.cummax(usable), jnp.argmax(areas > 0).astype(jnp.int32))
    return usable[jnp.minimum(chosen, len(areas) - 1)]


@guesses.answers
def sample_points(key: jax.Array, mesh: Mesh, count: int) -> SurfacePoints:
    """Draws points uniformly by area from the surface of a mesh.

    ``p = (1 - r) p0 + r (1 - t) p1 + r t p2`` with ``r = sqrt(s)`` and s, t uniform in
    [0, 1). The points are differentiable in the vertices at fixed faces and weights;
    the change of areas with the vertices contributes no gradient.

    Args:
        key: a random key; each mesh of a batch gets points of its own.
        mesh: vertices ``[..., V, 3]`` and faces ``[F, 3]`` or ``[..., F, 3]``; padding
            and faces without area get no points. In a mesh without any area all points
            lie on its first face.
        count: N, the number of points on each mesh.

    Returns:
        Points ``[..., N, 3]``, the faces ``[..., N]`` and the weights ``[..., N, 3]``;
        in single precision for vertices of half precision.

    Raises:
        ValueError: a mesh without faces, or a count that is negative or no integer.

    Example:
        >>> sphere = jaxsoftras.icosphere(1)
        >>> drawn = jaxsoftras.sample_points(jax.random.key(0), sphere, 5)
        >>> print(drawn.points.shape, drawn.faces.shape)
        (5, 3) (5,)
    """
    mesh = checked_mesh(mesh, "sample_points")
    (vertices,) = checks.as_floats(mesh.vertices)
    checks.check_shape("vertices", vertices, 3)
    faces = checked_faces(mesh.faces, vertices.shape[-2])
    is_count = isinstance(count, (int, np.integer)) and count >= 0
    if faces.shape[-2] == 0 or not is_count:
        raise ValueError(
            "sample_points needs at least one face and a count of at least 0, not "
            f"{count} points on {faces.shape[-2]} faces."
        )
    return _sample_points(key, vertices, known.as_topology(faces, vertices), count)


@functools.partial(jax.jit, static_argnames="count")
def _sample_points(
    key: jax.Array,
    vertices: jax.Array,
    topology: known.KnownArray | known.Array,
    count: int,
) -> SurfacePoints:
    """`sample_points` of arguments that have been checked, compiled once."""
    faces = known.as_faces(topology)
    corners = gather_corners(lax.stop_gradient(vertices), faces)
    areas = jnp.linalg.norm(area_vectors(corners), axis=-1)  # doubled
    batch = areas.shape[:-1]
    fractions, s, t = jax.random.uniform(key, (3, *batch, count), vertices.dtype)
    choose = jnp.vectorize(_choose_faces, signature="(f),(n)->(n)")
    chosen = choose(areas, fractions)
    r = jnp.sqrt(s)
    weights = jnp.stack([1 - r, r * (1 - t), r * t], axis=-1)

    every = jnp.broadcast_to(jnp.asarray(faces), (*batch, *faces.shape[-2:]))
    triangles = jnp.take_along_axis(every, chosen[..., None], axis=-2)
    points = jnp.sum(weights[..., None] * gather_corners(vertices, triangles), axis=-2)
    return SurfacePoints(points, chosen, weights)
