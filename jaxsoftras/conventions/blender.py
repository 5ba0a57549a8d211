"""Cameras of Blender: x right, y up, z backward."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses
from jaxsoftras.camera import Camera, camera_from_axes
from jaxsoftras.checks import VectorLike
from jaxsoftras.conventions import common
from jaxsoftras.conventions.common import ImageSize

SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]
"""Side of Blender's image that its sensor spans; ``"AUTO"``: the longer one."""

_SIGNS = (1, 1, -1)


def _sensor(
    image_size: ImageSize, width: float, height: float, fit: SensorFit, dtype
) -> tuple[float, jax.Array]:
    """Sensor length in mm, and the spanned side per width and per height, ``[2]``."""
    checks.check_choice("sensor_fit", fit, SensorFit)
    checks.check_finite({"sensor_width": width, "sensor_height": height})
    size = common.width_and_height(image_size, dtype)
    side = {"AUTO": jnp.max(size), "HORIZONTAL": size[0], "VERTICAL": size[1]}[fit]
    return height if fit == "VERTICAL" else width, side / size


@guesses.answers
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
    """Makes a camera from a perspective camera object of Blender with square pixels.

    Args:
        matrix_world: ``[..., 4, 4]`` camera to world; x right, y up, looking along -z.
        lens: ``[...]`` focal length, mm.
        image_size: size of the rendered image; see `ImageSize`.
        sensor_width: sensor length along the side that it spans, mm, also where that is
            the height; unused if ``sensor_fit`` is ``"VERTICAL"``.
        sensor_height: sensor length if ``sensor_fit`` is ``"VERTICAL"``, mm.
        sensor_fit: see `SensorFit`.
        shift: ``[..., 2]`` shift_x and shift_y, in units of the spanned side.

    Raises:
        ValueError: a wrong shape, a number that is not finite, a matrix with scale, or
            a length that is not positive.

    Example:
        >>> world = np.eye(4)
        >>> world[2, 3] = 3
        >>> camera = jaxsoftras.from_blender(world, lens=36.0, image_size=(48, 64))
        >>> print(camera.position, camera.focal_length.round(3))
        [0. 0. 3.] [2.    2.667]
    """
    world, lens, shift = checks.as_floats(matrix_world, lens, shift)
    checks.check_shape("matrix_world", world, 4, 4)
    checks.check_shape("shift", shift, 2)
    checks.check_finite({"matrix_world": world, "lens": lens, "shift": shift})
    common.check_last_row("matrix_world", world, 0, 0, 0, 1)
    checks.check_rotation("matrix_world[:3, :3]", world[..., :3, :3])
    sensor, spans = _sensor(
        image_size, sensor_width, sensor_height, sensor_fit, world.dtype
    )
    axes = common.flip_axes(world[..., :3, :3], *_SIGNS).mT
    focal = 2 * lens[..., None] / sensor * spans
    return camera_from_axes(axes, world[..., :3, 3], focal, -2 * shift * spans)


@guesses.answers
def to_blender(
    camera: Camera,
    image_size: ImageSize,
    *,
    sensor_width: float = 36.0,
    sensor_height: float = 24.0,
    sensor_fit: SensorFit = "AUTO",
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Converts a camera to Blender's parameters; the inverse of `from_blender`.

    Args:
        camera: right-handed and perspective, without distortion and skew, with square
            pixels.
        image_size: size of the rendered image; see `ImageSize`.
        sensor_width: as in `from_blender`.
        sensor_height: as in `from_blender`.
        sensor_fit: see `SensorFit`.

    Returns:
        matrix_world ``[..., 4, 4]``, lens ``[...]`` in mm, shift ``[..., 2]``.

    Raises:
        ValueError: the camera is mirrored or orthographic, or has a distortion, a skew
            or pixels that are not square.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> world, lens, shift = jaxsoftras.to_blender(camera, 64)
        >>> print(world[:3, 3], lens.round(3))
        [0. 0. 3.] 18.0
    """
    common.check_representable(camera, "Blender")
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
    rotation = common.flip_axes(camera.axes.mT, *_SIGNS)
    return (
        common.rigid_transform(rotation, camera.position),
        lens[..., 0],
        -camera.principal_point / spans / 2,
    )
