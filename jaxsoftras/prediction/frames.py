"""Frames around pictures: borders, mats and bars along one to four of the sides.

A frame consists of bands between straight lines and the sides of the picture. Colours
change across each line, and a band's colour is the same all along it. Whether a frame
surrounds an object, `jaxsoftras.prediction.masks` decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_DEEPEST = 0.35  # thickness of a band, relative to the picture's width or height
_STEP = 12 / 255  # least change of a channel across a line
_STRAIGHT = 0.9  # part of a line that has such a change
_ALIKE = 16 / 255  # change of a band's colour along it, in each channel
_RELATED = 24 / 255  # difference between bands
_ALL_ALONG = 0.94  # part of a band's length that has its colour
_WINDOW = 0.08  # of a band's length, within which colours are averaged
# relative to the picture's shorter side
_BLUR = 0.004  # width of a blurred line
_NEAR = 0.02  # thickness of the part of a band that is next to its line
_INSET = 0.01  # margin inside a line that counts as frame

_CORNER = 0.25  # reach of rounded corners, relative to the inside's shorter side
_ROUNDED = 0.3  # part of the square of that reach that they cover at most
_FEWEST = 8  # pixels of a side with a line
_LINES = 3  # that are tried on each side
_SAMPLES = 1024  # places on a line, about, at which colours are compared


class Frame(NamedTuple):
    """A frame of bands along the sides of a picture.

    Attributes:
        bands: thickness on the left, at the top, on the right and at the bottom,
            pixels; 0 for a side without a band.
        covered: ``[H, W]`` bool, its pixels, those in rounded corners of the inside
            and those of blurred lines among them.
    """

    bands: tuple[int, int, int, int]
    covered: np.ndarray

    def describe(self) -> str:
        """Describes the bands to the user."""
        sides = "on the left", "at the top", "on the right", "at the bottom"
        bands = zip(self.bands, sides, strict=True)
        parts = ", ".join(f"{band} {side}" for band, side in bands if band)
        return f"a frame is left out, in pixels {parts}"


class _Line(NamedTuple):
    """A line along a side of the picture, at L places, and the band between the two.

    Attributes:
        depth: rows of pixels of the band; 0 for none.
        steps: ``[L]`` bool, whether colours change across the line.
        colors: ``[L, 3]`` mean colours of the band next to the line.
        alike: ``[L]`` bool, whether the inside has the band's colour behind the line.
        color: ``[3]`` median colour of the band's innermost row.
    """

    depth: int
    steps: np.ndarray
    colors: np.ndarray
    alike: np.ndarray
    color: np.ndarray


def list_frames(colors: np.ndarray) -> Iterator[Frame]:
    """Finds the frames that a picture may have, those with the smallest inside first.

    A line lies within 0.35 of the width or height from its side. Along nine tenths of
    the inside a channel changes across it by 12 of 255 levels, rounded corners apart.
    The colour of the band next to the line, averaged along a twelfth of the length,
    differs from its median by at most 16 levels at 94 of 100 places: nothing crosses
    the line. Medians of the bands differ by at most 24.

    Args:
        colors: ``[H, W, 3]`` float32 in [0, 1].
    """
    height, width = colors.shape[:2]
    blur = max(2, round(_BLUR * min(height, width)))
    near = 1 + round(_NEAR * min(height, width))
    across = colors.swapaxes(0, 1)  # left, top, right, bottom: each as the first row
    sides = across, colors, across[::-1], colors[::-1]
    choices = itertools.product(*(_find_lines(side, blur, near) for side in sides))

    def measure_inside(lines: Sequence[_Line]) -> int:
        left, top, right, bottom = (line.depth for line in lines)
        return (width - left - right) * (height - top - bottom)

    for lines in sorted(choices, key=measure_inside):
        left, top, right, bottom = [line.depth for line in lines]
        rows = top / height, 1 - bottom / height
        columns = left / width, 1 - right / width
        spans = rows, columns, rows, columns
        if _have_one_color(lines) and all(map(_is_band, lines, spans)):
            yield Frame((left, top, right, bottom), _cover(colors, lines, blur))


def _find_lines(side: np.ndarray, blur: int, near: int) -> list[_Line]:
    """Lists lines along the first row of a picture, and one of depth 0: no band.

    Args:
        side: ``[D, L, 3]`` colours.
        blur: rows within which colours change across a line.
        near: rows of a band next to a line.
    """
    depth, length = side.shape[:2]
    sampled = side[: int(_DEEPEST * depth) + blur + 1, :: max(1, length // _SAMPLES)]
    count = sampled.shape[1]
    everywhere = np.ones(count, bool)
    lines = [_Line(0, everywhere, np.zeros((count, 3)), everywhere, np.zeros(3))]
    if len(sampled) <= blur or count < _FEWEST:
        return lines
    changes = np.abs(sampled[blur:] - sampled[:-blur]).max(-1) >= _STEP
    # the middle half, where no other band is
    straight = np.mean(changes[:, count // 4 : -(count // 4)], axis=1) >= _STRAIGHT
    for row in np.flatnonzero(straight[:-1] & ~straight[1:])[-_LINES:]:
        steps = changes[max(row + 1 - blur, 0) : row + 1].any(0)
        last = max(row + 1 - blur, 1)
        colors = sampled[max(last - near, 0) : last].mean(0)
        apart = np.abs(sampled[row + blur] - np.median(colors, axis=0)).max(-1)
        color = np.median(sampled[last - 1], axis=0)
        lines.append(_Line(int(row) + 1, steps, colors, apart <= _ALIKE, color))
    return lines


def _have_one_color(lines: Sequence[_Line]) -> bool:
    """Tells whether there are bands, all of one colour next to the inside."""
    colors = [line.color for line in lines if line.depth]
    return bool(colors) and bool(np.ptp(colors, axis=0).max() <= _RELATED)


def _is_band(line: _Line, span: tuple[float, float]) -> bool:
    """Tells whether a line is straight, and its band of one colour, all along a span.

    Args:
        line: the line; one of depth 0 always is.
        span: where the inside begins and ends along it, relative to its length: where
            it neither begins at 0 nor ends at 1, its corners may be rounded.
    """
    count = len(line.steps)
    first, last = round(span[0] * count), round(span[1] * count)
    corner = round(_CORNER * (last - first))
    if span[0] > 0:
        first += np.argmin([*line.alike[first : first + corner], False])
    if span[1] < 1:
        last -= np.argmin([*line.alike[last - corner : last][::-1], False])
    if np.mean(line.steps[first:last]) < _STRAIGHT:
        return False
    colors = line.colors[first:last]
    window = max(1, round(_WINDOW * len(colors)))
    smooth = ndimage.uniform_filter1d(colors, window, axis=0, mode="nearest")
    alike = np.abs(smooth - np.median(smooth, axis=0)).max(-1) <= _ALIKE
    return bool(np.mean(alike) >= _ALL_ALONG)


def _cover(colors: np.ndarray, lines: Sequence[_Line], blur: int) -> np.ndarray:
    """Covers bands, their blurred edges and rounded corners: ``[H, W]`` bool."""
    height, width = colors.shape[:2]
    inset = blur + round(_INSET * min(height, width))
    left, top, right, bottom = (line.depth + inset * (line.depth > 0) for line in lines)
    inside = slice(top, height - bottom), slice(left, width - right)
    covered = np.ones((height, width), bool)
    covered[inside] = False
    part, target = colors[inside], covered[inside]
    for (first, row), (second, column) in itertools.product(
        ((lines[1], 1), (lines[3], -1)), ((lines[0], 1), (lines[2], -1))
    ):
        if first.depth and second.depth and part.size:
            corner = part[::row, ::column]
            target[::row, ::column] |= _find_corner(corner, first.color, inset)
    return covered


def _find_corner(part: np.ndarray, color: np.ndarray, inset: int) -> np.ndarray:
    """Finds what a rounded corner of a frame covers of the inside.

    Args:
        part: ``[H, W, 3]`` colours of the inside, the corner first.
        color: ``[3]`` of the frame.
        inset: width of the arc's edge, pixels.

    Returns:
        ``[H, W]`` bool; nothing if the corner is not rounded.
    """
    covered = np.zeros(part.shape[:2], bool)
    reach = round(_CORNER * min(covered.shape))
    square = np.abs(part[:reach, :reach] - color).max(-1) <= _ALIKE
    labels = np.zeros(square.shape, np.int32)
    ndimage.label(square, output=labels)
    if reach == 0 or labels[0, 0] == 0:
        return covered
    filled = labels == labels[0, 0]
    if np.mean(filled) <= _ROUNDED:  # more of it is a background of the same colour
        covered[:reach, :reach] = ndimage.binary_dilation(filled, iterations=inset)
    return covered
