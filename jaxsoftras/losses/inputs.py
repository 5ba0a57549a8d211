"""Checks of the arguments of losses, and arithmetic that stays finite."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.known import KnownArray
from jaxsoftras.mesh import checked_faces

# Squared length below which a vector has no direction: the derivatives of 1 / length
# stay finite in single precision.
_NO_LENGTH = 1e-24


Array = jax.Array | np.ndarray


def as_numbers(name: str, value: ArrayLike, form: str, *trailing: int | None) -> Array:
    """Checks an array of real numbers.

    Args:
        name: name of the argument, for errors.
        value: the argument.
        form: the shape that it should have, for errors.
        trailing: sizes of the last axes, of which None is any size.

    Returns:
        An array; compiled code converts its dtype.

    Raises:
        ValueError: another shape, or not real numbers.
    """
    if isinstance(value, (jax.Array, np.ndarray)):
        array = value
    elif isinstance(value, (int, float)):
        array = jnp.asarray(value)  # takes on the dtype of the other arguments
    elif names := getattr(value, "_fields", None):  # a named tuple
        raise ValueError(
            f"{name} must be an array {form}, not a {type(value).__name__}; pass one "
            f"of its fields, {', '.join(names)}."
        )
    else:
        try:
            array = np.asarray(value)
        except ValueError:
            raise ValueError(
                f"{name} must have the shape {form}; its rows differ in length."
            ) from None
    shape = array.shape
    fits = len(shape) >= len(trailing) and all(
        wanted in (None, size)
        for wanted, size in zip(
            trailing, shape[len(shape) - len(trailing) :], strict=True
        )
    )
    if not fits:
        raise ValueError(f"{name} must have the shape {form}, not {list(shape)}.")
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        raise ValueError(f"{name} must be real numbers, not {array.dtype}.")
    return array


def check_leading(**shapes: tuple[int, ...]) -> None:
    """Raises a ValueError unless the leading axes of the named arguments broadcast."""
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        named = ", ".join(f"{list(shape)} of {name}" for name, shape in shapes.items())
        raise ValueError(f"The leading axes must broadcast: {named}.") from None


def check_mask(name: str, mask: ArrayLike | None, points: Array) -> Array | None:
    """Checks an optional mask ``[..., N]`` of points ``[..., N, 3]``.

    Raises:
        ValueError: another shape or dtype, or a set of which no point counts.
    """
    if mask is None:
        if points.shape[-2] == 0:
            raise ValueError(
                f"{name} must have at least one point, not the shape "
                f"{list(points.shape)}."
            )
        return None
    count = points.shape[-2]
    array = as_numbers(f"The mask of {name}", mask, f"[..., {count}]", count)
    if not jnp.issubdtype(array.dtype, jnp.bool_):
        raise ValueError(f"The mask of {name} must be of bool, not {array.dtype}.")
    checks.check_values(
        f"At least one point of {name} must count, in each set of a batch.",
        lambda counts: np.any(counts, axis=-1),
        array,
    )
    return array


def as_mesh(vertices: ArrayLike, faces: ArrayLike) -> tuple[Array, KnownArray | Array]:
    """Checks vertices and faces.

    The topology of one mesh in a numpy array is known when the loss is traced, for
    short edge lists and fast gradients; others are arguments of the compiled loss.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.
    """
    points = as_numbers("vertices", vertices, "[..., V, 3]", None, 3)
    if points.shape[-2] == 0:
        raise ValueError("A mesh must have at least one vertex.")
    array = checked_faces(faces, points.shape[-2])
    check_leading(vertices=points.shape[:-2], faces=array.shape[:-2])
    if isinstance(array, np.ndarray) and array.ndim == 2:
        return points, KnownArray.of(array)
    return points, array


def as_array(faces: KnownArray | Array) -> Array:
    """The faces from `as_mesh` within a compiled function, at least one row of them."""
    array = faces.array if isinstance(faces, KnownArray) else faces
    if array.shape[-2]:
        return array
    xp = np if isinstance(array, np.ndarray) else jnp
    return xp.full((*array.shape[:-2], 1, 3), -1, np.int32)


def masked_mean(values: jax.Array, counts: Array | None) -> jax.Array:
    """Mean over the last axis of the values that count, 0 if none does.

    Args:
        values: ``[..., N]``, finite wherever they do not count.
        counts: ``[..., N]`` bool, or None if all values count.
    """
    if counts is None:
        return jnp.sum(values, axis=-1) / max(values.shape[-1], 1)
    number = jnp.sum(jnp.broadcast_to(counts, values.shape), axis=-1)
    return jnp.sum(jnp.where(counts, values, 0), axis=-1) / jnp.maximum(number, 1)


def square_root(squared: jax.Array) -> jax.Array:
    """Square root with a gradient of 0 at 0."""
    zero = squared <= float(jnp.finfo(squared.dtype).tiny)  # false for NaN
    # both branches of `where` stay finite, so that their derivatives do
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squared)))


def unit(vectors: jax.Array, least: float = _NO_LENGTH) -> jax.Array:
    """Vectors ``[..., 3]`` of length 1, or 0 where the squared length is too small."""
    squared = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    small = squared <= least  # false for NaN
    return jnp.where(small, 0, vectors * jax.lax.rsqrt(jnp.where(small, 1, squared)))


def unit_normal(side: jax.Array, other: jax.Array) -> jax.Array:
    """Unit normal ``[..., 3]`` of triangles with two given sides.

    0, with zero gradient, if the sides are parallel up to rounding, or no longer than
    1e-12. No other scale matters.
    """
    noise = 4 * float(jnp.finfo(side.dtype).eps)
    return unit(jnp.cross(unit(side), unit(other)), noise**2)
