"""Within a Mosaic kernel: its faces, and a walk over their pixels.

Every face is walked through its box (`boxes`), but each lane goes its own way: a few
lanes walk one face, and are done when the face is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.mosaic.call import ProgramId
from jaxsoftras.kernels.mosaic.faces import PreparedFaces
from jaxsoftras.kernels.mosaic.lanes import LANES, WARP, Lanes
from jaxsoftras.kernels.pallas.boxes import Box
from jaxsoftras.kernels.scene import Task

# A face with more pixels than this is walked by the whole warp; by several programs, if
# an image has so few faces that the GPU would be idle. Each of those writes a gradient
# of every face: from a thousand faces on, that takes more than it saves.
LARGE = 1024
_PROGRAMS = 64

State = TypeVar("State")


class Plan(NamedTuple):
    """How the faces of an image are divided among programs; static.

    Attributes:
        faces: number of faces of an image.
        lanes_per_face: lanes that walk one face; a power of two, at most a warp.
        splits: programs that share the large ones of the same faces.
        lanes: operations of the lanes.
        warpgroups: warpgroups per thread block.
    """

    faces: int
    lanes_per_face: int
    splits: int
    lanes: Lanes
    warpgroups: int = 1

    @property
    def blocks(self) -> int:
        """Thread blocks for the small faces of an image."""
        return -(-self.faces * self.lanes_per_face // (LANES * self.warpgroups))


def make_plan(
    faces: int, task: Task, lanes_per_face: int, lanes: Lanes, warpgroups: int = 1
) -> Plan:
    """Divides the faces of an image.

    The plan follows from one image alone, never from their number: the same image has
    to give the same bytes in every batch. No thread block is larger than an image
    needs.
    """
    one = Plan(faces, lanes_per_face, 1, lanes)
    most = max(task.height * task.width // LARGE, 1)
    splits = max(min(_PROGRAMS // one.blocks, most), 1)
    return one._replace(
        splits=1 << (splits.bit_length() - 1), warpgroups=min(warpgroups, one.blocks)
    )


class LanePixels(NamedTuple):
    """A pixel for each lane; fields ``[LANES]``.

    Attributes:
        place: index in the image, row by row.
        x: pixel centre, NDC.
        y: pixel centre, NDC.
        inside: false for a lane without a pixel.
    """

    place: jax.Array
    x: jax.Array
    y: jax.Array
    inside: jax.Array | bool


def walk(
    visit: Callable[[State, LanePixels], State],
    state: State,
    box: Box,
    task: Task,
    lanes: Lanes,
    *,
    first: jax.Array,
    stride: int,
) -> State:
    """Visits pixels of a box for each lane.

    Args:
        visit: ``visit(state, pixels) -> state``.
        state: the initial state, of vectors.
        box: boxes, fields ``[LANES]``.
        task: the image to render, for its size.
        lanes: operations of the lanes.
        first: ``[LANES]`` the first pixel of each lane, counted row by row in the box.
        stride: distance from there to the next one; a power of two.

    Returns:
        The state after the last call.
    """
    height, width = task.height, task.width

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
        pixels = LanePixels(place, x * (1 / width), y * (1 / height), active)
        state = visit(state, pixels)
        x = x + x_step
        beyond = x >= end
        return (
            place + jnp.where(beyond, move_and_wrap, move),
            jnp.where(beyond, x - back, x),
            y - jnp.where(beyond, y_step + 2, y_step),
            state,
        )

    return lanes.lane_loop(steps, step, (row * width + column, x, y, state))[3]


def broadcast(ref: Any, place: int | jax.Array, lanes: Lanes) -> jax.Array:
    """Loads an element of an array in all lanes."""
    zeros = lanes.map_elementwise(jnp.zeros_like, lanes.lane_id())
    return lanes.load(ref, zeros + place)


def constant(number: float, lanes: Lanes) -> jax.Array:
    """A number in all lanes, in the layout of `Lanes.map_elementwise`."""
    return lanes.map_elementwise(
        lambda lane: jnp.full_like(lane, number, jnp.float32), lanes.lane_id()
    )


def load_rows(ref: Any, place: jax.Array, lanes: Lanes) -> list[jax.Array]:
    """Loads all rows of an array ``[rows, F]`` at a place of each lane's own."""
    return [lanes.load(ref.at[k], place) for k in range(ref.shape[0])]


