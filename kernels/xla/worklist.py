"""Exact work lists: which faces reach which tiles of an image, at no fixed capacity.

The image is cut into tiles. Every pair of a face and a tile within the face's reach is
one *item*. Items are numbered face by face, so that running totals alone tell which
face and tile item n stands for, and no list is ever stored. A loop visits the items in
chunks of fixed size, as often as there are items: nothing can overflow, no face is
dropped, and memory depends on the chunk, not on the scene.

Passes that only read the image can use *windows*: tiles aligned to the face's bounding
box instead of to the grid. There are half as many windows as tiles, because no tile is
touched by a corner only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels import spans

# Measured on 2 cores at 64 x 1280 faces x 64 px: tiles of 4 x 4 to 16 x 16 pixels; wide
# ones suit vector units, small ones waste fewer pixels.
TILE_HEIGHT, TILE_WIDTH = 4, 8

LARGEST_COUNT = 2**31 - 1
"""Items are counted in 32 bits; more than this are counted in several blocks."""

Carry = TypeVar("Carry")


class Grid(NamedTuple):
    """Images cut into tiles; static.

    Attributes:
        height: height of an image, pixels.
        width: width of an image, pixels.
    """

    height: int
    width: int

    @property
    def rows(self) -> int:
        """Tiles from top to bottom."""
        return -(-self.height // TILE_HEIGHT)

    @property
    def columns(self) -> int:
        """Tiles from left to right."""
        return -(-self.width // TILE_WIDTH)


class Items(NamedTuple):
    """A chunk of ``K`` items.

    Attributes:
        face: ``[K]`` index among the faces of all images.
        image: ``[K]`` index of the image.
        row: ``[K]`` topmost row of pixels.
        column: ``[K]`` leftmost column of pixels.
        tile: ``[K]`` index among the tiles of all images, unused for windows; past the
            end for an empty slot of the chunk.
        valid: ``[K]`` false for an empty slot.
        x: ``[K, 1, w]`` pixel centres, NDC.
        y: ``[K, h, 1]`` pixel centres, NDC.
    """

    face: jax.Array
    image: jax.Array
    row: jax.Array
    column: jax.Array
    tile: jax.Array
    valid: jax.Array
    x: jax.Array
    y: jax.Array


class _Reach(NamedTuple):
    """For each of ``[N]`` faces, the tiles in its reach and its items' numbers."""

    first: jax.Array  # number of its first item
    end: jax.Array  # number of the item after its last one
    row: jax.Array  # topmost row of pixels
    column: jax.Array  # leftmost column of pixels
    columns: jax.Array  # items from left to right, at least 1


