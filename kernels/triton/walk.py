"""Within a Triton kernel: a walk over the pixels in reach of each face.

A block has a row for each face and a column for each lane. Every face is walked through
its box (`boxes`) row by row, as many pixels at a time as it has lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.pallas.boxes import Box
from jaxsoftras.kernels.scene import Task

State = TypeVar("State")


class PixelBlock(NamedTuple):
    """One pixel for each face and lane; fields ``[R, lanes]``.

    Attributes:
        row: row of the image.
        column: column of the image.
        x: pixel centre, NDC.
        y: pixel centre, NDC.
        inside: whether the pixel belongs to the face's box; if not, it need not belong
            to the image either.
    """

    row: jax.Array
    column: jax.Array
    x: jax.Array
    y: jax.Array
    inside: jax.Array


def walk(
    visit: Callable[[State, PixelBlock], State],
    state: State,
    box: Box,
    task: Task,
    *,
    lanes: int,
    split: int | jax.Array = 0,
    splits: int = 1,
) -> State:
    """Visits the pixels of each face's box.

    Args:
        visit: ``visit(state, pixels) -> state``.
        state: the initial state.
        box: boxes of ``R`` faces, fields ``[R, 1]``.
        task: the image to render, for its size.
        lanes: pixels of each face visited in one step; a power of two.
        split: number of this program among those that share the faces' pixels.
        splits: how many programs share them.

    Returns:
        The state after the last call.
    """
    height, width = task.height, task.width
    stride = lanes * splits

    def whole_rows(pixels):
        # exact while pixels < 2**20, and cheaper than an integer division
        return ((pixels.astype(jnp.float32) + 0.5) / box.columns).astype(jnp.int32)

    number = lax.broadcasted_iota(jnp.int32, (1, lanes), 1) + split * lanes
    down = whole_rows(number)
    row, column = box.row + down, box.column + number - down * box.columns
    number = jnp.broadcast_to(number, row.shape)
    # Further on, each step goes some rows down and some columns right.
    rows_down = whole_rows(jnp.full_like(box.columns, stride))
    columns_right = stride - rows_down * box.columns
    most = jnp.max(jnp.max(box.pixels, axis=1), axis=0) - split * lanes
    steps = lax.div(jnp.maximum(most, 0) + (stride - 1), jnp.int32(stride))

    def step(_, carry):
        row, column, number, state = carry
        pixels = PixelBlock(
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
