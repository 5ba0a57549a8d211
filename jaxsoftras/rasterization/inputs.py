"""The rasterizer's arrays, checked and brought to one form."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks


def as_faces(
    face_vertices: ArrayLike, *, depth: bool
) -> tuple[jax.Array, tuple[int, ...], jnp.dtype]:
    """Checks the corners of faces and brings them into the form of the kernels.

    Args:
        face_vertices: should be ``[..., F, 3, 3]`` or, without ``depth``, also ``[...,
            F, 3, 2]``.
        depth: whether the third coordinate is needed.

    Returns:
        ``[B, F, 3, D]`` corners in a dtype to compute with, the leading axes, and the
        dtype of the argument.

    Raises:
        ValueError: another shape, or a dtype that is not floating-point.
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
    batch = shape[:-3]
    # half precision cannot tell the pixels of an image apart
    array = array.astype(jnp.promote_types(dtype, jnp.float32))
    return array.reshape(math.prod(batch), *shape[-3:]), batch, dtype


def as_corners(face_vertices: Any) -> Any:
    """Makes a list an array, and refuses a mesh or a tensor in place of corners."""
    if type(face_vertices).__module__.partition(".")[0] == "torch":
        raise ValueError(
            "face_vertices is a tensor of PyTorch; the functions of jaxsoftras.torch "
            "take tensors, and jax.numpy.from_dlpack(tensor) makes an array."
        )
    if isinstance(face_vertices, tuple) and hasattr(face_vertices, "_fields"):
        raise ValueError(
            "face_vertices must be an array of corners in NDC, not a "
            f"{type(face_vertices).__name__}; render(mesh, camera) takes a mesh, and "
            "face_vertices(project(camera, vertices), faces) gathers its corners."
        )
    return checks.as_argument(face_vertices)


def checked_background(background: Any) -> Any:
    """Makes a list an array, and refuses 8-bit colours and words.

    Raises:
        ValueError: a dtype that colours do not have.
    """
    background = checks.as_argument(background)
    dtype = getattr(background, "dtype", None) or np.asarray(background).dtype
    if jnp.issubdtype(dtype, jnp.unsignedinteger):
        raise ValueError(
            f"background must be floating-point, not {dtype}; divide 8-bit colours by "
            "255."
        )
    kinds = (np.number, np.bool_)
    if not any(jnp.issubdtype(dtype, kind) for kind in kinds):
        raise ValueError(
            f"background must be a number, a colour or an image, not {background!r}."
        )
    return background


def check_positive(**numbers: ArrayLike) -> None:
    """Checks numbers whose values are known; tracers are not.

    Raises:
        ValueError: something that is no number, or is not positive and finite.
    """
    for name, value in numbers.items():
        if isinstance(value, Tracer):
            continue
        known = np.asarray(value)
        if known.dtype.kind in "OSUc":
            raise ValueError(f"{name} must be a number or an array, not {value!r}.")
        if not np.all((known > 0) & (known < math.inf)):
            raise ValueError(f"{name} must be positive and finite, not {value}.")


def as_image_numbers(
    name: str, value: ArrayLike, batch: tuple[int, ...], dtype: jnp.dtype
) -> jax.Array:
    """Broadcasts a number, or one per image, to the images of a batch.

    Args:
        name: name of the argument, for errors.
        value: a scalar, or an array of the shape of the leading axes.
        batch: the leading axes.
        dtype: type of the result.

    Returns:
        ``[B]``, at least 2e-13 in single precision: derivatives divide by its cube,
        which must not underflow. Depths or distances that close cannot be told apart
        anyway.

    Raises:
        ValueError: another shape.
    """
    least = float(jnp.finfo(dtype).tiny) ** (1 / 3)
    value = jnp.maximum(jnp.asarray(value, dtype), least)
    try:
        return jnp.broadcast_to(value, batch).reshape(math.prod(batch))
    except ValueError:
        raise ValueError(
            f"{name} must be a scalar or of the shape {list(batch)} of the leading "
            f"axes of face_vertices, not {list(jnp.shape(value))}."
        ) from None


def as_background(
    value: ArrayLike,
    batch: tuple[int, ...],
    channels: int,
    dtype: jnp.dtype,
    size: tuple[int, int],
) -> jax.Array:
    """Broadcasts the background to the images of a batch.

    Args:
        value: a scalar, ``[C]``, ``[..., C]``, ``[H, W, C]`` or ``[..., H, W, C]``.
        batch: the leading axes.
        channels: C.
        dtype: type of the result.
        size: (H, W).

    Returns:
        ``[B, C, 1, 1]`` colours, or ``[B, C, H, W]`` images.

    Raises:
        ValueError: another shape.
    """
    value = jnp.asarray(value, dtype)
    is_image = value.ndim >= 3 and value.shape[:-1] != batch
    axes = size if is_image else (1, 1)
    if not is_image and value.ndim:
        value = value[..., None, None, :]
    try:
        if is_image and value.shape[-3:-1] != size:
            raise ValueError
        images = jnp.broadcast_to(value, (*batch, *axes, channels))
    except ValueError:
        height, width = size
        raise ValueError(
            f"background must be a scalar, of the shape [{channels}] or [..., "
            f"{channels}], as there are {channels} channels, or an image [..., "
            f"{height}, {width}, {channels}] of the size of the result; it has "
            f"{list(value.shape if is_image else value[..., 0, 0, :].shape)}."
        ) from None
    return jnp.moveaxis(images.reshape(-1, *axes, channels), -1, 1)


def match_sharding(face_vertices: jax.Array, arrays: Any) -> Any:
    """Gives the face vertices and the arrays the same sharding.

    Gradients then have the types of their arguments within `jax.shard_map`, and on
    meshes with axes of the type ``Explicit``. Elsewhere, this adds zeros.

    Args:
        face_vertices: ``[B, F, 3, D]``.
        arrays: a pytree of ``[B, ...]``, or of any arrays that all images share.

    Returns:
        The face vertices and the arrays.
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
