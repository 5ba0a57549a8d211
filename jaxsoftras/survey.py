"""Checks by `jaxsoftras.render` of scenes whose values are known."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

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
    return known is None or known


@jax.jit
def _shows(image: jax.Array) -> jax.Array:
    return jnp.max(image[..., -1], axis=(-2, -1)) > 0


def _explain(mesh: Mesh, camera: Camera) -> str:
    """The reason why no face is seen."""
    points = pose.transform_to_camera(
        jnp.asarray(mesh.vertices, jnp.float32), camera.axes, camera.position
    )
    points = np.asarray(project_from_camera(camera, points))
    finite = np.all(np.isfinite(points), axis=-1)
    if not np.any(finite):
        return "its vertices are not finite"
    if np.all(points[finite][:, 2] <= 0):
        return "it lies behind the camera"
    return "it lies beside the image"


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


def _caller_depth() -> int:
    """Frames between `warnings.warn` here and the code that called this package."""
    folder = str(Path(__file__).parent)
    depth, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(folder):
        depth, frame = depth + 1, frame.f_back
    return depth


def warn_if_nothing_is_seen(
    image: jax.Array, mesh: Mesh, camera: Camera, settings: Settings
) -> None:
    """Warns where an image whose values are known shows no face.

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
    shows = np.asarray(_shows(image))
    if mesh.faces.ndim > 2:  # an image of padding alone is meant to be empty
        shows = shows | np.all(np.asarray(mesh.faces) < 0, axis=(-2, -1))
    message = None
    if not np.all(shows):
        count = f"{np.sum(~shows)} of {shows.size} images show" if shows.ndim else ""
        message = f"{count or 'The image shows'} nothing of the mesh"
        if not np.any(shows):
            message += f": {_explain(mesh, camera)}"
        message += ". jaxsoftras.frame(mesh) makes a camera that shows it."
    elif not settings.far_follows_scene:
        message = _explain_no_color(mesh, camera, settings)
    if message:
        warnings.warn(message, stacklevel=_caller_depth())
