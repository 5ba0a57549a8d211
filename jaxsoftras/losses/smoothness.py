"""Losses on the shape of meshes: Laplacian, normals, edges, angles between faces."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, deterministic
from jaxsoftras.losses import connectivity
from jaxsoftras.losses.inputs import (
    as_array,
    as_mesh,
    as_numbers,
    check_leading,
    masked_mean,
    square_root,
    unit_normal,
)
from jaxsoftras.mesh import gather_corners, vertex_sums

LaplacianWeights = Literal["uniform", "cotangent"]
"""Weights of the neighbours of a vertex: all equal, or by the angles of the faces."""


def _over_topologies(loss: Callable, vertices, faces, *numbers) -> jax.Array:
    """Calls a loss of faces ``[F, 3]``, once for each topology of a batch.

    Args:
        loss: takes vertices ``[..., V, 3]``, faces ``[F, 3]`` and numbers ``[...]``.
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]``.
        numbers: arrays ``[...]``.
    """
    if faces.ndim == 2:
        return loss(vertices, faces, *numbers)
    signature = "(v,c),(f,k)" + ",()" * len(numbers) + "->()"
    return jnp.vectorize(loss, signature=signature)(vertices, faces, *numbers)


def _uniform_laplacian(vertices: jax.Array, faces: jax.Array | np.ndarray) -> jax.Array:
    edges, exists = connectivity.edges(faces)
    xp = np if exists is None else jnp
    tail, head = xp.concatenate([edges, edges[:, ::-1]]).T
    neighbours, count = deterministic.take(vertices, head), vertices.shape[-2]
    if exists is None:
        degree = np.bincount(tail, minlength=count)[:, None]
    else:
        both = jnp.concatenate([exists, exists])[:, None]
        neighbours = jnp.where(both, neighbours, 0)
        degree = deterministic.segment_sum(both.astype(vertices.dtype), tail, count)
    total = deterministic.segment_sum(neighbours, tail, count)
    offset = jnp.where(degree > 0, vertices - total / xp.maximum(degree, 1), 0)
    return jnp.sum(offset**2, axis=(-2, -1))


def _cotangent_laplacian(
    vertices: jax.Array, faces: jax.Array | np.ndarray
) -> jax.Array:
    # The sum over the neighbours is the derivative of the area of the faces around, in
    # which no cotangent grows without bound.
    corners = gather_corners(vertices, faces, padding=0.0)
    a, b, c = (corners[..., k, :] for k in range(3))
    normal = unit_normal(b - a, c - a)
    opposite = jnp.stack([c - b, a - c, b - a], axis=-2)
    slope = jnp.cross(normal[..., None, :], opposite) / 2
    return jnp.sum(vertex_sums(slope, faces, vertices.shape[-2]) ** 2, axis=(-2, -1))


def laplacian(
    vertices: ArrayLike, faces: ArrayLike, *, weights: LaplacianWeights = "uniform"
) -> jax.Array:
    """Laplacian loss: squared distances from vertices to the mean of their neighbours.

    ``"uniform"``: ``sum_i |v_i - mean_{j next to i} v_j|^2``, the "umbrella" operator.
    It also evens out the lengths of edges.

    ``"cotangent"``: ``sum_i |sum_{j next to i} (cot a_ij + cot b_ij) / 2 (v_i -
    v_j)|^2`` with the angles opposite to the edge in its two faces, the integrated mean
    curvature vector, which is the derivative of the surface area (Pinkall and Polthier,
    1993). It is 0 inside of flat regions, whatever their triangles, but not at their
    boundary. The sum is not divided by the weights, whose sum can vanish.

    A vertex without neighbours contributes nothing, nor does a face without area to
    ``"cotangent"``.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.
        weights: see above.

    Returns:
        ``[...]`` sums over the vertices, in squared units of the vertices.

    Raises:
        ValueError: a wrong shape, dtype or choice, or a vertex that does not exist.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> print(losses.laplacian(sphere.vertices, sphere.faces).round(3))
        3.667
        >>> print(losses.laplacian(*sphere[:2], weights="cotangent").round(3))
        30.557
    """
    checks.check_choice("weights", weights, LaplacianWeights)
    return _laplacian(*as_mesh(vertices, faces), weights)


@functools.partial(jax.jit, static_argnames="weights")
def _laplacian(vertices, faces, weights: LaplacianWeights) -> jax.Array:
    (vertices,), faces = checks.as_floats(vertices), as_array(faces)
    if weights == "cotangent":
        return _cotangent_laplacian(vertices, faces)
    return _over_topologies(_uniform_laplacian, vertices, faces)


def normal_consistency(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Normal consistency loss: differences of the normals of neighbouring faces.

    ``mean_e (1 - cos t_e)`` with ``t_e`` the angle between the unit normals of the two
    faces of an edge, both seen from the same side: each term is 0 for flat, 1 for a
    right angle, 2 for folded. The mean runs over all edges with exactly two faces that
    have an area; the loss is 0 if there are none. The orientation of the faces and the
    scale of the mesh do not matter.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        ``[...]`` in [0, 2].

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> value = losses.normal_consistency(sphere.vertices, sphere.faces)
        >>> print(value.round(4), round(1 - 5**0.5 / 3, 4))
        0.2546 0.2546
    """
    return _normal_consistency(*as_mesh(vertices, faces))


