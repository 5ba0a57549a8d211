"""One-line summaries of records of arrays, for their ``repr``."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def _known(value: Any) -> np.ndarray | None:
    """Values of an array of numbers, or None if it is traced, deleted or elsewhere."""
    if isinstance(value, Tracer):
        return None
    if isinstance(value, jax.Array) and (
        value.is_deleted() or not value.is_fully_addressable
    ):
        return None
    if not isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return None
    return np.asarray(value) if jnp.issubdtype(value.dtype, jnp.number) else None


def _vector(values: np.ndarray) -> str:
    """Formats a point with three digits: ``(0, 1.5, -2)``."""
    # 0 + 0.0 has no sign
    return f"({', '.join(f'{value + 0.0:.3g}' for value in values)})"


def sizes(shape: tuple[int, ...]) -> str:
    """Formats a shape: ``256 x 256 x 3``."""
    return " x ".join(map(str, shape))


def extent(points: Any) -> str:
    """Formats the range of points ``[..., D]``, if their values are known.

    Args:
        points: an array, or anything else, which has no range.

    Returns:
        ``" from (0, 0, 0) to (1, 1, 1)"``, ``" at (0, 0, 0)"`` or nothing.
    """
    known = _known(points)
    if known is None or not known.size:
        return ""
    rows = known.reshape(-1, known.shape[-1]).astype(float)
    finite = np.all(np.isfinite(rows), axis=1)
    lost = f", {len(rows) - finite.sum()} not finite" if not np.all(finite) else ""
    if not np.any(finite):
        return lost
    low, high = rows[finite].min(axis=0), rows[finite].max(axis=0)
    if np.array_equal(low, high):
        return f" at {_vector(low)}{lost}"
    return f" from {_vector(low)} to {_vector(high)}{lost}"


def rows(value: Any, noun: str) -> str:
    """Formats the number and dtype of the rows of an array ``[..., N, D]``.

    Args:
        value: an array, or any other leaf that a transformation may put in its place.
        noun: plural of what the rows are.

    Returns:
        ``"8 x 642 float32 vertices"``.
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if not shape or dtype is None:
        return f"{noun}={value!r}"
    return f"{sizes(shape[:-1]) or 'no'} {dtype} {noun}"


def texture(value: Any) -> str:
    """Formats the kind of a texture and the shape of its colours, which come last."""
    if value is None:
        return "no texture"
    if not isinstance(value, tuple):
        return f"texture={value!r}"
    colors, wrap = getattr(value, "image", value[0]), getattr(value, "wrap", None)
    several = isinstance(colors, (tuple, list))
    shape = getattr(colors, "shape", None)
    size = repr(colors) if shape is None else sizes(shape)
    parts = [f"{type(value).__name__} {f'{len(colors)} images' if several else size}"]
    parts += [wrap] if wrap else []
    parts += ["transparent"] if getattr(value, "transparent", False) is True else []
    return ", ".join(parts)


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _view(focal_length: np.ndarray, projection: str, lens: str) -> str:
    """Formats the vertical field of view, degrees, or the orthographic scale."""
    vertical = focal_length[..., 1].astype(float)
    if projection == "orthographic":
        return f"scale {_range(vertical)}"
    with np.errstate(all="ignore"):
        half = 1 / vertical if lens == "fisheye" else np.arctan(1 / vertical)
        return f"fov {_range(2 * np.rad2deg(half))}"


def camera(value: Any) -> str:
    """Formats projection, position, line of sight, vertical field of view and lens.

    The field of view is that of the lens without its distortion.

    Args:
        value: a `jaxsoftras.Camera`.
    """
    position, axes = value.position, _known(value.axes)
    shape = getattr(position, "shape", (3,))
    batch = f"{sizes(shape[:-1])} x " if len(shape) > 1 else ""
    parts = [batch + value.projection, str(getattr(position, "dtype", repr(position)))]
    place = extent(position).strip()
    if axes is not None and axes.shape == (3, 3):
        place += f" towards {_vector(axes[2])}"
    parts.append(place)
    focal_length = _known(value.focal_length)
    if focal_length is not None and focal_length.size:
        parts.append(_view(focal_length, value.projection, value.lens))
    if axes is not None and axes.size and np.all(np.linalg.det(axes) > 0):
        parts.append("left-handed")
    if value.lens != "brown":
        parts.append(value.lens)
    for name in ("distortion", "skew"):
        if getattr(value, name) is not None:
            parts.append(f"with {name}")
    return ", ".join(filter(None, parts))


def number(value: Any) -> str:
    """Formats the value of a setting: numbers of few digits, and shapes of arrays."""
    known = _known(value)
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if known is not None and known.size <= 4:
        digits = [float(f"{entry:.7g}") for entry in known.ravel().astype(float)]
        return str(digits if known.ndim else digits[0])
    if shape is not None and dtype is not None:
        return f"{dtype}[{','.join(map(str, shape))}]"
    return repr(value)


def same(value: Any, default: Any) -> bool:
    """Whether a setting is known to have its default value."""
    known = _known(value)
    if known is None:
        return value is default or (not hasattr(value, "dtype") and value == default)
    return (
        known.ndim == 0
        and isinstance(default, float)
        and math.isclose(known, default, rel_tol=1e-6)
    )
