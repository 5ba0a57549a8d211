"""Squares around what pictures show, and the cameras of the squares."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxsoftras import camera, conventions
from jaxsoftras.data.picture_cameras import Calibration

MARGIN = 0.1
"""Margin of a square on each side, relative to the object's longer side."""

_GRID = 256  # points along a side of the grid that looks for a distorted object
_SAMPLES = 512  # pixels along the longer side of an object without its distortion


class Picture(NamedTuple):
    """A picture and its pinhole camera.

    Attributes:
        image: ``[H, W, C]`` float32: colours multiplied by coverage, coverage, and
            whatever is to be resampled with them.
        intrinsics: ``[3, 3]`` K, pixels; (0, 0) is the centre of the top left one.
    """

    image: np.ndarray
    intrinsics: np.ndarray


class Square(NamedTuple):
    """A square of a picture, in pixels from its top left corner."""

    left: float
    top: float
    side: float


def touches_border(image: np.ndarray) -> bool:
    """Tells whether an object reaches the border of its picture ``[H, W, 4]``."""
    mask = image[..., 3] >= 0.5
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def find_square(image: np.ndarray) -> Square:
    """Finds the square around an object that is not empty, with a margin."""
    mask = image[..., 3] >= 0.5
    spans = [np.flatnonzero(mask.any(axis))[[0, -1]] + [0, 1] for axis in (0, 1)]
    (left, right), (top, bottom) = spans
    side = max(right - left, bottom - top) * (1 + 2 * MARGIN)
    return Square((left + right - side) / 2, (top + bottom - side) / 2, side)


def crop(picture: Picture, square: Square, size: int) -> Picture:
    """Resamples a square of a picture by area; what lies beyond it is empty.

    Args:
        picture: the picture.
        square: a square, which may reach beyond the picture.
        size: width and height of the result, pixels.
    """
    step = square.side / size
    height, width = picture.image.shape[:2]
    rows = _overlaps(square.top, step, size, height)
    columns = _overlaps(square.left, step, size, width)
    across, down = columns.any(0), rows.any(0)  # a few pixels of a large picture
    part = picture.image[down][:, across]
    image = np.einsum(
        "ih,jw,hwc->ijc", rows[:, down], columns[:, across], part, optimize=True
    )
    return Picture(image, _move(picture.intrinsics, square.left, square.top, step))


def _move(k: np.ndarray, left: float, top: float, step: float) -> np.ndarray:
    """K for pixels of another size and origin."""
    k = k.copy()
    k[:2] /= step
    k[:2, 2] = (k[:2, 2] * step + 0.5 - (left, top)) / step - 0.5
    return k


def _overlaps(start: float, step: float, size: int, count: int) -> np.ndarray:
    """Shares ``[size, count]`` of pixels in the cells of another grid."""
    low = start + step * np.arange(size)[:, None]
    pixel = np.arange(count)
    overlap = np.minimum(low + step, pixel + 1) - np.maximum(low, pixel)
    return (overlap.clip(0) / step).astype(np.float32)


def rectify(image: np.ndarray, calibration: Calibration) -> Picture:
    """Takes the distortion and the skew out of a picture, around its object.

    Args:
        image: ``[H, W, C]`` float32; see `Picture`.
        calibration: its camera.

    Returns:
        The picture itself, if it has neither; or else a part of it with a margin,
        resampled linearly.

    Raises:
        ValueError: the object lies where the lens bends it out of sight.
    """
    k = calibration.intrinsics
    if calibration.distortion is None and k[0, 1] == 0:
        return Picture(image, k)
    square = find_square(image)
    # fewer pixels of a large object, so that none falls between samples
    shrink = max(1, math.floor(square.side / _SAMPLES))
    if shrink > 1:
        height, width = (side // shrink * shrink for side in image.shape[:2])
        image = image[:height, :width].reshape(
            height // shrink, shrink, width // shrink, shrink, image.shape[-1]
        )
        image = image.mean((1, 3))
        k = _move(k, 0, 0, shrink)
    calibration = calibration._replace(intrinsics=k)
    ideal = k.copy()
    ideal[0, 1] = 0

    height, width = image.shape[:2]
    u = np.linspace(-width / 2, 1.5 * width, _GRID)
    v = np.linspace(-height / 2, 1.5 * height, _GRID)
    reach = 2 * math.ceil(2 * max(width, height) / _GRID) + 1
    wide = ndimage.maximum_filter(image[..., 3], reach)
    places = _distorted(calibration, ideal, u, v, (height, width))
    seen = ndimage.map_coordinates(wide, places, order=0) >= 0.5
    columns, rows = (np.flatnonzero(seen.any(axis)) for axis in (0, 1))
    ends = [] if not columns.size else [columns[0], rows[0]]
    if not columns.size or 0 in ends or _GRID - 1 in (columns[-1], rows[-1]):
        raise ValueError("its lens bends the object out of the picture")
    left, right = u[columns[0] - 1], u[columns[-1] + 1]
    top, bottom = v[rows[0] - 1], v[rows[-1] + 1]
    u, v = np.arange(left, right), np.arange(top, bottom)
    places = _distorted(calibration, ideal, u, v, (height, width))
    part = [
        ndimage.map_coordinates(channel, places, order=1)
        for channel in np.moveaxis(image, -1, 0)
    ]
    ideal[:2, 2] -= u[0], v[0]
    return Picture(np.stack(part, axis=-1), ideal)


def _distorted(
    calibration: Calibration,
    ideal: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Rows and columns ``[2, V, U]`` in a picture of the pixels of an ideal one."""
    x = (u - ideal[0, 2]) / ideal[0, 0]
    y = (v - ideal[1, 2]) / ideal[1, 1]
    x, y = np.meshgrid(x, y)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    lens = conventions.from_opencv(
        calibration.intrinsics, np.eye(3), np.zeros(3), shape, calibration.distortion
    )
    ndc = np.asarray(camera.project(lens, rays.reshape(-1, 3)))
    height, width = shape
    columns = ((ndc[:, 0] + 1) * width - 1) / 2
    rows = ((1 - ndc[:, 1]) * height - 1) / 2
    return np.stack([rows, columns]).reshape(2, *x.shape)
