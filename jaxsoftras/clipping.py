"""Exact clipping of faces that reach behind the camera.

A point at or behind the camera's plane has no projection. A face with such a corner is
cut by a plane of constant depth, before which no point of it is in the image, and drawn
as the one or two triangles that remain, faces like any others. Two triangles share an
edge, along which alpha is that of any edge between two faces.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.camera import Camera
from jaxsoftras.rasterization.attributes import at_new_corners

# Views through a lens are assumed to end 87 degrees off the axis.
_LENS_RADIUS = 20.0
# Least depth of the cut, relative to the largest coordinate of the face: its corners
# stay within 1e5 times the focal length, where single precision still resolves pixels.
_LEAST = 1e-5
# A corner that is farther than this part of the depth of the cut is drawn as it is.
_CLOSE = 1 / 64


class Pieces(NamedTuple):
    """Triangles that remain of faces, two for each.

    Attributes:
        corners: ``[..., 2 F, 3, 3]`` camera space; the second triangles come after all
            first ones. A triangle that does not exist lies behind the camera.
        weights: ``[..., 2 F, 3, 3]`` barycentric coordinates of each corner (second to
            last axis) in its face; meaningless for faces that are not cut.
        cut: ``[..., F]`` whether a face is cut.
    """

    corners: jax.Array
    weights: jax.Array
    cut: jax.Array

    def gather(self, values: jax.Array) -> jax.Array:
        """Interpolates attributes ``[..., F, 3, C]`` at the corners of the pieces."""
        doubled = jnp.concatenate([values, values], axis=-3)
        cut = jnp.concatenate([self.cut, self.cut], axis=-1)
        return at_new_corners(self.weights, doubled, cut)


def view_radius(camera: Camera, margin: jax.Array) -> jax.Array:
    """Distance from the optical axis of the farthest point seen, at depth 1.

    Args:
        camera: a perspective camera.
        margin: ``[...]`` reach of a face beyond its boundary, NDC.

    Returns:
        ``[...]`` tangent of the widest angle to the optical axis.
    """
    if camera.distortion is not None or camera.lens == "fisheye":
        return jnp.full_like(camera.focal_length[..., 0], _LENS_RADIUS)
    reach = 1 + margin[..., None] + jnp.abs(camera.principal_point)
    y = reach[..., 1] / camera.focal_length[..., 1]
    across = reach[..., 0]
    if camera.skew is not None:
        across += jnp.abs(camera.skew) * y
    x = across / camera.focal_length[..., 0]
    return jnp.sqrt(x * x + y * y)


def cut_depth(
    camera: Camera, corners: jax.Array, margin: jax.Array | float
) -> jax.Array:
    """Depth before which no point of a face is in the image.

    A point at the distance d from the camera, seen under the angle a to the optical
    axis, has the depth ``d cos a``. No point of a face is nearer than its plane.

    Args:
        camera: its batch axes broadcast against the leading axes of the corners.
        corners: ``[..., F, 3, 3]`` camera space.
        margin: ``[...]`` reach of a face beyond its boundary, NDC.

    Returns:
        ``[..., F]`` positive; a hundred-thousandth of the extent of the face at least.
    """
    extent = jnp.max(jnp.abs(corners), axis=(-2, -1))
    scale = jnp.maximum(extent, float(jnp.finfo(corners.dtype).tiny) ** 0.25)
    least = _LEAST * scale
    if camera.projection == "orthographic":
        return least
    unit = corners / scale[..., None, None]
    origin = unit[..., 0, :]
    normal = jnp.cross(unit[..., 1, :] - origin, unit[..., 2, :] - origin)
    height = jnp.abs(jnp.sum(normal * origin, axis=-1))
    length2 = jnp.sum(normal * normal, axis=-1)
    distance = scale * height * lax.rsqrt(jnp.maximum(length2, 1e-24))
    radius = view_radius(camera, jnp.asarray(margin))
    cosine = lax.rsqrt(1 + radius * radius)
    return jnp.maximum(cosine[..., None] * distance, least)


def clip_faces(corners: jax.Array, depth: jax.Array) -> Pieces:
    """Cuts faces that reach behind the camera, at a given depth.

    Differentiable in both.

    Args:
        corners: ``[..., F, 3, 3]`` camera space, finite.
        depth: ``[..., F]`` of the cut, positive.

    Returns:
        The pieces. Faces wholly in front of the camera, or behind it, are kept.

    Example:
        >>> corners = jnp.array([[[0.0, 0, 3], [1, 0, -1], [0, 1, -1]]])
        >>> pieces = clipping.clip_faces(corners, jnp.ones(1))
        >>> print(pieces.corners[0])
        [[0.  0.  3. ]
         [0.5 0.  1. ]
         [0.  0.5 1. ]]
    """
    above = corners[..., 2] - depth[..., None]
    front = above > 0
    close = jnp.any(corners[..., 2] <= _CLOSE * depth[..., None], axis=-1)
    count = jnp.sum(front, axis=-1)
    cut = close & (count > 0)
    # the corner that is alone on its side comes first, as `odd`
    alone = front == (count == 1)[..., None]
    number = jnp.argmax(alone, axis=-1)
    odd, after, before = (
        jax.nn.one_hot((number + k) % 3, 3, dtype=corners.dtype) for k in range(3)
    )

    def crossing(other):
        """Weights of the point at the depth of the cut between `odd` and another."""
        a, b = (jnp.sum(e * above, axis=-1) for e in (odd, other))
        rise = jnp.where(cut, a - b, 1)
        t = (jnp.where(cut, a, 0) / jnp.where(rise == 0, 1, rise))[..., None]
        return odd + t * (other - odd)

    right, left = crossing(after), crossing(before)
    tip = (count == 1)[..., None]
    first = [jnp.where(tip, odd, right), jnp.where(tip, right, after)]
    first = jnp.stack([*first, jnp.where(tip, left, before)], axis=-2)
    second = jnp.stack([right, before, left], axis=-2)
    pieces = Pieces(corners, jnp.concatenate([first, second], axis=-3), cut)
    first, second = jnp.split(pieces.gather(corners), 2, axis=-3)
    exists = (cut & (count == 2))[..., None, None]
    second = jnp.where(exists, second, jnp.array([0, 0, -1], corners.dtype))
    return pieces._replace(corners=jnp.concatenate([first, second], axis=-3))
