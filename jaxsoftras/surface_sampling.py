"""Random points on the surface of meshes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.mesh import Mesh, face_vertices
from jaxsoftras.normals import area_vectors


class SurfacePoints(NamedTuple):
    """Points on the surface of a mesh, or of a batch of meshes; a pytree.

    Attributes:
        points: ``[..., N, 3]`` positions, in the space of the vertices.
        faces: ``[..., N]`` int32 index of the face that each lies on.
        weights: ``[..., N, 3]`` barycentric coordinates on that face.
    """

    points: jax.Array
    faces: jax.Array
    weights: jax.Array


def _choose_faces(areas: jax.Array, shares: jax.Array) -> jax.Array:
    """The faces at which given shares ``[N]`` of the areas ``[F]`` are reached."""
    totals = jnp.cumsum(areas)
    chosen = jnp.searchsorted(totals, shares * totals[-1], side="right")
    # Where the rounding of the totals leads to a face without area, the one before it
    # that has some is meant, or else the first that has.
    usable = jnp.where(areas > 0, jnp.arange(len(areas), dtype=jnp.int32), -1)
    usable = jnp.maximum(lax.cummax(usable), jnp.argmax(areas > 0).astype(jnp.int32))
    return usable[jnp.minimum(chosen, len(areas) - 1)]


def sample_points(key: jax.Array, mesh: Mesh, count: int) -> SurfacePoints:
    """Draws points uniformly by area from the surface of a mesh.

    ``p = (1 - r) p0 + r (1 - t) p1 + r t p2`` with ``r = sqrt(s)`` and s, t uniform in
    [0, 1). The points follow the vertices, in which they are differentiable at fixed
    faces and weights; that areas change with the vertices adds no gradient.

    Args:
        key: a random key; each mesh of a batch gets points of its own.
        mesh: vertices ``[..., V, 3]`` and faces ``[F, 3]`` or ``[..., F, 3]``; padding
            and faces without area get no points. In a mesh without any area all points
            lie on its first face.
        count: N, the number of points on each mesh.

    Returns:
        Points ``[..., N, 3]``, the faces ``[..., N]`` and the weights ``[..., N, 3]``.

    Raises:
        ValueError: a mesh without faces, or a negative count.
    """
    faces = jnp.asarray(mesh.faces)
    if faces.shape[-2] == 0 or count < 0:
        raise ValueError(
            f"Points need a face and a count that is not negative; here are {count} "
            f"points on {faces.shape[-2]} faces."
        )
    vertices = jnp.asarray(mesh.vertices)
    corners = face_vertices(lax.stop_gradient(vertices), mesh.faces)
    areas = jnp.linalg.norm(area_vectors(corners), axis=-1)  # doubled
    batch = areas.shape[:-1]
    shares, s, t = jax.random.uniform(key, (3, *batch, count), vertices.dtype)
    choose = jnp.vectorize(_choose_faces, signature="(f),(n)->(n)")
    chosen = choose(areas, shares)
    r = jnp.sqrt(s)
    weights = jnp.stack([1 - r, r * (1 - t), r * t], axis=-1)

    every = jnp.broadcast_to(faces, (*batch, *faces.shape[-2:]))
    triangles = jnp.take_along_axis(every, chosen[..., None], axis=-2)
    points = jnp.sum(weights[..., None] * face_vertices(vertices, triangles), axis=-2)
    return SurfacePoints(points, chosen, weights)
