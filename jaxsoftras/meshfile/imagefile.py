"""Image files as float arrays, read and written by Pillow."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras import extras

if TYPE_CHECKING:
    from PIL import Image


MOST_TEXELS = 2**26
"""Texels of an image: 8192 x 8192, of 0.8 GB as colours in single precision."""

_STRIP = 2**20  # texels that are converted at once

# Texels of an image for each byte of its file, and without regard to it. The smallest
# PNG files have 8,000, one bit each; a header that is damaged claims any number, and
# some plugins of Pillow then make an image of zeros.
_MOST_TEXELS_A_BYTE, _FEW_TEXELS = 2**14, 2**20

_FORMATS_OF_PROGRAMS = {"EPS", "WMF"}  # which Pillow would run


def _integer_range(image: Image.Image) -> tuple[type, int]:
    """Type and largest value of an image of 32-bit integers."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:  # PNG and PGM files have 16 bits at most
        return np.int32, 2**16 - 1
    bits = tags.get(258, (32,))[0]
    signed = tags.get(339, (1,))[0] == 2
    return (np.int32, 2 ** (bits - 1) - 1) if signed else (np.uint32, 2**bits - 1)


def _to_intensities(image: Image.Image) -> np.ndarray:
    """Converts an image with one channel of more than 8 bits to ``[H, W]``."""
    values = np.asarray(image)
    if image.mode == "I":
        dtype, top = _integer_range(image)
        return np.divide(values.view(dtype), top, dtype=np.float64)
    if image.mode != "F":
        return np.divide(values, 2**16 - 1, dtype=np.float32)
    top = values.max()
    if not top <= 2:
        raise ValueError(
            f"its values range up to {top:.6g}, and not to 1 as those of an image with "
            "floating-point numbers should; convert it to 8 bits"
        )
    return values


def from_pillow(image: Image.Image) -> np.ndarray:
    """Converts a Pillow image to an array.

    Integers of 8 to 32 bits are scaled by their range; floating-point numbers range
    from 0 to 1. The first image of an animation is taken.

    Returns:
        ``[H, W, 3]`` float32 in [0, 1], or ``[H, W, 4]`` with opacity if a texel is
        not opaque.

    Raises:
        ValueError: an image that is too large, or not in range.
    """
    _check_count(image)
    width, height = image.size
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _to_intensities(image).astype(np.float32, copy=False)
        grey = np.clip(grey, 0, 1)
        return np.repeat(grey[..., None], 3, axis=-1)
    mode = "RGB"
    # through RGBA, because Pillow warns about palettes with transparency otherwise
    if image.has_transparency_data or image.mode == "P":
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        opaque = image.getchannel("A").getextrema() == (255, 255)
        mode = "RGB" if opaque else "RGBA"
    colors = np.empty((height, width, len(mode)), np.float32)
    # in strips, for a large image takes a gigabyte even once
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        strip = image.crop((0, top, width, min(top + step, height))).convert(mode)
        np.divide(np.asarray(strip), 255, out=colors[top : top + step])
    return colors


def _check_count(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_TEXELS:
        raise ValueError(
            f"it has {width} x {height} texels, more than 2**26; make it smaller"
        )


def _check_size(image: Image.Image, file: Path | io.BytesIO) -> None:
    """Raises a ValueError if a file is much too small for its image."""
    size = file.stat().st_size if isinstance(file, Path) else file.getbuffer().nbytes
    width, height = image.size
    most = max(_FEW_TEXELS, _MOST_TEXELS_A_BYTE * size)
    if most < width * height <= MOST_TEXELS:  # more are refused anyway
        raise ValueError(
            f"its {size} bytes cannot hold the {width} x {height} texels that it claims"
            "; it is damaged"
        )


def _turn_upright(image: Image.Image) -> None:
    """Turns or mirrors an image as the tag of its camera asks, if one can be read."""
    from PIL import ImageOps

    _check_count(image)
    image.load()  # the tags of a PNG file may lie behind its texels
    try:
        image.getexif()
    except Exception:  # damaged metadata, which viewers pass over
        return
    ImageOps.exif_transpose(image, in_place=True)


def decode(file: Path | io.BytesIO, *, upright: bool = False) -> np.ndarray:
    """Decodes an image file; row 0 is at the top.

    Args:
        file: the file, or its content.
        upright: whether to turn the image as its EXIF orientation asks.

    Returns:
        ``[H, W, 3 or 4]`` float32 in [0, 1]; see `from_pillow`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not an image, damaged, or too large; the message is
            meant to follow the name of the file.
        MissingExtraError: Pillow is not installed.
    """
    extras.require("read images", "PIL")
    from PIL import Image

    Image.init()
    kinds = [kind for kind in Image.OPEN if kind not in _FORMATS_OF_PROGRAMS]
    try:
        with warnings.catch_warnings():
            # about its metadata, and about sizes that are refused below
            warnings.simplefilter("ignore")
            with Image.open(file, formats=kinds) as image:
                _check_size(image, file)
                if upright:
                    _turn_upright(image)
                return from_pillow(image)
    except FileNotFoundError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ValueError("it is damaged or of an unknown format; use PNG") from error
    except Image.DecompressionBombError as error:
        raise ValueError("it has more than 2**26 texels; make it smaller") from error
    except Exception as error:  # the plugins of Pillow raise many types
        raise ValueError(str(error).rstrip(".") or type(error).__name__) from error


def read(path: Path) -> np.ndarray:
    """Reads an image file as `decode` does.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not an image, damaged, or too large.
    """
    try:
        return decode(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def to_bytes(colors: ArrayLike) -> np.ndarray:
    """Converts colours to uint8, from 0 to 255; values are clipped to [0, 1]."""
    return np.round(np.clip(np.asarray(colors), 0, 1) * 255).astype(np.uint8)


def to_pillow(image: np.ndarray) -> Image.Image:
    """Converts an image in [0, 1] to a Pillow image of 8-bit channels.

    Args:
        image: ``[H, W]``, ``[H, W, 3]`` or, with opacity, ``[H, W, 4]``.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    extras.require("write images", "PIL")
    from PIL import Image

    return Image.fromarray(to_bytes(image))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes an image, as `to_pillow` takes it, as PNG with 8-bit channels."""
    file = io.BytesIO()
    to_pillow(image).save(file, "PNG")
    return file.getvalue()
