"""Image files as float arrays, read and written by Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


def from_pillow(image: Image.Image) -> np.ndarray:
    """Converts a Pillow image to ``[H, W, 3]`` float32 in [0, 1] without its alpha."""
    # through RGBA, because Pillow warns about palettes with transparency otherwise
    colors = image.convert("RGBA").convert("RGB")
    return np.asarray(colors, np.float32) / np.float32(255)


def read(path: Path) -> np.ndarray:
    """Reads an image file as ``[H, W, 3]`` float32 in [0, 1]; row 0 is at the top.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not an image, or damaged.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return from_pillow(image)
    except FileNotFoundError:
        raise
    except Exception as error:  # the plugins of Pillow raise many types
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def to_bytes(colors: np.ndarray) -> np.ndarray:
    """Converts colours to uint8, from 0 to 255; values are clipped to [0, 1]."""
    return np.round(np.clip(colors, 0, 1) * 255).astype(np.uint8)


def to_pillow(image: np.ndarray) -> Image.Image:
    """Converts an image ``[H, W, 3]`` in [0, 1] to a Pillow image of 8-bit channels."""
    from PIL import Image

    return Image.fromarray(to_bytes(image))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes an image ``[H, W, 3]`` in [0, 1] as PNG with 8-bit channels."""
    file = io.BytesIO()
    to_pillow(image).save(file, "PNG")
    return file.getvalue()
