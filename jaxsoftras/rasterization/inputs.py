"""Checks of the rasterizer's arguments, with one clear sentence for what is wrong."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike


def faces(
    face_vertices: ArrayLike, *, depth: bool = False
) -> tuple[jax.Array, jnp.dtype]:
    """Corners of faces in a dtype to compute with, and the dtype they came in.

    Args:
        face_vertices: should be ``[..., F, 3, 3]``, or ``[..., F, 3, 2]``.
        depth: whether the third coordinate is needed.
    """
    array = jnp.asarray(face_vertices)
    shape, dtype = array.shape, array.dtype
    coordinates = (3,) if depth else (2, 3)
    if len(shape) < 3 or shape[-2] != 3 or shape[-1] not in coordinates:
        forms = " or ".join(f"[..., F, 3, {n}]" for n in coordinates)
        raise ValueError(
            f"face_vertices must have the shape {forms} (faces, corners, coordinates); "
            f"it has {list(shape)}."
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"face_vertices must be floating-point, not {dtype}; "
            "gather the corners with jaxsoftras.face_vertices(vertices, faces)."
        )
    # half precision cannot tell the pixels of an image apart
    return array.astype(jnp.promote_types(dtype, jnp.float32)), dtype


def check_positive(name: str, value: ArrayLike) -> None:
    """Raises a ValueError unless a number, or all of an array, is positive."""
    if isinstance(value, Tracer):
        return
    number = np.asarray(value)
    if not np.all((number > 0) & (number < math.inf)):
        raise ValueError(f"{name} must be positive and finite, not {value}.")


def per_image(name: str, value: ArrayLike, like: jax.Array, trailing: int) -> jax.Array:
    """Spreads a positive number, or one per image, over the images of a batch.

    Args:
        name: of the argument, for the error.
        value: a scalar, or of the shape of the leading axes of ``like``.
        like: ``[..., *trailing axes]``.
        trailing: number of axes of ``like`` after those of the batch.

    Returns:
        ``[B]``, one for each image, of the type of ``like``; at least 2e-13 in single
        precision, so that derivatives by it, which have its cube below, are finite. No
        two depths or distances that floats tell apart are that near.
    """
    batch = like.shape[: like.ndim - trailing]
    least = float(jnp.finfo(like.dtype).tiny) ** (1 / 3)
    value = jnp.maximum(jnp.asarray(value, like.dtype), least)
    try:
        return jnp.broadcast_to(value, batch).reshape(math.prod(batch))
    except ValueError:
        raise ValueError(
            f"{name} must be a scalar or of the shape {list(batch)} of the leading "
            f"axes of face_vertices, not {list(jnp.shape(value))}."
        ) from None


def check_range(near: float, far: float) -> None:
    """Raises a ValueError unless near and far are finite depths, in this order."""
    if not 0 <= near < far < math.inf:
        raise ValueError(
            f"near and far must be depths with 0 <= near < far, not {near} and {far}."
        )


def background(
    value: ArrayLike, batch: tuple[int, ...], channels: int, dtype
) -> jax.Array:
    """Spreads a scalar, ``[C]`` or ``[..., C]`` to ``[B, C]``."""
    value = jnp.asarray(value, dtype)
    try:
        spread = jnp.broadcast_to(value, (*batch, channels))
    except ValueError:
        raise ValueError(
            f"background must be a scalar or of the shape [{channels}] or [..., "
            f"{channels}], as there are {channels} channels, not {list(value.shape)}."
        ) from None
    return spread.reshape(math.prod(batch), channels)


def spread_alike(face_vertices: jax.Array, arrays: Any) -> Any:
    """Lets arrays be spread over devices as the faces are, and the reverse.

    Gradients then have the types of their arguments within `jax.shard_map`, and on
    meshes with axes of the type ``Explicit``. Elsewhere, this adds zeros.

    Args:
        face_vertices: ``[B, F, 3, D]``.
        arrays: a pytree of ``[B, ...]``, or of any arrays that all images share.

    Returns:
        Both.
    """
    zero = jnp.float32(0)
    if jax.sharding.get_abstract_mesh().manual_axes:
        for array in jax.tree.leaves((face_vertices, arrays)):
            zero = zero + jnp.zeros_like(array, shape=(), dtype=jnp.float32)
    face_vertices = face_vertices + zero.astype(face_vertices.dtype)
    zeros = jnp.sum(jnp.zeros_like(face_vertices), axis=(1, 2, 3))

    def like_faces(array):
        array = array + zero.astype(array.dtype)
        if len(array) != len(zeros):
            return array
        return array + zeros.reshape(-1, *[1] * (array.ndim - 1)).astype(array.dtype)

    return face_vertices, jax.tree.map(like_faces, arrays)
