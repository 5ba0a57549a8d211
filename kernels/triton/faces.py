"""Within a Triton kernel: the faces and the pixels that a program works on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.pallas import boxes
from jaxsoftras.kernels.scene import Task
from jaxsoftras.kernels.triton import walk as walks

# A face with more pixels than this is walked by the whole block; by several programs,
# if an image has so few faces that the GPU would be idle.
LARGE = 1024
_PROGRAMS = 1024


class Block(NamedTuple):
    """Faces and lanes that one program works on at a time; static.

    Attributes:
        faces: number of faces.
        lanes: lanes of each face.
    """

    faces: int
    lanes: int

    @property
    def threads(self) -> int:
        """Threads of the program."""
        return self.faces * self.lanes


def choose_splits(faces: int, task: Task, block: Block) -> int:
    """Number of programs for each block of faces.

    It must not depend on the number of images: the same image has to give the same
    bytes in every batch.
    """
    blocks = -(-faces // block.faces)
    most = max(task.height * task.width // LARGE, 1)
    return 1 << (max(min(_PROGRAMS // blocks, most), 1).bit_length() - 1)


def _load_faces(faces_ref, face, count: int):
    exists = face < count
    place = jnp.where(exists, face, 0)

    def load(column: int):
        index = faces_ref.at[place, jnp.full_like(face, column)]
        return triton.load(index, mask=exists, other=jnp.inf)

    axes = faces_ref.shape[1] // 3
    corners = (load(axes * k + axis) for k in range(3) for axis in range(2))
    depths = tuple(load(axes * k + 2) for k in range(3)) if axes == 3 else ()
    return pairs.drawable(geometry.Corners(*corners), depths)


def each_face(
    visit: Callable[..., None],
    faces_ref: Any,
    margin: jax.Array,
    task: Task,
    block: Block,
    splits: int,
) -> None:
    """Walks the faces of this program together, then each large one by itself.

    Args:
        visit: ``visit(face, writes, triangle, walk, lanes)`` with the indices of some
            faces and whether their results are complete, both ``[R, 1]``; their
            corners; and ``walk(function, state) -> state``, which is `walk.walk` over
            their pixels in ``lanes`` lanes.
        faces_ref: ``[F, 6]`` corners, or ``[F, 9]`` with depths.
        margin: reach of a face, NDC.
        task: the image to render.
        block: faces of a program, and lanes for each.
        splits: programs that share these faces.
    """
    count = faces_ref.shape[0]
    split = pl.program_id(2)

    def visit_block(face, lanes, large_ones):
        triangle, valid = _load_faces(faces_ref, face, count)
        box = boxes.reach_box(triangle.corners, valid, margin, task)
        large = box.pixels > LARGE
        if large_ones:
            walked = large
        else:
            walked = (~large) & (split == 0)
        walk = functools.partial(
            walks.walk,
            box=box._replace(pixels=jnp.where(walked, box.pixels, 0)),
            task=task,
            lanes=lanes,
            split=split if large_ones else 0,
            splits=splits if large_ones else 1,
        )
        visit(face, (large == large_ones) & (face < count), triangle, walk, lanes)
        return jnp.max(jnp.max(large.astype(jnp.int32), axis=1), axis=0)

    first = pl.program_id(1) * block.faces
    face = first + lax.broadcasted_iota(jnp.int32, (block.faces, 1), 0)
    any_large = visit_block(face, block.lanes, False)

    def visit_one(row, carry):
        face = jnp.full((1, 1), first + row, jnp.int32)
        visit_block(face, block.threads, True)
        return carry

    lax.fori_loop(0, any_large * block.faces, visit_one, 0)
