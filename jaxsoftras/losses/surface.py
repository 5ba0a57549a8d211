"""Exact distances from points to the surface of meshes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.losses import search
from jaxsoftras.losses.inputs import (
    Array,
    as_numbers,
    check_leading,
    check_mask,
    masked_mean,
    square_root,
)
from jaxsoftras.mesh import checked_faces, gather_corners
from jaxsoftras.surface_sampling import SurfacePoints

Vector = Sequence[jax.Array]
"""Three coordinates, arrays that broadcast."""


class _Triangle(NamedTuple):
    """A triangle, prepared for distances to many points.

    Attributes:
        corner: its first corner.
        side: from the first corner to the second.
        other: from the first corner to the third.
        along_side: its product with an offset from the first corner is the second
            barycentric coordinate of the point; 0 for triangles without area.
        along_other: the same for the third coordinate.
        inverses: inverse squared lengths of the sides from first to second, first to
            third, and second to third corner; 0 for a length of 0.
    """

    corner: Vector
    side: Vector
    other: Vector
    along_side: Vector
    along_other: Vector
    inverses: Vector


def _dot(a: Vector, b: Vector) -> jax.Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return [a[k - 2] * b[k - 1] - a[k - 1] * b[k - 2] for k in range(3)]


def _minus(a: Vector, b: Vector) -> Vector:
    return [x - y for x, y in zip(a, b, strict=True)]


def _invert(value: jax.Array, least: float) -> jax.Array:
    """``1 / value``, or 0 where the value is too small."""
    enough = value > least
    # both branches of `where` stay finite, so that their derivatives do
    return jnp.where(enough, 1 / jnp.where(enough, value, 1), 0)


def _prepare(corners: jax.Array) -> _Triangle:
    """Prepares triangles ``[..., 3, 3]``: corners, coordinates."""
    a, b, c = ([corners[..., k, axis] for axis in range(3)] for k in range(3))
    side, other = _minus(b, a), _minus(c, a)
    squares = [_dot(edge, edge) for edge in (side, other, _minus(c, b))]
    info = jnp.finfo(corners.dtype)
    # the derivative of an inverse is its square, which must not overflow
    inverses = [_invert(square, 4 * float(info.tiny) ** 0.5) for square in squares]
    # With sides up to length 1, rounding bounds the area, and no product underflows.
    shrink = square_root(jnp.minimum(inverses[0], inverses[1]))
    unit_side, unit_other = ([shrink * x for x in edge] for edge in (side, other))
    normal = _cross(unit_side, unit_other)
    inverse = shrink * _invert(_dot(normal, normal), (4 * float(info.eps)) ** 2)
    return _Triangle(
        a,
        side,
        other,
        [inverse * x for x in _cross(unit_other, normal)],
        [inverse * x for x in _cross(normal, unit_side)],
        inverses,
    )


def _candidates(point: Vector, triangle: _Triangle) -> list[tuple[jax.Array, ...]]:
    """Nearest points of the plane and of the sides of a triangle, all of them in it.

    Returns:
        Squared distance, second and third barycentric coordinate of each. The squared
        distance is infinite for a point of the plane outside of the triangle.
    """
    r, side, other = _minus(point, triangle.corner), triangle.side, triangle.other
    third = _minus(other, side)
    across = _minus(r, side)

    def clip(value):
        return jnp.minimum(jnp.maximum(value, 0), 1)

    def square(u, v):
        offset = [x - u * s - v * o for x, s, o in zip(r, side, other, strict=True)]
        return _dot(offset, offset)

    u, v = _dot(r, triangle.along_side), _dot(r, triangle.along_other)
    inside = (u >= 0) & (v >= 0) & (u + v <= 1)
    on_side = clip(_dot(r, side) * triangle.inverses[0])
    on_other = clip(_dot(r, other) * triangle.inverses[1])
    on_third = clip(_dot(across, third) * triangle.inverses[2])
    return [
        (jnp.where(inside, square(u, v), jnp.inf), u, v),
        (square(on_side, 0), on_side, jnp.zeros_like(on_side)),
        (square(0, on_other), jnp.zeros_like(on_other), on_other),
        (square(1 - on_third, on_third), 1 - on_third, on_third),
    ]


def _weights(points: jax.Array, corners: jax.Array) -> jax.Array:
    """Barycentric coordinates ``[..., 3]`` of the nearest points of triangles.

    Args:
        points: ``[..., 3]``.
        corners: ``[..., 3, 3]``: corners, coordinates.
    """
    point = [points[..., axis] for axis in range(3)]
    least, *others = _candidates(point, _prepare(corners))
    for candidate in others:
        closer = candidate[0] < least[0]
        least = [jnp.where(closer, x, y) for x, y in zip(candidate, least, strict=True)]
    _, u, v = least
    return jnp.stack([1 - u - v, u, v], axis=-1)


def _weigh(weights: jax.Array, corners: jax.Array) -> jax.Array:
    """Points ``[..., 3]`` of barycentric coordinates ``[..., 3]``."""
    return jnp.sum(weights[..., None] * corners, axis=-2)


@jax.custom_jvp
def _squared_distance(points: jax.Array, corners: jax.Array) -> jax.Array:
    """Squared distances ``[...]`` from points to triangles.

    A shift of the nearest point within the triangle does not change the distance to
    first order: the derivative is that at constant weights, which stays precise for
    slivers. Second derivatives see the weights change.
    """
    offset = points - _weigh(_weights(points, corners), corners)
    return jnp.sum(offset * offset, axis=-1)


@_squared_distance.defjvp
def _(primals, tangents):
    (points, corners), (moved, moved_corners) = primals, tangents
    weights = _weights(points, corners)
    offset = points - _weigh(weights, corners)
    change = moved - _weigh(weights, moved_corners)
    return jnp.sum(offset * offset, axis=-1), 2 * jnp.sum(offset * change, axis=-1)


def _distance(query: Vector, target: Sequence[jax.Array]) -> jax.Array:
    """Squared distance to a triangle of `_find_faces`, for `search.nearest`."""
    triangle = _Triangle(*(target[3 * k : 3 * k + 3] for k in range(6)))
    squares = [square for square, *_ in _candidates(query, triangle)]
    return functools.reduce(jnp.minimum, squares) + target[18]


def _find_faces(
    points: jax.Array, vertices: jax.Array, faces: jax.Array | np.ndarray
) -> jax.Array:
    """Indices ``[..., P]`` of the nearest faces."""
    corners = gather_corners(vertices, faces, padding=jnp.inf)
    usable = jnp.all(jnp.isfinite(corners), axis=(-2, -1), keepdims=True)
    triangle = _prepare(jnp.where(usable, corners, 0))
    penalty = jnp.where(usable[..., 0, 0], 0, jnp.inf).astype(points.dtype)
    targets = jnp.stack([*(x for vector in triangle for x in vector), penalty], -1)
    batch = jnp.broadcast_shapes(points.shape[:-2], targets.shape[:-2])
    points, targets = (
        jnp.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
        for x in (points, targets)
    )
    return search.nearest(_distance, points, targets).reshape(*batch, -1)


def _nearest_corners(
    points: jax.Array, vertices: jax.Array, faces: jax.Array | np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Nearest faces ``[..., P]``, and their corners ``[..., P, 3, 3]``."""
    index = _find_faces(points, vertices, faces)
    if faces.ndim == 2:
        triangles = jnp.asarray(faces)[index]
    else:
        every = jnp.broadcast_to(faces, (*index.shape[:-1], *faces.shape[-2:]))
        triangles = jnp.take_along_axis(every, index[..., None], axis=-2)
    return index, gather_corners(vertices, triangles, padding=0.0)


