"""Images, arrays and programs as text within a page."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib

import numpy as np
from PIL import Image


def encode_image(pixels: np.ndarray) -> str:
    """Encodes ``[H, W, 3]`` uint8 as a ``data:`` address of a lossless WebP image."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=80, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def compress(content: bytes) -> str:
    """Compresses bytes by zlib, which browsers know as ``deflate``, in base 64."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def encode_array(array: np.ndarray, dtype: str) -> str:
    """Encodes an array, of a little-endian dtype such as ``"<f4"``; see `compress`."""
    return compress(np.ascontiguousarray(array, dtype).tobytes())


def hash_script(text: str) -> str:
    """Source expression of Content Security Policy that allows one script alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
