"""Cameras: from world space to normalised device coordinates (NDC).

Conventions, in numbers (docs/conventions.md states them in full):

* World: right-handed, +y up, objects within ``[-0.5, 0.5]`` on each axis.
* Camera: +x right in the image, +y up, +z forward, into the scene.
* NDC: ``[-1, 1]^2``, x right, y up; depth z is the distance along the optical axis, in
  world units. A pixel of an image of width W has its centre at ``x = (2 j + 1 - W) /
  W`` and one of an image of height H at ``y = (H - 1 - 2 i) / H``; row ``i = 0`` is at
  the top.
* A point at or behind the camera plane, depth <= 0, has no projection, and a face with
  such a corner is not drawn.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, lenses, pose
from jaxsoftras.camera_model import Camera as Camera
from jaxsoftras.camera_model import Projection as Projection
from jaxsoftras.camera_model import camera_from_axes as camera_from_axes
from jaxsoftras.camera_model import check_camera as check_camera
from jaxsoftras.checks import VectorLike
from jaxsoftras.pose import Handedness as Handedness
from jaxsoftras.pose import Pose as Pose
from jaxsoftras.pose import eye_from_angles as eye_from_angles
from jaxsoftras.pose import look_at as look_at
from jaxsoftras.pose import world_to_camera as world_to_camera

# Stands for any smaller depth in the division. Points there land far outside of the
# image, while x / depth^3, of second derivatives, still fits in single precision.
_CLOSEST = 1e-10


def _resolve_half_fov(half_fov: ArrayLike | None, fov: ArrayLike | None) -> ArrayLike:
    """Half of the vertical field of view, degrees, from either way to state it."""
    if half_fov is not None and fov is not None:
        raise ValueError(
            "Give fov, the full vertical field of view, or half_fov, half of it, not "
            "both."
        )
    if fov is not None:
        checks.check_values(
            "fov must lie between 0 and 180 degrees; it is the full vertical field of "
            "view.",
            lambda angle: (angle > 0) & (angle < 180),
            fov,
        )
        return jnp.divide(fov, 2)
    half_fov = 15.0 if half_fov is None else half_fov
    checks.check_values(
        "half_fov must lie between 0 and 90 degrees; it is half of the vertical field "
        "of view.",
        lambda angle: (angle > 0) & (angle < 90),
        half_fov,
    )
    return half_fov


def _square_pixels(vertical: ArrayLike, aspect: ArrayLike) -> jax.Array:
    """``[..., 2]`` focal lengths in an image with that ratio of width to height."""
    if isinstance(aspect, (list, tuple)):
        raise ValueError(
            f"aspect must be a number or an array, width / height, not {aspect}."
        )
    checks.check_finite({"aspect": aspect})
    checks.check_values(
        "aspect, width over height of the image, must be positive.",
        lambda aspect: aspect > 0,
        aspect,
    )
    horizontal = jnp.divide(vertical, aspect)
    return jnp.stack(jnp.broadcast_arrays(horizontal, vertical), axis=-1)


@guesses.answers
def perspective_camera(
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    half_fov: ArrayLike | None = None,
    *,
    fov: ArrayLike | None = None,
    direction: VectorLike | None = None,
    handedness: Handedness = "right",
    aspect: ArrayLike = 1.0,
) -> Camera:
    """Makes a perspective camera.

    Args:
        eye: ``[..., 3]`` position, world space; see `eye_from_angles`.
        target: ``[..., 3]`` point to look at, world space; the origin by default.
        up: ``[..., 3]`` vertical direction of the image, world space; see
            `look_at` for a line of sight parallel to it.
        half_fov: ``[...]`` half of the vertical field of view, degrees, in (0, 90); 15
            by default.
        fov: ``[...]`` full vertical field of view, degrees, in (0, 180), in place of
            ``half_fov``.
        direction: ``[..., 3]`` line of sight, world space, of any length, in place of a
            target.
        handedness: ``"right"``, a conventional camera, or ``"left"``, the mirrored
            images of Soft Rasterizer.
        aspect: ``[...]`` width over height of the image, positive.

    Raises:
        ValueError: a wrong shape, a line of sight or ``up`` of no length, a
            number out of range, both of ``half_fov`` and ``fov`` or of ``target`` and
            ``direction``.

    Example:
        >>> eye = jaxsoftras.eye_from_angles(2.0, 0.0, np.array([0.0, 90.0, 180.0]))
        >>> cameras = jaxsoftras.perspective_camera(eye, fov=60.0)
        >>> print(cameras.position.shape, cameras.focal_length[0].round(3))
        (3, 3) [1.732 1.732]
    """
    half_fov = _resolve_half_fov(*map(checks.as_argument, (half_fov, fov)))
    axes, position = look_at(
        eye, target, up, direction=direction, handedness=handedness
    )
    focal_length = _square_pixels(1 / jnp.tan(jnp.deg2rad(half_fov)), aspect)
    return camera_from_axes(axes, position, focal_length)


@guesses.answers
def orthographic_camera(
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    scale: ArrayLike = 1.0,
    *,
    direction: VectorLike | None = None,
    handedness: Handedness = "right",
    aspect: ArrayLike = 1.0,
) -> Camera:
    """Makes an orthographic camera: ``x' = s x / aspect``, ``y' = s y``, ``z' = z``.

    Args:
        eye: ``[..., 3]`` position, world space. Moving it along the line of sight
            changes depths and not the image, as long as the whole scene lies in front.
        target: ``[..., 3]`` point to look at, world space; the origin by default.
        up: ``[..., 3]`` vertical direction of the image, world space; see
            `look_at` for a line of sight parallel to it.
        scale: ``[...]`` s, NDC per world unit, positive: the image is ``2 / s`` world
            units high.
        direction: ``[..., 3]`` line of sight, world space, of any length, in place of a
            target.
        handedness: ``"right"``, a conventional camera, or ``"left"``, the mirrored
            images of Soft Rasterizer.
        aspect: ``[...]`` width over height of the image, positive.

    Raises:
        ValueError: a wrong shape, a line of sight or ``up`` of no length, a
            target and a direction, or a number out of range.

    Example:
        >>> camera = jaxsoftras.orthographic_camera((0.0, 0.0, -2.0), scale=2.0)
        >>> print(jaxsoftras.project(camera, np.array([[0.0, 0.25, 1.0]])))
        [[0.  0.5 3. ]]
    """
    axes, position = look_at(
        eye, target, up, direction=direction, handedness=handedness
    )
    checks.check_finite({"scale": scale})
    focal_length = _square_pixels(scale, aspect)
    return camera_from_axes(axes, position, focal_length, projection="orthographic")


def _divide_by_depth(points: jax.Array) -> jax.Array:
    return points[..., :2] / jnp.maximum(points[..., 2:], _CLOSEST)


@guesses.answers
def camera_to_ndc(
    points: ArrayLike,
    half_fov: ArrayLike | None = None,
    *,
    fov: ArrayLike | None = None,
) -> jax.Array:
    """Projects points from camera space to NDC, in perspective.

    ``x' = x / (z tan a)``, ``y' = y / (z tan a)``, ``z' = z`` with ``a`` half the field
    of view. Where z <= 0, x' and y' are finite and meaningless, as from `project`.
    `perspective` is another name of this function.

    Args:
        points: ``[..., N, 3]`` camera space.
        half_fov: ``[...]`` half of the vertical field of view, degrees, in (0, 90); 15
            by default.
        fov: ``[...]`` full vertical field of view, degrees, in (0, 180), in place of
            ``half_fov``.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.

    Raises:
        ValueError: an angle out of range, or both angles.

    Example:
        >>> print(jaxsoftras.camera_to_ndc(np.array([[0.5, 0.0, 2.0]]), fov=90.0))
        [[0.25 0.   2.  ]]
    """
    return _camera_to_ndc(*checks.as_floats(points, _resolve_half_fov(half_fov, fov)))


@jax.jit
def _camera_to_ndc(points: jax.Array, half_fov: jax.Array) -> jax.Array:
    focal_length = 1 / jnp.tan(jnp.deg2rad(half_fov))
    xy = focal_length[..., None, None] * _divide_by_depth(points)
    return jnp.concatenate([xy, points[..., 2:]], axis=-1)


perspective = camera_to_ndc


@guesses.answers
def project(camera: Camera, points: ArrayLike) -> jax.Array:
    """Projects points from world space to NDC, by the formulas of `Camera`.

    Differentiable in the points and in all arrays of the camera. A point at or behind
    the camera plane (depth <= 0, whatever the projection) has no projection: its x and
    y, and all gradients, are finite and meaningless. Its depth is correct and marks it:
    a face with such a corner must not be drawn.

    Args:
        camera: its batch axes broadcast against the leading axes of the points.
        points: ``[..., N, 3]`` world space.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.

    Raises:
        ValueError: an argument of wrong type or shape.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 2.0), fov=90.0)
        >>> print(jaxsoftras.project(camera, np.array([[0.5, 0.25, 0.0]])).round(3))
        [[0.25  0.125 2.   ]]
    """
    check_camera(camera)
    (points,) = checks.as_floats(points)
    if points.ndim < 2 or points.shape[-1] != 3:
        raise ValueError(
            f"points must have the shape [..., N, 3], not {list(points.shape)}."
        )
    check_leading_axes(camera, points)
    seen = pose.transform_to_camera(points, camera.axes, camera.position)
    return project_from_camera(camera, seen)


def check_leading_axes(camera: Camera, points: jax.Array | np.ndarray) -> None:
    """Raises a ValueError unless leading axes of camera and points broadcast."""
    batch = np.broadcast_shapes(camera.axes.shape[:-2], camera.position.shape[:-1])
    try:
        np.broadcast_shapes(batch, points.shape[:-2])
    except ValueError:
        raise ValueError(
            f"The leading axes of the camera, {list(batch)}, and those of the points, "
            f"{list(points.shape[:-2])}, must broadcast."
        ) from None


def project_from_camera(camera: Camera, points: jax.Array) -> jax.Array:
    """The second half of `project`: from camera space, ``[..., N, 3]``, to NDC."""
    plane = (
        _divide_by_depth(points)
        if camera.projection == "perspective"
        else points[..., :2]
    )
    plane = lenses.distort(plane, camera.distortion, camera.lens)
    focal_length, principal_point = camera.focal_length, camera.principal_point
    xy = focal_length[..., None, :] * plane + principal_point[..., None, :]
    if camera.skew is not None:
        sheared = jnp.asarray(camera.skew)[..., None] * plane[..., 1]
        xy = xy + jnp.stack([sheared, jnp.zeros_like(sheared)], axis=-1)
    depth = jnp.broadcast_to(points[..., 2:], (*xy.shape[:-1], 1))
    return jnp.concatenate([xy, depth], axis=-1)
