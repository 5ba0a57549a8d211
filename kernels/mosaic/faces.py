"""The faces as Mosaic kernels read them: prepared once, by XLA, for all kernels."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.pallas import boxes
from jaxsoftras.kernels.scene import Task

# Faces per sorted run. Longer runs cost more to sort; shorter ones leave warps less
# balanced. A key has the index of a face in its lowest bits.
_SORTED = 512
_MOST_PIXELS = 4095


class PreparedFaces(NamedTuple):
    """Arrays in which neighbouring lanes load neighbouring numbers.

    Attributes:
        corners: ``[B, 6, F]`` NDC; with depths ``[B, 9, F]``.
        boxes: ``[B, 4, F]`` int32, a `boxes.Box` of each face.
        order: ``[B, F]`` int32, the order in which faces are drawn. The lanes of a warp
            wait for each other, so faces of like size should be neighbours.
    """

    corners: jax.Array
    boxes: jax.Array
    order: jax.Array


def prepare(
    face_vertices: jax.Array, margin: jax.Array, task: Task, *, sort: bool
) -> PreparedFaces:
    """Prepares faces for kernels.

    Args:
        face_vertices: ``[B, F, 3, 2]`` NDC, or ``[B, F, 3, 3]`` with depths.
        margin: ``[B]`` reach of the faces, NDC.
        task: the image to render.
        sort: whether to sort them by size; no result depends on it.
    """
    batch, faces, _, axes = face_vertices.shape
    # by itself: in a fusion, every thread of XLA's would read numbers far apart
    columns = lax.optimization_barrier(
        jnp.swapaxes(face_vertices.reshape(batch, faces, 3 * axes), 1, 2)
    )
    x, y, *z = ([columns[:, axes * k + axis] for k in range(3)] for axis in range(axes))
    corners = geometry.Corners(x[0], y[0], x[1], y[1], x[2], y[2])
    depths = tuple(z[0]) if z else ()
    triangle, valid = pairs.drawable(corners, depths)
    box = boxes.reach_box(triangle.corners, valid, margin[:, None], task)
    rows = [*triangle.corners, *(triangle.depths if depths else ())]
    order = lax.broadcasted_iota(jnp.int32, box.pixels.shape, 1)
    return PreparedFaces(
        jnp.stack(rows, axis=1),
        jnp.stack(box, axis=1),
        sort_by_size(box.pixels) if sort else order,
    )


def run_length(faces: int) -> int:
    """Number of faces that are sorted together."""
    return -(-faces // max(round(faces / _SORTED), 1))


def sort_by_size(pixels: jax.Array) -> jax.Array:
    """Sorts each run of a few hundred faces by their pixels, the largest first.

    Args:
        pixels: ``[B, F]`` int32.

    Returns:
        ``[B, F]`` int32, the indices of the faces.
    """
    batch, faces = pixels.shape
    run = run_length(faces)
    bits = (run - 1).bit_length()
    # the padding of the last run comes behind all others
    keys = _MOST_PIXELS - jnp.minimum(pixels, _MOST_PIXELS)
    keys = jnp.pad(keys, ((0, 0), (0, -faces % run)), constant_values=_MOST_PIXELS + 1)
    keys = keys.reshape(batch, -1, run)
    number = lax.broadcasted_iota(jnp.int32, keys.shape, 2)
    keys = lax.sort((keys << bits) | number, is_stable=False)
    first = run * lax.broadcasted_iota(jnp.int32, keys.shape, 1)
    order = first + (keys & ((1 << bits) - 1))
    return order.reshape(batch, -1)[:, :faces]
