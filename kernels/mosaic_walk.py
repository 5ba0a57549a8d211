"""Within a Pallas kernel for Mosaic GPU: its faces, and a walk over their pixels.

As in `face_walk`, every face is walked through the rectangle of pixels within its
reach, but each lane goes its own way: a group of lanes walks one face, and is done when
the face is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import differentiation, face_walk, mosaic_lanes

# A face with more pixels than this is walked by the whole warp; by several programs, if
# an image has so few faces that the GPU would be idle.
LARGE = 1024
_PROGRAMS = 1024

State = TypeVar("State")


class Plan(NamedTuple):
    """How the faces of an image are divided; static.

    Attributes:
        faces: of an image.
        group: lanes that walk one face; a power of two, at most a warp.
        parts: programs that share the large ones of the same faces.
        lanes: the module of what a lane can do.
    """

    faces: int
    group: int
    parts: int
    lanes: ModuleType

    @property
    def blocks(self) -> int:
        """Programs for the small faces of an image."""
        return -(-self.faces * self.group // mosaic_lanes.LANES)


def plan(
    faces: int, picture: differentiation.Picture, group: int, lanes: ModuleType
) -> Plan:
    """Of the shape of one image alone, never of their number.

    The same image has to give the same bytes in every batch.
    """
    one = Plan(faces, group, 1, lanes)
    most = max(picture.height * picture.width // LARGE, 1)
    parts = max(min(_PROGRAMS // one.blocks, most), 1)
    return one._replace(parts=1 << (parts.bit_length() - 1))


class Faces(NamedTuple):
    """What kernels read of faces, made by `prepare`.

    Attributes:
        corners: ``[B, 6, F]`` NDC.
        boxes: ``[B, 4, F]`` int32, a `face_walk.Box` of each.
    """

    corners: jax.Array
    boxes: jax.Array


def prepare(
    face_vertices: jax.Array, sigma: jax.Array, picture: differentiation.Picture
) -> Faces:
    """Corners and boxes of faces ``[B, F, 3, 2]``, outside of a kernel."""
    triangle, drawn = face_walk.contained(geometry.corners(face_vertices), ())
    margin = jnp.sqrt(sigma * picture.cutoff)[:, None]
    corners = triangle.corners
    box = face_walk.reach_box(corners, drawn, margin, picture.height, picture.width)
    return Faces(jnp.stack(corners, axis=1), jnp.stack(box, axis=1))


class Pixels(NamedTuple):
    """A pixel for each lane; fields ``[LANES]``.

    Attributes:
        place: in the image, row by row.
        x: its centre, NDC.
        y: its centre, NDC.
        active: false if there is none for this lane.
    """

    place: jax.Array
    x: jax.Array
    y: jax.Array
    active: jax.Array | bool


def walk(
    visit: Callable[[State, Pixels], State],
    state: State,
    box: face_walk.Box,
    picture: differentiation.Picture,
    lanes: ModuleType,
    *,
    first: jax.Array,
    stride: int,
) -> State:
    """Visits pixels of a box for each lane.

    Args:
        visit: ``visit(state, pixels) -> state``.
        state: what the first call receives; of vectors.
        box: fields ``[LANES]``.
        picture: its size.
        lanes: the module of what a lane can do.
        first: ``[LANES]`` the first pixel of each lane, counted row by row in the box.
        stride: from there to the next one; a power of two.

    Returns:
        What the last call returned.
    """
    height, width, _ = picture

    def whole_rows(pixels):
        # exact while pixels < 2**20, and cheaper than an integer division
        return ((pixels.astype(jnp.float32) + 0.5) / box.columns).astype(jnp.int32)

    down = whole_rows(first)
    row, column = box.row + down, box.column + first - down * box.columns
    # Further on, each step goes some rows down and some columns right.
    rows_down = whole_rows(jnp.full_like(box.columns, stride))
    columns_right = stride - rows_down * box.columns
    steps = lax.shift_right_arithmetic(
        box.pixels - first + (stride - 1), jnp.int32(stride.bit_length() - 1)
    )

    def in_half_pixels(row, column):
        """From the centre of the image: small integers, exact in single precision."""
        x, y = 2 * column + (1 - width), (height - 1) - 2 * row
        return x.astype(jnp.float32), y.astype(jnp.float32)

    x, y = in_half_pixels(row, column)
    end, _ = in_half_pixels(row, box.column + box.columns)
    x_step, y_step = (2 * n.astype(jnp.float32) for n in (columns_right, rows_down))
    back = 2 * box.columns.astype(jnp.float32)
    move = rows_down * width + columns_right
    move_and_wrap = move + width - box.columns

    def step(active, carry):
        place, x, y, state = carry
        pixels = Pixels(place, x * (1 / width), y * (1 / height), active)
        state = visit(state, pixels)
        x = x + x_step
        beyond = x >= end
        return (
            place + jnp.where(beyond, move_and_wrap, move),
            jnp.where(beyond, x - back, x),
            y - jnp.where(beyond, y_step + 2, y_step),
            state,
        )

    return lanes.repeat(steps, step, (row * width + column, x, y, state))[3]


def _load(ref, place, lanes: ModuleType):
    return (lanes.load(ref.at[k], place) for k in range(ref.shape[0]))


def each_face(
    visit: Callable[..., None],
    corners_ref,
    boxes_ref,
    picture: differentiation.Picture,
    plan: Plan,
    *,
    block: jax.Array,
    part: jax.Array,
) -> None:
    """Walks the small faces of this program together, then each large one by itself.

    Args:
        visit: ``visit(face, due, triangle, walk, group)`` with, for each lane, the
            number of its face, whether the face's result is due now, and the face's
            corners; ``walk(function, state) -> state``, which is `walk` over its
            pixels; and how many lanes walk it together.
        corners_ref: ``[6, F]``.
        boxes_ref: ``[4, F]``.
        picture: its size.
        plan: how the faces are divided.
        block: number of this program among those for the faces of an image.
        part: number of this program among those that share these faces.
    """
    lanes, group = plan.lanes, plan.group
    lane = lanes.number()

    def visit_faces(face, group, large_ones):
        exists = face < plan.faces
        place = jnp.minimum(face, plan.faces - 1)
        triangle = geometry.Corners(*_load(corners_ref, place, lanes))
        box = face_walk.Box(*_load(boxes_ref, place, lanes))
        large = exists & (box.pixels > LARGE)
        if large_ones:
            mine = due = large
            parts, start = plan.parts, part * group
        else:
            due = exists & (box.pixels <= LARGE)
            mine = due & (part == 0)
            parts, start = 1, 0
        pixels = functools.partial(
            walk,
            box=box._replace(pixels=jnp.where(mine, box.pixels, 0)),
            picture=picture,
            lanes=lanes,
            first=(lane & (group - 1)) + start,
            stride=group * parts,
        )
        visit(place, due, triangle, pixels, group)
        return jnp.where(large, 1, 0)

    def in_groups_of(lanes_):
        return lax.shift_right_logical(lane, jnp.int32(lanes_.bit_length() - 1))

    first = block * (mosaic_lanes.LANES // group)
    large = visit_faces(first + in_groups_of(group), group, False)
    for distance in _distances(mosaic_lanes.WARP):
        large = jnp.maximum(large, lanes.exchange(large, distance))
    faces_of_warp = mosaic_lanes.WARP // group
    first_of_warp = first + in_groups_of(mosaic_lanes.WARP) * faces_of_warp

    def alone(_, face):
        visit_faces(face, mosaic_lanes.WARP, True)
        return face + 1

    lanes.repeat(large * faces_of_warp, alone, first_of_warp)


def _distances(count: int) -> list[int]:
    """Of the exchanges in which each of so many lanes meets all others."""
    return [1 << k for k in range(count.bit_length() - 1)]


def sum_of_group(value: jax.Array, group: int, lanes: ModuleType) -> jax.Array:
    """The sum over a group of lanes, in each of them."""
    for distance in _distances(group):
        value = value + lanes.exchange(value, distance)
    return value
