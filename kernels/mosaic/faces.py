"""What Pallas kernels for Mosaic GPU read of faces: made once, by XLA, for all."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels.pallas import boxes as face_walk
from jaxsoftras.kernels.pallas import differentiation

# About so many faces are sorted together: more take longer, and fewer are less alike. A
# key has the number of a face in its lowest bits.
_SORTED = 512
_MOST_PIXELS = 4095


class Faces(NamedTuple):
    """Arrays for neighbouring lanes to load neighbouring numbers.

    Attributes:
        corners: ``[B, 6, F]`` NDC; with depths ``[B, 9, F]``.
        boxes: ``[B, 4, F]`` int32, a `face_walk.Box` of each.
        order: ``[B, F]`` int32, the numbers of the faces in the order in which they are
            drawn. The lanes of a warp wait for each other, so that those who are as
            large should be neighbours.
    """

    corners: jax.Array
    boxes: jax.Array
    order: jax.Array


def prepare(
    face_vertices: jax.Array,
    margin: jax.Array,
    picture: differentiation.Picture,
    *,
    sort: bool,
) -> Faces:
    """What `Faces` says of faces, outside of a kernel.

    Args:
        face_vertices: ``[B, F, 3, 2]`` NDC, or ``[B, F, 3, 3]`` with depths.
        margin: ``[B]`` how far the faces reach, NDC.
        picture: its size.
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
    triangle, drawn = face_walk.contained(corners, depths)
    box = face_walk.reach_box(
        triangle.corners, drawn, margin[:, None], picture.height, picture.width
    )
    rows = [*triangle.corners, *(triangle.depths if depths else ())]
    order = lax.broadcasted_iota(jnp.int32, box.pixels.shape, 1)
    return Faces(
        jnp.stack(rows, axis=1),
        jnp.stack(box, axis=1),
        largest_first(box.pixels) if sort else order,
    )


def run_of(faces: int) -> int:
    """How many faces of an image are sorted together."""
    return -(-faces // max(round(faces / _SORTED), 1))


def largest_first(pixels: jax.Array) -> jax.Array:
    """Sorts each few hundred faces by their pixels.

    Args:
        pixels: ``[B, F]`` int32.

    Returns:
        ``[B, F]`` int32, the numbers of the faces.
    """
    batch, faces = pixels.shape
    run = run_of(faces)
    bits = (run - 1).bit_length()
    # what fills up the last of them comes behind all others
    keys = _MOST_PIXELS - jnp.minimum(pixels, _MOST_PIXELS)
    keys = jnp.pad(keys, ((0, 0), (0, -faces % run)), constant_values=_MOST_PIXELS + 1)
    keys = keys.reshape(batch, -1, run)
    number = lax.broadcasted_iota(jnp.int32, keys.shape, 2)
    keys = lax.sort((keys << bits) | number, is_stable=False)
    first = run * lax.broadcasted_iota(jnp.int32, keys.shape, 1)
    order = first + (keys & ((1 << bits) - 1))
    return order.reshape(batch, -1)[:, :faces]
