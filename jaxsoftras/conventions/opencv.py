"""Cameras of OpenCV: x right, y down, z forward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, lenses, pose
from jaxsoftras.camera import Camera, camera_from_axes
from jaxsoftras.checks import VectorLike
from jaxsoftras.conventions import common
from jaxsoftras.conventions.common import ImageSize
from jaxsoftras.lenses import Lens

_SIGNS = (1, -1, 1)

# A flip of y changes the signs of these coefficients of a lens: p1, s3,
# s4 and the tilt about x.
_FLIPS = {
    "brown": (1, 1, -1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, 1),
    "fisheye": (1, 1, 1, 1),
}


def _as_vectors(distortion: jax.Array, lens: Lens) -> jax.Array:
    """``[..., K]`` from vectors, columns or one row, checked."""
    if distortion.ndim > 1 and distortion.shape[-1] == 1:
        distortion = distortion[..., 0]
    elif distortion.ndim == 2 and distortion.shape[0] == 1:
        distortion = distortion[0]
    lenses.check_distortion(distortion, lens)
    checks.check_finite({"distortion": distortion})
    return distortion


def _flip_lens(distortion: jax.Array, lens: Lens) -> jax.Array:
    """Coefficients for y up from those for y down, and the reverse."""
    return common.flip_axes(distortion, *_FLIPS[lens][: distortion.shape[-1]])


@guesses.answers
def from_opencv(
    intrinsics: ArrayLike,
    rotation: ArrayLike,
    translation: VectorLike,
    image_size: ImageSize,
    distortion: VectorLike | None = None,
    *,
    lens: Lens = "brown",
) -> Camera:
    """Makes a camera from an OpenCV calibration K, R, t.

    A world point p has the camera coordinates ``q = R p + t``, x right, y down, z
    forward, and the pixel ``u = fx x + s y + cx``, ``v = fy y + cy``, with (x, y) the
    distorted ``(q_x / q_z, q_y / q_z)`` and s, the skew, ``K[0, 1]``. The centre of the
    top left pixel is (0, 0): NDC is ``x = (2 u + 1 - W) / W``, ``y = (H - 1 - 2 v) /
    H``. If (0, 0) is the corner of that pixel in a calibration, subtract 1/2 from its
    cx and cy.

    Args:
        intrinsics: ``[..., 3, 3]`` K, pixels.
        rotation: ``[..., 3, 3]`` R, world to camera.
        translation: ``[..., 3]`` t, world units; or columns ``[..., 3, 1]``, as
            solvePnP returns them.
        image_size: size of the images that K is for; see `ImageSize`.
        distortion: ``[..., K]`` coefficients in the order and with the signs of OpenCV,
            or None. ``"brown"``: 4, 5, 8, 12 or 14 numbers, as calibrateCamera returns
            them; ``"fisheye"``: the 4 of fisheye.calibrate. Leading axes are those of
            K, R and t together, or broadcast to them. A last axis of length 1 marks
            columns, ``[..., K, 1]``, as no lens has one number; one row, ``[1, K]``, is
            a vector.
        lens: ``"fisheye"`` for the model of OpenCV's module fisheye; see
            `jaxsoftras.lenses.Lens`.

    Raises:
        ValueError: a wrong shape; a number that is not finite; a K whose last row is
            not 0 0 1 or whose entry [1, 0] is not 0; an R that is no rotation within
            1e-3.

    Example:
        >>> k = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
        >>> camera = jaxsoftras.from_opencv(k, np.eye(3), (0.0, 0.0, 3.0), (48, 64))
        >>> print(camera.focal_length, camera.position[2])
        [1.875 2.5  ] -3.0
    """
    checks.check_choice("lens", lens, Lens)
    k, rotation, translation = checks.as_floats(intrinsics, rotation, translation)
    checks.check_shape("intrinsics", k, 3, 3)
    if translation.shape[-2:] == (3, 1):
        translation = translation[..., 0]
    if rotation.shape[-2:] != (3, 3):
        raise ValueError(
            f"rotation must have the shape [..., 3, 3], not {list(rotation.shape)}; "
            "rotation_from_axis_angle makes matrices of rotation vectors [..., 3]."
        )
    checks.check_finite({"intrinsics": k})
    common.check_last_row("intrinsics", k, 0, 0, 1)
    common.check_zero(
        "intrinsics[1, 0] must be zero: the skew is intrinsics[0, 1].",
        k[..., 1, 0] / k[..., 1, 1],
    )
    axes, position = pose.from_extrinsics(rotation, translation, _SIGNS)
    size = common.width_and_height(image_size, k.dtype)
    center = common.flip_axes((2 * k[..., :2, 2] + 1) / size - 1, 1, -1)
    if distortion is not None:
        vectors = _as_vectors(*checks.as_floats(distortion), lens=lens)
        batches = k.shape[:-2], rotation.shape[:-2], translation.shape[:-1]
        common.check_leading_axes("distortion", vectors.shape[:-1], *batches)
        distortion = _flip_lens(vectors, lens)
    return camera_from_axes(
        axes,
        position,
        2 * common.focal_lengths(k) / size,
        center,
        distortion,
        skew=common.nonzero_skew(-2 * k[..., 0, 1] / size[0]),
        lens=lens,
    )


@guesses.answers
def to_opencv(
    camera: Camera, image_size: ImageSize, *, lens: Lens = "brown"
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """Converts a camera to an OpenCV calibration; the inverse of `from_opencv`.

    Args:
        camera: right-handed and perspective.
        image_size: size of the images that K is for; see `ImageSize`.
        lens: the lens of the camera, which tells one vector of four numbers from
            another.

    Returns:
        K ``[..., 3, 3]`` pixels, R ``[..., 3, 3]``, t ``[..., 3]``, and the distortion
        ``[..., K]`` in the order and with the signs of OpenCV, or None if there is
        none.

    Raises:
        ValueError: the camera is mirrored or orthographic, or has another lens.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> k, rotation, translation, distortion = jaxsoftras.to_opencv(camera, 64)
        >>> print(k.round(2)[0], translation, distortion)
        [32.   0.  31.5] [0. 0. 3.] None
    """
    checks.check_choice("lens", lens, Lens)
    common.check_representable(camera, "OpenCV", lens=True, skew=True)
    if camera.lens != lens:
        raise ValueError(
            f"This camera has a {camera.lens} lens, not a {lens} one; with "
            f"lens={camera.lens!r} its coefficients are those of that model of OpenCV."
        )
    size = common.width_and_height(image_size, camera.focal_length.dtype)
    fx, fy = jnp.moveaxis(camera.focal_length * size / 2, -1, 0)
    principal = ((common.flip_axes(camera.principal_point, 1, -1) + 1) * size - 1) / 2
    cx, cy = jnp.moveaxis(principal, -1, 0)
    skew = 0 if camera.skew is None else -camera.skew * size[0] / 2
    distortion = camera.distortion
    if distortion is not None:
        lenses.check_distortion(jnp.asarray(distortion), lens)
        distortion = _flip_lens(distortion, lens)
    return (
        common.stack_rows((fx, skew, cx), (0, fy, cy), (0, 0, 1)),
        *pose.to_extrinsics(camera.axes, camera.position, _SIGNS),
        distortion,
    )
