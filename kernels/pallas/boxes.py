"""Within a Pallas kernel: a few faces, and a walk over the pixels in reach of each.

A block has a row for each face and a column for each lane. Every face is walked through
the rectangle of pixels within its reach, row by row, a lane's worth at a time: no list
of faces is made, so none can overflow, and hardly a pixel is visited in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs

State = TypeVar("State")


class Box(NamedTuple):
    """Rectangles of pixels; fields ``[R, 1]`` int32.

    Attributes:
        row: topmost.
        column: leftmost.
        columns: its width, at least 1.
        pixels: their number.
    """

    row: jax.Array
    column: jax.Array
    columns: jax.Array
    pixels: jax.Array


class Pixels(NamedTuple):
    """One pixel for each face and lane; fields ``[R, lanes]``.

    Attributes:
        row: in the image.
        column: in the image.
        x: its centre, NDC.
        y: its centre, NDC.
        inside: whether it belongs to the face's box; if not, neither need it belong to
            the image.
    """

    row: jax.Array
    column: jax.Array
    x: jax.Array
    y: jax.Array
    inside: jax.Array


def _span(coordinates, margin, size: int):
    """First and last pixel within the margin of an interval; first > last if none."""
    low = jnp.minimum(coordinates[0], jnp.minimum(coordinates[1], coordinates[2]))
    high = jnp.maximum(coordinates[0], jnp.maximum(coordinates[1], coordinates[2]))
    # Pixel j lies at (2 j + 1 - size) / size. Reaching too far is harmless, as each
    # pixel is tested again; reaching too near is not, hence the slack for rounding.
    margin = margin * 1.0001 + 1e-5
    first = jnp.ceil(((low - margin) * size + (size - 1)) / 2)
    last = jnp.floor(((high + margin) * size + (size - 1)) / 2)
    # clipped as floats: a far corner must not overflow the conversion
    first = jnp.minimum(jnp.maximum(first, 0), size).astype(jnp.int32)
    last = jnp.minimum(jnp.maximum(last, -1), size - 1).astype(jnp.int32)
    return first, last


def contained(
    corners: geometry.Corners, depths: tuple[jax.Array, ...]
) -> tuple[pairs.Triangle, jax.Array]:
    """`pairs.contained`, for corners in separate arrays; without depths, 1 for them."""
    drawn = jnp.abs(corners[0]) <= geometry.FARTHEST
    for corner in corners[1:]:
        drawn &= jnp.abs(corner) <= geometry.FARTHEST
    for depth in depths:
        drawn &= (depth > 0) & (depth <= geometry.FARTHEST)
    safe = geometry.Corners(*(jnp.where(drawn, c, geometry.FARTHEST) for c in corners))
    depths = depths or (jnp.ones_like(corners.x0),) * 3
    z0, z1, z2 = (jnp.where(drawn, depth, 1) for depth in depths)
    return pairs.Triangle(safe, (z0, z1, z2)), drawn


def reach_box(
    triangle: geometry.Corners, drawn: jax.Array, margin, height: int, width: int
) -> Box:
    """The pixels that may lie within a distance of the faces.

    Args:
        triangle: fields ``[R, 1]`` NDC.
        drawn: ``[R, 1]``; the boxes of other faces are empty.
        margin: the distance, NDC.
        height: of the image, pixels.
        width: of the image, pixels.
    """
    x0, y0, x1, y1, x2, y2 = triangle
    left, right = _span((x0, x1, x2), margin, width)
    # y points up and rows count downwards
    top, bottom = _span((-y0, -y1, -y2), margin, height)
    columns, rows = right - left + 1, bottom - top + 1
    some = drawn & (columns > 0) & (rows > 0)
    return Box(top, left, jnp.maximum(columns, 1), jnp.where(some, columns * rows, 0))


def walk(
    visit: Callable[[State, Pixels], State],
    state: State,
    box: Box,
    height: int,
    width: int,
    *,
    lanes: int,
    part: int | jax.Array = 0,
    parts: int = 1,
) -> State:
    """Visits the pixels of each face's box.

    Args:
        visit: ``visit(state, pixels) -> state``.
        state: what the first call receives.
        box: of ``R`` faces.
        height: of the image, pixels.
        width: of the image, pixels.
        lanes: pixels of each face visited in one step; a power of two.
        part: which part of the pixels to visit: of ``parts`` consecutive groups of
            lanes, the one with this number.
        parts: in how many parts the pixels are divided.

    Returns:
        What the last call returned.
    """
    stride = lanes * parts

    def whole_rows(pixels):
        # exact while pixels < 2**20, and cheaper than an integer division
        return ((pixels.astype(jnp.float32) + 0.5) / box.columns).astype(jnp.int32)

    number = lax.broadcasted_iota(jnp.int32, (1, lanes), 1) + part * lanes
    down = whole_rows(number)
    row, column = box.row + down, box.column + number - down * box.columns
    number = jnp.broadcast_to(number, row.shape)
    # Further on, each step goes some rows down and some columns right.
    rows_down = whole_rows(jnp.full_like(box.columns, stride))
    columns_right = stride - rows_down * box.columns
    most = jnp.max(jnp.max(box.pixels, axis=1), axis=0) - part * lanes
    steps = lax.div(jnp.maximum(most, 0) + (stride - 1), jnp.int32(stride))

    def step(_, carry):
        row, column, number, state = carry
        pixels = Pixels(
            row=row,
            column=column,
            x=(2 * column + (1 - width)).astype(jnp.float32) * (1 / width),
            y=((height - 1) - 2 * row).astype(jnp.float32) * (1 / height),
            inside=number < box.pixels,
        )
        state = visit(state, pixels)
        row, column = row + rows_down, column + columns_right
        beyond = column >= box.column + box.columns
        return (
            jnp.where(beyond, row + 1, row),
            jnp.where(beyond, column - box.columns, column),
            number + stride,
            state,
        )

    return lax.fori_loop(0, steps, step, (row, column, number, state))[3]
