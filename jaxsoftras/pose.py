"""Where cameras are and how they are turned."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks

Handedness = Literal["left", "right"]
"""``"left"``: the frame of Soft Rasterizer, whose pictures are mirrored left to right;
front faces (counter-clockwise seen from outside) are clockwise in them. ``"right"``:
that of a conventional camera, in whose pictures they are counter-clockwise."""

# A vector shorter than this has no direction.
_SHORTEST = 1e-5
# Terms of Taylor series that hold to double precision, with their second derivatives,
# up to an angle of 1/2 radian.
_TERMS = 8


def eye_from_angles(
    distance: ArrayLike, elevation: ArrayLike, azimuth: ArrayLike
) -> jax.Array:
    """Position on a sphere around the origin.

    Azimuth 0 lies on -z (the camera looks along +z); positive elevations lie above.

    Args:
        distance: ``[...]`` distance from the origin, world units.
        elevation: ``[...]`` degrees above the horizon.
        azimuth: ``[...]`` degrees; 90 lies on +x.

    Returns:
        ``[..., 3]`` world space.
    """
    distance, elevation, azimuth = checks.as_floats(distance, elevation, azimuth)
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
    length2 = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors / jnp.sqrt(jnp.maximum(length2, _SHORTEST**2))


def _has_direction(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1) > _SHORTEST


def axes_from_direction(
    direction: jax.Array, up: jax.Array, handedness: Handedness = "left"
) -> jax.Array:
    """The axes of a camera that looks in a direction.

    ``forward = n(direction)``; ``right = n(up x forward)`` if left-handed and its
    opposite if right-handed; ``above`` is perpendicular to both, on the side of ``up``.

    Args:
        direction: ``[..., 3]`` world space, of any length.
        up: ``[..., 3]`` what is up in the image; not parallel to the direction.
        handedness: see `Handedness`.

    Returns:
        ``[..., 3, 3]`` orthonormal rows right, above and forward, world space; of
        determinant 1 if left-handed and -1 if right-handed.

    Raises:
        ValueError: wrong shapes, or a direction that is zero or parallel to ``up``.
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
    forward = _normalize(direction)
    side = jnp.cross(up, forward)
    checks.check_values(
        "up must be neither parallel to the line of sight nor zero; choose another "
        "direction for it.",
        _has_direction,
        side,
    )
    side = _normalize(side)
    above = _normalize(jnp.cross(forward, side))
    right = side if handedness == "left" else -side
    return jnp.stack(jnp.broadcast_arrays(right, above, forward), axis=-2)


Signs = tuple[int, int, int]
"""Whether the axes of a camera run along (1) or against (-1) right, up and forward."""


def from_extrinsics(
    rotation: jax.Array, translation: jax.Array, signs: Signs
) -> tuple[jax.Array, jax.Array]:
    """Axes and position of a camera that sees p at ``q = rotation p + translation``.

    Args:
        rotation: ``[..., 3, 3]`` world to camera.
        translation: ``[..., 3]`` world units.
        signs: of the axes in which q is given.

    Returns:
        ``[..., 3, 3]`` rows right, up and forward, and ``[..., 3]``, world space.

    Raises:
        ValueError: a wrong shape, or no rotation within 1e-3.
    """
    checks.check_rotation("The rotation", rotation)
    checks.check_shape("The translation", translation, 3)
    position = -_turn(jnp.swapaxes(rotation, -1, -2), translation)
    return jnp.asarray(signs, rotation.dtype)[:, None] * rotation, position


def to_extrinsics(
    axes: jax.Array, position: jax.Array, signs: Signs
) -> tuple[jax.Array, jax.Array]:
    """The inverse of `from_extrinsics`: rotation and translation."""
    rotation = jnp.asarray(signs, axes.dtype)[:, None] * axes
    return rotation, -_turn(rotation, position)


def _turn(rotation: jax.Array, vector: jax.Array) -> jax.Array:
    precision = jax.lax.Precision.HIGHEST
    return jnp.einsum("...ij,...j->...i", rotation, vector, precision=precision)


def rotation_from_axis_angle(axis_angle: ArrayLike) -> jax.Array:
    """Rotation matrices, parametrised so that they can be optimised.

    ``R = I + a [v] + b [v]^2`` with ``t`` the length of v, ``[v]`` the matrix of ``v x
    .``, ``a = sin(t) / t`` and ``b = (1 - cos(t)) / t^2`` (Rodrigues). Smooth
    everywhere, zero included: derivatives of any order are finite and correct.

    Args:
        axis_angle: ``[..., 3]`` axis of rotation times the angle in radians,
            right-handed.

    Returns:
        ``[..., 3, 3]`` matrices R that turn a column vector p into ``R p``.
    """
    (axis_angle,) = checks.as_floats(axis_angle)
    checks.check_shape("axis_angle", axis_angle, 3)
    x, y, z = jnp.moveaxis(axis_angle, -1, 0)
    zero = jnp.zeros_like(x)
    cross = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*x.shape, 3, 3)

    # Smooth in t^2, a and b are not so for a computer: near 0 their closed forms, and
    # still more the derivatives of these, lose all digits.
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
