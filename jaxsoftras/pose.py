"""Poses of cameras: positions on a sphere, lines of sight, rotations."""

from __future__ import annotations

import functools
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses
from jaxsoftras.checks import VectorLike

Handedness = Literal["left", "right"]
"""``"right"``: a conventional camera. Text in the scene reads forwards in the image,
and front faces (counter-clockwise seen from outside) are counter-clockwise on the
screen. ``"left"``: the frame of Soft Rasterizer and its data sets. The image is
mirrored left to right, and front faces are clockwise on the screen."""

# A vector shorter than this has no direction.
_SHORTEST = 1e-5
# Terms of Taylor series that hold to double precision, with their second derivatives,
# up to an angle of 1/2 radian.
_TERMS = 8


class Pose(NamedTuple):
    """Orientation and position of a camera; a pytree.

    Attributes:
        axes: ``[..., 3, 3]`` orthonormal rows right, up and forward, world space.
        position: ``[..., 3]`` world space.
    """

    axes: jax.Array
    position: jax.Array


@guesses.answers
def eye_from_angles(
    distance: ArrayLike, elevation: ArrayLike, azimuth: ArrayLike
) -> jax.Array:
    """Camera position on a sphere around the origin.

    ``d (cos(el) sin(az), sin(el), -cos(el) cos(az))``: azimuth 0 lies on -z, where a
    camera at the origin's height looks along +z, and azimuth 90 on +x.

    Args:
        distance: ``[...]`` distance d from the origin, world units.
        elevation: ``[...]`` angle above the horizon, degrees.
        azimuth: ``[...]`` angle around the y axis, degrees.

    Returns:
        ``[..., 3]`` position, world space.

    Example:
        >>> print(jaxsoftras.eye_from_angles(2.0, 30.0, 180.0).round(3))
        [0.    1.    1.732]
    """
    return _eye_from_angles(*checks.as_floats(distance, elevation, azimuth))


@jax.jit
def _eye_from_angles(
    distance: jax.Array, elevation: jax.Array, azimuth: jax.Array
) -> jax.Array:
    elevation, azimuth = jnp.deg2rad(elevation), jnp.deg2rad(azimuth)
    direction = jnp.stack(
        jnp.broadcast_arrays(
            jnp.cos(elevation) * jnp.sin(azimuth),
            jnp.sin(elevation),
            -jnp.cos(elevation) * jnp.cos(azimuth),
        ),
        axis=-1,
    )
    return distance[..., None] * direction


def _normalize(vectors: jax.Array) -> jax.Array:
    # the root of a maximum, so that a vector of zeros has a finite gradient
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    # not a sum over an axis, which on a GPU would end a kernel
    length2 = (x * x + y * y + z * z)[..., None]
    return vectors / jnp.sqrt(jnp.maximum(length2, _SHORTEST**2))


def _has_direction(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1) > _SHORTEST


def _vertical(up: jax.Array, forward: jax.Array) -> jax.Array:
    """``up``, or a direction across it where the line of sight is parallel to it.

    Within the rounding of their cross product, up does not determine the image's
    vertical. The z axis then does (the y axis where up is along z), with the sign that
    it has for a camera of azimuth 0 just before.
    """
    across = jnp.sum(jnp.cross(up, forward) ** 2, axis=-1, keepdims=True)
    along = jnp.sum(up * forward, axis=-1, keepdims=True)
    size = jnp.abs(lax.stop_gradient(up))[..., ::-1]  # z before x where they tie
    axis = jax.nn.one_hot(2 - jnp.argmin(size, axis=-1), 3, dtype=up.dtype)
    parallel = across <= jnp.finfo(up.dtype).eps
    return jnp.where(parallel, -jnp.sign(along) * axis, up)


@functools.partial(jax.jit, static_argnames="handedness")
def _axes_from_direction(
    direction: jax.Array, up: jax.Array, handedness: Handedness
) -> jax.Array:
    forward = _normalize(direction)
    side = _normalize(jnp.cross(_vertical(_normalize(up), forward), forward))
    above = _normalize(jnp.cross(forward, side))
    right = side if handedness == "left" else -side
    return jnp.stack(jnp.broadcast_arrays(right, above, forward), axis=-2)


