"""Checks by `jaxsoftras.render` of scenes whose values are known."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks, pose
from jaxsoftras.camera import Camera, project_from_camera
from jaxsoftras.mesh import Mesh
from jaxsoftras.settings import Settings


@jax.jit
def _reaches_back(vertices: jax.Array, axes: jax.Array, position: jax.Array):
    """Whether a vertex is so close to the camera's plane that `clipping` may cut."""
    points = pose.transform_to_camera(vertices, axes, position)
    size = jnp.max(jnp.abs(points), axis=-1)
    size = jnp.where(jnp.isfinite(size), size, 0)
    # clipping leaves faces beyond 1/64 of the depth of the cut, which is at most the
    # distance of any of their points
    least = jnp.maximum(size / 32, 1e-6 * jnp.max(size, initial=0))
    return jnp.any(points[..., 2] <= least)


def may_need_clipping(vertices: ArrayLike, camera: Camera, settings: Settings) -> bool:
    """Whether faces may reach behind the camera, or values are not known."""
    if settings.averages_faces:
        return False
    known = checks.evaluate_known(_reaches_back, vertices, camera.axes, camera.position)
    return known is None or bool(known)


@jax.jit
def _inspect(image: jax.Array, *points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Whether images ``[...]`` show something, and whether all points are finite."""
    shows = jnp.max(image[..., -1], axis=(-2, -1)) > 0
    finite = [jnp.all(jnp.isfinite(array)) for array in points]
    return shows, jnp.all(jnp.stack(finite))


def _points(mesh: Mesh) -> list[jax.Array]:
    """Vertices of a mesh, and its texture coordinates if it has any."""
    coordinates = getattr(mesh.texture, "coordinates", None)
    given = [mesh.vertices] if coordinates is None else [mesh.vertices, coordinates]
    return [jnp.asarray(array) for array in given]


def _not_finite(array: ArrayLike) -> np.ndarray:
    # of the dtype that is drawn: in single precision, large numbers are infinite
    return ~np.all(np.isfinite(np.asarray(jnp.asarray(array))), axis=-1)


def _explain_lost(mesh: Mesh) -> str | None:
    """The faces that are not drawn for a point that is not finite, if there are any."""
    lost, faces = _not_finite(mesh.vertices), np.asarray(mesh.faces)
    batch = np.broadcast_shapes(lost.shape[:-1], faces.shape[:-2])
    lost = np.broadcast_to(lost, (*batch, lost.shape[-1]))
    faces = np.broadcast_to(faces, (*batch, *faces.shape[-2:]))
    corners = faces.reshape(*batch, -1)
    hit = np.take_along_axis(lost, np.maximum(corners, 0), axis=-1).reshape(faces.shape)
    exists = faces[..., 0] >= 0
    kinds = {"vertex": np.any(hit, axis=-1)}
    coordinates = getattr(mesh.texture, "coordinates", None)
    if coordinates is not None:
        kinds["texture coordinate"] = np.any(_not_finite(coordinates), axis=-1)
    for kind, missing in kinds.items():
        if count := np.sum(missing & exists):
            return (
                f"{count} of {np.sum(np.broadcast_to(exists, missing.shape))} faces "
                f"have a {kind} that is not finite, and are not drawn."
            )
    return None  # no face has them


_FRAMED = "jaxsoftras.frame(mesh) makes a camera that shows it."


def _explain(mesh: Mesh, camera: Camera) -> str:
    """The reason why no face is seen, and what to do."""
    points = pose.transform_to_camera(
        jnp.asarray(mesh.vertices, jnp.float32), camera.axes, camera.position
    )
    points = np.asarray(project_from_camera(camera, points))
    finite = np.all(np.isfinite(points), axis=-1)
    if not np.any(finite):
        return "its vertices are not finite."
    coordinates = getattr(mesh.texture, "coordinates", None)
    if coordinates is not None and np.all(np.any(_not_finite(coordinates), axis=-1)):
        return "its texture coordinates are not finite."
    points = points[finite]
    if np.all(points[:, 2] <= 0):
        return f"it lies behind the camera. {_FRAMED}"
    within = np.all(np.abs(points[:, :2]) <= 1, axis=-1) & (points[:, 2] > 0)
    if np.all(within):
        return "it is too small. Scale it and the distance of the camera."
    return f"it lies beside the image. {_FRAMED}"


def _explain_no_color(mesh: Mesh, camera: Camera, settings: Settings) -> str | None:
    """The reason why all faces lack a colour, if they do."""
    near, far = settings.depth_range
    points = pose.transform_to_camera(
        jnp.asarray(mesh.vertices), camera.axes, camera.position
    )
    depths = np.asarray(points[..., 2], np.float64)
    depths = depths[np.isfinite(depths) & (depths > 0)]
    if not depths.size or (depths.max() >= near and depths.min() <= far):
        return None
    return (
        f"The mesh has no colour: its depths are from {depths.min():.3g} to "
        f"{depths.max():.3g}, and near and far are {near:g} and {far:g}. Without near "
        "and far, render chooses them."
    )


def warn_of_what_is_not_seen(
    image: jax.Array, mesh: Mesh, camera: Camera, settings: Settings
) -> None:
    """Warns where an image whose values are known shows no face, or lacks faces.

    Args:
        image: ``[..., H, W, C + 1]``.
        mesh: with faces ``[..., F, 3]``.
        camera: of the image.
        settings: of the image.
    """
    leaves = jax.tree.leaves((image, mesh, camera))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return
    if not mesh.faces.shape[-2] or not image.size or not image.is_fully_addressable:
        return
    shows, finite = map(np.asarray, _inspect(image, *_points(mesh)))
    if mesh.faces.ndim > 2:  # an image of padding alone is meant to be empty
        shows = shows | np.all(np.asarray(mesh.faces) < 0, axis=(-2, -1))
    message = None
    if not np.all(shows):
        count = f"{np.sum(~shows)} of {shows.size} images show" if shows.ndim else ""
        reason = f". {_FRAMED}" if np.any(shows) else f": {_explain(mesh, camera)}"
        message = f"{count or 'The image shows'} nothing of the mesh{reason}"
    elif not finite:
        message = _explain_lost(mesh)
    elif not settings.far_follows_scene:
        message = _explain_no_color(mesh, camera, settings)
    if message:
        warnings.warn(message, stacklevel=checks.caller_depth())
