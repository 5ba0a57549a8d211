"""Texture atlases: packs several images, or the texels of faces, into one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxsoftras.texture import SurfaceTexture, UVTexture, Wrap, surface_cell

# Packed images may repeat until they have this many texels in all.
_MOST_TEXELS = 2**24

# Image texels along the edge of one texel of a `SurfaceTexture`. With 4, a bilinear
# look-up at the texel's centroid reads four image texels that all belong to it.
_MAGNIFICATION = 4

_LARGEST_SIDE = 16384  # texels, the usual limit of graphics hardware


def _arrange(sizes: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Arranges K images in rows.

    Args:
        sizes: ``[K, 2]`` width and height of each, texels.

    Returns:
        ``[K, 2]`` the left and top of each, and the height and width that they take.
    """
    width = max(int(sizes[:, 0].max()), math.isqrt(int(sizes.prod(axis=1).sum())) + 1)
    corners = np.zeros((len(sizes), 2), int)
    left = top = bottom = 0
    for k in np.argsort(-sizes[:, 1], kind="stable"):
        wide, high = sizes[k].tolist()
        if left + wide > width:
            left, top = 0, bottom
        corners[k] = left, top
        left, bottom = left + wide, max(bottom, top + high)
    return corners, (bottom, width)


def _continue(image: np.ndarray, window: np.ndarray, wrap: Wrap) -> np.ndarray:
    """Cuts a window out of an image that continues beyond its edges.

    Args:
        image: ``[H, W, C]``.
        window: ``[2, 2]`` first column and row, and those after the last.
        wrap: continuation.
    """
    (left, top), (right, bottom) = window
    axes = []
    for low, high, size in ((top, bottom, len(image)), (left, right, image.shape[1])):
        index = np.arange(low, high)
        wrapped = index % size if wrap == "repeat" else np.clip(index, 0, size - 1)
        axes.append(wrapped)
    return image[axes[0][:, None], axes[1]]


class _Tiles(NamedTuple):
    """Images, and what their faces see of them.

    Attributes:
        images: K arrays ``[H, W, C]``.
        wraps: K continuations of the images beyond their edges.
        places: ``[F, 3, 2]`` columns and rows of the corners, in texels.
        image_index: ``[F]`` image of each face.
        windows: ``[K, 2, 2]`` first column and row that the faces of an image see, and
            those after the last; it has all of the image, and a texel around.
    """

    images: Sequence[np.ndarray]
    wraps: Sequence[Wrap]
    places: np.ndarray
    image_index: np.ndarray
    windows: np.ndarray

    @property
    def extents(self) -> np.ndarray:
        """``[K, 2]`` widths and heights of the windows; float64, of any size."""
        return self.windows[:, 1] - self.windows[:, 0]

    @property
    def limit(self) -> float:
        """Number of texels that windows may have in all."""
        sizes = np.array([image.shape[:2] for image in self.images])
        return max(_MOST_TEXELS, np.prod(sizes + 2.0, axis=1).sum())


def _find_tiles(
    coordinates: np.ndarray,
    image_index: np.ndarray,
    images: Sequence[np.ndarray],
    wraps: Sequence[Wrap],
) -> _Tiles:
    """Finds what faces see of their images; see `merge`."""
    sizes = np.array([image.shape[1::-1] for image in images])
    # in texels, down from the upper left corner of the image
    places = np.stack([coordinates[..., 0], 1 - coordinates[..., 1]], axis=-1)
    places = places * sizes[image_index][:, None]
    windows = np.tile([[[0.0, 0], [0, 0]]], (len(images), 1, 1))
    windows[:, 1] = sizes
    np.minimum.at(windows[:, 0], image_index, np.floor(places.min(axis=1)))
    np.maximum.at(windows[:, 1], image_index, np.ceil(places.max(axis=1)))
    return _Tiles(images, wraps, places, image_index, windows + [[-1], [1]])


def _pack(tiles: _Tiles) -> UVTexture | None:
    """Packs windows into one image; None if it would be too large."""
    if np.prod(tiles.extents, axis=1).sum() > tiles.limit:
        return None
    corners, shape = _arrange(tiles.extents.astype(int))
    if math.prod(shape) > 2 * tiles.limit:  # a long image may leave much room empty
        return None
    windows = tiles.windows.astype(int)
    first = tiles.images[0]
    packed = np.zeros((*shape, first.shape[-1]), first.dtype)
    each = zip(tiles.images, windows, tiles.wraps, strict=True)
    for (x, y), one in zip(corners, each, strict=True):
        window = _continue(*one)
        packed[y : y + len(window), x : x + window.shape[1]] = window
    offset = (corners - windows[:, 0])[tiles.image_index]
    uv = (tiles.places + offset[:, None]) / packed.shape[1::-1]
    uv[..., 1] = 1 - uv[..., 1]
    return UVTexture(uv, packed, "clamp")


def _collect(coordinates: np.ndarray, tiles: _Tiles) -> UVTexture:
    """Makes a texture of several images, which have one continuation.

    If some repeat and others do not, the latter get a border as far as their faces
    reach.
    """
    index = tiles.image_index
    if len(set(tiles.wraps)) == 1:
        images = tuple(tiles.images)
        return UVTexture(coordinates, images, tiles.wraps[0], image_index=index)
    clamped = np.array([wrap == "clamp" for wrap in tiles.wraps])
    if np.prod(tiles.extents[clamped], axis=1).sum() > tiles.limit:
        raise ValueError(
            f"it shows {len(tiles.images)} images, some of them repeated and others "
            "clamped far beyond their edges; give it texture coordinates nearer to "
            "[0, 1] in a 3D program, or a single image ('bake')"
        )
    coordinates, images = np.array(coordinates), list(tiles.images)
    for k in np.flatnonzero(clamped):
        faces, window = index == k, tiles.windows[k].astype(int)
        images[k] = _continue(images[k], window, "clamp")
        uv = (tiles.places[faces] - window[0]) / images[k].shape[1::-1]
        coordinates[faces] = uv * [1, -1] + [0, 1]
    return UVTexture(coordinates, tuple(images), "repeat", image_index=index)


