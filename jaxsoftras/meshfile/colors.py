"""Textures as files and other programs hold them: three channels, or four."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsoftras import checks, texture_parts
from jaxsoftras.images import SLACK
from jaxsoftras.texture import Texture, UVTexture


def _check(kind: str, colors: np.ndarray, transparent: bool) -> None:
    """Raises ValueError unless colours are finite floats of 1 or 3 channels."""
    if not jnp.issubdtype(colors.dtype, jnp.floating):  # also knows bfloat16
        raise ValueError(
            f"The values of {kind} must be floating-point, not {colors.dtype}; divide "
            "8-bit colours by 255."
        )
    if wrong := np.sum(~np.isfinite(colors)):
        raise ValueError(
            f"The values of {kind} must be finite; {wrong} of {colors.size} are not."
        )
    channels = colors.shape[-1]
    if channels - transparent not in (1, 3):
        hint = " Set transparent=True if the last is the opacity."
        raise ValueError(
            "Files and other programs hold colours of 1 or 3 channels, and opacity; "
            f"the texture has {channels}{' with opacity' if transparent else ''}."
            f"{hint if channels in (2, 4) and not transparent else ''}"
        )


def _warn_of_range(kind: str, arrays: Sequence[np.ndarray]) -> None:
    """Warns of colours that are outside of [0, 1] by more than rounding."""
    arrays = [colors for colors in arrays if colors.size]
    low = float(min((np.min(colors) for colors in arrays), default=0))
    high = float(max((np.max(colors) for colors in arrays), default=0))
    if low < -SLACK or high > 1 + SLACK:
        warnings.warn(
            f"The values of {kind} range from {low:.4g} to {high:.4g}, clipped to "
            "[0, 1]; divide 8-bit colours by 255.",
            stacklevel=checks.caller_depth(),
        )


def _widen(colors: np.ndarray, transparent: bool) -> np.ndarray:
    """Clips colours to [0, 1], and repeats grey as red, green and blue."""
    colors = np.clip(colors.astype(np.result_type(colors.dtype, np.float32)), 0, 1)
    grey = colors.shape[-1] - transparent == 1
    return colors[..., [0, 0, 0, 1][: 3 + transparent]] if grey else colors


def prepare(texture: Texture) -> Any:
    """Converts a texture to numpy arrays with red, green and blue in [0, 1].

    Colours are clipped to that; one warning says so.

    Returns:
        The texture, transparent only if it is not opaque everywhere.

    Raises:
        ValueError: colours that are not finite floats of 1 or 3 channels, and opacity
            where the texture is transparent; or images that do not fit together.
    """
    kind, transparent = type(texture).__name__, texture.transparent
    if isinstance(texture, UVTexture):
        texture_parts.check_images(f"The {kind}", texture)
    texture = texture_parts.map_colors(np.asarray, texture)
    for colors in texture_parts.get_colors(texture):
        _check(kind, colors, transparent)
    _warn_of_range(kind, texture_parts.get_colors(texture))
    texture = texture_parts.map_colors(lambda x: _widen(x, transparent), texture)
    if not transparent:
        return texture
    if any(np.any(x[..., 3] < 1) for x in texture_parts.get_colors(texture)):
        return texture
    opaque = texture_parts.map_colors(lambda x: x[..., :3], texture)
    return opaque._replace(transparent=False)
