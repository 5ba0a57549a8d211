"""Texture images as arrays: from and to image files, by way of Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


def from_pillow(image: Image.Image) -> np.ndarray:
    """A Pillow image of any mode as ``[H, W, 3]`` float32 in [0, 1]; alpha is lost."""
    # by way of RGBA, as Pillow warns about palettes with transparency otherwise
    colors = image.convert("RGBA").convert("RGB")
    return np.asarray(colors, np.float32) / np.float32(255)


def read(path: Path) -> np.ndarray:
    """Reads an image file as ``[H, W, 3]`` float32 in [0, 1]; row 0 is at the top.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not an image, or damaged.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return from_pillow(image)
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's plugins raise all kinds
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def to_bytes(colors: np.ndarray) -> np.ndarray:
    """Colours in [0, 1], clipped, as uint8 of the same shape."""
    return np.round(np.clip(colors, 0, 1) * 255).astype(np.uint8)


def to_pillow(image: np.ndarray) -> Image.Image:
    """An image ``[H, W, 3]`` in [0, 1] as a Pillow image, 8 bits a channel."""
    from PIL import Image

    return Image.fromarray(to_bytes(image))


def encode_png(image: np.ndarray) -> bytes:
    """The PNG file of an image ``[H, W, 3]`` in [0, 1]."""
    file = io.BytesIO()
    to_pillow(image).save(file, "PNG")
    return file.getvalue()
