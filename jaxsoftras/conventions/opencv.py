"""Cameras of OpenCV: x right, y down, z forward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, pose
from jaxsoftras.camera import Camera, camera_from_axes
from jaxsoftras.checks import VectorLike
from jaxsoftras.conventions import common
from jaxsoftras.conventions.common import ImageSize

_SIGNS = (1, -1, 1)


def from_opencv(
    intrinsics: ArrayLike,
    rotation: ArrayLike,
    translation: VectorLike,
    image_size: ImageSize,
    distortion: VectorLike | None = None,
) -> Camera:
    """Makes a camera from an OpenCV calibration K, R, t.

    A world point p has the camera coordinates ``q = R p + t``, x right, y down, z
    forward, and the pixel ``u = fx x + cx``, ``v = fy y + cy``, with (x, y) the
    distorted ``(q_x / q_z, q_y / q_z)``. The centre of the top left pixel is (0, 0):
    NDC is ``x = (2 u + 1 - W) / W``, ``y = (H - 1 - 2 v) / H``. If (0, 0) is the corner
    of that pixel in a calibration, subtract 1/2 from its cx and cy.

    Args:
        intrinsics: ``[..., 3, 3]`` K, pixels; without skew.
        rotation: ``[..., 3, 3]`` R, world to camera.
        translation: ``[..., 3]`` t, world units.
        image_size: size of the images that K is for; see `ImageSize`.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3 with OpenCV's signs, or None.

    Raises:
        ValueError: a wrong shape; a K with skew, or whose last row is not 0 0 1; an R
            that is no rotation within 1e-3.

    Example:
        >>> k = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
        >>> camera = jaxsoftras.from_opencv(k, np.eye(3), (0.0, 0.0, 3.0), (48, 64))
        >>> print(camera.focal_length, camera.position[2])
        [1.875 2.5  ] -3.0
    """
    k, rotation, translation = checks.as_floats(intrinsics, rotation, translation)
    checks.check_shape("intrinsics", k, 3, 3)
    common.check_last_row("intrinsics", k, 0, 0, 1)
    skew = k[..., 0, 1] / k[..., 0, 0], k[..., 1, 0] / k[..., 1, 1]
    common.check_zero(
        "intrinsics must have no skew: zeros beside the focal lengths.", *skew
    )
    axes, position = pose.from_extrinsics(rotation, translation, _SIGNS)
    size = common.width_and_height(image_size, k.dtype)
    center = common.flip_axes((2 * k[..., :2, 2] + 1) / size - 1, 1, -1)
    if distortion is not None:
        (distortion,) = checks.as_floats(distortion)
        checks.check_shape("distortion", distortion, 5)
        distortion = common.flip_axes(distortion, 1, 1, -1, 1, 1)
    return camera_from_axes(
        axes, position, 2 * common.focal_lengths(k) / size, center, distortion
    )


def to_opencv(
    camera: Camera, image_size: ImageSize
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """Converts a camera to an OpenCV calibration; the inverse of `from_opencv`.

    Args:
        camera: right-handed and perspective.
        image_size: size of the images that K is for; see `ImageSize`.

    Returns:
        K ``[..., 3, 3]`` pixels, R ``[..., 3, 3]``, t ``[..., 3]``, and the distortion
        ``[..., 5]`` with OpenCV's signs, or None if there is none.

    Raises:
        ValueError: the camera is mirrored or orthographic.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> k, rotation, translation, distortion = jaxsoftras.to_opencv(camera, 64)
        >>> print(k.round(2)[0], translation, distortion)
        [32.   0.  31.5] [0. 0. 3.] None
    """
    common.check_representable(camera, "OpenCV", lens=True)
    size = common.width_and_height(image_size, camera.focal_length.dtype)
    fx, fy = jnp.moveaxis(camera.focal_length * size / 2, -1, 0)
    principal = ((common.flip_axes(camera.principal_point, 1, -1) + 1) * size - 1) / 2
    cx, cy = jnp.moveaxis(principal, -1, 0)
    distortion = camera.distortion
    if distortion is not None:
        distortion = common.flip_axes(distortion, 1, 1, -1, 1, 1)
    return (
        common.stack_rows((fx, 0, cx), (0, fy, cy), (0, 0, 1)),
        *pose.to_extrinsics(camera.axes, camera.position, _SIGNS),
        distortion,
    )
