"""Pictures of objects, and how a network is shown them."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxsoftras import config
from jaxsoftras.data import picture_crops, rig
from jaxsoftras.data.picture_crops import Square
from jaxsoftras.meshfile import imagefile
from jaxsoftras.prediction import masks

EXTENT = 0.6875
"""Longer side of a silhouette's bounding box, relative to the image: its median in the
training images of real13, 44 of 64 pixels. The objects have a longest side of 1 and are
seen from distance 2.732 with a field of view of 30 degrees."""

CENTER = 0.5, 0.52
"""Mean centre of the bounding box there, from the left and from the top."""

_MARGIN = 0.1  # kept around an object, relative to its longer side
_LEAST = 8  # pixels of an object's longer side
_AROUND = 0.5  # part of the border that an object hardly covers
_RECTANGLE = (
    "the object is an upright rectangle: if that is a picture in a frame, cut off the "
    "frame or give --mask"
)
_ANIMATED = {"GIF", "WEBP", "PNG", "TIFF"}


class Picture(NamedTuple):
    """The part of a picture that shows the object.

    Attributes:
        image: ``[H, W, 4]`` float32 in [0, 1]: colours multiplied by coverage, and
            coverage. The object has a margin, unless it reaches the picture's border.
        mask: where the mask comes from: ``file``, ``opacity``, ``background`` (a plain
            one) or ``rembg``.
        notes: what the user should know of it.
    """

    image: np.ndarray
    mask: str
    notes: tuple[str, ...] = ()


def read_picture(path: str | Path, mask: str | Path | None = None) -> Picture:
    """Reads a picture of an object.

    Any format of Pillow and any size up to 2^26 pixels is read, upright as its EXIF
    orientation asks. `masks.find` says where the mask is looked for.

    Args:
        path: file of the picture.
        mask: file of its mask, or folder of masks with the names of pictures. White is
            the object; the size is that of the upright picture.

    Raises:
        ValueError: the picture is damaged or too large, there is no mask, or the mask
            shows no object; the message is meant to follow the name of the picture.
    """
    path = Path(path)
    if not path.is_file():  # a pipe would be waited for
        raise ValueError(
            "it is not a regular file" if path.exists() else "there is no such file"
        )
    image = imagefile.decode(path, upright=True)
    found = masks.find(image, path, None if mask is None else Path(mask))
    notes = [*_describe_frames(path), *_describe_border(found)]
    left, top, right, bottom = _find_box(found.mask)
    margin = math.ceil(_MARGIN * max(right - left, bottom - top))
    rows = slice(max(top - margin, 0), bottom + margin)
    columns = slice(max(left - margin, 0), right + margin)
    coverage = found.mask[rows, columns, None]
    colors = image[rows, columns, :3] * coverage
    picture = np.concatenate([colors, coverage], axis=-1)
    return Picture(picture, found.origin, tuple(notes))


def _find_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of an object.

    Raises:
        ValueError: there is no object, or nothing else, or it is too small.
    """
    covered = mask >= 0.5
    if not covered.any():
        raise ValueError("its mask is empty: no pixel is of the object")
    if covered.all():
        raise ValueError("its mask is full: every pixel is of the object")
    columns, rows = (np.flatnonzero(covered.any(axis)) for axis in (0, 1))
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    left, top, right, bottom = map(int, box)
    if max(right - left, bottom - top) < _LEAST:
        raise ValueError(
            f"its object has {right - left} x {bottom - top} pixels, and "
            f"{_LEAST} along one side are the least to see a shape in"
        )
    return left, top, right, bottom


def _describe_border(found: masks.Found) -> list[str]:
    """Notes on a frame, and on what reaches it or the picture's border."""
    covered = found.mask >= 0.5
    inside = np.ones_like(covered) if found.frame is None else ~found.frame.covered
    border = inside & ~np.asarray(ndimage.binary_erosion(inside), bool)
    notes = [] if found.frame is None else [found.frame.describe()]
    if np.mean(covered[border]) > _AROUND:
        return [
            *notes,
            "the mask covers most of the border: it may show the background",
        ]
    if np.any(covered[border]):
        return [*notes, "the object reaches the border, and may be cut off"]
    if found.origin == "background" and masks.is_rectangle(covered):
        return [*notes, _RECTANGLE]
    return notes


def _describe_frames(path: Path) -> list[str]:
    """Notes that a file has several images, of which the first is taken."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its metadata
            with Image.open(path) as image:
                several = getattr(image, "is_animated", False)
                animated = several and image.format in _ANIMATED
    except Exception:  # damage behind the first image
        return ["the first image; others behind it are damaged"]
    return ["the first of several images"] * animated


def find_square(picture: Picture, extent: float = EXTENT) -> Square:
    """Finds the square in which the object is framed as the training images frame it.

    Args:
        picture: the picture.
        extent: longer side of the object's bounding box, relative to the square.
    """
    left, top, right, bottom = _find_box(picture.image[..., 3])
    side = max(right - left, bottom - top) / extent
    across, down = CENTER
    return Square(
        (left + right) / 2 - across * side, (top + bottom) / 2 - down * side, side
    )


def crop(picture: Picture, size: int, extent: float = EXTENT) -> np.ndarray:
    """Crops and scales a picture to an image as the data sets store it.

    Args:
        picture: the picture.
        size: width and height of the image, pixels.
        extent: see `find_square`.

    Returns:
        ``[4, size, size]`` uint8, colours multiplied by coverage.
    """
    square = find_square(picture, extent)
    whole = picture_crops.Picture(picture.image, np.eye(3))
    return np.moveaxis(
        imagefile.to_bytes(picture_crops.crop(whole, square, size).image), -1, 0
    )


def expected_extent(settings: config.Data) -> float:
    """`EXTENT` for the cameras that a network was trained with, at most 1.

    Args:
        settings: distance and field of view of the training data.
    """

    def size(distance: float, half_fov: float) -> float:
        return 1 / (distance * math.tan(math.radians(half_fov)))

    usual = size(rig.SOFTRAS_RIG.distance, rig.SOFTRAS_RIG.half_fov)
    return min(EXTENT * size(settings.distance, settings.half_fov) / usual, 1)
