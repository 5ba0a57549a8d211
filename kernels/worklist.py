"""Exact work lists: which faces reach which tiles of an image, at no fixed capacity.

The image is cut into tiles. Every pair of a face and a tile within the face's reach is
one *item*. Items are numbered face by face, so that running totals alone tell which
face and tile item n stands for, and no list is ever stored. A loop visits the items in
chunks of fixed size, as often as there are items: nothing can overflow, no face is
dropped, and memory depends on the chunk, not on the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry

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
        cutoff: squared radius of a face's influence, in units of sigma.
    """

    height: int
    width: int
    cutoff: float

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
        tile: ``[K]`` index among the tiles of all images; past the end for a place in
            the chunk that holds no item.
        x: ``[K, 1, w]`` pixel centres of the tile, NDC.
        y: ``[K, h, 1]`` the same.
        triangle: corners of the face, NDC; fields ``[K, 1, 1]``.
        sigma: ``[K, 1, 1]`` NDC squared.
    """

    face: jax.Array
    tile: jax.Array
    x: jax.Array
    y: jax.Array
    triangle: geometry.Corners
    sigma: jax.Array


class _Reach(NamedTuple):
    """For each of ``[N]`` faces, the tiles in its reach and its items' numbers."""

    first: jax.Array  # number of its first item
    end: jax.Array  # number of the item after its last one
    row: jax.Array  # topmost tile
    column: jax.Array  # leftmost tile
    columns: jax.Array  # tiles from left to right, at least 1


def _span(low, high, margin, size: int, tile: int):
    """First tile, and number of tiles, that meet [low - margin, high + margin]."""
    # Pixel j lies at (2 j + 1 - size) / size. Reaching too far is harmless, as each
    # pixel is tested again; reaching too near is not, hence the slack for rounding.
    margin = margin * 1.0001 + 1e-5
    first = jnp.ceil(((low - margin) * size + (size - 1)) / 2)
    last = jnp.floor(((high + margin) * size + (size - 1)) / 2)
    first = jnp.clip(first, 0, size).astype(jnp.int32)
    last = jnp.clip(last, -1, size - 1).astype(jnp.int32)
    return first // tile, jnp.where(first <= last, last // tile - first // tile + 1, 0)


def _reach(face_vertices, drawn, sigma, grid: Grid) -> _Reach:
    margin = jnp.sqrt(sigma * grid.cutoff)
    low, high = jnp.min(face_vertices, axis=-2), jnp.max(face_vertices, axis=-2)
    column, columns = _span(low[:, 0], high[:, 0], margin, grid.width, TILE_WIDTH)
    # y points up and rows count downwards
    row, rows = _span(-high[:, 1], -low[:, 1], margin, grid.height, TILE_HEIGHT)
    count = jnp.where(drawn, rows * columns, 0)
    end = jnp.cumsum(count)
    return _Reach(end - count, end, row, column, jnp.maximum(columns, 1))


def fold(
    visit: Callable[[Carry, Items], Carry],
    carry: Carry,
    face_vertices: jax.Array,
    sigma: jax.Array,
    grid: Grid,
    *,
    chunk: int,
    by_tile: bool = False,
) -> Carry:
    """Folds a function over all items of a batch of images.

    Args:
        visit: ``visit(carry, items) -> carry``.
        carry: what the first call receives.
        face_vertices: ``[B, F, 3, 2]`` NDC.
        sigma: ``[B]`` NDC squared.
        grid: the tiles.
        chunk: number of items given to one call of ``visit``.
        by_tile: within a chunk, order the items by tile; else they are ordered by face.

    Returns:
        What the last call returned.
    """
    batch, faces_per_image = face_vertices.shape[:2]
    total = batch * faces_per_image
    tiles_per_image = grid.rows * grid.columns
    if total == 0:
        return carry
    faces = face_vertices.reshape(total, 3, 2)
    sigma = jnp.repeat(sigma, faces_per_image)
    # so many faces at a time can be counted, even if each covers a whole image
    block = min(total, (LARGEST_COUNT - chunk) // tiles_per_image)

    def visit_block(carry, start):
        # the last block begins earlier, and leaves out what the one before it did
        first = jnp.minimum(start, total - block)
        own = lax.dynamic_slice_in_dim(faces, first, block)
        safe, drawn = geometry.contained(own)
        own_sigma = lax.dynamic_slice_in_dim(sigma, first, block)
        new = first + jnp.arange(block, dtype=jnp.int32) >= start
        reach = _reach(safe, drawn & new, own_sigma, grid)

        def visit_chunk(step, carry):
            number = step * chunk + jnp.arange(chunk, dtype=jnp.int32)
            face = jnp.searchsorted(reach.end, number, side="right").astype(jnp.int32)
            face = jnp.minimum(face, block - 1)
            local = number - reach.first[face]
            row = reach.row[face] + local // reach.columns[face]
            column = reach.column[face] + local % reach.columns[face]
            image = (first + face) // faces_per_image
            tile = (image * grid.rows + row) * grid.columns + column
            tile = jnp.where(number < reach.end[-1], tile, batch * tiles_per_image)
            if by_tile:
                tile, face, row, column = lax.sort(
                    (tile, face, row, column), num_keys=1, is_stable=True
                )
            j = column[:, None, None] * TILE_WIDTH + jnp.arange(TILE_WIDTH)
            i = row[:, None, None] * TILE_HEIGHT + jnp.arange(TILE_HEIGHT)[:, None]
            items = Items(
                face=first + face,
                tile=tile,
                x=(2 * j + (1 - grid.width)).astype(safe.dtype) / grid.width,
                y=((grid.height - 1) - 2 * i).astype(safe.dtype) / grid.height,
                triangle=geometry.corners(safe[face][:, None, None]),
                sigma=own_sigma[face][:, None, None],
            )
            return visit(carry, items)

        chunks = (reach.end[-1] + (chunk - 1)) // chunk
        return lax.fori_loop(0, chunks, visit_chunk, carry), None

    starts = jnp.arange(0, total, block, dtype=jnp.int32)
    return lax.scan(visit_block, carry, starts)[0]


def to_tiles(images: jax.Array, grid: Grid) -> jax.Array:
    """``[B, H, W]`` to ``[B * rows * columns, h, w]``, filled up with zeros."""
    pad_rows = grid.rows * TILE_HEIGHT - grid.height
    pad_columns = grid.columns * TILE_WIDTH - grid.width
    images = jnp.pad(images, ((0, 0), (0, pad_rows), (0, pad_columns)))
    tiles = images.reshape(-1, grid.rows, TILE_HEIGHT, grid.columns, TILE_WIDTH)
    return jnp.swapaxes(tiles, 2, 3).reshape(-1, TILE_HEIGHT, TILE_WIDTH)


def from_tiles(tiles: jax.Array, grid: Grid) -> jax.Array:
    """The inverse of `to_tiles`."""
    tiles = tiles.reshape(-1, grid.rows, grid.columns, TILE_HEIGHT, TILE_WIDTH)
    images = jnp.swapaxes(tiles, 2, 3).reshape(
        -1, grid.rows * TILE_HEIGHT, grid.columns * TILE_WIDTH
    )
    return images[:, : grid.height, : grid.width]
