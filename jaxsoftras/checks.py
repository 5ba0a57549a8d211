"""Conversion of arguments to arrays of one dtype, and checks that refuse wrong ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

VectorLike: TypeAlias = ArrayLike | Sequence[float]
"""An array, or a sequence of numbers such as ``(0.0, 1.0, 0.0)``."""

# The work list counts items in 32 bits: within this side, the tiles of one face can be
# counted.
_LARGEST_SIDE = 32768


def as_floats(*values: VectorLike) -> list[jax.Array]:
    """Converts values to arrays of one dtype, promoted from all that have one.

    Half precision, which cannot resolve the pixels of an image, becomes single.

    Raises:
        ValueError: an array of anything but real numbers, or of floats of 8 bits.
    """
    typed = [value for value in values if hasattr(value, "dtype")]
    for value in typed:
        check_real("An array", value)
    dtype = jnp.promote_types(jnp.result_type(float, *typed), jnp.float32)
    return [jnp.asarray(value, dtype) for value in values]


def as_argument(value: Any) -> Any:
    """Makes a sequence of numbers an array: compiled functions take it for a pytree.

    Raises:
        ValueError: rows of different length.
    """
    if type(value) not in (list, tuple):
        return value
    traced = any(isinstance(number, Tracer) for number in jax.tree.leaves(value))
    try:
        return (jnp if traced else np).asarray(value)
    except ValueError:
        raise ValueError(
            f"A {type(value).__name__} in place of an array must have rows of one "
            "length."
        ) from None


def as_image_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Converts the side of a square image or a pair to height and width, pixels.

    Raises:
        ValueError: anything but one or two positive integers within the limit.
    """
    sides = size if isinstance(size, (tuple, list)) else (size,) * 2
    if len(sides) != 2 or not all(
        isinstance(side, (int, np.integer))
        and not isinstance(side, bool)
        and 0 < side <= _LARGEST_SIDE
        for side in sides
    ):
        raise ValueError(
            "image_size must be an int or a pair (height, width) of ints from 1 to "
            f"{_LARGEST_SIDE}, not {size!r}."
        )
    return int(sides[0]), int(sides[1])


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raises a ValueError unless a value is one of the choices of a ``Literal``."""
    if value not in get_args(choices):
        raise ValueError(
            f"{name} must be one of {', '.join(map(str, get_args(choices)))}, "
            f"not {value!r}."
        )


def check_shape(name: str, array: jax.Array, *trailing: int) -> None:
    """Raises a ValueError unless the shape of an array ends with the given sizes."""
    if array.shape[max(array.ndim - len(trailing), 0) :] != trailing:
        wanted = ", ".join(map(str, trailing))
        raise ValueError(
            f"{name} must have the shape [..., {wanted}], not {list(array.shape)}."
        )


def evaluate_known(function: Callable, *arrays: ArrayLike) -> np.ndarray | None:
    """Evaluates a function of arrays whose values are known.

    Known are arrays outside of traces, constants within one, and the arguments of
    `jax.grad` alone.

    Args:
        function: maps arrays of JAX to one of integers or booleans.
        arrays: of this process or of several.

    Returns:
        None where values are not known, or are in another process.
    """
    traced = [isinstance(array, Tracer) for array in arrays]
    for array, is_traced in zip(arrays, traced, strict=True):
        if not is_traced and not getattr(array, "is_fully_addressable", True):
            return None
    if not any(traced):
        with jax.ensure_compile_time_eval():
            return np.asarray(function(*map(jnp.asarray, arrays)))
    try:
        return np.asarray(function(*map(jnp.asarray, arrays)))
    except jax.errors.TracerArrayConversionError:
        return None


def check_values(message: str, holds: Callable, *arrays: ArrayLike) -> None:
    """Raises a ValueError unless a predicate of numpy arrays holds everywhere.

    Under a transformation, where values are not known, nothing is checked.
    """
    if any(isinstance(array, Tracer) for array in arrays):
        return
    if not np.all(holds(*map(np.asarray, arrays))):
        raise ValueError(message)


def check_finite(arguments: Mapping[str, ArrayLike]) -> None:
    """Raises a ValueError that names the first argument and entry not finite.

    Like `check_values`, it checks only what is known.
    """
    for name, argument in arguments.items():
        if isinstance(argument, Tracer):
            continue
        values = np.asarray(argument)
        if not np.all(finite := np.isfinite(values)):
            index = [int(i) for i in np.argwhere(~finite)[0]]
            entry = f"its entry {index}" if index else "it"
            raise ValueError(
                f"{name} is not finite: {entry} is {values[tuple(index)]}."
            )


def check_real(name: str, array: Any) -> None:
    """Raises a ValueError unless an array holds real numbers that JAX can promote."""
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds):
        raise ValueError(f"{name} must be real numbers, not {array.dtype}.")
    if jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.itemsize < 2:
        raise ValueError(
            f"{name} must have at least 16 bits a number, not {array.dtype}; convert "
            "to float32."
        )


def check_orthonormal(name: str, matrix: jax.Array) -> None:
    """Raises a ValueError unless ``[..., 3, 3]`` is orthonormal within 1e-3."""
    check_shape(name, matrix, 3, 3)
    check_values(
        f"The rows of {name} must be perpendicular and of length 1, within 1e-3.",
        lambda m: np.abs(m @ np.swapaxes(m, -1, -2) - np.eye(3)) <= 1e-3,
        matrix,
    )


def check_rotation(name: str, matrix: jax.Array) -> None:
    """Raises a ValueError unless ``[..., 3, 3]`` is a rotation within 1e-3."""
    check_orthonormal(name, matrix)
    check_values(
        f"{name} is a reflection, of determinant -1; it must be a rotation.",
        lambda m: np.linalg.det(m) > 0,
        matrix,
    )


def caller_depth() -> int:
    """Frames from `warnings.warn`, in the function that asks, to the user's code.

    That is the code that called this package.
    """
    folder = str(Path(__file__).parent)
    depth, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(folder):
        depth, frame = depth + 1, frame.f_back
    return depth
