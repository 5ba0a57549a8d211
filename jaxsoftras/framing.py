"""Cameras that show a whole mesh."""

from __future__ import annotations

import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses
from jaxsoftras.camera import (
    Camera,
    Projection,
    orthographic_camera,
    perspective_camera,
)
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh
from jaxsoftras.pose import Handedness

# Least depth of a mesh, in units of its size: nothing lies at the camera's plane.
_CLOSEST = 0.01


def _corners(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Finds the vertices that faces are drawn at.

    Returns:
        ``[..., F * 3, 3]`` positions, world space, and a mask ``[..., F * 3]`` of those
        of faces that exist and have finite vertices; others are 0.
    """
    mesh = checked_mesh(mesh, "frame")
    if any(isinstance(leaf, Tracer) for leaf in (mesh.vertices, mesh.faces)):
        raise ValueError(
            "frame needs the values of vertices and faces, which are traced here; call "
            "it outside of jit and pass the camera."
        )
    vertices = np.asarray(mesh.vertices, np.float64)
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(
            f"vertices must have the shape [..., V, 3], not {list(vertices.shape)}."
        )
    faces = np.asarray(checked_faces(mesh.faces, vertices.shape[-2]))
    try:
        batch = np.broadcast_shapes(vertices.shape[:-2], faces.shape[:-2])
    except ValueError:
        raise ValueError(
            f"The leading axes of vertices {list(vertices.shape)} and faces "
            f"{list(faces.shape)} must broadcast."
        ) from None
    if not vertices.shape[-2] or not faces.shape[-2]:
        raise ValueError("The mesh has no faces to show.")
    index = np.broadcast_to(faces, (*batch, *faces.shape[-2:])).reshape(*batch, -1, 1)
    vertices = np.broadcast_to(vertices, (*batch, *vertices.shape[-2:]))
    corners = np.take_along_axis(vertices, np.maximum(index, 0), axis=-2)
    triangles = corners.reshape(*batch, -1, 9)
    drawn = np.all(np.isfinite(triangles), axis=-1) & (faces[..., 0] >= 0)
    if not np.all(np.any(drawn, axis=-1)):
        raise ValueError(
            "The mesh has no face with finite vertices to show"
            f"{' in an element of the batch' if batch else ''}."
        )
    drawn = np.repeat(drawn, 3, axis=-1)
    return np.where(drawn[..., None], corners, 0), drawn


def _axes(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Rows right, up and forward ``[..., 3, 3]``, up to the sign of right.

    Up is the direction in which the eye rises, which is none of sight at the poles.
    """
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    zero = np.zeros_like(a)
    right = [np.cos(a), zero, np.sin(a)]
    up = [-np.sin(e) * np.sin(a), np.cos(e), np.sin(e) * np.cos(a)]
    forward = [-np.cos(e) * np.sin(a), -np.sin(e), np.cos(e) * np.cos(a)]
    return np.stack([np.stack(row, axis=-1) for row in (right, up, forward)], axis=-2)


@guesses.answers
def frame(
    mesh: Mesh,
    *,
    azimuth: ArrayLike = 30.0,
    elevation: ArrayLike = 30.0,
    fov: float = 30.0,
    margin: float = 0.05,
    projection: Projection = "perspective",
    handedness: Handedness = "right",
    aspect: float = 1.0,
) -> Camera:
    """Makes a camera that shows a whole mesh, whatever its size and place.

    The camera looks at the centre of the mesh's bounding box, from as near as the
    margin permits. Several cameras of one mesh keep one distance, so that it does not
    change its size as they go around. Faces that do not exist or have a vertex that is
    not finite, and vertices without a face, do not count.

    Args:
        mesh: vertices ``[..., V, 3]``, world space, and faces.
        azimuth: ``[...]`` angle around the y axis, degrees, see `eye_from_angles`; its
            leading axes broadcast against those of the mesh.
        elevation: ``[...]`` angle above the horizon, degrees, poles included.
        fov: full vertical field of view, degrees, in (0, 180); of no effect in an
            orthographic camera.
        margin: least distance from the mesh to the edge of the image, as a part of half
            the image's side, in [0, 1).
        projection: see `Projection`.
        handedness: see `Handedness`.
        aspect: width over height of the image, positive.

    Returns:
        A camera with the leading axes of mesh and angles together.

    Raises:
        ValueError: a mesh without a face to show or of no extent, traced vertices or
            faces, or a number out of range.

    Example:
        >>> mesh = jaxsoftras.icosphere(1)
        >>> camera = jaxsoftras.frame(mesh, azimuth=0.0, elevation=0.0, margin=0.1)
        >>> points = jaxsoftras.project(camera, mesh.vertices)
        >>> print(jnp.abs(points[:, :2]).max())
        0.9
    """
    checks.check_choice("projection", projection, Projection)
    if not 0 <= margin < 1:
        raise ValueError(f"margin must be at least 0 and less than 1, not {margin}.")
    angles = np.broadcast_arrays(*(np.asarray(x, float) for x in (azimuth, elevation)))
    if not all(np.all(np.isfinite(angle)) for angle in angles):
        raise ValueError("azimuth and elevation must be finite, degrees.")
    if not 0 < fov < 180:
        raise ValueError(f"fov must lie between 0 and 180 degrees, not {fov}.")
    if not 0 < aspect < np.inf:
        raise ValueError(f"aspect must be positive and finite, not {aspect}.")
    corners, drawn = _corners(mesh)
    inf = np.where(drawn[..., None], 0, np.inf)
    low, high = (corners + inf).min(-2), (corners - inf).max(-2)
    center, size = low / 2 + high / 2, np.linalg.norm(high - low, axis=-1)
    if not np.all(size > 0):
        raise ValueError("All vertices of the mesh coincide: it has no extent to show.")
    axes = _axes(*angles)
    own = drawn.shape[:-1]
    try:
        batch = np.broadcast_shapes(own, axes.shape[:-2])
    except ValueError:
        raise ValueError(
            f"The leading axes of the mesh, {list(own)}, and those of the angles, "
            f"{list(axes.shape[:-2])}, must broadcast."
        ) from None
    # cameras along these axes see the same mesh
    own = (1,) * (len(batch) - len(own)) + own
    shared = tuple(axis for axis, length in enumerate(own) if length == 1)

    def largest(values):
        values = np.where(drawn, values, -np.inf).max(axis=-1)
        return np.broadcast_to(values.max(axis=shared, keepdims=True), batch)

    seen = np.einsum("...ij,...nj->...ni", axes, corners - center[..., None, :])
    x, y, z = np.moveaxis(seen, -1, 0)
    reach = np.maximum(np.abs(x) / aspect, np.abs(y)) / (1 - margin)
    forward, up = axes[..., 2, :], axes[..., 1, :]
    if projection == "orthographic":
        eye = center - size[..., None] * forward
        scale = 1 / np.maximum(largest(reach), _CLOSEST * size)
        return orthographic_camera(
            eye,
            up=up,
            scale=scale,
            direction=forward,
            handedness=handedness,
            aspect=aspect,
        )
    distance = largest(reach / np.tan(np.deg2rad(fov / 2)) - z)
    distance = np.maximum(distance, largest(-z) + _CLOSEST * size)
    eye = center - distance[..., None] * forward
    return perspective_camera(
        eye, up=up, fov=fov, direction=forward, handedness=handedness, aspect=aspect
    )
