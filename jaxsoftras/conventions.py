"""Cameras of OpenCV, OpenGL, PyTorch3D and Blender, from them and to them.

All of these take unmirrored pictures of a right-handed world: the cameras made here are
right-handed, and only such a camera can be given to another program
(docs/conventions.md compares the conventions). Gradients pass through everything. The
values of arguments are checked where they are known, so not under `jax.jit`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, pose
from jaxsoftras.camera import Camera, Projection, camera_from_axes
from jaxsoftras.checks import VectorLike

ImageSize: TypeAlias = int | tuple[int, int]
"""Pixels, of a square image or (height, width)."""

SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]
"""The side of Blender's image that its sensor spans; ``"AUTO"``: the longer one."""

_OPENCV = (1, -1, 1)
_OPENGL = (1, 1, -1)
_BLENDER = (1, 1, -1)
_PYTORCH3D = (-1, 1, 1)


def _transposed(matrix: jax.Array) -> jax.Array:
    return jnp.swapaxes(matrix, -1, -2)


def _mirrored(vectors: jax.Array, *signs: int) -> jax.Array:
    return vectors * jnp.asarray(signs, vectors.dtype)


def _focal_lengths(matrix: jax.Array) -> jax.Array:
    return jnp.stack([matrix[..., 0, 0], matrix[..., 1, 1]], axis=-1)


def _width_and_height(image_size: ImageSize, dtype) -> jax.Array:
    return jnp.asarray(checks.as_image_size(image_size)[::-1], dtype)


def _matrix(*rows: tuple[ArrayLike, ...]) -> jax.Array:
    """``[..., R, C]`` from entries ``[...]`` and numbers."""
    entries = jnp.broadcast_arrays(*(entry for row in rows for entry in row))
    shape = (*entries[0].shape, len(rows), len(rows[0]))
    return jnp.stack(entries, axis=-1).reshape(shape)


def _rigid(rotation: jax.Array, translation: jax.Array) -> jax.Array:
    """``[..., 4, 4]`` from ``[..., 3, 3]`` and ``[..., 3]``."""
    top = jnp.concatenate([rotation, translation[..., None]], axis=-1)
    last = jnp.broadcast_to(jnp.eye(4, dtype=top.dtype)[3:], (*top.shape[:-2], 1, 4))
    return jnp.concatenate([top, last], axis=-2)


def _check_zero(message: str, *values: jax.Array) -> None:
    checks.check_values(message, lambda *v: np.abs(np.stack(v)) <= 1e-6, *values)


def _check_last_row(name: str, matrix: jax.Array, *row: int) -> None:
    _check_zero(
        f"The last row of {name} must be {' '.join(map(str, row))}.",
        matrix[..., -1, :] - jnp.asarray(row, matrix.dtype),
    )


def _check_known(
    camera: Camera, program: str, *, orthographic: bool = False, lens: bool = False
) -> None:
    """Raises a ValueError unless another program has such a camera."""
    if camera.projection == "orthographic" and not orthographic:
        raise ValueError(f"Orthographic cameras are not converted to {program}.")
    if camera.distortion is not None and not lens:
        raise ValueError(
            f"A camera of {program} has no lens distortion; leave it out with "
            "dataclasses.replace(camera, distortion=None)."
        )
    checks.check_values(
        f"This camera's pictures are mirrored, and {program} has no such camera; make "
        'it with handedness="right" and flip the picture instead.',
        lambda axes: np.linalg.det(axes) < 0,
        camera.axes,
    )