def axes_from_direction(
    direction: jax.Array, up: jax.Array, handedness: Handedness = "right"
) -> jax.Array:
    """Axes of a camera that looks along a direction.

    ``forward = n(direction)``, with n the normalisation to length 1; ``right =
    n(forward x up)`` if right-handed and its opposite if left-handed; ``above`` is
    perpendicular to both, on the side of ``up``.

    Args:
        direction: ``[..., 3]`` line of sight, world space, of any length.
        up: ``[..., 3]`` vertical direction of the image, world space. Where it is
            parallel to the line of sight, within 0.02 degrees in single precision, the
            z axis takes its place, or the y axis if up is along z.
        handedness: whether the image is mirrored; see `Handedness`.

    Returns:
        ``[..., 3, 3]`` orthonormal rows right, above and forward, world space; of
        determinant -1 if right-handed and 1 if left-handed.

    Raises:
        ValueError: a wrong shape, or a direction or ``up`` that is zero.

    Example:
        >>> line_of_sight, up = jnp.array([0.0, 0, 2]), jnp.array([0.0, 1, 0])
        >>> print(pose.axes_from_direction(line_of_sight, up))
        [[-1.  0.  0.]
         [ 0.  1.  0.]
         [ 0.  0.  1.]]
    """
    checks.check_choice("handedness", handedness, Handedness)
    checks.check_shape("direction", direction, 3)
    checks.check_shape("up", up, 3)
    checks.check_values(
        "The camera has no line of sight: eye and target coincide, or the direction is "
        "zero or not finite.",
        _has_direction,
        direction,
    )
    checks.check_values(
        "up must not be zero; it is the vertical direction of the image.",
        _has_direction,
        up,
    )
    return _axes_from_direction(direction, up, handedness)


@guesses.answers
def look_at(
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    *,
    direction: VectorLike | None = None,
    handedness: Handedness = "right",
) -> Pose:
    """Pose of a camera that looks at a point or along a direction.

    ``camera_from_axes(*look_at(eye), focal_length)`` makes a camera from it.

    Args:
        eye: ``[..., 3]`` position, world space; see `eye_from_angles`.
        target: ``[..., 3]`` point to look at, world space; the origin by default.
        up: ``[..., 3]`` vertical direction of the image, world space; see
            `axes_from_direction` for a line of sight parallel to it.
        direction: ``[..., 3]`` line of sight, world space, of any length, in place of a
            target.
        handedness: whether the image is mirrored; see `Handedness`.

    Returns:
        The axes ``[..., 3, 3]`` and the position ``[..., 3]``, world space.

    Raises:
        ValueError: a wrong shape, a target and a direction, or a line of sight or
            ``up`` that is zero.

    Example:
        >>> axes, position = jaxsoftras.look_at((0.0, 0.0, -2.0))
        >>> print(axes[2], position)
        [0. 0. 1.] [ 0.  0. -2.]
    """
    if target is not None and direction is not None:
        raise ValueError("A camera takes a target or a direction, not both.")
    target = (0.0, 0.0, 0.0) if target is None else target
    eye, aim, up = checks.as_floats(eye, target if direction is None else direction, up)
    aim_name = "target" if direction is None else "direction"
    checks.check_shape("eye", eye, 3)
    checks.check_shape(aim_name, aim, 3)
    checks.check_finite({"eye": eye, aim_name: aim, "up": up})
    try:
        np.broadcast_shapes(eye.shape, aim.shape)
    except ValueError:
        raise ValueError(
            f"The leading axes of eye {list(eye.shape)} and {aim_name} "
            f"{list(aim.shape)} must broadcast."
        ) from None
    if direction is None:
        aim = aim - eye
    return Pose(axes_from_direction(aim, up, handedness), eye)


def transform_to_camera(
    points: jax.Array, axes: jax.Array, position: jax.Array
) -> jax.Array:
    """World space ``[..., N, 3]`` to camera space: x right, y up, z forward."""
    return jnp.einsum(
        "...ij,...nj->...ni",
        axes,
        points - position[..., None, :],
        precision=jax.lax.Precision.HIGHEST,
    )


@guesses.answers
def world_to_camera(
    points: ArrayLike,
    eye: VectorLike,
    target: VectorLike | None = None,
    up: VectorLike = (0.0, 1.0, 0.0),
    *,
    handedness: Handedness = "right",
) -> jax.Array:
    """Moves points from world space to camera space.

    With `jaxsoftras.camera.camera_to_ndc`, this is `jaxsoftras.camera.project` in two
    steps, as in Soft Rasterizer, whose frame is ``handedness="left"``.

    Args:
        points: ``[..., N, 3]`` world space.
        eye: ``[..., 3]`` camera position, world space.
        target: ``[..., 3]`` point to look at, world space; the origin by default.
        up: ``[..., 3]`` vertical direction of the image, world space.
        handedness: whether the image is mirrored; see `Handedness`.

    Returns:
        ``[..., N, 3]`` camera space: x right, y up, z forward, world units.

    Raises:
        ValueError: a wrong shape, or a line of sight or ``up`` that is zero.

    Example:
        >>> points = np.array([[0.5, 0.25, 0.0]])
        >>> print(jaxsoftras.world_to_camera(points, (0, 0, -2), handedness="left"))
        [[0.5  0.25 2.  ]]
    """
    axes, position = look_at(eye, target, up, handedness=handedness)
    return transform_to_camera(jnp.asarray(points), axes, position)


