"""Exact work lists: which faces reach which tiles of an image, at no fixed capacity.

The image is cut into tiles. Every pair of a face and a tile within the face's reach is
one *item*. Items are numbered face by face, so that running totals alone tell which
face and tile item n stands for, and no list is ever stored. A loop visits the items in
chunks of fixed size, as often as there are items: nothing can overflow, no face is
dropped, and memory depends on the chunk, not on the scene.

What only reads images may cut them anew for each face, into *windows* that begin at its
own corner: there are half as many, as no tile is touched by a corner only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

# Measured on 2 cores at 64 x 1280 faces x 64 px: tiles of 4 x 4 to 16 x 16 pixels; wide
# ones suit vector units, small ones waste fewer pixels.
TILE_HEIGHT, TILE_WIDTH = 4, 8

LARGEST_COUNT = 2**31 - 1
"""Items are counted in 32 bits; more than this are counted in several blocks."""

Carry = TypeVar("Carry")


class Grid(NamedTuple):
    """Images cut into tiles; static.

    Attributes:
        height: of an image, pixels.
        width: of an image, pixels.
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
    """A chunk of ``K`` items, with all that is known about each.

    Attributes:
        face: ``[K]`` index among the faces of all images.
        image: ``[K]`` index of the image.
        row: ``[K]`` topmost row of pixels.
        column: ``[K]`` leftmost column of pixels.
        tile: ``[K]`` index among the tiles of all images, of no use for windows; past
            the end for a place in the chunk that holds no item.
        valid: ``[K]`` false for such a place.
        x: ``[K, 1, w]`` pixel centres, NDC.
        y: ``[K, h, 1]`` the same.
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


def _span(low, high, margin, size: int, tile: int, windows: bool):
    """First pixel and number of the items that meet [low - margin, high + margin]."""
    # Pixel j lies at (2 j + 1 - size) / size. Reaching too far is harmless, as each
    # pixel is tested again; reaching too near is not, hence the slack for rounding.
    margin = margin * 1.0001 + 1e-5
    first = jnp.ceil(((low - margin) * size + (size - 1)) / 2)
    last = jnp.floor(((high + margin) * size + (size - 1)) / 2)
    first = jnp.clip(first, 0, size).astype(jnp.int32)
    last = jnp.clip(last, -1, size - 1).astype(jnp.int32)
    if not windows:
        first = first // tile * tile
    return first, jnp.where(first <= last, (last - first) // tile + 1, 0)


def _reach(face_vertices, drawn, margin, grid: Grid, windows: bool) -> _Reach:
    low, high = jnp.min(face_vertices, axis=-2), jnp.max(face_vertices, axis=-2)
    column, columns = _span(
        low[:, 0], high[:, 0], margin, grid.width, TILE_WIDTH, windows
    )
    # y points up and rows count downwards
    row, rows = _span(
        -high[:, 1], -low[:, 1], margin, grid.height, TILE_HEIGHT, windows
    )
    count = jnp.where(drawn, rows * columns, 0)
    end = jnp.cumsum(count)
    return _Reach(end - count, end, row, column, jnp.maximum(columns, 1))


def fold(
    visit: Callable[[Carry, Items], Carry],
    carry: Carry,
    face_vertices: jax.Array,
    drawn: jax.Array,
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
        carry: what the first call receives.
        face_vertices: ``[B, F, 3, 2]`` NDC, finite.
        drawn: ``[B, F]`` bool, false for faces to leave out.
        margin: ``[B]`` how far the faces of an image reach beyond their bounding boxes,
            NDC.
        grid: the tiles.
        chunk: number of items given to one call of ``visit``.
        by_tile: within a chunk, order the items by tile; else they are ordered by face.
        windows: cut each face's part of the image into windows, not into tiles.

    Returns:
        What the last call returned.
    """
    batch, faces_per_image = face_vertices.shape[:2]
    total = batch * faces_per_image
    tiles_per_image = grid.rows * grid.columns
    if total == 0:
        return carry
    faces = face_vertices.reshape(total, 3, 2)
    drawn = drawn.reshape(total)
    margin = jnp.repeat(margin, faces_per_image)
    # so many faces at a time can be counted, even if each covers a whole image
    block = min(total, (LARGEST_COUNT - chunk) // tiles_per_image)

    def visit_block(carry, start):
        # the last block begins earlier, and leaves out what the one before it did
        first = jnp.minimum(start, total - block)
        own, own_drawn, own_margin = (
            lax.dynamic_slice_in_dim(array, first, block)
            for array in (faces, drawn, margin)
        )
        new = first + jnp.arange(block, dtype=jnp.int32) >= start
        reach = _reach(own, own_drawn & new, own_margin, grid, windows)

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
                x=(2 * j + (1 - grid.width)).astype(own.dtype) / grid.width,
                y=((grid.height - 1) - 2 * i).astype(own.dtype) / grid.height,
            )
            return visit(carry, items)

        chunks = (reach.end[-1] + (chunk - 1)) // chunk
        return lax.fori_loop(0, chunks, visit_chunk, carry), None

    starts = jnp.arange(0, total, block, dtype=jnp.int32)
    return lax.scan(visit_block, carry, starts)[0]


def of_items(tiles: jax.Array, items: Items) -> jax.Array:
    """The tiles ``[T, ...]`` of items, ``[K, ...]``; 0 past the end."""
    return tiles.at[items.tile].get(mode="fill", fill_value=0)


def for_windows(images: jax.Array) -> jax.Array:
    """Images ``[B, ..., H, W]`` with a rim of zeros, for `of_windows`."""
    unpadded = [(0, 0)] * (images.ndim - 2)
    return jnp.pad(images, (*unpadded, (0, TILE_HEIGHT - 1), (0, TILE_WIDTH - 1)))


def of_windows(images: jax.Array, items: Items) -> jax.Array:
    """The windows of items in images of `for_windows`, ``[K, ..., h, w]``."""

    def window(image, row, column):
        begin = (image, *(jnp.int32(0),) * (images.ndim - 3), row, column)
        size = (1, *images.shape[1:-2], TILE_HEIGHT, TILE_WIDTH)
        return lax.dynamic_slice(images, begin, size)[0]

    return jax.vmap(window)(items.image, items.row, items.column)


def to_tiles(images: jax.Array, grid: Grid) -> jax.Array:
    """``[B, ..., H, W]`` to ``[B * rows * columns, ..., h, w]``, zeros at the rim."""
    pad_rows = grid.rows * TILE_HEIGHT - grid.height
    pad_columns = grid.columns * TILE_WIDTH - grid.width
    unpadded = [(0, 0)] * (images.ndim - 2)
    images = jnp.pad(images, (*unpadded, (0, pad_rows), (0, pad_columns)))
    batch, *channels = images.shape[:-2]
    tiles = images.reshape(
        batch, *channels, grid.rows, TILE_HEIGHT, grid.columns, TILE_WIDTH
    )
    tiles = jnp.moveaxis(tiles, (-4, -2), (1, 2))
    return tiles.reshape(-1, *channels, TILE_HEIGHT, TILE_WIDTH)


def from_tiles(tiles: jax.Array, grid: Grid) -> jax.Array:
    """The inverse of `to_tiles`."""
    channels = tiles.shape[1:-2]
    tiles = tiles.reshape(-1, grid.rows, grid.columns, *tiles.shape[1:])
    images = jnp.moveaxis(tiles, (1, 2), (-4, -2)).reshape(
        -1, *channels, grid.rows * TILE_HEIGHT, grid.columns * TILE_WIDTH
    )
    return images[..., : grid.height, : grid.width]
