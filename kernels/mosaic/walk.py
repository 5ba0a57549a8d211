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
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import faces as mosaic_faces
from jaxsoftras.kernels.mosaic import lanes as mosaic_lanes
from jaxsoftras.kernels.pallas import boxes as face_walk
from jaxsoftras.kernels.pallas import differentiation

# A face with more pixels than this is walked by the whole warp; by several programs, if
# an image has so few faces that the GPU would be idle. Each of those writes a gradient
# of every face: from a thousand faces on, that takes more than it saves.
LARGE = 1024
_PROGRAMS = 64

State = TypeVar("State")


class Plan(NamedTuple):
    """How the faces of an image are divided; static.

    Attributes:
        faces: of an image.
        group: lanes that walk one face; a power of two, at most a warp.
        parts: programs that share the large ones of the same faces.
        lanes: the module of what a lane can do.
        team: programs that the GPU starts as one.
    """

    faces: int
    group: int
    parts: int
    lanes: ModuleType
    team: int = 1

    @property
    def blocks(self) -> int:
        """Teams for the small faces of an image."""
        return -(-self.faces * self.group // (mosaic_lanes.LANES * self.team))


def plan(
    faces: int,
    picture: differentiation.Picture,
    group: int,
    lanes: ModuleType,
    team: int = 1,
) -> Plan:
    """Of the shape of one image alone, never of their number.

    The same image has to give the same bytes in every batch. No team is larger than an
    image needs.
    """
    one = Plan(faces, group, 1, lanes)
    most = max(picture.height * picture.width // LARGE, 1)
    parts = max(min(_PROGRAMS // one.blocks, most), 1)
    return one._replace(parts=1 << (parts.bit_length() - 1), team=min(team, one.blocks))


class Pixels(NamedTuple):
    """A pixel for each lane; fields ``[LANES]``.

    Attributes:
        place: in the image, row by row.
        x: its centre, NDC.
        y: its centre, NDC.
        inside: false if there is none for this lane.
    """

    place: jax.Array
    x: jax.Array
    y: jax.Array
    inside: jax.Array | bool


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


def spread(ref, place: int | jax.Array, lanes: ModuleType) -> jax.Array:
    """An element of an array, in all lanes."""
    return lanes.load(ref, lanes.each(jnp.zeros_like, lanes.number()) + place)


def constant(number: float, lanes: ModuleType) -> jax.Array:
    """A number in all lanes, as what `lanes.each` takes and a loop starts from."""
    return lanes.each(
        lambda lane: jnp.full_like(lane, number, jnp.float32), lanes.number()
    )


def load(ref, place: jax.Array, lanes: ModuleType) -> list[jax.Array]:
    """All rows of an array ``[rows, F]`` at a place of each lane's own."""
    return [lanes.load(ref.at[k], place) for k in range(ref.shape[0])]


def _triangle(corners_ref, place, lanes: ModuleType) -> pairs.Triangle:
    rows = load(corners_ref, place, lanes)
    corners = geometry.Corners(*rows[:6])
    z0, z1, z2 = rows[6:] or [constant(1, lanes)] * 3
    return pairs.Triangle(corners, (z0, z1, z2))


def each_face(
    visit: Callable[..., None],
    faces: mosaic_faces.Faces,
    picture: differentiation.Picture,
    plan: Plan,
    place: mosaic_call.Place,
) -> None:
    """Walks the small faces of this program together, then each large one by itself.

    The small ones in their order, so that they take about as long as each other; the
    large ones as they are numbered, lest all of them fall to the same few warps.

    Args:
        visit: ``visit(face, due, triangle, walk, group)`` with, for each lane, the
            number of its face, whether the face's result is due now, and its triangle;
            ``walk(function, state) -> state``, which is `walk` over its pixels; and how
            many lanes walk it together.
        faces: references to them.
        picture: its size.
        plan: how the faces are divided.
        place: of this program.
    """
    part, image, block = place
    corners_ref, boxes_ref, order_ref = (ref.at[image] for ref in faces)
    lanes, group = plan.lanes, plan.group
    lane = lanes.number()

    def visit_faces(number, exists, group, large_ones):
        triangle = _triangle(corners_ref, number, lanes)
        box = face_walk.Box(*load(boxes_ref, number, lanes))
        if large_ones:
            mine = due = exists & (box.pixels > LARGE)
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
        visit(number, due, triangle, pixels, group)

    def in_groups_of(lanes_):
        return lax.shift_right_logical(lane, jnp.int32(lanes_.bit_length() - 1))

    def number_of(face):
        return jnp.minimum(face, plan.faces - 1), face < plan.faces

    first = block * (mosaic_lanes.LANES // group)
    number, exists = number_of(first + in_groups_of(group))
    visit_faces(lanes.load(order_ref, number), exists, group, False)
    pixels = lanes.load(boxes_ref.at[face_walk.Box._fields.index("pixels")], number)
    large = jnp.where(exists & (pixels > LARGE), 1, 0)
    for distance in _distances(mosaic_lanes.WARP):
        large = jnp.maximum(large, lanes.exchange(large, distance))
    faces_of_warp = mosaic_lanes.WARP // group
    first_of_warp = first + in_groups_of(mosaic_lanes.WARP) * faces_of_warp

    def alone(_, face):
        visit_faces(*number_of(face), mosaic_lanes.WARP, True)
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


def sum_parts(values: jax.Array) -> jax.Array:
    """Over the first axis, in pairs: XLA may choose its order by the batch."""
    while values.shape[0] > 1:
        half = values.shape[0] // 2
        values = values[:half] + values[half:]
    return values[0]