def from_opencv(
    intrinsics: ArrayLike,
    rotation: ArrayLike,
    translation: VectorLike,
    image_size: ImageSize,
    distortion: VectorLike | None = None,
) -> Camera:
    """Makes the camera of a calibration K, R, t.

    It sees a point p of the world at ``q = R p + t``, x right, y down, z forward, and
    pictures it at the pixel ``u = fx x + cx``, ``v = fy y + cy``, with (x, y) the
    distorted ``(q_x / q_z, q_y / q_z)``. The middle of the top left pixel is (0, 0):
    NDC is ``x = (2 u + 1 - W) / W``, ``y = (H - 1 - 2 v) / H``. Of a calibration whose
    (0, 0) is the corner of that pixel, subtract 1/2 from cx and cy.

    Args:
        intrinsics: ``[..., 3, 3]`` K, pixels; without skew.
        rotation: ``[..., 3, 3]`` R, world to camera.
        translation: ``[..., 3]`` t, world units.
        image_size: of the pictures that K is for.
        distortion: ``[..., 5]`` k1, k2, p1, p2, k3 with OpenCV's signs, or None.

    Raises:
        ValueError: a wrong shape; a K with skew, or whose last row is not 0 0 1; an R
            that is no rotation within 1e-3.
    """
    k, rotation, translation = checks.as_floats(intrinsics, rotation, translation)
    checks.check_shape("intrinsics", k, 3, 3)
    _check_last_row("intrinsics", k, 0, 0, 1)
    skew = k[..., 0, 1] / k[..., 0, 0], k[..., 1, 0] / k[..., 1, 1]
    _check_zero("intrinsics must have no skew: zeros beside the focal lengths.", *skew)
    axes, position = pose.from_extrinsics(rotation, translation, _OPENCV)
    size = _width_and_height(image_size, k.dtype)
    center = _mirrored((2 * k[..., :2, 2] + 1) / size - 1, 1, -1)
    if distortion is not None:
        (distortion,) = checks.as_floats(distortion)
        checks.check_shape("distortion", distortion, 5)
        distortion = _mirrored(distortion, 1, 1, -1, 1, 1)
    return camera_from_axes(
        axes, position, 2 * _focal_lengths(k) / size, center, distortion
    )


