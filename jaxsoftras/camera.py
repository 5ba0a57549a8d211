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

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, pose, summaries
from jaxsoftras.checks import VectorLike
from jaxsoftras.pose import Handedness as Handedness
from jaxsoftras.pose import Pose as Pose
from jaxsoftras.pose import eye_from_angles as eye_from_angles
from jaxsoftras.pose import look_at as look_at
from jaxsoftras.pose import world_to_camera as world_to_camera

Projection = Literal["perspective", "orthographic"]
"""``"perspective"`` divides by the depth, ``"orthographic"`` does not."""

# Stands for any smaller depth in the division. Points there land far outside of the
# image, while x / depth^3, of second derivatives, still fits in single precision.
_CLOSEST = 1e-10
# r^2 beyond which the radial factor is constant, 89.4 degrees off the axis, so that r^7
# does not overflow.
_WIDEST = 1e4

_SHAPES = {
    "axes": (3, 3),
    "position": (3,),
    "focal_length": (2,),
    "principal_point": (2,),
    "distortion": (5,),
}


@guesses.answers
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """Pose, projection and lens of a camera; a pytree.

    A point at (X, Y, Z) along the camera's axes has the ideal plane coordinates ``(x,
    y) = (X / Z, Y / Z)``, or ``(X, Y)`` in an orthographic camera. The lens moves them
    to (Brown-Conrady, ``r^2 = x^2 + y^2``) ::

        x_d = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
        y_d = y (1 + k1 r^2 + k2 r^4 + k3 r^6) + p1 (r^2 + 2 y^2) + 2 p2 x y

    and NDC is ``focal_length * (x_d, y_d) + principal_point``. As y is up here, p1 has
    the opposite sign of p1 in a program whose y is down.

    `perspective_camera`, `orthographic_camera`, `camera_from_axes` and the functions of
    `jaxsoftras.conventions` make cameras.

    Attributes:
        axes: ``[..., 3, 3]`` orthonormal rows right, up and forward, world space. Their
            determinant is -1 for a conventional camera and 1 for one whose images are
            mirrored; see `jaxsoftras.pose.Handedness`.
        position: ``[..., 3]`` world space.
        focal_length: ``[..., 2]`` focal lengths in x and y: NDC per unit of the ideal
            plane (in an orthographic camera, per world unit).
        principal_point: ``[..., 2]`` where the optical axis meets the image, NDC.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3, or None for an ideal lens.
        projection: static, see `Projection`.
    """

    axes: jax.Array
    position: jax.Array
    focal_length: jax.Array
    principal_point: jax.Array
    distortion: jax.Array | None = None
    projection: Projection = dataclasses.field(
        default="perspective", metadata={"static": True}
    )

    def __post_init__(self):
        checks.check_choice("projection", self.projection, Projection)

    def __repr__(self) -> str:
        return f"Camera({summaries.camera(self)})"


def check_camera(camera: Camera) -> None:
    """Raises a ValueError unless the argument is a camera."""
    if not isinstance(camera, Camera):
        raise ValueError(
            "camera must be a Camera, such as perspective_camera makes, not "
            f"{type(camera).__name__}."
        )


def camera_from_axes(
    axes: ArrayLike,
    position: VectorLike,
    focal_length: VectorLike,
    principal_point: VectorLike = (0.0, 0.0),
    distortion: VectorLike | None = None,
    projection: Projection = "perspective",
) -> Camera:
    """Makes a camera from its parts: checked, of one dtype and common leading axes.

    Args:
        axes: ``[..., 3, 3]`` rows right, up and forward, world space, as `look_at`
            gives them. With a rotation R of `rotation_from_axis_angle`, ``axes @ R.T``
            are the axes turned by R.
        position: ``[..., 3]`` world space.
        focal_length: ``[..., 2]`` NDC per unit of the ideal plane, positive.
        principal_point: ``[..., 2]`` where the optical axis meets the image, NDC.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3, or None.
        projection: see `Projection`.

    Raises:
        ValueError: a wrong shape, axes that are not orthonormal within 1e-3, or a focal
            length that is not positive.

    Example:
        >>> axes, position = jaxsoftras.look_at((0.0, 0.0, -2.0))
        >>> camera = jaxsoftras.camera_from_axes(axes, position, (2.0, 2.0))
        >>> print(jaxsoftras.project(camera, np.array([[0.0, 0.5, 0.0]])))
        [[0.  0.5 2. ]]
    """
    given = {
        "axes": axes,
        "position": position,
        "focal_length": focal_length,
        "principal_point": principal_point,
    }
    if distortion is not None:
        given["distortion"] = distortion
    parts = dict(zip(given, checks.as_floats(*given.values()), strict=True))
    for name, part in parts.items():
        checks.check_shape(name, part, *_SHAPES[name])
    checks.check_orthonormal("axes", parts["axes"])
    checks.check_values(
        "The focal lengths of a camera must be positive and finite, and so must be the "
        "scale, aspect, lens or field of view that they come from.",
        lambda length: (length > 0) & np.isfinite(length),
        parts["focal_length"],
    )
    batches = [part.shape[: part.ndim - len(_SHAPES[n])] for n, part in parts.items()]
    try:
        batch = np.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(
            f"The leading axes of {', '.join(parts)} must broadcast; they are "
            f"{', '.join(str(list(axes)) for axes in batches)}."
        ) from None
    return Camera(
        **{n: jnp.broadcast_to(part, batch + _SHAPES[n]) for n, part in parts.items()},
        projection=projection,
    )


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
    half_fov = _resolve_half_fov(half_fov, fov)
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
    focal_length = _square_pixels(scale, aspect)
    return camera_from_axes(axes, position, focal_length, projection="orthographic")


def _distort(plane: jax.Array, distortion: jax.Array) -> jax.Array:
    """Brown-Conrady: `Camera` has the formula. ``[..., N, 2]``, ``[..., 5]``."""
    k1, k2, p1, p2, k3 = jnp.moveaxis(distortion[..., None, :], -1, 0)
    x, y = plane[..., 0], plane[..., 1]
    r2 = jnp.minimum(x * x + y * y, _WIDEST)
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return jnp.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def _divide_by_depth(points: jax.Array) -> jax.Array:
    return points[..., :2] / jnp.maximum(points[..., 2:], _CLOSEST)


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
    points, half_fov = checks.as_floats(points, _resolve_half_fov(half_fov, fov))
    focal_length = 1 / jnp.tan(jnp.deg2rad(half_fov))
    xy = focal_length[..., None, None] * _divide_by_depth(points)
    return jnp.concatenate([xy, points[..., 2:]], axis=-1)


perspective = camera_to_ndc


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
    if camera.distortion is not None:
        plane = _distort(plane, camera.distortion)
    focal_length, principal_point = camera.focal_length, camera.principal_point
    xy = focal_length[..., None, :] * plane + principal_point[..., None, :]
    depth = jnp.broadcast_to(points[..., 2:], (*xy.shape[:-1], 1))
    return jnp.concatenate([xy, depth], axis=-1)
