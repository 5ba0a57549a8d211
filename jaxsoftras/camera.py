"""Cameras: from world space to normalised device coordinates (NDC).

Conventions, in numbers (docs/conventions.md has them with pictures of the axes):

* World: right-handed, +y up, objects within ``[-0.5, 0.5]`` on each axis.
* Camera: +x right in the image, +y up, +z forward, into the scene. Seen from a
  right-handed world this frame is left-handed, so that pictures are mirrored; the
  data sets of Soft Rasterizer are made with the same frame, which cancels it.
* NDC: ``[-1, 1]^2``, x right, y up; depth z is the distance along the optical axis, in
  world units. A pixel of an image of width W has its centre at ``x = (2 j + 1 - W) /
  W`` and that of height H at ``y = (H - 1 - 2 i) / H``; row ``i = 0`` is at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


class Camera(NamedTuple):
    """A perspective camera, a pytree whose leaves may carry batch axes.

    Attributes:
        eye: ``[..., 3]`` position of the camera, world space.
        target: ``[..., 3]`` the point it looks at, world space.
        up: ``[..., 3]`` the direction that is up in the image; not parallel to the line
            of sight.
        half_fov: ``[...]`` half of the (horizontal and vertical) field of view,
            degrees.
    """

    eye: jax.Array
    target: jax.Array
    up: jax.Array
    half_fov: jax.Array


def perspective_camera(
    eye: ArrayLike,
    target: ArrayLike | Sequence[float] = (0.0, 0.0, 0.0),
    up: ArrayLike | Sequence[float] = (0.0, 1.0, 0.0),
    half_fov: ArrayLike = 15.0,
) -> Camera:
    """Makes a `Camera` from array-likes, with the view of the SoftRas data sets."""
    dtype = jnp.result_type(float, eye)
    return Camera(*(jnp.asarray(field, dtype) for field in (eye, target, up, half_fov)))


def eye_from_angles(
    distance: ArrayLike, elevation: ArrayLike, azimuth: ArrayLike
) -> jax.Array:
    """Position on a sphere around the origin.

    Azimuth 0 lies on -z (the camera looks along +z); positive elevations lie above.

    Args:
        distance: ``[...]`` distance from the origin, world units.
        elevation: ``[...]`` degrees above the horizon.
        azimuth: ``[...]`` degrees; 90 lies on +x.

    Returns:
        ``[..., 3]`` world space.
    """
    elevation = jnp.deg2rad(jnp.asarray(elevation, jnp.result_type(float)))
    azimuth = jnp.deg2rad(jnp.asarray(azimuth, jnp.result_type(float)))
    direction = jnp.stack(
        jnp.broadcast_arrays(
            jnp.cos(elevation) * jnp.sin(azimuth),
            jnp.sin(elevation),
            -jnp.cos(elevation) * jnp.cos(azimuth),
        ),
        axis=-1,
    )
    return jnp.asarray(distance)[..., None] * direction


def _normalize(vectors: jax.Array) -> jax.Array:
    norm = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / jnp.maximum(norm, 1e-5)


def look_at(
    points: jax.Array, eye: jax.Array, target: jax.Array, up: jax.Array
) -> jax.Array:
    """Moves points from world space to camera space.

    Args:
        points: ``[..., N, 3]`` world space.
        eye: ``[..., 3]`` camera position, world space.
        target: ``[..., 3]`` the point looked at, world space.
        up: ``[..., 3]`` up direction.

    Returns:
        ``[..., N, 3]`` camera space: x right, y up, z forward.
    """
    forward = _normalize(target - eye)
    right = _normalize(jnp.cross(up, forward))
    above = _normalize(jnp.cross(forward, right))
    axes = jnp.stack(jnp.broadcast_arrays(right, above, forward), axis=-2)
    return jnp.einsum(
        "...ij,...nj->...ni",
        axes,
        points - eye[..., None, :],
        precision=jax.lax.Precision.HIGHEST,
    )


def perspective(points: jax.Array, half_fov: ArrayLike) -> jax.Array:
    """Projects points from camera space to NDC.

    ``x' = x / (z tan a)``, ``y' = y / (z tan a)``, ``z' = z`` with ``a`` half the field
    of view. There is no clipping: a point behind the camera (z < 0) appears flipped
    through the centre of the image, and one at z = 0 is not finite.

    Args:
        points: ``[..., N, 3]`` camera space.
        half_fov: ``[...]`` half of the field of view, degrees.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.
    """
    tangent = jnp.tan(jnp.deg2rad(jnp.asarray(half_fov, points.dtype)))
    depth = points[..., 2:]
    return jnp.concatenate(
        [points[..., :2] / (depth * tangent[..., None, None]), depth], axis=-1
    )


def project(cam: Camera, points: jax.Array) -> jax.Array:
    """Projects points from world space to NDC.

    Args:
        cam: a camera; batch axes broadcast against those of the points.
        points: ``[..., N, 3]`` world space.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.
    """
    return perspective(look_at(points, cam.eye, cam.target, cam.up), cam.half_fov)