def _check(
    points: ArrayLike, vertices: ArrayLike, faces: ArrayLike
) -> tuple[Array, ...]:
    """Checks the arguments that both public functions have."""
    points = as_numbers("points", points, "[..., P, 3]", None, 3)
    vertices = as_numbers("vertices", vertices, "[..., V, 3]", None, 3)
    faces = checked_faces(faces, vertices.shape[-2])
    check_leading(
        points=points.shape[:-2], vertices=vertices.shape[:-2], faces=faces.shape[:-2]
    )
    if faces.shape[-2] == 0:
        raise ValueError("The mesh must have at least one face.")
    checks.check_values(
        "Each mesh must have at least one face that is no padding.",
        lambda faces: np.any(faces[..., 0] >= 0, axis=-1),
        faces,
    )
    return points, vertices, faces


def nearest_surface_points(
    points: ArrayLike, vertices: ArrayLike, faces: ArrayLike
) -> SurfacePoints:
    """Finds the nearest point on the surface of a mesh for each of some points.

    Every face is looked at, in blocks of bounded memory. The results are differentiable
    (but for ``faces``) wherever the nearest point is unique; of equally near faces the
    first is taken. A face with a vertex that is not finite is nearest to nothing; one
    without area is the line or point that it is.

    Args:
        points: ``[..., P, 3]``, in the space of the vertices.
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.

    Returns:
        Points ``[..., P, 3]``, their faces ``[..., P]`` and barycentric coordinates
        ``[..., P, 3]`` on them. The distance is the length of their difference from
        ``points``.

    Raises:
        ValueError: a wrong shape or dtype, a vertex that does not exist, or a mesh
            without faces.

    Example:
        >>> corners = jnp.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
        >>> found = losses.nearest_surface_points([[1, 1, 5]], corners, [[0, 1, 2]])
        >>> print(found.points, found.faces, found.weights)
        [[1. 1. 0.]] [0] [[0.5  0.25 0.25]]
    """
    return _nearest_surface_points(*_check(points, vertices, faces))


