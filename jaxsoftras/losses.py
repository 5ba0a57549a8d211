"""Losses on silhouettes and on the shape of meshes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import deterministic, mesh


def silhouette_iou(predicted: jax.Array, target: jax.Array) -> jax.Array:
    """Soft intersection over union of silhouettes (eq. 7 of Liu et al., 2019).

    ``sum(p t) / (sum(p + t - p t) + 1e-6)``; the loss is one minus this.

    Args:
        predicted: ``[..., H, W]`` alpha in [0, 1].
        target: ``[..., H, W]`` alpha in [0, 1].

    Returns:
        ``[...]`` in [0, 1).
    """
    product = predicted * target
    intersection = jnp.sum(product, axis=(-2, -1))
    union = jnp.sum(predicted + target - product, axis=(-2, -1))
    return intersection / (union + 1e-6)


def laplacian(vertices: jax.Array, faces: ArrayLike) -> jax.Array:
    """Squared distances from vertices to the mean of their neighbours, summed.

    The uniform ("umbrella") Laplacian. A vertex without neighbours counts as at rest.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[...]`` in squared units of the vertices.
    """
    edges = mesh.edges(faces)
    tail, head = np.concatenate([edges, edges[:, ::-1]]).T
    count = vertices.shape[-2]
    degree = np.bincount(tail, minlength=count)[:, None]
    total = deterministic.segment_sum(deterministic.take(vertices, head), tail, count)
    offset = jnp.where(degree > 0, vertices - total / np.maximum(degree, 1), 0)
    return jnp.sum(offset**2, axis=(-2, -1))


def flatten(vertices: jax.Array, faces: ArrayLike) -> jax.Array:
    """How far the angles between neighbouring faces are from flat, summed over edges.

    ``sum_e (cos t_e + 1)^2`` with ``t_e`` the angle between the heights of the two
    faces over their common edge: 0 for flat, 4 for folded. All edges with exactly two
    faces count; boundary edges do not. The constant 1e-6 within is that of the
    original, and makes the loss depend a little on the scale of the mesh.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[...]``.
    """
    eps = 1e-6
    corners = deterministic.take(vertices, mesh.interior_edges(faces))  # [..., E, 4, 3]
    origin = corners[..., 0, :]
    edge = corners[..., 1, :] - origin
    edge2 = jnp.sum(edge * edge, axis=-1)

    def height(side):
        """Vector from the edge to a third corner, at right angles, and its length."""
        along = jnp.sum(edge * side, axis=-1)
        length = jnp.sqrt(jnp.sum(side * side, axis=-1) + eps)
        cosine = along / (jnp.sqrt(edge2 + eps) * length + eps)
        sine = jnp.sqrt(1 - cosine**2 + eps)
        return side - edge * (along / (edge2 + eps))[..., None], length * sine

    height1, length1 = height(corners[..., 2, :] - origin)
    height2, length2 = height(corners[..., 3, :] - origin)
    cosine = jnp.sum(height1 * height2, axis=-1) / (length1 * length2 + eps)
    return jnp.sum((cosine + 1) ** 2, axis=-1)
