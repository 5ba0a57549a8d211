"""Viewpoints of pictures, which networks do not state: a search over azimuths.

A network reconstructs an object in a canonical frame, whatever side of it a picture
shows. The azimuth is the one from which the mesh's silhouette fits the picture best.

Meshes are in a right-handed frame here, +y up and the front at +z: the model frame of
training with z negated, so that cameras see them unmirrored.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import camera, mesh, rasterization
from jaxsoftras.kernels.options import Implementation

AZIMUTHS = np.arange(0, 360, 5).astype(np.float32)
"""Azimuths that are tried, degrees: 0 is in front of the object, at +z, and 90 at +x.
Images of the training data are 15 degrees apart."""


class Orbit(NamedTuple):
    """Cameras around the y axis that look at the origin, but for the azimuth.

    Attributes:
        distance: from the origin, world units.
        elevation: above the plane y = 0, degrees.
        half_fov: half of the vertical field of view, degrees.
    """

    distance: ArrayLike
    elevation: ArrayLike
    half_fov: ArrayLike


def make_cameras(orbit: Orbit, azimuth: ArrayLike) -> camera.Camera:
    """Makes right-handed cameras ``[...]`` at azimuths ``[...]``, degrees."""
    eye = camera.eye_from_angles(orbit.distance, orbit.elevation, azimuth)
    return camera.perspective_camera(
        eye * jnp.array([1, 1, -1]), half_fov=orbit.half_fov
    )


def silhouettes(
    vertices: ArrayLike,
    faces: np.ndarray,
    cameras: camera.Camera,
    size: int,
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders pixels ``[..., size, size]``, bool, whose centre a face covers.

    Args:
        vertices: ``[..., V, 3]`` right-handed frame.
        faces: ``[F, 3]`` vertex indices.
        cameras: cameras with leading axes ``[...]``.
        size: width and height, pixels.
        implementation: see `jaxsoftras.silhouette`.
    """
    corners = mesh.face_vertices(camera.project(cameras, vertices), faces)
    hard = rasterization.silhouette(
        corners, size, distance="hard", implementation=implementation
    )
    return hard > 0.5


def mask_iou(first: jax.Array, second: jax.Array) -> jax.Array:
    """Intersection over union ``[...]`` of masks ``[..., S, S]``, bool.

    It is 0 where both are empty.
    """
    both = jnp.sum(first & second, axis=(-2, -1))
    either = jnp.sum(first | second, axis=(-2, -1))
    return both / jnp.maximum(either, 1)


def score_azimuths(
    vertices: jax.Array,
    faces: np.ndarray,
    orbit: Orbit,
    target: jax.Array,
    implementation: Implementation | None = None,
) -> jax.Array:
    """Compares a mesh, seen from each of `AZIMUTHS`, with the silhouette of a picture.

    Args:
        vertices: ``[V, 3]`` right-handed frame.
        faces: ``[F, 3]`` vertex indices.
        orbit: cameras.
        target: ``[S, S]`` bool.
        implementation: see `jaxsoftras.silhouette`.

    Returns:
        ``[A]`` intersections over union, 0 to 1.
    """
    cameras = make_cameras(orbit, AZIMUTHS)
    drawn = silhouettes(vertices, faces, cameras, target.shape[-1], implementation)
    return mask_iou(drawn, target)