def merge(
    coordinates: np.ndarray,
    image_index: np.ndarray,
    images: Sequence[np.ndarray],
    wraps: Sequence[Wrap],
) -> UVTexture:
    """Merges the images of faces into one texture.

    Faces in other repetitions of their image are moved to the first one. Several images
    are packed into one, each as far beyond its edges as its faces reach, and a texel
    more, so that a bilinear look-up samples it as it would the single images. Where
    they repeat so often that it would be too large, they stay several.

    Args:
        coordinates: ``[F, 3, 2]`` u and v of each face in its own image, finite.
        image_index: ``[F]`` index of the image of each face.
        images: K arrays ``[H, W, C]`` of any sizes, each shown by a face.
        wraps: K continuations of the images beyond their edges.

    Returns:
        The texture. A packed image has no need of a continuation; a single one that is
        clamped is packed with the border that its faces see, if that is not too large.

    Raises:
        ValueError: some images repeat, and others are clamped so far beyond their edges
            that their borders would be too large. The message is meant to follow the
            name of the file.
    """
    repeats = np.array([wrap == "repeat" for wrap in wraps])[image_index]
    shift = np.floor(coordinates.mean(axis=1, keepdims=True))
    coordinates = coordinates - shift * repeats[:, None, None]
    inside = np.all((coordinates >= 0) & (coordinates <= 1))
    if len(images) == 1 and (inside or wraps[0] == "repeat"):
        return UVTexture(coordinates, images[0], wraps[0])
    tiles = _find_tiles(coordinates, image_index, images, wraps)
    packed = _pack(tiles)
    if packed is not None:
        return packed
    if len(images) == 1:
        return UVTexture(coordinates, images[0], wraps[0])
    return _collect(coordinates, tiles)


def paint(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paints triangles with colours that are linear in each.

    Two by two texels hold a linear function: three are its values at the corners, and
    the fourth follows from them, beyond [0, 1] if it must be.

    Args:
        corners: ``[F, 3, C]`` colours of the corners.

    Returns:
        Coordinates ``[F, 3, 2]``, and an image ``[H, W, C]`` with four texels for each
        different row of colours.
    """
    rows = corners.reshape(len(corners), -1)
    rows, index = np.unique(rows, axis=0, return_inverse=True)
    first, right, below = np.moveaxis(rows.reshape(len(rows), 3, -1), 1, 0)
    columns = int(np.ceil(len(rows) ** 0.5))
    lines = -(-len(rows) // columns)
    squares = np.zeros((lines * columns, 2, 2, corners.shape[-1]))
    squares[: len(rows), 0, 0], squares[: len(rows), 0, 1] = first, right
    squares[: len(rows), 1, 0], squares[: len(rows), 1, 1] = (
        below,
        right + below - first,
    )
    image = squares.reshape(lines, columns, 2, 2, -1).swapaxes(1, 2)

    line, column = np.divmod(index, columns)
    place = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])
    # in the middle, nothing of the neighbours is seen by a rounding error
    plain = np.all(corners == corners[:, :1], axis=(1, 2))
    place = np.where(plain[:, None, None], 1.0, place)
    place = place + 2 * np.stack([column, line], axis=-1)[:, None]
    uv = place / [2 * columns, 2 * lines]
    uv[..., 1] = 1 - uv[..., 1]
    return uv, image.reshape(2 * lines, 2 * columns, -1)


def unfold(texture: SurfaceTexture) -> UVTexture:
    """Converts texels on faces to an image with a square for each face.

    Baking the result at the same resolution restores the texels.

    Args:
        texture: texels ``[F, R * R, C]``.

    Returns:
        Coordinates ``[F, 3, 2]`` and an image ``[H, W, C]``.

    Raises:
        ValueError: the image would be wider than 16384 texels.
    """
    texels, resolution = np.asarray(texture.texels), texture.resolution
    count, channels = len(texels), texels.shape[-1]
    inner = _MAGNIFICATION * resolution
    side = inner + 2  # with a border
    columns = int(np.ceil(count**0.5))
    rows = -(-count // columns)
    if columns * side > _LARGEST_SIDE:
        raise ValueError(
            f"{count} faces with texels at resolution {resolution} need an image "
            f"{columns * side} texels wide, more than {_LARGEST_SIDE}; lower the "
            "resolution."
        )
    # corner 2 lies at the upper left, corner 0 to its right, corner 1 below
    w0 = np.clip((np.arange(side) - 0.5) / inner, 0, 1)[None, :]
    w1 = np.clip((np.arange(side) - 0.5) / inner, 0, 1)[:, None]
    scale = 1 / np.maximum(w0 + w1, 1)
    cells = np.asarray(surface_cell(w0 * scale, w1 * scale, resolution))
    squares = np.zeros((rows * columns, side, side, channels), texels.dtype)
    squares[:count] = texels[:, cells]
    image = squares.reshape(rows, columns, side, side, channels).swapaxes(1, 2)

    row, column = np.divmod(np.arange(count), columns)
    corner = 1 + inner * np.array([[1, 0], [0, 1], [0, 0]])
    place = corner + side * np.stack([column, row], axis=-1)[:, None]
    uv = place / [columns * side, rows * side]
    uv[..., 1] = 1 - uv[..., 1]
    image = image.reshape(rows * side, columns * side, channels)
    return UVTexture(uv, image, transparent=texture.transparent)
