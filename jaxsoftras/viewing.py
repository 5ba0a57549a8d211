"""The faces of a mesh as a camera sees them: clipped, projected, at scaled depths."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras import clipping, pose
from jaxsoftras.camera import Camera, project_from_camera
from jaxsoftras.mesh import Mesh, gather_corners
from jaxsoftras.settings import Settings

# Depths are rounded: the farthest vertex must not lie beyond `far`.
_MARGIN = 1.001


class View(NamedTuple):
    """Faces in front of a camera.

    Attributes:
        corners: ``[..., N, 3, 3]`` NDC, and depths times ``scale``.
        scale: ``[...]`` factor of the depths, without derivative.
        pieces: the pieces of faces that are cut, N = 2 F; None if N = F, and none is.
    """

    corners: jax.Array
    scale: jax.Array
    pieces: clipping.Pieces | None

    def gather(self, values: jax.Array) -> jax.Array:
        """Attributes ``[..., F, 3, C]`` of the faces at the corners of the view."""
        return values if self.pieces is None else self.pieces.gather(values)


def zero_nonfinite(points: jax.Array) -> jax.Array:
    """Moves points ``[..., 3]`` that are not finite to the origin.

    Their faces are not drawn, and no NaN gets into the gradients of other arguments.
    """
    finite = jnp.all(jnp.isfinite(points), axis=-1, keepdims=True)
    return jnp.where(finite, points, 0)


def _depth_scale(depths: jax.Array, settings: Settings) -> jax.Array:
    """Factor by which depths ``[..., N, 3]`` fit the range of the rasterizer.

    A scene has the same picture at any scale of depths, if `far` is scaled as well; and
    the rasterizer's is static.
    """
    if not settings.far_follows_scene:
        return jnp.ones(depths.shape[:-2], depths.dtype)
    in_front = (depths > 0) & jnp.isfinite(depths)
    farthest = jnp.max(jnp.where(in_front, depths, 0), axis=(-2, -1), initial=0)
    _, standard = settings.depth_range
    farthest = lax.stop_gradient(jnp.where(farthest > 0, farthest, 1))
    far = jnp.clip(standard, _MARGIN * farthest, standard * farthest)
    return standard / far


def look(mesh: Mesh, camera: Camera, settings: Settings, clip: bool) -> View:
    """Projects the faces of a mesh.

    Args:
        mesh: vertices ``[..., V, 3]``, world space.
        camera: its batch axes broadcast against the mesh's.
        settings: sharpness and range of depths.
        clip: whether to cut faces that reach behind the camera.

    Returns:
        Faces with a corner that is not finite, and padding, are not drawn.

    Raises:
        ValueError: leading axes of the faces that do not broadcast.
    """
    vertices = jnp.asarray(mesh.vertices)
    finite = jnp.all(jnp.isfinite(vertices), axis=-1, keepdims=True)
    points = pose.transform_to_camera(
        zero_nonfinite(vertices), camera.axes, camera.position
    )
    if not clip:
        points = project_from_camera(camera, points)
    points = jnp.where(finite, points, jnp.nan)
    if mesh.faces.ndim > 2:
        points = _broadcast_to_faces(points, mesh.faces)
    corners = gather_corners(points, mesh.faces)
    pieces = None
    if clip:
        drawn = jnp.all(jnp.isfinite(corners), axis=(-2, -1), keepdims=True)
        behind = jnp.array([0, 0, -1], corners.dtype)
        corners = jnp.where(drawn, corners, behind)
        margin = settings.raster_options().margin(jnp.asarray(settings.sigma))
        depth = clipping.cut_depth(camera, corners, margin)
        pieces = clipping.clip_faces(corners, depth)
        *batch, count = pieces.corners.shape[:-2]
        rows = pieces.corners.reshape(*batch, 3 * count, 3)
        corners = project_from_camera(camera, rows)
        corners = corners.reshape(*corners.shape[:-2], count, 3, 3)
    scale = _depth_scale(corners[..., 2], settings)
    xy, depth = corners[..., :2], corners[..., 2:] * scale[..., None, None, None]
    return View(jnp.concatenate([xy, depth], axis=-1), scale, pieces)


def _broadcast_to_faces(points: jax.Array, faces: jax.Array | np.ndarray) -> jax.Array:
    try:
        batch = np.broadcast_shapes(points.shape[:-2], faces.shape[:-2])
    except ValueError:
        raise ValueError(
            f"The leading axes of the faces, {list(faces.shape[:-2])}, and those of "
            f"vertices and camera together, {list(points.shape[:-2])}, must broadcast."
        ) from None
    return jnp.broadcast_to(points, (*batch, *points.shape[-2:]))
