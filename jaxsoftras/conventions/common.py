"""Steps that the conversions of cameras share: signs, matrices, checks."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.camera import Camera, check_camera

ImageSize: TypeAlias = int | tuple[int, int]
"""Side of a square image or (height, width), pixels."""


def flip_axes(vectors: jax.Array, *signs: int) -> jax.Array:
    """Multiplies the last axis ``[..., K]`` by K signs."""
    return vectors * jnp.asarray(signs, vectors.dtype)


def stack_rows(*rows: tuple[ArrayLike, ...]) -> jax.Array:
    """Matrix ``[..., R, C]`` from rows of entries ``[...]`` and numbers."""
    entries = jnp.broadcast_arrays(*(entry for row in rows for entry in row))
    shape = (*entries[0].shape, len(rows), len(rows[0]))
    return jnp.stack(entries, axis=-1).reshape(shape)


def rigid_transform(rotation: jax.Array, translation: jax.Array) -> jax.Array:
    """Homogeneous matrix ``[..., 4, 4]`` of ``[..., 3, 3]`` and ``[..., 3]``."""
    top = jnp.concatenate([rotation, translation[..., None]], axis=-1)
    last = jnp.broadcast_to(jnp.eye(4, dtype=top.dtype)[3:], (*top.shape[:-2], 1, 4))
    return jnp.concatenate([top, last], axis=-2)


def focal_lengths(matrix: jax.Array) -> jax.Array:
    """First two entries of the diagonal, ``[..., 2]``."""
    return jnp.stack([matrix[..., 0, 0], matrix[..., 1, 1]], axis=-1)


def width_and_height(image_size: ImageSize, dtype) -> jax.Array:
    """Sides of an image in the order of x and y, ``[2]`` pixels."""
    return jnp.asarray(checks.as_image_size(image_size)[::-1], dtype)


def nonzero_skew(skew: jax.Array) -> jax.Array | None:
    """A skew, or None if it is known to be zero: then a camera needs none."""
    known = not isinstance(skew, Tracer)
    return None if known and not np.any(np.asarray(skew)) else skew


def check_zero(message: str, *values: jax.Array) -> None:
    """Raises a ValueError unless all values are zero within 1e-6."""
    checks.check_values(message, lambda *v: np.abs(np.stack(v)) <= 1e-6, *values)


def check_last_row(name: str, matrix: jax.Array, *row: int) -> None:
    """Raises a ValueError unless a matrix ends with the given row."""
    check_zero(
        f"The last row of {name} must be {' '.join(map(str, row))}.",
        matrix[..., -1, :] - jnp.asarray(row, matrix.dtype),
    )


def check_leading_axes(
    name: str, own: tuple[int, ...], *others: tuple[int, ...]
) -> None:
    """Raises a ValueError if an argument has leading axes that no other has."""
    try:
        batch = np.broadcast_shapes(*others)
        if np.broadcast_shapes(own, batch) == batch:
            return
    except ValueError:
        batch = others
    raise ValueError(
        f"The leading axes of {name}, {list(own)}, must be those of the other "
        f"arguments, {list(batch)}, or broadcast to them."
    )


def check_representable(
    camera: Camera,
    program: str,
    *,
    orthographic: bool = False,
    lens: bool = False,
    skew: bool = False,
) -> None:
    """Raises a ValueError unless another program has such a camera."""
    check_camera(camera)
    if camera.projection == "orthographic" and not orthographic:
        raise ValueError(f"Orthographic cameras are not converted to {program}.")
    if camera.distortion is not None and not lens:
        change = "" if camera.lens == "brown" else ', lens="brown"'
        raise ValueError(
            f"A camera of {program} has no lens distortion; leave it out with "
            f"dataclasses.replace(camera, distortion=None{change})."
        )
    if camera.lens == "fisheye" and not lens:
        raise ValueError(
            f"A camera of {program} has no fisheye lens here; leave it out with "
            'dataclasses.replace(camera, lens="brown").'
        )
    parts = {
        f"camera.{field.name}": getattr(camera, field.name)
        for field in dataclasses.fields(camera)
        if not field.metadata.get("static")
    }
    checks.check_finite({n: part for n, part in parts.items() if part is not None})
    if camera.skew is not None and not skew:
        check_zero(
            f"A camera of {program} has no skew; leave it out with "
            "dataclasses.replace(camera, skew=None).",
            jnp.asarray(camera.skew),
        )
    checks.check_values(
        f"This camera's images are mirrored, and {program} has no such camera; make it "
        'with handedness="right" and flip the image instead.',
        lambda axes: np.linalg.det(axes) < 0,
        camera.axes,
    )
