"""Cameras of MuJoCo, and of Brax and MJX: x right, y up, z backward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses
from jaxsoftras.camera import Camera, Projection, camera_from_axes
from jaxsoftras.checks import VectorLike
from jaxsoftras.conventions import common
from jaxsoftras.conventions.common import ImageSize

_SIGNS = (1, 1, -1)


def _matrix_from_quaternion(quaternion: jax.Array) -> jax.Array:
    """Rotations ``[..., 3, 3]`` of quaternions ``[..., 4]``, w first, of any length."""
    squares = jnp.sum(quaternion**2, axis=-1)
    checks.check_values(
        "A quaternion of rotation must not be zero.", lambda s: s > 0, squares
    )
    w, x, y, z = jnp.moveaxis(quaternion, -1, 0)
    s = 2 / squares
    return common.stack_rows(
        (1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)),
        (s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)),
        (s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)),
    )


def _as_matrix(rotation: jax.Array) -> jax.Array:
    """Camera to world ``[..., 3, 3]``, from any form that MuJoCo has for it."""
    if rotation.shape[-2:] == (3, 3):
        return rotation
    if rotation.shape[-1:] == (9,):
        return rotation.reshape(*rotation.shape[:-1], 3, 3)
    if rotation.shape[-1:] == (4,):
        return _matrix_from_quaternion(rotation)
    raise ValueError(
        "rotation must be a matrix [..., 3, 3] or [..., 9], such as data.cam_xmat, or "
        f"a quaternion [..., 4], not {list(rotation.shape)}."
    )


def _focal_length_from_fovy(
    fovy: jax.Array, image_size: ImageSize, kind: Projection
) -> jax.Array:
    """``[..., 2]`` focal lengths of square pixels."""
    if kind == "perspective":
        checks.check_values(
            "fovy must lie between 0 and 180 degrees; it is the full vertical field of "
            "view.",
            lambda angle: (angle > 0) & (angle < 180),
            fovy,
        )
        vertical = 1 / jnp.tan(jnp.deg2rad(fovy) / 2)
    else:
        vertical = 2 / fovy
    width, height = common.width_and_height(image_size, fovy.dtype)
    return vertical[..., None] * jnp.stack([height / width, jnp.ones_like(width)])


def _check_sensor(sensor_size: jax.Array) -> None:
    checks.check_shape("sensor_size", sensor_size, 2)
    checks.check_values(
        "sensor_size, width and height of the sensor, must be positive.",
        lambda size: (size > 0) & np.isfinite(size),
        sensor_size,
    )


@guesses.answers
def from_mujoco(
    position: VectorLike,
    rotation: ArrayLike,
    image_size: ImageSize,
    *,
    fovy: ArrayLike | None = None,
    intrinsic: VectorLike | None = None,
    sensor_size: VectorLike | None = None,
    kind: Projection = "perspective",
) -> Camera:
    """Makes a camera from the pose and field of view of a camera of MuJoCo.

    A camera of MuJoCo looks along its -z, with x right and y up. Its pose in the world
    is that of the data, after ``mj_forward``: ``data.cam_xpos[i]`` and
    ``data.cam_xmat[i]``. The position and quaternion of the model are in the frame of
    the camera's body, hence in the world if that is the world body.

    Args:
        position: ``[..., 3]`` world space.
        rotation: camera to world: a matrix ``[..., 3, 3]`` or ``[..., 9]``, row by row,
            or a quaternion ``[..., 4]``, w first, of any length.
        image_size: size of the rendered image; see `ImageSize`.
        fovy: ``[...]`` ``model.cam_fovy[i]``: full vertical field of view, degrees; of
            an orthographic camera, height of the image, world units.
        intrinsic: ``[..., 4]`` ``model.cam_intrinsic[i]``, in place of ``fovy``, of a
            camera that has a ``sensorsize``: focal lengths and principal point. The
            line of sight meets the image left of its centre where the x of the
            principal point is positive, and above it where y is.
        sensor_size: ``[..., 2]`` ``model.cam_sensorsize[i]``, width and height in the
            unit of ``intrinsic``.
        kind: ``"orthographic"`` where ``model.cam_projection[i]`` is 1.

    Raises:
        ValueError: a wrong shape, a number that is not finite or out of range, a matrix
            that is no rotation, or neither or both of ``fovy`` and ``intrinsic``.

    Example:
        >>> upright = [0.7071, 0.7071, 0, 0]
        >>> pose = (0.0, -3.0, 0.0), np.array(upright)
        >>> camera = jaxsoftras.from_mujoco(*pose, (48, 64), fovy=90.0)
        >>> print(camera.axes[2].round(3), camera.focal_length.round(3))
        [0. 1. 0.] [0.75 1.  ]
    """
    checks.check_choice("kind", kind, Projection)
    if (fovy is None) == (intrinsic is None) or (
        (sensor_size is None) != (intrinsic is None)
    ):
        raise ValueError(
            "Give fovy, or intrinsic and sensor_size, which take its place where "
            "model.cam_sensorsize is not zero."
        )
    given: dict[str, VectorLike] = {"position": position, "rotation": rotation}
    if fovy is not None:
        given["fovy"] = fovy
    elif intrinsic is not None and sensor_size is not None:
        given |= {"intrinsic": intrinsic, "sensor_size": sensor_size}
    arrays = dict(zip(given, checks.as_floats(*given.values()), strict=True))
    checks.check_finite(arrays)
    matrix = _as_matrix(arrays["rotation"])
    checks.check_rotation("rotation", matrix)
    axes = common.flip_axes(matrix, *_SIGNS).mT
    if fovy is not None:
        focal = _focal_length_from_fovy(arrays["fovy"], image_size, kind)
        return camera_from_axes(axes, arrays["position"], focal, projection=kind)
    if kind == "orthographic":
        raise ValueError("An orthographic camera of MuJoCo has fovy, not intrinsic.")
    common.width_and_height(image_size, jnp.float32)  # checks it
    lengths, size = arrays["intrinsic"], arrays["sensor_size"]
    checks.check_shape("intrinsic", lengths, 4)
    _check_sensor(size)
    center = common.flip_axes(2 * lengths[..., 2:] / size, -1, 1)
    return camera_from_axes(
        axes, arrays["position"], 2 * lengths[..., :2] / size, center
    )


@guesses.answers
def to_mujoco(
    camera: Camera,
    image_size: ImageSize,
    *,
    sensor_size: VectorLike | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Converts a camera to MuJoCo's parameters; the inverse of `from_mujoco`.

    Args:
        camera: right-handed, without distortion and skew. Without a ``sensor_size``,
            with square pixels and a principal point in the centre; with one,
            perspective.
        image_size: size of the rendered image; see `ImageSize`.
        sensor_size: ``[..., 2]`` width and height of the sensor, in any unit.

    Returns:
        Position ``[..., 3]``, rotation ``[..., 3, 3]`` camera to world, and fovy
        ``[...]``, degrees, or world units of an orthographic camera; with a
        ``sensor_size``, intrinsic ``[..., 4]`` in place of fovy.

    Raises:
        ValueError: the camera is mirrored, or has something that MuJoCo's lacks.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> position, rotation, fovy = jaxsoftras.to_mujoco(camera, 64)
        >>> print(position, rotation[2], fovy.round(3))
        [0. 0. 3.] [0. 0. 1.] 90.0
    """
    orthographic = sensor_size is None
    common.check_representable(camera, "MuJoCo", orthographic=orthographic)
    rotation = common.flip_axes(camera.axes.mT, *_SIGNS)
    focal, center = camera.focal_length, camera.principal_point
    size = common.width_and_height(image_size, focal.dtype)
    if sensor_size is not None:
        _, sensor = checks.as_floats(focal, sensor_size)
        _check_sensor(sensor)
        principal = common.flip_axes(center, -1, 1)
        parts = jnp.broadcast_arrays(focal * sensor / 2, principal * sensor / 2)
        return camera.position, rotation, jnp.concatenate(parts, axis=-1)
    advice = "give a sensor_size for MuJoCo's intrinsic parameters, which have them"
    checks.check_values(
        f"A fovy has no principal point beside the centre; {advice}.",
        lambda center: np.abs(center) <= 1e-5,
        center,
    )
    vertical = focal[..., 1]
    checks.check_values(
        "A fovy has square pixels, and those of this camera are not in an image of "
        f"this size; {advice}.",
        lambda focal, vertical: np.abs(focal[..., 0] / vertical - 1) <= 1e-5,
        focal * size[0] / size[1],
        vertical,
    )
    if camera.projection == "orthographic":
        return camera.position, rotation, 2 / vertical
    return camera.position, rotation, jnp.rad2deg(2 * jnp.arctan(1 / vertical))