def to_opencv(
    camera: Camera, image_size: ImageSize
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """The inverse of `from_opencv`.

    Returns:
        K ``[..., 3, 3]`` pixels, R ``[..., 3, 3]``, t ``[..., 3]``, and the distortion
        ``[..., 5]``, or None if there is none.

    Raises:
        ValueError: the camera is mirrored or orthographic.
    """
    _check_known(camera, "OpenCV", lens=True)
    size = _width_and_height(image_size, camera.focal_length.dtype)
    fx, fy = jnp.moveaxis(camera.focal_length * size / 2, -1, 0)
    principal = ((_mirrored(camera.principal_point, 1, -1) + 1) * size - 1) / 2
    cx, cy = jnp.moveaxis(principal, -1, 0)
    distortion = camera.distortion
    if distortion is not None:
        distortion = _mirrored(distortion, 1, 1, -1, 1, 1)
    return (
        _matrix((fx, 0, cx), (0, fy, cy), (0, 0, 1)),
        *pose.to_extrinsics(camera.axes, camera.position, _OPENCV),
        distortion,
    )


def from_opengl(
    view: ArrayLike, projection: ArrayLike, kind: Projection = "perspective"
) -> Camera:
    """Makes the camera of a view matrix and a projection matrix.

    Both multiply column vectors: ``clip = projection @ view @ (p, 1)``, and NDC is
    ``clip / clip_w``, x right, y up, as here. The view has x right and y up, and looks
    along -z. What the projection does to z (near and far) is no part of a camera.

    Args:
        view: ``[..., 4, 4]`` world to camera: a rotation and a translation.
        projection: ``[..., 4, 4]`` camera to clip space, as of glFrustum.
        kind: ``"orthographic"`` for a projection as of glOrtho.

    Raises:
        ValueError: a wrong shape or last row, a view that is not rigid, or a projection
            with shear.
    """
    view, projection = checks.as_floats(view, projection)
    checks.check_shape("view", view, 4, 4)
    checks.check_shape("projection", projection, 4, 4)
    perspective = kind == "perspective"
    _check_last_row("view", view, 0, 0, 0, 1)
    row = (0, 0, -1, 0) if perspective else (0, 0, 0, 1)
    _check_last_row(f"a projection that is {kind}", projection, *row)
    used, empty = (2, 3) if perspective else (3, 2)
    _check_zero(
        "The first rows of projection must hold the focal lengths, the centre in column"
        f" {used} (from 0), and zeros.",
        *(projection[..., i, j] for i, j in ((0, 1), (1, 0), (0, empty), (1, empty))),
    )
    axes, position = pose.from_extrinsics(view[..., :3, :3], view[..., :3, 3], _OPENGL)
    center = projection[..., :2, used] * (-1 if perspective else 1)
    focal = _focal_lengths(projection)
    return camera_from_axes(axes, position, focal, center, projection=kind)


def to_opengl(
    camera: Camera, near: ArrayLike, far: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """The inverse of `from_opengl`, with NDC z from -1 at near to 1 at far.

    Args:
        camera: right-handed, without distortion.
        near: ``[...]`` depth, positive.
        far: ``[...]`` depth, beyond near.

    Returns:
        The view and the projection, ``[..., 4, 4]``.

    Raises:
        ValueError: the camera is mirrored or has a distortion, or near and far are not
            in order.
    """
    _check_known(camera, "OpenGL", orthographic=True)
    _, near, far = checks.as_floats(camera.focal_length, near, far)
    checks.check_values(
        "near must be positive, and far beyond it.",
        lambda near, far: (0 < near) & (near < far),
        near,
        far,
    )
    fx, fy = jnp.moveaxis(camera.focal_length, -1, 0)
    cx, cy = jnp.moveaxis(camera.principal_point, -1, 0)
    sum_, length = near + far, far - near
    if camera.projection == "perspective":
        depth = (0, 0, -sum_ / length, -2 * near * far / length)
        projection = _matrix((fx, 0, -cx, 0), (0, fy, -cy, 0), depth, (0, 0, -1, 0))
    else:
        depth = (0, 0, -2 / length, -sum_ / length)
        projection = _matrix((fx, 0, 0, cx), (0, fy, 0, cy), depth, (0, 0, 0, 1))
    view = pose.to_extrinsics(camera.axes, camera.position, _OPENGL)
    return _rigid(*view), projection


def _shorter_side(image_size: ImageSize, dtype) -> jax.Array:
    """``[2]`` the shorter side in units of the width and of the height."""
    size = _width_and_height(image_size, dtype)
    return jnp.min(size) / size


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
    """Makes the camera of PyTorch3D's R and T and a field of view or focal length.

    With row vectors, it sees p at ``q = p R + T``, x left, y up, z forward. NDC of
    PyTorch3D, x left, y up, are [-1, 1] along the shorter side of the image, and equal
    ``focal_length (q_x / q_z, q_y / q_z) + principal_point``.

    Args:
        rotation: ``[..., 3, 3]`` R.
        translation: ``[..., 3]`` T.
        image_size: of the image.
        fov: ``[...]`` the whole field of view along the shorter side, degrees: that of
            FoVPerspectiveCameras with an aspect ratio of 1.
        focal_length: in place of ``fov``: ``[..., 1]`` or ``[..., 2]``, or a number, of
            PerspectiveCameras or OrthographicCameras in NDC.
        principal_point: ``[..., 2]`` in PyTorch3D's NDC.
        kind: of the projection.

    Raises:
        ValueError: a wrong shape, an R that is no rotation within 1e-3, or other than
            one of ``fov`` and ``focal_length``.
    """
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
    checks.check_shape("The rotation", rotation, 3, 3)
    checks.check_shape("principal_point", principal, 2)
    if focal.shape[-1:] not in ((), (1,), (2,)):
        raise ValueError(
            "focal_length must be a number or have the shape [..., 1] or [..., 2], not "
            f"{list(focal.shape)}."
        )
    axes, position = pose.from_extrinsics(
        _transposed(rotation), translation, _PYTORCH3D
    )
    shorter = _shorter_side(image_size, focal.dtype)
    center = _mirrored(principal, -1, 1) * shorter
    return camera_from_axes(axes, position, focal * shorter, center, projection=kind)


def to_pytorch3d(
    camera: Camera, image_size: ImageSize
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The inverse of `from_pytorch3d`.

    Returns:
        R ``[..., 3, 3]``, T ``[..., 3]``, and focal length and principal point ``[...,
        2]``, of PerspectiveCameras or OrthographicCameras with ``in_ndc=True``.

    Raises:
        ValueError: the camera is mirrored or has a distortion.
    """
    _check_known(camera, "PyTorch3D", orthographic=True)
    rotation, translation = pose.to_extrinsics(camera.axes, camera.position, _PYTORCH3D)
    shorter = _shorter_side(image_size, camera.focal_length.dtype)
    principal = _mirrored(camera.principal_point, -1, 1) / shorter
    return _transposed(rotation), translation, camera.focal_length / shorter, principal


def _sensor(
    image_size: ImageSize, width: float, height: float, fit: SensorFit, dtype
) -> tuple[float, jax.Array]:
    """Its length in mm, and ``[2]`` the side it spans per width and per height."""
    checks.check_choice("sensor_fit", fit, SensorFit)
    size = _width_and_height(image_size, dtype)
    side = {"AUTO": jnp.max(size), "HORIZONTAL": size[0], "VERTICAL": size[1]}[fit]
    return height if fit == "VERTICAL" else width, side / size


def from_blender(
    matrix_world: ArrayLike,
    lens: ArrayLike,
    image_size: ImageSize,
    *,
    sensor_width: float = 36.0,
    sensor_height: float = 24.0,
    sensor_fit: SensorFit = "AUTO",
    shift: VectorLike = (0.0, 0.0),
) -> Camera:
    """Makes the camera of a Blender object of type perspective, with square pixels.

    Args:
        matrix_world: ``[..., 4, 4]`` camera to world; x right, y up, looking along -z.
        lens: ``[...]`` focal length, mm.
        image_size: of the rendered image.
        sensor_width: mm; along the side that the sensor spans, be it the height, unless
            ``sensor_fit`` is ``"VERTICAL"``.
        sensor_height: mm; used if it is.
        sensor_fit: see `SensorFit`.
        shift: ``[..., 2]`` shift_x and shift_y, in units of that side.

    Raises:
        ValueError: a wrong shape, a matrix with scale, or a length that is not
            positive.
    """
    world, lens, shift = checks.as_floats(matrix_world, lens, shift)
    checks.check_shape("matrix_world", world, 4, 4)
    checks.check_shape("shift", shift, 2)
    _check_last_row("matrix_world", world, 0, 0, 0, 1)
    checks.check_rotation("matrix_world[:3, :3]", world[..., :3, :3])
    sensor, spans = _sensor(
        image_size, sensor_width, sensor_height, sensor_fit, world.dtype
    )
    axes = _transposed(_mirrored(world[..., :3, :3], *_BLENDER))
    focal = 2 * lens[..., None] / sensor * spans
    return camera_from_axes(axes, world[..., :3, 3], focal, -2 * shift * spans)


def to_blender(
    camera: Camera,
    image_size: ImageSize,
    *,
    sensor_width: float = 36.0,
    sensor_height: float = 24.0,
    sensor_fit: SensorFit = "AUTO",
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The inverse of `from_blender`.

    Returns:
        matrix_world ``[..., 4, 4]``, lens ``[...]`` in mm, shift ``[..., 2]``.

    Raises:
        ValueError: the camera is mirrored or orthographic, or has a distortion or
            pixels that are not square.
    """
    _check_known(camera, "Blender")
    sensor, spans = _sensor(
        image_size, sensor_width, sensor_height, sensor_fit, camera.focal_length.dtype
    )
    lens = camera.focal_length / spans * sensor / 2
    checks.check_values(
        "The pixels of this camera are not square in an image of this size: its focal "
        "lengths differ. Blender has but one lens.",
        lambda lens: np.abs(lens[..., 0] / lens[..., 1] - 1) <= 1e-5,
        lens,
    )
    rotation = _mirrored(_transposed(camera.axes), *_BLENDER)
    return (
        _rigid(rotation, camera.position),
        lens[..., 0],
        -camera.principal_point / spans / 2,
    )
