"""Cameras: from world space to normalised device coordinates (NDC).

Conventions, in numbers (docs/conventions.md has them in full):

* World: right-handed, +y up, objects within ``[-0.5, 0.5]`` on each axis.
* Camera: +x right in the image, +y up, +z forward, into the scene.
* NDC: ``[-1, 1]^2``, x right, y up; depth z is the distance along the optical axis, in
  world units. A pixel of an image of width W has its centre at ``x = (2 j + 1 - W) /
  W`` and that of height H at ``y = (H - 1 - 2 i) / H``; row ``i = 0`` is at the top.
* A point at or behind the plane of the camera, depth <= 0, has no picture, and a face
  with such a corner is not drawn.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.checks import VectorLike
from jaxsoftras.pose import Handedness, axes_from_direction
from jaxsoftras.pose import eye_from_angles as eye_from_angles

Projection = Literal["perspective", "orthographic"]
"""``"perspective"`` divides by the depth, ``"orthographic"`` does not."""

# Stands for any smaller depth in the division. Points there land far outside of the
# image, while x / depth^3, of second derivatives, still fits in single precision.
_CLOSEST = 1e-10
# r^2 from which the radial factor is constant, 89.4 degrees off the axis, lest r^7
# overflow.
_WIDEST = 1e4

_SHAPES = {
    "axes": (3, 3),
    "position": (3,),
    "focal": (2,),
    "center": (2,),
    "distortion": (5,),
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """All of a camera that a picture depends on; a pytree.

    Of a point at (X, Y, Z) along the camera's axes, the ideal plane coordinates are
    ``(x, y) = (X / Z, Y / Z)``, or ``(X, Y)`` in an orthographic camera. The lens moves
    them to (Brown-Conrady, ``r^2 = x^2 + y^2``) ::

        x_d = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
        y_d = y (1 + k1 r^2 + k2 r^4 + k3 r^6) + p1 (r^2 + 2 y^2) + 2 p2 x y

    and NDC is ``focal * (x_d, y_d) + center``. As y is up here, p1 has the opposite
    sign of that of a program whose y is down.

    `perspective_camera`, `orthographic_camera`, `camera_from_axes` and the functions of
    `jaxsoftras.conventions` make cameras.

    Attributes:
        axes: ``[..., 3, 3]`` orthonormal rows right, up and forward, world space. Their
            determinant is 1 where pictures are mirrored and -1 where they are not, see
            `jaxsoftras.pose.Handedness`.
        position: ``[..., 3]`` world space.
        focal: ``[..., 2]`` focal lengths in x and y: NDC per unit of the ideal plane
            (which is the world's unit in an orthographic camera).
        center: ``[..., 2]`` where the optical axis meets the image, NDC.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3, or None for an ideal lens.
        projection: static, see `Projection`.
    """

    axes: jax.Array
    position: jax.Array
    focal: jax.Array
    center: jax.Array
    distortion: jax.Array | None = None
    projection: Projection = dataclasses.field(
        default="perspective", metadata={"static": True}
    )

    def __post_init__(self):
        checks.check_choice("projection", self.projection, Projection)


def camera_from_axes(
    axes: ArrayLike,
    position: VectorLike,
    focal: VectorLike,
    center: VectorLike = (0.0, 0.0),
    distortion: VectorLike | None = None,
    projection: Projection = "perspective",
) -> Camera:
    """Makes a camera of its parts: checked, of one dtype and common leading axes.

    Args:
        axes: ``[..., 3, 3]`` rows right, up and forward, world space. With a rotation R
            of `rotation_from_axis_angle`, ``axes @ R.T`` are the axes turned by R.
        position: ``[..., 3]`` world space.
        focal: ``[..., 2]`` NDC per unit of the ideal plane, positive.
        center: ``[..., 2]`` NDC.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3, or None.
        projection: see `Projection`.

    Raises:
        ValueError: a wrong shape, axes that are not orthonormal within 1e-3, or a focal
            length that is not positive.
    """
    given = {"axes": axes, "position": position, "focal": focal, "center": center}
    if distortion is not None:
        given["distortion"] = distortion
    parts = dict(zip(given, checks.as_floats(*given.values()), strict=True))
    for name, part in parts.items():
        checks.check_shape(name, part, *_SHAPES[name])
    checks.check_orthonormal("axes", parts["axes"])
    checks.check_values(
        "The focal lengths of a camera must be positive and finite, and so must be the "
        "scale, aspect, lens or field of view that they come from.",
        lambda focal: (focal > 0) & np.isfinite(focal),
        parts["focal"],
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


def _pose(
    eye: VectorLike,
    target: VectorLike | None,
    direction: VectorLike | None,
    up: VectorLike,
    handedness: Handedness = "left",
) -> tuple[jax.Array, jax.Array]:
    """Axes and position of a camera that looks at a target or in a direction."""
    if target is not None and direction is not None:
        raise ValueError("A camera takes a target or a direction, not both.")
    target = (0.0, 0.0, 0.0) if target is None else target
    eye, aim, up = checks.as_floats(eye, target if direction is None else direction, up)
    checks.check_shape("eye", eye, 3)
    if direction is None:
        checks.check_shape("target", aim, 3)
        aim = aim - eye
    return axes_from_direction(aim, up, handedness), eye


def _square_pixels(vertical: ArrayLike, aspect: ArrayLike) -> jax.Array:
    """``[..., 2]`` focal lengths in an image with that ratio of width to height."""
    horizontal = jnp.divide(vertical, aspect)
    return jnp.stack(jnp.broadcast_arrays(horizontal, vertical), axis=-1)


def perspective_camera(
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    half_fov: ArrayLike = 15.0,
    *,
    direction: VectorLike | None = None,
    handedness: Handedness = "left",
    aspect: ArrayLike = 1.0,
) -> Camera:
    """Makes a perspective camera, by default with the view of the SoftRas data sets.

    Args:
        eye: ``[..., 3]`` position, world space; see `eye_from_angles`.
        target: ``[..., 3]`` the point to look at, world space; the origin by default.
        up: ``[..., 3]`` what is up in the image; not parallel to the line of sight.
        half_fov: ``[...]`` half of the vertical field of view, degrees, in (0, 90).
        direction: ``[..., 3]`` where to look, of any length, in place of a target.
        handedness: ``"left"``, with the mirrored pictures of Soft Rasterizer, or
            ``"right"``, with those of a conventional camera.
        aspect: ``[...]`` width over height of the image, positive.

    Raises:
        ValueError: a wrong shape, a line of sight of no length or parallel to ``up``,
            or a number out of range.
    """
    checks.check_values(
        "half_fov must lie between 0 and 90 degrees; it is half of the field of view.",
        lambda angle: (angle > 0) & (angle < 90),
        half_fov,
    )
    axes, position = _pose(eye, target, direction, up, handedness)
    focal = _square_pixels(1 / jnp.tan(jnp.deg2rad(half_fov)), aspect)
    return camera_from_axes(axes, position, focal)


def orthographic_camera(
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    scale: ArrayLike = 1.0,
    *,
    direction: VectorLike | None = None,
    handedness: Handedness = "left",
    aspect: ArrayLike = 1.0,
) -> Camera:
    """Makes an orthographic camera: ``x' = s x / aspect``, ``y' = s y``, ``z' = z``.

    Takes the arguments of `perspective_camera` and raises its errors, but for:

    Args:
        eye: ``[..., 3]`` world space. Moving it along the line of sight changes depths
            and not the picture, as long as all lies in front of it.
        target: as there.
        up: as there.
        scale: ``[...]`` NDC per world unit, positive: the image is ``2 / s`` high.
        direction: as there.
        handedness: as there.
        aspect: as there.
    """
    axes, position = _pose(eye, target, direction, up, handedness)
    focal = _square_pixels(scale, aspect)
    return camera_from_axes(axes, position, focal, projection="orthographic")


def _seen_from(points: jax.Array, axes: jax.Array, position: jax.Array) -> jax.Array:
    return jnp.einsum(
        "...ij,...nj->...ni",
        axes,
        points - position[..., None, :],
        precision=jax.lax.Precision.HIGHEST,
    )


def look_at(
    points: ArrayLike, eye: ArrayLike, target: ArrayLike, up: ArrayLike
) -> jax.Array:
    """Moves points from world space to camera space, in the frame of Soft Rasterizer.

    Args:
        points: ``[..., N, 3]`` world space.
        eye: ``[..., 3]`` camera position, world space.
        target: ``[..., 3]`` the point looked at, world space.
        up: ``[..., 3]`` up direction.

    Returns:
        ``[..., N, 3]`` camera space: x right, y up, z forward.
    """
    axes, position = _pose(eye, target, None, up)
    return _seen_from(jnp.asarray(points), axes, position)


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


def _on_ideal_plane(seen: jax.Array) -> jax.Array:
    return seen[..., :2] / jnp.maximum(seen[..., 2:], _CLOSEST)


def perspective(points: ArrayLike, half_fov: ArrayLike) -> jax.Array:
    """Projects points from camera space to NDC.

    ``x' = x / (z tan a)``, ``y' = y / (z tan a)``, ``z' = z`` with ``a`` half the field
    of view. As of `project`, x' and y' mean nothing where z <= 0.

    Args:
        points: ``[..., N, 3]`` camera space.
        half_fov: ``[...]`` half of the field of view, degrees.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.
    """
    points, half_fov = checks.as_floats(points, half_fov)
    focal = 1 / jnp.tan(jnp.deg2rad(half_fov))
    xy = focal[..., None, None] * _on_ideal_plane(points)
    return jnp.concatenate([xy, points[..., 2:]], axis=-1)


def project(camera: Camera, points: ArrayLike) -> jax.Array:
    """Projects points from world space to NDC, by the formulas of `Camera`.

    Differentiable in the points and in all of the camera. A point at or behind the
    plane of the camera (depth <= 0, whatever the projection) has no picture: its x and
    y, and all gradients, are finite and mean nothing. Its depth is true and tells: a
    face with such a corner must not be drawn.

    Args:
        camera: batch axes broadcast against those of the points.
        points: ``[..., N, 3]`` world space.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.

    Raises:
        ValueError: an argument of wrong type or shape.
    """
    if not isinstance(camera, Camera):
        raise ValueError(
            "camera must be a Camera, such as perspective_camera makes, not "
            f"{type(camera).__name__}."
        )
    (points,) = checks.as_floats(points)
    if points.ndim < 2 or points.shape[-1] != 3:
        raise ValueError(
            f"points must have the shape [..., N, 3], not {list(points.shape)}."
        )
    batch = np.broadcast_shapes(camera.axes.shape[:-2], camera.position.shape[:-1])
    try:
        np.broadcast_shapes(batch, points.shape[:-2])
    except ValueError:
        raise ValueError(
            f"The leading axes of the camera, {list(batch)}, and those of the points, "
            f"{list(points.shape[:-2])}, must broadcast."
        ) from None
    seen = _seen_from(points, camera.axes, camera.position)
    plane = (
        _on_ideal_plane(seen) if camera.projection == "perspective" else seen[..., :2]
    )
    if camera.distortion is not None:
        plane = _distort(plane, camera.distortion)
    xy = camera.focal[..., None, :] * plane + camera.center[..., None, :]
    depth = jnp.broadcast_to(seen[..., 2:], (*xy.shape[:-1], 1))
    return jnp.concatenate([xy, depth], axis=-1)