def _item_span(low, high, margin, size: int, tile: int, windows: bool):
    """First pixel and number of the items that meet [low - margin, high + margin]."""
    first, last = spans.pixel_span(low, high, margin, size)
    if not windows:
        first = first // tile * tile
    return first, jnp.where(first <= last, (last - first) // tile + 1, 0)


def _reach(face_vertices, valid, margin, grid: Grid, windows: bool) -> _Reach:
    low, high = jnp.min(face_vertices, axis=-2), jnp.max(face_vertices, axis=-2)
    column, columns = _item_span(
        low[:, 0], high[:, 0], margin, grid.width, TILE_WIDTH, windows
    )
    # y points up and rows count downwards
    row, rows = _item_span(
        -high[:, 1], -low[:, 1], margin, grid.height, TILE_HEIGHT, windows
    )
    count = jnp.where(valid, rows * columns, 0)
    end = jnp.cumsum(count)
    return _Reach(end - count, end, row, column, jnp.maximum(columns, 1))


def fold(
    visit: Callable[[Carry, Items], Carry],
    carry: Carry,
    face_vertices: jax.Array,
    valid: jax.Array,
    margin: jax.Array,
    grid: Grid,
    *,
    chunk: int,
    by_tile: bool = False,
    windows: bool = False,
) -> Carry:
    """Folds a function over all items of a batch of images.

    Args:
        visit: ``visit(carry, items) -> carry``.
        carry: the initial value.
        face_vertices: ``[B, F, 3, 2]`` NDC, finite.
        valid: ``[B, F]`` bool, false for faces to leave out.
        margin: ``[B]`` reach of an image's faces beyond their bounding boxes, NDC.
        grid: the tiles.
        chunk: number of items in one call of ``visit``.
        by_tile: within a chunk, order the items by tile; else they are ordered by face.
        windows: cut each face's part of the image into windows, not into tiles.

    Returns:
        The carry after the last call.
    """
    batch, faces_per_image = face_vertices.shape[:2]
    total = batch * faces_per_image
    tiles_per_image = grid.rows * grid.columns
    if total == 0:
        return carry
    faces = face_vertices.reshape(total, 3, 2)
    valid = valid.reshape(total)
    margin = jnp.repeat(margin, faces_per_image)
    # 32 bits count the items of this many faces, even if each covers a whole image
    block = min(total, (LARGEST_COUNT - chunk) // tiles_per_image)

    def visit_block(carry, start):
        # the last block begins earlier, and leaves out what the one before it did
        first = jnp.minimum(start, total - block)
        block_faces, block_valid, block_margin = (
            lax.dynamic_slice_in_dim(array, first, block)
            for array in (faces, valid, margin)
        )
        new = first + jnp.arange(block, dtype=jnp.int32) >= start
        reach = _reach(block_faces, block_valid & new, block_margin, grid, windows)

        def visit_chunk(step, carry):
            number = step * chunk + jnp.arange(chunk, dtype=jnp.int32)
            face = jnp.searchsorted(reach.end, number, side="right").astype(jnp.int32)
            face = jnp.minimum(face, block - 1)
            local = number - reach.first[face]
            row = reach.row[face] + local // reach.columns[face] * TILE_HEIGHT
            column = reach.column[face] + local % reach.columns[face] * TILE_WIDTH
            image = (first + face) // faces_per_image
            tile = (image * grid.rows + row // TILE_HEIGHT) * grid.columns
            tile = tile + column // TILE_WIDTH
            tile = jnp.where(number < reach.end[-1], tile, batch * tiles_per_image)
            if by_tile:
                tile, face, row, column = lax.sort(
                    (tile, face, row, column), num_keys=1, is_stable=True
                )
            j = column[:, None, None] + jnp.arange(TILE_WIDTH)
            i = row[:, None, None] + jnp.arange(TILE_HEIGHT)[:, None]
            items = Items(
                face=first + face,
                image=(first + face) // faces_per_image,
                row=row,
                column=column,
                tile=tile,
                valid=tile < batch * tiles_per_image,
                x=(2 * j + (1 - grid.width)).astype(faces.dtype) / grid.width,
                y=((grid.height - 1) - 2 * i).astype(faces.dtype) / grid.height,
            )
            return visit(carry, items)

        chunks = (reach.end[-1] + (chunk - 1)) // chunk
        return lax.fori_loop(0, chunks, visit_chunk, carry), None

    starts = jnp.arange(0, total, block, dtype=jnp.int32)
    return lax.scan(visit_block, carry, starts)[0]


def gather_tiles(tiles: jax.Array, items: Items) -> jax.Array:
    """Tiles ``[T, ...]`` to the tiles of items, ``[K, ...]``; 0 for empty slots."""
    return tiles.at[items.tile].get(mode="fill", fill_value=0)


def pad_for_windows(images: jax.Array) -> jax.Array:
    """Adds to images ``[B, ..., H, W]`` the rim of zeros that windows need."""
    unpadded = [(0, 0)] * (images.ndim - 2)
    return jnp.pad(images, (*unpadded, (0, TILE_HEIGHT - 1), (0, TILE_WIDTH - 1)))


def gather_windows(images: jax.Array, items: Items) -> jax.Array:
    """Images from `pad_for_windows` to the windows of items, ``[K, ..., h, w]``."""

    def window(image, row, column):
        begin = (image, *(jnp.int32(0),) * (images.ndim - 3), row, column)
        size = (1, *images.shape[1:-2], TILE_HEIGHT, TILE_WIDTH)
        return lax.dynamic_slice(images, begin, size)[0]

    return jax.vmap(window)(items.image, items.row, items.column)


def from_tiles(tiles: jax.Array, grid: Grid) -> jax.Array:
    """``[B * rows * columns, ..., h, w]`` tiles to images ``[B, ..., H, W]``."""
    channels = tiles.shape[1:-2]
    tiles = tiles.reshape(-1, grid.rows, grid.columns, *tiles.shape[1:])
    images = jnp.moveaxis(tiles, (1, 2), (-4, -2)).reshape(
        -1, *channels, grid.rows * TILE_HEIGHT, grid.columns * TILE_WIDTH
    )
    return images[..., : grid.height, : grid.width]