@jax.jit
def _normal_consistency(vertices, faces) -> jax.Array:
    (vertices,) = checks.as_floats(vertices)

    def loss(vertices, faces):
        ends, exists = connectivity.interior_edges(faces)
        corners = deterministic.take(vertices, ends)  # [..., E, 4, 3]
        edge, side, other = (
            corners[..., k, :] - corners[..., 0, :] for k in range(1, 4)
        )
        normal, next_normal = unit_normal(edge, side), unit_normal(other, edge)
        cosine = jnp.sum(normal * next_normal, axis=-1)
        both = jnp.any(normal != 0, axis=-1) & jnp.any(next_normal != 0, axis=-1)
        return masked_mean(1 - cosine, both if exists is None else both & exists)

    return _over_topologies(loss, vertices, as_array(faces))


def edge_length(
    vertices: ArrayLike, faces: ArrayLike, *, target: ArrayLike = 0.0
) -> jax.Array:
    """Edge length loss: mean squared deviation of the lengths of edges.

    ``mean_e (|e| - target)^2`` over the distinct edges of a mesh; 0 if there are none.
    With the default target, it is the mean squared length (the edge regularisation of
    Wang et al., 2018, Pixel2Mesh, as a mean). An edge of length 0 has no gradient.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.
        target: wanted length: a scalar, or one per mesh ``[...]``; may be traced.

    Returns:
        ``[...]`` in squared units of the vertices.

    Raises:
        ValueError: a wrong shape or dtype, a vertex that does not exist, or a target
            that is negative or not finite.

    Example:
        >>> vertices = jnp.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])
        >>> print(losses.edge_length(vertices, [[0, 1, 2]]))  # sides of 3, 4 and 5
        16.666666
        >>> print(losses.edge_length(vertices, [[0, 1, 2]], target=4.0))
        0.6666667
    """
    points, topology = as_mesh(vertices, faces)
    length = as_numbers("target", target, "[...], one per mesh, or be a scalar")
    check_leading(
        vertices=points.shape[:-2], faces=topology.shape[:-2], target=length.shape
    )
    checks.check_values(
        "target must be a length: not negative, and finite.",
        lambda length: (length >= 0) & np.isfinite(length),
        length,
    )
    return _edge_length(points, topology, length)


@jax.jit
def _edge_length(vertices, faces, target) -> jax.Array:
    vertices, target = checks.as_floats(vertices, target)

    def loss(vertices, faces, target):
        ends, exists = connectivity.edges(faces)
        corners = deterministic.take(vertices, ends)  # [..., E, 2, 3]
        edge = corners[..., 1, :] - corners[..., 0, :]
        length = square_root(jnp.sum(edge * edge, axis=-1))
        return masked_mean((length - target[..., None]) ** 2, exists)

    return _over_topologies(loss, vertices, as_array(faces), target)


def flatten(vertices: ArrayLike, faces: ArrayLike) -> jax.Array:
    """Flatness loss: deviation from flat of the angles between neighbouring faces.

    ``sum_e (cos t_e + 1)^2`` with ``t_e`` the angle between the heights of the two
    faces over their common edge: each term is 0 for flat, 4 for folded. All edges with
    exactly two faces count; boundary edges do not.

    A constant of 1e-6 in squared units, as in Soft Rasterizer, makes short edges look
    bent: flat faces with sides of 0.03 count as much as a bend of 5 degrees, with sides
    of 0.01 as one of 15, and of 0.001 as one of 76. Scale a small mesh to a longest
    side of 1; where its edges are still below 0.03, as those of very fine meshes, use
    `normal_consistency`, for which scale does not matter.

    Args:
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        ``[...]`` sums over the edges.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.

    Example:
        >>> square = jnp.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
        >>> folded = square.at[3].set(jnp.array([0.1, 0.1, 0.0]))
        >>> faces = np.array([[0, 1, 2], [2, 1, 3]])
        >>> print(losses.flatten(jnp.stack([square, folded]), faces).round(2))
        [0. 4.]
    """
    return _flatten(*as_mesh(vertices, faces))


@jax.jit
def _flatten(vertices, faces) -> jax.Array:
    (vertices,) = checks.as_floats(vertices)
    return _over_topologies(_flatten_one_topology, vertices, as_array(faces))


def _flatten_one_topology(
    vertices: jax.Array, faces: jax.Array | np.ndarray
) -> jax.Array:
    eps = 1e-6
    ends, exists = connectivity.interior_edges(faces)
    corners = deterministic.take(vertices, ends)  # [..., E, 4, 3]
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
    terms = (cosine + 1) ** 2
    return jnp.sum(terms if exists is None else jnp.where(exists, terms, 0), axis=-1)
