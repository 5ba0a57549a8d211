"""Texture atlases: packs several images, or the texels of faces, into one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxsoftras.texture import SurfaceTexture, UVTexture, surface_cell

# UV coordinates beyond the image by up to this count as rounding errors.
_SLACK = 1e-3

# Image texels along the edge of one texel of a `SurfaceTexture`. With 4, a bilinear
# look-up at the texel's centroid reads four image texels that all belong to it.
_MAGNIFICATION = 4

_LARGEST_SIDE = 16384  # texels, the usual limit of graphics hardware


def _pack(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Packs K images in rows, each within a border that repeats its edge texels.

    Returns:
        The packed image ``[H, W, C]``, and ``[K, 4]`` the left, top, width and height
        of each image within it, in texels.
    """
    bordered = [np.pad(image, ((1, 1), (1, 1), (0, 0)), "edge") for image in images]
    area = sum(image.shape[0] * image.shape[1] for image in bordered)
    width = max(max(image.shape[1] for image in bordered), int(np.ceil(area**0.5)))
    boxes = np.zeros((len(images), 4), int)
    left = top = bottom = 0
    for k in sorted(range(len(images)), key=lambda k: -len(images[k])):
        high, wide = bordered[k].shape[:2]
        if left + wide > width:
            left, top = 0, bottom
        boxes[k] = left, top, wide, high
        left, bottom = left + wide, max(bottom, top + high)
    packed = np.zeros((bottom, width, images[0].shape[-1]), images[0].dtype)
    for (x, y, wide, high), image in zip(boxes, bordered, strict=True):
        packed[y : y + high, x : x + wide] = image
    return packed, boxes + [1, 1, -2, -2]


def merge(
    coordinates: np.ndarray, image_index: np.ndarray, images: Sequence[np.ndarray]
) -> UVTexture:
    """Merges the images of faces into one texture.

    Faces in other repetitions of their image are moved to the first one. Several images
    are packed into one, which a bilinear look-up samples as it would the single images,
    clamped at their edges.

    Args:
        coordinates: ``[F, 3, 2]`` u and v of each face in its own image.
        image_index: ``[F]`` index of the image of each face.
        images: K arrays ``[H, W, C]`` of any sizes; a single texel stands for a colour.

    Returns:
        Coordinates ``[F, 3, 2]`` and the image.

    Raises:
        ValueError: there are several images, and a face shows more than one repetition
            of its image. The message is meant to follow the name of the file.
    """
    # a single texel has the same colour everywhere
    plain = np.array([image.shape[:2] == (1, 1) for image in images])[image_index]
    coordinates = np.where(plain[:, None, None], 0.5, coordinates)
    coordinates = coordinates - np.floor(coordinates.mean(axis=1, keepdims=True))
    if len(images) == 1:
        return UVTexture(coordinates, images[0])
    if np.any(np.abs(coordinates - 0.5) > 0.5 + _SLACK):
        raise ValueError(
            f"it shows {len(images)} images, some of them repeated within a face; give "
            "it a single image in a 3D program ('bake'), without repetition"
        )
    packed, boxes = _pack(images)
    height, width = packed.shape[:2]
    left, top, wide, high = boxes[image_index].T[:, :, None]
    u, v = np.moveaxis(np.clip(coordinates, 0, 1), -1, 0)
    x, y = left + u * wide, top + (1 - v) * high
    return UVTexture(np.stack([x / width, 1 - y / height], axis=-1), packed)


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
    return UVTexture(uv, image.reshape(rows * side, columns * side, channels))