def _load_triangle(corners_ref, place, lanes: Lanes) -> pairs.Triangle:
    rows = load_rows(corners_ref, place, lanes)
    corners = geometry.Corners(*rows[:6])
    z0, z1, z2 = rows[6:] or [constant(1, lanes)] * 3
    return pairs.Triangle(corners, (z0, z1, z2))


def each_face(
    visit: Callable[..., None],
    faces: PreparedFaces,
    task: Task,
    plan: Plan,
    program: ProgramId,
) -> None:
    """Walks the small faces of this program together, then each large one by itself.

    Small faces come in their order of size, so that they take about as long as each
    other; large ones in the order of their indices, lest all of them fall to the same
    few warps.

    Args:
        visit: ``visit(face, writes, triangle, walk, lanes_per_face)`` with, for each
            lane, the index of its face, whether the face's result is complete, and its
            triangle; ``walk(function, state) -> state``, which is `walk` over its
            pixels; and the number of lanes that walk it together.
        faces: references to the prepared faces.
        task: the image to render.
        plan: how the faces are divided.
        program: indices of this program.
    """
    split, image, block = program
    refs: list[Any] = [ref.at[image] for ref in faces]
    corners_ref, boxes_ref, order_ref = refs
    lanes, lanes_per_face = plan.lanes, plan.lanes_per_face
    lane = lanes.lane_id()

    def visit_faces(number, exists, lanes_per_face, large_ones):
        triangle = _load_triangle(corners_ref, number, lanes)
        box = Box(*load_rows(boxes_ref, number, lanes))
        if large_ones:
            walked = writes = exists & (box.pixels > LARGE)
            splits, start = plan.splits, split * lanes_per_face
        else:
            writes = exists & (box.pixels <= LARGE)
            walked = writes & (split == 0)
            splits, start = 1, 0
        pixels = functools.partial(
            walk,
            box=box._replace(pixels=jnp.where(walked, box.pixels, 0)),
            task=task,
            lanes=lanes,
            first=(lane & (lanes_per_face - 1)) + start,
            stride=lanes_per_face * splits,
        )
        visit(number, writes, triangle, pixels, lanes_per_face)

    def divide_lane(count):
        return lax.shift_right_logical(lane, jnp.int32(count.bit_length() - 1))

    def clip_face(face):
        return jnp.minimum(face, plan.faces - 1), face < plan.faces

    first = block * (LANES // lanes_per_face)
    number, exists = clip_face(first + divide_lane(lanes_per_face))
    visit_faces(lanes.load(order_ref, number), exists, lanes_per_face, False)
    pixels = lanes.load(boxes_ref.at[Box._fields.index("pixels")], number)
    large = jnp.where(exists & (pixels > LARGE), 1, 0)
    for distance in _distances(WARP):
        large = jnp.maximum(large, lanes.shuffle_xor(large, distance))
    faces_of_warp = WARP // lanes_per_face
    first_of_warp = first + divide_lane(WARP) * faces_of_warp

    def visit_one(_, face):
        visit_faces(*clip_face(face), WARP, True)
        return face + 1

    lanes.lane_loop(large * faces_of_warp, visit_one, first_of_warp)


def _distances(count: int) -> list[int]:
    """Distances of the exchanges by which each of ``count`` lanes meets all others."""
    return [1 << k for k in range(count.bit_length() - 1)]


def sum_lanes(value: jax.Array, count: int, lanes: Lanes) -> jax.Array:
    """The sum over groups of ``count`` lanes, in each of them."""
    for distance in _distances(count):
        value = value + lanes.shuffle_xor(value, distance)
    return value
