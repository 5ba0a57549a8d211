"""The rectangle of pixels within reach of each face.

Kernels walk every face through its box: no list of faces is made, so none can overflow,
and hardly a pixel is visited in vain.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import geometry
from jaxsoftras.kernels import spans
from jaxsoftras.kernels.scene import Task


class Box(NamedTuple):
    """Rectangles of pixels; fields ``[...]`` int32.

    Attributes:
        row: topmost row.
        column: leftmost column.
        columns: width, at least 1.
        pixels: number of pixels.
    """

    row: jax.Array
    column: jax.Array
    columns: jax.Array
    pixels: jax.Array


def reach_box(
    corners: geometry.Corners, valid: jax.Array, margin: jax.Array, task: Task
) -> Box:
    """Bounds the pixels that may lie within a distance of the faces; elementwise.

    Args:
        corners: fields ``[...]`` NDC.
        valid: ``[...]`` bool; the boxes of other faces are empty.
        margin: the distance, NDC.
        task: the image to render, for its size.
    """
    x0, y0, x1, y1, x2, y2 = corners
    left, right = _span((x0, x1, x2), margin, task.width)
    # y points up and rows count downwards
    top, bottom = _span((-y0, -y1, -y2), margin, task.height)
    columns, rows = right - left + 1, bottom - top + 1
    hit = valid & (columns > 0) & (rows > 0)
    return Box(top, left, jnp.maximum(columns, 1), jnp.where(hit, columns * rows, 0))


def _span(coordinates, margin, size: int):
    a, b, c = coordinates
    low = jnp.minimum(a, jnp.minimum(b, c))
    high = jnp.maximum(a, jnp.maximum(b, c))
    return spans.pixel_span(low, high, margin, size)
