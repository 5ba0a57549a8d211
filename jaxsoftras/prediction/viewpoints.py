"""Viewpoints of pictures, which networks do not state: searches over cameras.

A network reconstructs an object in a canonical frame, whatever side of it a picture
shows. The azimuth is the one from which the mesh's silhouette fits the picture best.
Refinement also searches the elevation, and where and how large the object appears.

Meshes are in a right-handed frame here, +y up and the front at +z: the model frame of
training with z negated, so that cameras see them unmirrored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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


class Pose(NamedTuple):
    """How cameras of one distance see an object; a pytree.

    Attributes:
        azimuth: ``[...]`` as in `AZIMUTHS`, degrees.
        elevation: ``[...]`` above the plane y = 0, degrees.
        zoom: ``[...]`` natural logarithm of the factor of the focal length.
        shift: ``[..., 2]`` principal point, NDC.
    """

    azimuth: ArrayLike
    elevation: ArrayLike
    zoom: ArrayLike
    shift: ArrayLike


def place_cameras(orbit: Orbit, pose: Pose) -> camera.Camera:
    """Makes cameras ``[...]`` of poses ``[...]``, at the distance of an orbit."""
    usual = make_cameras(orbit._replace(elevation=pose.elevation), pose.azimuth)
    zoom = jnp.exp(jnp.asarray(pose.zoom))[..., None]
    return dataclasses.replace(
        usual,
        focal_length=usual.focal_length * zoom,
        principal_point=usual.principal_point + pose.shift,
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


def search_poses(
    vertices: jax.Array,
    faces: np.ndarray,
    orbit: Orbit,
    elevations: Sequence[float] | jax.Array,
    target: jax.Array,
    implementation: Implementation | None = None,
) -> Pose:
    """Finds the pose of the silhouette that fits a picture best, of a grid of poses.

    For each elevation and each of `AZIMUTHS`, the zoom and the shift are those by which
    the bounding box of the mesh has the longer side and the centre of the picture's.

    Args:
        vertices: ``[V, 3]`` right-handed frame.
        faces: ``[F, 3]`` vertex indices.
        orbit: cameras; its elevation is of no effect.
        elevations: ``[E]`` degrees.
        target: ``[S, S]`` bool; not empty.
        implementation: see `jaxsoftras.silhouette`.
    """
    box = _measure_box(target)

    def score(elevation: jax.Array) -> tuple[Pose, jax.Array]:
        elevations = jnp.full(len(AZIMUTHS), elevation)
        pose = _fit_box(vertices, orbit, jnp.asarray(AZIMUTHS), elevations, box)
        cameras = place_cameras(orbit, pose)
        drawn = silhouettes(vertices, faces, cameras, target.shape[-1], implementation)
        return pose, mask_iou(drawn, target)

    poses, scores = jax.lax.map(score, jnp.asarray(elevations, vertices.dtype))
    best = jnp.argmax(scores)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[best], poses)


def _measure_box(mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lower left and upper right corner ``[2]`` of the pixels of a mask, NDC."""
    lows, highs = [], []
    for axis, direction in ((0, 1), (1, -1)):  # rows go down
        covered = jnp.any(mask, axis)[::direction]
        edges = jnp.linspace(-1, 1, mask.shape[1 - axis] + 1)
        lows.append(jnp.min(jnp.where(covered, edges[:-1], jnp.inf)))
        highs.append(jnp.max(jnp.where(covered, edges[1:], -jnp.inf)))
    return jnp.stack(lows), jnp.stack(highs)


def _fit_box(
    vertices: jax.Array,
    orbit: Orbit,
    azimuths: jax.Array,
    elevations: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> Pose:
    """Poses ``[...]`` in which a mesh has the bounding box of a picture."""
    usual = make_cameras(orbit._replace(elevation=elevations), azimuths)
    points = camera.project(usual, vertices)[..., :2]
    low, high = jnp.min(points, axis=-2), jnp.max(points, axis=-2)
    factor = jnp.max(box[1] - box[0]) / jnp.max(high - low, axis=-1)
    shift = (box[0] + box[1] - factor[:, None] * (low + high)) / 2
    return Pose(azimuths, elevations, jnp.log(factor), shift)
