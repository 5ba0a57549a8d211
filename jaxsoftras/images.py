"""Images as pixels of 8 bits, and their files."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import atomic, checks, extras, guesses
from jaxsoftras.checks import VectorLike

SLACK = 0.5 / 255
"""Half of a level of 8 bits: values beyond [0, 1] by this much are rounding errors."""


class _Format(NamedTuple):
    """File format.

    Attributes:
        name: the name that Pillow knows.
        alpha: whether it holds opacity.
        side: largest height or width, pixels.
        options: arguments of Pillow.
    """

    name: str
    alpha: bool
    side: int
    options: dict[str, Any]


_JPEG = _Format("JPEG", False, 65500, {"quality": 95, "subsampling": 0})
_FORMATS = {
    ".png": _Format("PNG", True, 2**31 - 1, {}),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format("WEBP", True, 16383, {"lossless": True}),
}


def _as_floats(image: ArrayLike) -> np.ndarray:
    """Converts an image or a grid of images to ``[..., H, W, C]``, single precision."""
    if isinstance(image, Tracer):
        raise ValueError(
            "The values of the image are not known while it is traced; return it from "
            "the compiled function first."
        )
    if isinstance(image, tuple) and hasattr(image, "_fields"):
        raise ValueError(
            f"An image must be an array, not a {type(image).__name__}; of what render "
            "returns with outputs, take rendering.image."
        )
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim < 3 or array.shape[-1] > 4 or 0 in array.shape:
        raise ValueError(
            "An image must have the shape [H, W] or [H, W, C] with 1 to 4 channels, or "
            "[..., H, W, C] for a grid of images (image[..., None] gives a batch of "
            f"silhouettes its last axis); it has {list(array.shape)}."
        )
    if array.dtype == np.uint8:
        return array / np.float32(255)
    if array.dtype != bool and not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            "An image must be floating-point, from 0 to 1, or uint8, not "
            f"{array.dtype}; divide it by its largest possible value."
        )
    return array.astype(np.float32)


def _contain(image: np.ndarray) -> np.ndarray:
    """Clips values to [0, 1] and replaces NaN by 0; says so in one warning."""
    lost, most = np.isnan(image), image.size // image.shape[-1]
    notes = []
    if count := np.any(lost, axis=-1).sum():
        notes.append(f"{count} of its {most} pixels are NaN, shown as 0")
        image = np.where(lost, 0, image)
    low, high = image.min(), image.max()
    if low < -SLACK or high > 1 + SLACK:
        notes.append(
            f"its values range from {low:.4g} to {high:.4g}, clipped to [0, 1]"
        )
    if notes:
        warnings.warn(
            f"The image: {'; '.join(notes)}.", stacklevel=checks.caller_depth()
        )
    return np.clip(image, 0, 1)


def _tile(images: np.ndarray) -> np.ndarray:
    """Puts images ``[..., H, W, C]`` side by side; several axes are rows and columns.

    A single axis is broken into rows, as many as columns, or a few less.
    """
    *batch, height, width, channels = images.shape
    columns = batch[-1] if len(batch) > 1 else math.ceil(math.prod(batch) ** 0.5)
    rows = math.ceil(math.prod(batch) / columns)
    cells = np.zeros((rows * columns, height, width, channels), images.dtype)
    cells[: math.prod(batch)] = images.reshape(-1, height, width, channels)
    cells = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return cells.reshape(rows * height, columns * width, channels)


def checkerboard(height: int, width: int) -> np.ndarray:
    """Background ``[H, W, 1]`` of light squares, on which opacity can be seen."""
    rows, columns = np.ogrid[:height, :width]
    return np.where((rows // 8 + columns // 8) % 2, 0.8, 1.0)[..., None]


def _compose(image: np.ndarray, background: VectorLike) -> np.ndarray:
    """Lays colours with opacity, ``[H, W, 4]``, over a background: ``[H, W, 3]``."""
    color, alpha = image[..., :3], image[..., 3:]
    try:
        behind = np.asarray(background, np.float32)
        behind = np.broadcast_to(behind, color.shape)
    except (TypeError, ValueError):
        shape = list(np.shape(background))
        given = f"an array of shape {shape}" if shape else repr(background)
        raise ValueError(
            "The background must be a number, a colour [3] or an image "
            f"{list(color.shape)}, not {given}."
        ) from None
    if not np.all((behind >= 0) & (behind <= 1)):
        raise ValueError("The background must have values from 0 to 1.")
    return alpha * color + (1 - alpha) * behind


def to_pixels(
    image: ArrayLike, *, background: VectorLike | None, scale: int | None
) -> np.ndarray:
    """Converts an image or a batch of images to pixels of 8 bits.

    Args:
        image: see `save_image`.
        background: see `save_image`; None keeps opacity.
        scale: see `save_image`; None makes the longer side 256 pixels or a little less,
            unless it is longer.

    Returns:
        ``[H, W, 1, 3 or 4]`` uint8.
    """
    pixels = _tile(_contain(_as_floats(image)))
    if scale is None:
        scale = max(1, 256 // max(pixels.shape[:2]))
    if isinstance(scale, bool) or not isinstance(scale, (int, np.integer)) or scale < 1:
        raise ValueError(f"scale must be an integer of at least 1, not {scale!r}.")
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    if pixels.shape[-1] == 2:  # grey and opacity
        pixels = pixels[..., [0, 0, 0, 1]]
    if pixels.shape[-1] == 4 and background is not None:
        pixels = _compose(pixels, background)
    return np.round(pixels * 255).astype(np.uint8)


def to_pillow(pixels: np.ndarray) -> Any:
    """Converts ``[H, W, 1, 3 or 4]`` uint8 to a Pillow image."""
    extras.require("make images", "PIL")
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


@guesses.answers
def save_image(
    path: str | Path,
    image: ArrayLike,
    *,
    background: VectorLike | None = None,
    scale: int = 1,
) -> None:
    """Writes an image, such as `render` and `silhouette` return, to a file.

    Values are clipped to [0, 1] and those that are not a number become 0; one warning
    says so. The file appears whole or not at all.

    Args:
        path: a .png, .webp (without loss) or .jpg file; its folder must exist.
        image: ``[H, W]`` or ``[H, W, C]``, with row 0 at the top; floating-point in
            [0, 1], uint8 or bool. C is 1 or 3 for grey or colour, and 2 or 4 with
            opacity last, by which the colour is not multiplied. ``[N, H, W, C]``
            becomes a grid of images, as wide as high; ``[M, N, H, W, C]`` one of M rows
            and N columns.
        background: a number, a colour ``[3]`` or an image, in [0, 1], to lay the image
            over. None keeps opacity, or lays over white in .jpg files, which do not
            have it.
        scale: pixels of the file along the side of a pixel of the image.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: an unknown format, or an argument of wrong shape, dtype or range.
        MissingExtraError: Pillow is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "ramp.png")
        >>> jaxsoftras.save_image(path, np.linspace(0, 1, 32).reshape(4, 8), scale=16)
        >>> path.read_bytes()[1:4]
        b'PNG'
        >>> folder.cleanup()
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError("save_image takes the path first: save_image(path, image).")
    path = Path(path)
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(
            f"{path} does not have the name of an image file, which ends in one of "
            f"{', '.join(_FORMATS)}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write to.")
    if background is None and not form.alpha:
        background = 1.0
    pixels = to_pixels(image, background=background, scale=scale)
    if max(pixels.shape[:2]) > form.side:
        raise ValueError(
            f"{form.name} files have at most {form.side} pixels a side, not "
            f"{pixels.shape[0]} x {pixels.shape[1]}; save a smaller image, or a .png."
        )
    with atomic.file(path) as partial:
        to_pillow(pixels).save(partial, form.name, **form.options)