Signs = tuple[int, int, int]
"""Whether the axes of a camera run along (1) or against (-1) right, up and forward."""


def from_extrinsics(rotation: jax.Array, translation: jax.Array, signs: Signs) -> Pose:
    """Pose of a camera that sees the world point p at ``q = rotation p + translation``.

    Args:
        rotation: ``[..., 3, 3]`` world to camera.
        translation: ``[..., 3]`` world units.
        signs: directions of the axes in which q is given; see `Signs`.

    Returns:
        The axes ``[..., 3, 3]`` and the position ``[..., 3]``, world space.

    Raises:
        ValueError: a wrong shape, or a matrix that is no rotation within 1e-3.

    Example:
        >>> found = pose.from_extrinsics(jnp.eye(3), jnp.array([0.0, 0, 3]), (1, -1, 1))
        >>> print(found.position, found.axes[1])
        [ 0.  0. -3.] [ 0. -1.  0.]
    """
    checks.check_finite({"rotation": rotation, "translation": translation})
    checks.check_rotation("rotation", rotation)
    checks.check_shape("translation", translation, 3)
    position = -_turn(jnp.swapaxes(rotation, -1, -2), translation)
    return Pose(jnp.asarray(signs, rotation.dtype)[:, None] * rotation, position)


def to_extrinsics(
    axes: jax.Array, position: jax.Array, signs: Signs
) -> tuple[jax.Array, jax.Array]:
    """Rotation and translation of a pose; the inverse of `from_extrinsics`.

    Args:
        axes: ``[..., 3, 3]`` rows right, up and forward, world space.
        position: ``[..., 3]`` world space.
        signs: directions of the axes of the result; see `Signs`.

    Returns:
        The rotation ``[..., 3, 3]``, world to camera, and the translation ``[..., 3]``.

    Example:
        >>> axes, position = jaxsoftras.look_at((0.0, 0.0, 3.0), handedness="right")
        >>> rotation, translation = pose.to_extrinsics(axes, position, (1, -1, 1))
        >>> print(translation)
        [0. 0. 3.]
    """
    rotation = jnp.asarray(signs, axes.dtype)[:, None] * axes
    return rotation, -_turn(rotation, position)


def _turn(rotation: jax.Array, vector: jax.Array) -> jax.Array:
    precision = jax.lax.Precision.HIGHEST
    return jnp.einsum("...ij,...j->...i", rotation, vector, precision=precision)


@guesses.answers
def rotation_from_axis_angle(axis_angle: VectorLike) -> jax.Array:
    """Rotation matrices from axis times angle, a parametrisation to optimise over.

    ``R = I + a [v] + b [v]^2`` with ``t`` the length of v, ``[v]`` the matrix of ``v x
    .``, ``a = sin(t) / t`` and ``b = (1 - cos(t)) / t^2`` (Rodrigues). Smooth
    everywhere, zero included: derivatives of any order are finite and correct.

    Args:
        axis_angle: ``[..., 3]`` axis of rotation times the angle in radians,
            right-handed.

    Returns:
        ``[..., 3, 3]`` matrices R that turn a column vector p into ``R p``.

    Example:
        >>> quarter = jaxsoftras.rotation_from_axis_angle((0.0, 0.0, np.pi / 2))
        >>> print((quarter @ jnp.array([1.0, 2.0, 3.0])).round(3))
        [-2.  1.  3.]
    """
    (axis_angle,) = checks.as_floats(axis_angle)
    checks.check_shape("axis_angle", axis_angle, 3)
    x, y, z = jnp.moveaxis(axis_angle, -1, 0)
    zero = jnp.zeros_like(x)
    cross = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*x.shape, 3, 3)

    # a and b are smooth in t^2, but their closed forms, and still more the derivatives
    # of these, cancel near 0; use Taylor series there.
    angle2 = x * x + y * y + z * z
    near = angle2 < 0.25
    angle2_near = jnp.where(near, angle2, 0)
    angle = jnp.sqrt(jnp.where(near, 1, angle2))

    def series(first):  # sum_n (-t^2)^n / (2 n + first)!
        total = jnp.zeros_like(angle2)
        for n in reversed(range(_TERMS)):
            total = 1 / math.factorial(2 * n + first) - angle2_near * total
        return total

    a = jnp.where(near, series(1), jnp.sin(angle) / angle)
    b = jnp.where(near, series(2), (1 - jnp.cos(angle)) / (angle * angle))
    # [v]^2 = v v^T - t^2 I, without a product of matrices
    outer = axis_angle[..., :, None] * axis_angle[..., None, :]
    identity = jnp.eye(3, dtype=axis_angle.dtype)
    diagonal = (1 - b * angle2)[..., None, None] * identity
    return diagonal + a[..., None, None] * cross + b[..., None, None] * outer
