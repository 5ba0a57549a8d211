"""Point-triangle geometry in the image plane, one formula for every implementation.

All functions here are elementwise: pixels and corners may be scalars, arrays that
broadcast, or blocks in a kernel.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

# An edge whose squared length (NDC) is below this is a point: 1 / length**2 stays
# finite.
_POINT_EDGE = 1e-12

FARTHEST = 1e8
"""Largest coordinate of a drawn corner, NDC; larger ones come from the camera plane."""

NEAREST = 1e-18
"""Least depth of a drawn corner, world units: derivatives divide by its square."""

# A triangle whose doubled area (NDC squared) is below this is a line or a point.
_LEAST_AREA = 1e-10


class Corners(NamedTuple):
    """Corners of triangles, NDC; each field has the shape ``[...]``."""

    x0: jax.Array
    y0: jax.Array
    x1: jax.Array
    y1: jax.Array
    x2: jax.Array
    y2: jax.Array


class Nearest(NamedTuple):
    """Nearest point to a pixel on the boundary of a triangle.

    Attributes:
        signed: squared distance to the boundary, NDC squared; positive inside the
            triangle, negative outside.
        x: pixel minus the nearest boundary point, x component, NDC.
        y: pixel minus the nearest boundary point, y component, NDC.
        weights: barycentric coordinates of the nearest boundary point, one of them 0.
        inside: whether the pixel lies in the closed triangle.
    """

    signed: jax.Array
    x: jax.Array
    y: jax.Array
    weights: tuple[jax.Array, jax.Array, jax.Array]
    inside: jax.Array


def corners(face_vertices: jax.Array) -> Corners:
    """Splits corners ``[..., 3, 2]`` into six arrays ``[...]``."""
    return Corners(*(face_vertices[..., k // 2, k % 2] for k in range(6)))


def _edge(px, py, ax, ay, bx, by):
    """Nearest point of the segment a-b to a pixel.

    Returns:
        The offset of the pixel from it in x and y, its parameter in [0, 1], the squared
        distance, twice the signed area of a, b and the pixel, and the squared length.
    """
    ex, ey = bx - ax, by - ay
    length2 = ex * ex + ey * ey
    # both branches of `where` stay finite, so that their derivatives do
    inverse = jnp.where(
        length2 > _POINT_EDGE, 1 / jnp.where(length2 > _POINT_EDGE, length2, 1), 0
    )
    dx, dy = px - ax, py - ay
    t = jnp.minimum(jnp.maximum((dx * ex + dy * ey) * inverse, 0), 1)
    rx, ry = dx - t * ex, dy - t * ey
    return rx, ry, t, rx * rx + ry * ry, ex * dy - ey * dx, length2


def nearest(px: jax.Array, py: jax.Array, triangle: Corners) -> Nearest:
    """Signed squared distance from pixels to the boundaries of triangles.

    The minimum over the three edges of the squared distance to the segment; equal to
    the distance in section 3.1 of Liu et al. (2019), and precise for slivers, where a
    formulation by barycentric coordinates cancels.

    Args:
        px: pixel centres, x, NDC.
        py: pixel centres, y, NDC.
        triangle: corners, NDC; of either orientation.

    Returns:
        The nearest boundary points, of the broadcast shape.
    """
    x0, y0, x1, y1, x2, y2 = triangle
    r0x, r0y, t0, d0, side0, length0 = _edge(px, py, x0, y0, x1, y1)
    r1x, r1y, t1, d1, side1, length1 = _edge(px, py, x1, y1, x2, y2)
    r2x, r2y, t2, d2, side2, length2 = _edge(px, py, x2, y2, x0, y0)
    # Two edges tie at a shared corner. The gradient of `minimum` is an equality test,
    # which can fail on both sides when XLA rounds the two uses of d0 differently.
    use0 = (d0 <= d1) & (d0 <= d2)
    use1 = d1 <= d2  # among the other two

    def select(a, b, c):
        return jnp.where(use0, a, jnp.where(use1, b, c))

    distance2 = select(d0, d1, d2)
    lowest = jnp.minimum(side0, jnp.minimum(side1, side2))
    highest = jnp.maximum(side0, jnp.maximum(side1, side2))
    # No interior point is farther from the boundary than the height over the longest
    # edge. Rounding can put a pixel in line with a sliver on the inner side of all
    # three edges; this bound keeps it out.
    double_area = twice_area(triangle)
    longest = jnp.maximum(jnp.maximum(length0, jnp.maximum(length1, length2)), 1e-12)
    inside = ((lowest >= 0) | (highest <= 0)) & (
        distance2 <= 1.001 * double_area * double_area / longest
    )
    # edge k runs from corner k to the next: weights 1 - t and t
    weight0 = select(1 - t0, 0, t2)
    weight1 = select(t0, 1 - t1, 0)
    weight2 = select(0, t1, 1 - t2)
    return Nearest(
        jnp.where(inside, distance2, -distance2),
        select(r0x, r1x, r2x),
        select(r0y, r1y, r2y),
        (weight0, weight1, weight2),
        inside,
    )


def twice_area(triangle: Corners) -> jax.Array:
    """Twice the signed area, NDC squared: positive if counter-clockwise."""
    x0, y0, x1, y1, x2, y2 = triangle
    return (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)


def has_area(triangle: Corners) -> jax.Array:
    """Whether a triangle is neither a line nor a point, beyond doubt by rounding.

    A compiler may round one of the two products of `twice_area` and not the other.
    """
    x0, y0, x1, y1, x2, y2 = triangle
    size = jnp.abs((x1 - x0) * (y2 - y0)) + jnp.abs((y1 - y0) * (x2 - x0))
    noise = 4 * float(jnp.finfo(size.dtype).eps) * size
    return jnp.abs(twice_area(triangle)) > _LEAST_AREA + noise


def barycentric(
    px: jax.Array, py: jax.Array, triangle: Corners
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Barycentric coordinates of pixels, affine and unbounded, of sum 1 up to rounding.

    For triangles of no area they are finite and meaningless.
    """
    x0, y0, x1, y1, x2, y2 = triangle

    def side(ax, ay, bx, by):
        return (bx - ax) * (py - ay) - (by - ay) * (px - ax)

    inverse = _inverse_area(triangle)
    return (
        side(x1, y1, x2, y2) * inverse,
        side(x2, y2, x0, y0) * inverse,
        side(x0, y0, x1, y1) * inverse,
    )


