"""Checks of what users hand to predictions in Python: one sentence for each mistake."""

from __future__ import annotations

import operator
import os
from numbers import Real
from typing import Any

import numpy as np

from jaxsoftras import models
from jaxsoftras.prediction.pictures import Picture

MOST_STEPS = 100_000
"""Most steps of a refinement."""

_ROUNDING = 1e-3  # of colours that were multiplied by coverage, in half precision


def check_model(model: Any) -> None:
    """Raises TypeError unless a model is a trained network."""
    if not isinstance(model, models.Trained):
        raise TypeError(
            "model must be a trained network, as model_files.load returns it, not "
            f"{_name(model)}."
        )


def check_number(name: str, value: Any, low: float, high: float, unit: str) -> float:
    """Converts a number, and checks its range.

    Args:
        name: of the argument.
        value: its value.
        low: the least.
        high: the greatest.
        unit: what follows the numbers in the message, such as `` degrees``.

    Raises:
        TypeError: not a real number.
        ValueError: out of range, or not finite.
    """
    if np.ndim(value) == 0 and isinstance(value, np.ndarray):
        value = value[()]
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"The {name} must be a number, not {_name(value)}.")
    number = float(value)
    if not low <= number <= high:
        raise ValueError(
            f"The {name} must be from {low:g} to {high:g}{unit}, not {value}."
        )
    return number


def check_steps(steps: Any) -> int:
    """Converts a number of steps to an int.

    Raises:
        TypeError: not a whole number.
        ValueError: it is negative, or larger than `MOST_STEPS`.
    """
    try:
        number = operator.index(steps)
    except TypeError:
        number = None
    if number is None or isinstance(steps, bool):
        raise TypeError(f"refine must be a whole number of steps, not {steps!r}.")
    if not 0 <= number <= MOST_STEPS:
        raise ValueError(f"refine must be from 0 to {MOST_STEPS} steps, not {number}.")
    return number


def check_picture(picture: Any) -> None:
    """Checks a picture that need not come from `read_picture`.

    Raises:
        TypeError: not a `Picture`.
        ValueError: an image of another shape, type or range.
    """
    if not isinstance(picture, Picture):
        hint = "; read_picture reads a file" if _is_path(picture) else ""
        raise TypeError(
            f"picture must be a Picture, as read_picture returns it, not "
            f"{_name(picture)}{hint}."
        )
    image = np.asarray(picture.image)
    if image.ndim != 3 or image.shape[-1] != 4 or image.dtype.kind != "f":
        raise ValueError(
            "The image of a Picture must be [H, W, 4] of floating-point numbers from 0 "
            f"to 1, not {list(image.shape)} of {image.dtype}."
        )
    if not np.all((image >= 0) & (image <= 1)):  # NaN is neither
        raise ValueError(
            "The image of a Picture must have numbers from 0 to 1, not from "
            f"{image.min():g} to {image.max():g}."
        )
    if np.any(image[..., :3] > image[..., 3:] + _ROUNDING):
        raise ValueError(
            "The image of a Picture has colours that exceed its coverage: multiply "
            "them by it."
        )


def check_file(picture: Any) -> None:
    """Raises TypeError unless a picture is the path of a file."""
    if not _is_path(picture):
        raise TypeError(
            f"picture must be a file, or a Picture, not {_name(picture)}; for several, "
            "call a Predictor with each."
        )


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _name(value: Any) -> str:
    return type(value).__name__
