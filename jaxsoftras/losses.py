"""Losses on silhouettes and on the shape of meshes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import deterministic, mesh


def silhouette_iou(predicted: jax.Array, target: jax.Array) -> jax.Array:
    """Soft intersection over union of silhouettes (Liu et al., 2019, eq. 7).

    ``sum(p t) / (sum(p + t - p t) + 1e-6)``; the loss is one minus this.

    Args:
        predicted: ``[..., H, W]`` alpha in [0, 1].
        target: ``[..., H, W]`` alpha in [0, 1].

    Returns:
        ``[...]`` in [0, 1).

    Example:
        >>> left, top = jnp.array([[1, 0], [1, 0]]), jnp.array([[1, 1], [0, 0]])
        >>> print(losses.silhouette_iou(left, top))  # 1 of 3 pixels
        0.3333332
    """
    product = predicted * target
    intersection = jnp.sum(product, axis=(-2, -1))
    union = jnp.sum(predicted + target - product, axis=(-2, -1))
    return intersection / (union + 1e-6)


def laplacian(vertices: jax.Array, faces: ArrayLike) -> jax.Array:
    """Laplacian loss: squared distances from vertices to the mean of their neighbours.

    ``sum_i |v_i - mean_{j next to i} v_j|^2``, the uniform ("umbrella") Laplacian. A
    vertex without neighbours contributes nothing.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[...]`` in squared units of the vertices.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> print(losses.laplacian(jnp.asarray(sphere.vertices), sphere.faces).round(3))
        3.667
    """
    edges = mesh.edges(faces)
    tail, head = np.concatenate([edges, edges[:, ::-1]]).T
    count = vertices.shape[-2]
    degree = np.bincount(tail, minlength=count)[:, None]
    total = deterministic.segment_sum(deterministic.take(vertices, head), tail, count)
    offset = jnp.where(degree > 0, vertices - total / np.maximum(degree, 1), 0)
    return jnp.sum(offset**2, axis=(-2, -1))


def flatten(vertices: jax.Array, faces: ArrayLike) -> jax.Array:
    """Flatness loss: deviation from flat of the angles between neighbouring faces.

    ``sum_e (cos t_e + 1)^2`` with ``t_e`` the angle between the heights of the two
    faces over their common edge: each term is 0 for flat, 4 for folded. All edges with
    exactly two faces count; boundary edges do not. A constant of 1e-6, as in Soft
    Rasterizer, makes the loss depend slightly on the scale of the mesh.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[...]``.

    Example:
        >>> square = jnp.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
        >>> folded = square.at[3].set(jnp.array([0.1, 0.1, 0.0]))
        >>> faces = np.array([[0, 1, 2], [2, 1, 3]])
        >>> print(losses.flatten(jnp.stack([square, folded]), faces).round(2))
        [0. 4.]
    """
    eps = 1e-6
    corners = deterministic.take(vertices, mesh.interior_edges(faces))  # [..., E, 4, 3]
    origin = corners[..., 0, :]
    edge = corners[..., 1, :] - origin
    edge2 = jnp.sum(edge * edge, axis=-1)

    def height(side):
        """Perpendicular vector from the edge to a third corner, and its length."""
        along = jnp.sum(edge * side, axis=-1)
        length = jnp.sqrt(jnp.sum(side * side, axis=-1) + eps)
        cosine = along / (jnp.sqrt(edge2 + eps) * length + eps)
        sine = jnp.sqrt(1 - cosine**2 + eps)
        return side - edge * (along / (edge2 + eps))[..., None], length * sine

    height1, length1 = height(corners[..., 2, :] - origin)
    height2, length2 = height(corners[..., 3, :] - origin)
    cosine = jnp.sum(height1 * height2, axis=-1) / (length1 * length2 + eps)
    return jnp.sum((cosine + 1) ** 2, axis=-1)