def _inverse_area(triangle: Corners) -> jax.Array:
    return 1 / jnp.where(has_area(triangle), twice_area(triangle), _LEAST_AREA)


class Location(NamedTuple):
    """Positions of pixels relative to triangles.

    Attributes:
        signed: `Nearest.signed`.
        coordinates: barycentric coordinates of the pixels, as from `barycentric`.
        nearest: `Nearest.weights`, without derivatives.
        inside: 1 in the closed triangle, and 0 elsewhere: a number, as custom rules for
            derivatives cannot return booleans within `jax.shard_map`.
    """

    signed: jax.Array
    coordinates: tuple[jax.Array, jax.Array, jax.Array]
    nearest: tuple[jax.Array, jax.Array, jax.Array]
    inside: jax.Array


def _assemble(near: Nearest, coordinates) -> Location:
    inside = jnp.where(near.inside, jnp.ones_like(near.signed), 0)
    return Location(near.signed, coordinates, near.weights, inside)


@jax.custom_jvp
def locate(px: jax.Array, py: jax.Array, triangle: Corners) -> Location:
    """Computes `nearest` and `barycentric` at once, with an inexpensive derivative.

    A shift of the nearest boundary point Q along the boundary does not change the
    distance to first order. Its derivative therefore follows from Q alone: with the
    barycentric coordinates v of Q, ``d s / d A_k = -2 v_k (P - Q)`` inside and the
    opposite outside. A shift of corner k moves the plane of a barycentric coordinate w
    of P by its part at that corner: ``d w / d A_k = -w_k grad w``.
    """
    return _assemble(nearest(px, py, triangle), barycentric(px, py, triangle))


@locate.defjvp
def _locate_derivative(primals, tangents):
    px, py, triangle = primals
    near, weights = nearest(px, py, triangle), barycentric(px, py, triangle)
    # Broadcast over the pixels before use: transposed, each is one sum over pixels.
    dx, dy, *moved = (
        jnp.broadcast_to(tangent, near.signed.shape)
        for tangent in (*tangents[:2], *tangents[2])
    )

    def shift(weights):
        """Shift of P relative to the point of the triangle with these weights."""
        w0, w1, w2 = weights
        return (
            dx - (w0 * moved[0] + w1 * moved[2] + w2 * moved[4]),
            dy - (w0 * moved[1] + w1 * moved[3] + w2 * moved[5]),
        )

    shift_x, shift_y = shift(near.weights)
    pull = jnp.where(near.signed > 0, 2, -2)
    change = pull * (near.x * shift_x + near.y * shift_y)

    shift_x, shift_y = shift(weights)
    x0, y0, x1, y1, x2, y2 = triangle
    inverse = _inverse_area(triangle)
    gradients = ((y1 - y2, x2 - x1), (y2 - y0, x0 - x2), (y0 - y1, x1 - x0))
    changes = tuple(inverse * (gx * shift_x + gy * shift_y) for gx, gy in gradients)
    location = _assemble(near, weights)
    constant = jax.tree.map(jnp.zeros_like, location)
    return location, constant._replace(signed=change, coordinates=changes)


def pixel_centers(height: int, width: int, dtype) -> tuple[jax.Array, jax.Array]:
    """NDC of pixel centres: x ``[W]``, rising, and y ``[H]``, falling from the top.

    In an image 4 pixels wide they lie at x = -0.75, -0.25, 0.25, 0.75.
    """
    x = (2 * jnp.arange(width, dtype=dtype) + (1 - width)) / width
    y = ((height - 1) - 2 * jnp.arange(height, dtype=dtype)) / height
    return x, y