@jax.jit
def _nearest_surface_points(points, vertices, faces) -> SurfacePoints:
    points, vertices = checks.as_floats(points, vertices)
    index, corners = _nearest_corners(points, vertices, faces)
    weights = _weights(points, corners)
    return SurfacePoints(_weigh(weights, corners), index, weights)


def point_mesh_distance(
    points: ArrayLike,
    vertices: ArrayLike,
    faces: ArrayLike,
    *,
    points_mask: ArrayLike | None = None,
    squared: bool = True,
) -> jax.Array:
    """Point-to-mesh distance: mean distance from points to the surface of a mesh.

    ``mean_p min_f |p - f|^2`` over all faces f, exact: to the nearest point of the
    face, inside of it, on a side or a corner. The distance from the mesh to the points
    is another one; for both directions, see `chamfer_distance`.

    Memory is bounded whatever the number of points and faces: every face is looked at,
    in blocks. Gradients reach points and vertices, 0 at a distance of 0.

    Args:
        points: ``[..., P, 3]``, P > 0, in the space of the vertices.
        vertices: ``[..., V, 3]``.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding. See
            `nearest_surface_points` for faces without area.
        points_mask: ``[..., P]`` bool, the points that count; None: all do.
        squared: whether distances are squared.

    Returns:
        ``[...]`` means over the points, in (squared) units of the points. Under a
        transformation, where the values of faces and masks are not known, it is 0 for a
        mesh without faces, or if no point counts.

    Raises:
        ValueError: a wrong shape or dtype, a vertex that does not exist, a mesh without
            faces, or a set without points.

    Example:
        >>> corners = jnp.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
        >>> points = jnp.array([[1.0, 1, 2], [-3, 0, 0]])  # above, and beside a corner
        >>> print(losses.point_mesh_distance(points, corners, [[0, 1, 2]]))
        6.5
    """
    arrays = _check(points, vertices, faces)
    mask = check_mask("points", points_mask, arrays[0])
    if mask is not None:
        names = ("points", "vertices", "faces")
        leading = {name: x.shape[:-2] for name, x in zip(names, arrays, strict=True)}
        check_leading(**leading, points_mask=mask.shape[:-1])
    return _point_mesh_distance(*arrays, mask, bool(squared))


@functools.partial(jax.jit, static_argnames="squared")
def _point_mesh_distance(points, vertices, faces, mask, squared: bool) -> jax.Array:
    points, vertices = checks.as_floats(points, vertices)
    _, corners = _nearest_corners(points, vertices, faces)
    distance = _squared_distance(points, corners)
    distance = distance if squared else square_root(distance)
    counts = jnp.any(faces[..., 0] >= 0, axis=-1)[..., None]
    return masked_mean(distance, counts if mask is None else counts & mask)
