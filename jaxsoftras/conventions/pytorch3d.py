"""Cameras of PyTorch3D: x left, y up, z forward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, pose
from jaxsoftras.camera import Camera, Projection, camera_from_axes
from jaxsoftras.checks import VectorLike
from jaxsoftras.conventions import common
from jaxsoftras.conventions.common import ImageSize

_SIGNS = (-1, 1, 1)


def _shorter_side(image_size: ImageSize, dtype) -> jax.Array:
    """Shorter side in units of the width and of the height, ``[2]``."""
    size = common.width_and_height(image_size, dtype)
    return jnp.min(size) / size


@guesses.answers
def from_pytorch3d(
    rotation: ArrayLike,
    translation: VectorLike,
    image_size: ImageSize,
    *,
    fov: ArrayLike | None = None,
    focal_length: ArrayLike | None = None,
    principal_point: VectorLike = (0.0, 0.0),
    kind: Projection = "perspective",
) -> Camera:
    """Makes a camera from PyTorch3D's R and T and a field of view or focal length.

    In row vectors, a world point p has the camera coordinates ``q = p R + T``, x left,
    y up, z forward. NDC of PyTorch3D, x left, y up, span [-1, 1] along the shorter side
    of the image and equal ``focal_length (q_x / q_z, q_y / q_z) + principal_point``.

    Args:
        rotation: ``[..., 3, 3]`` R.
        translation: ``[..., 3]`` T.
        image_size: size of the image; see `ImageSize`.
        fov: ``[...]`` full field of view along the shorter side, degrees, as in
            FoVPerspectiveCameras with an aspect ratio of 1.
        focal_length: in place of ``fov``: ``[..., 1]`` or ``[..., 2]``, or a number, in
            PyTorch3D's NDC, as in PerspectiveCameras or OrthographicCameras.
        principal_point: ``[..., 2]`` in PyTorch3D's NDC.
        kind: perspective or orthographic; see `Projection`.

    Raises:
        ValueError: a wrong shape, a number that is not finite, an R that is no rotation
            within 1e-3, or neither or both of ``fov`` and ``focal_length``.

    Example:
        >>> translation = (0.0, 0.0, 3.0)
        >>> camera = jaxsoftras.from_pytorch3d(np.eye(3), translation, 64, fov=90.0)
        >>> print(camera.focal_length.round(3), camera.position[2])
        [1. 1.] -3.0
    """
    checks.check_choice("kind", kind, Projection)
    if fov is not None:
        checks.check_values(
            "fov must lie between 0 and 180 degrees; it is the full field of view.",
            lambda angle: (angle > 0) & (angle < 180),
            fov,
        )
    if focal_length is None and fov is not None and kind == "perspective":
        focal_length, fov = 1 / jnp.tan(jnp.deg2rad(fov) / 2)[..., None], None
    if focal_length is None or fov is not None:
        raise ValueError(
            "Give fov or focal_length, not both, and for orthographic cameras the "
            "focal_length."
        )
    rotation, translation, focal, principal = checks.as_floats(
        rotation, translation, focal_length, principal_point
    )
    checks.check_shape("rotation", rotation, 3, 3)
    checks.check_shape("principal_point", principal, 2)
    checks.check_finite({"focal_length": focal, "principal_point": principal})
    if focal.shape[-1:] not in ((), (1,), (2,)):
        raise ValueError(
            "focal_length must be a number or have the shape [..., 1] or [..., 2], not "
            f"{list(focal.shape)}."
        )
    axes, position = pose.from_extrinsics(rotation.mT, translation, _SIGNS)
    shorter = _shorter_side(image_size, focal.dtype)
    center = common.flip_axes(principal, -1, 1) * shorter
    return camera_from_axes(axes, position, focal * shorter, center, projection=kind)


@guesses.answers
def to_pytorch3d(
    camera: Camera, image_size: ImageSize
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Converts a camera to PyTorch3D's parameters; the inverse of `from_pytorch3d`.

    Args:
        camera: right-handed, without distortion and skew.
        image_size: size of the image; see `ImageSize`.

    Returns:
        R ``[..., 3, 3]``, T ``[..., 3]``, and focal length and principal point ``[...,
        2]``, for PerspectiveCameras or OrthographicCameras with ``in_ndc=True``.

    Raises:
        ValueError: the camera is mirrored or has a distortion or skew.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> _, translation, focal_length, _ = jaxsoftras.to_pytorch3d(camera, 64)
        >>> print(translation, focal_length.round(3))
        [0. 0. 3.] [1. 1.]
    """
    common.check_representable(camera, "PyTorch3D", orthographic=True)
    rotation, translation = pose.to_extrinsics(camera.axes, camera.position, _SIGNS)
    shorter = _shorter_side(image_size, camera.focal_length.dtype)
    principal = common.flip_axes(camera.principal_point, -1, 1) / shorter
    return rotation.mT, translation, camera.focal_length / shorter, principal
