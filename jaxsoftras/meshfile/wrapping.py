"""Samplers of mesh files in terms of textures, whose wrap mode both axes share."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from jaxsoftras.texture import Wrap

AxisWrap = Literal["clamp", "repeat", "mirror"]
"""Continuation of an image along one axis."""

CLAMP: tuple[AxisWrap, AxisWrap] = ("clamp", "clamp")
"""Continuation by the border texels along both axes."""

# Texels to which an image may grow: fourfold, or to the first of these counts, but not
# beyond the second.
_SMALL_IMAGE, _LARGE_IMAGE = 2**20, 2**26

# Part of a texel by which coordinates miss the edge of one by rounding.
_SLACK = 1e-3


class Block(NamedTuple):
    """Block of whole texels of an image.

    Attributes:
        left: its first column.
        bottom: its first row, counted from below.
        width: number of columns.
        height: number of rows.
    """

    left: int
    bottom: int
    width: int
    height: int

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Cuts the block out of an image ``[H, W, C]``."""
        top = len(image) - self.bottom - self.height
        columns = slice(self.left, self.left + self.width)
        return image[top : top + self.height, columns]

    def change_uv(self, uv: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Converts coordinates ``[..., 2]`` in the image to those in the block."""
        texels = uv * [shape[1], shape[0]] - [self.left, self.bottom]
        return np.clip(texels / [self.width, self.height], 0, 1)


def find_block(shape: tuple[int, ...], uv: np.ndarray) -> Block | None:
    """Finds the block of whole texels that coordinates span, if there is one.

    Args:
        shape: ``(H, W, C)`` of the image.
        uv: ``[N, 2]`` finite u and v, all that are looked up.

    Returns:
        The block; None if the coordinates end within texels, beyond the image, or at
        its edges only.
    """
    if len(uv) == 0 or np.any((uv < 0) | (uv > 1)):
        return None
    ends = np.stack([uv.min(axis=0), uv.max(axis=0)]) * [shape[1], shape[0]]
    texels = np.round(ends).astype(int)
    if np.any(np.abs(ends - texels) > _SLACK) or np.any(texels[0] == texels[1]):
        return None
    left, bottom, width, height = *texels[0].tolist(), *np.ptp(texels, axis=0).tolist()
    whole = (height, width) == shape[:2]
    return None if whole else Block(left, bottom, width, height)


class AxisLayout(NamedTuple):
    """Change of an image along one axis.

    Attributes:
        mirrored: whether its mirror image follows it.
        low: border texels before it, at the side of u = 0 or v = 0.
        high: border texels behind it.
    """

    mirrored: bool = False
    low: int = 0
    high: int = 0


class Layout(NamedTuple):
    """Change of an image that makes it look the same with another wrap mode.

    Attributes:
        u: change along u.
        v: change along v.
        wrap: wrap mode of both axes.
    """

    u: AxisLayout = AxisLayout()
    v: AxisLayout = AxisLayout()
    wrap: Wrap = "repeat"

    def change_image(self, image: np.ndarray) -> np.ndarray:
        """Extends an image ``[H, W, C]``."""
        if self.u.mirrored:
            image = np.concatenate([image, image[:, ::-1]], axis=1)
        if self.v.mirrored:  # v rises upwards
            image = np.concatenate([image[::-1], image], axis=0)
        return np.pad(image, (self.v[:0:-1], self.u[1:], (0, 0)), "edge")

    def change_uv(self, uv: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Converts coordinates ``[..., 2]`` in an image of the shape ``(H, W, C)``."""
        sizes = np.array([shape[1], shape[0]])
        axes = (self.u, self.v)
        low = np.array([axis.low for axis in axes])
        extra = np.array([axis.low + axis.high for axis in axes])
        repetitions = np.array([1 + axis.mirrored for axis in axes])
        return (uv * sizes + low) / (sizes * repetitions + extra)


def _border(u: np.ndarray, size: int) -> AxisLayout:
    """Border as far as coordinates reach, and one texel for interpolation."""
    low, high = max(-u.min(), 0), max(u.max() - 1, 0)
    return AxisLayout(
        False, 1 + int(np.ceil(low * size)), 1 + int(np.ceil(high * size))
    )


def choose_layout(
    shape: tuple[int, ...], uv: np.ndarray, wraps: tuple[AxisWrap, AxisWrap]
) -> Layout | None:
    """Chooses how an image looks the same with one wrap mode for both axes.

    A mirrored image is the repetition of the image and its mirror image. A clamped one
    is an image with a wider border, as far as the coordinates reach.

    Args:
        shape: ``(H, W, C)`` of the image.
        uv: ``[N, 2]`` finite u and v, all that are looked up.
        wraps: continuation along u and along v.

    Returns:
        The change; None if the image would be too large.
    """
    if len(uv) == 0 or wraps == ("repeat", "repeat"):
        return Layout()
    inside = np.all((uv >= 0) & (uv <= 1), axis=0)
    # at its edges, a mirrored image continues like a clamped one
    modes = [
        "clamp" if wrap == "mirror" and within else wrap
        for wrap, within in zip(wraps, inside, strict=True)
    ]
    both_clamp = modes == ["clamp", "clamp"]
    if both_clamp and np.all(inside):
        return Layout(wrap="clamp")
    height, width = shape[:2]
    too_wide = Layout(wrap="clamp") if both_clamp else None
    if np.abs(uv).max() > _SMALL_IMAGE:
        return too_wide
    axes, sizes = [], []
    for u, size, mode in zip(uv.T, (width, height), modes, strict=True):
        axis = _border(u, size) if mode == "clamp" else AxisLayout(mode == "mirror")
        axes.append(axis)
        sizes.append(size * (1 + axis.mirrored) + axis.low + axis.high)
    most = min(max(4 * width * height, _SMALL_IMAGE), _LARGE_IMAGE)
    if sizes[0] * sizes[1] > most:
        return too_wide
    return Layout(axes[0], axes[1])
