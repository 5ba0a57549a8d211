"""Within a Pallas kernel for Triton: which faces and pixels a program works on."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras import geometry
from jaxsoftras.kernels.pallas import boxes as face_walk
from jaxsoftras.kernels.pallas import differentiation

# A face with more pixels than this is walked by the whole block; by several programs,
# if an image has so few faces that the GPU would be idle.
LARGE = 1024
_PROGRAMS = 1024


class Block(NamedTuple):
    """What one program works on at a time: as many threads as faces times lanes."""

    faces: int
    lanes: int

    @property
    def threads(self) -> int:
        """Of the program."""
        return self.faces * self.lanes


def parts_of(faces: int, picture: differentiation.Picture, block: Block) -> int:
    """Programs for each block of faces; of the shape of one image alone.

    It must not depend on the number of images: the same image has to give the same
    bytes in every batch.
    """
    blocks = -(-faces // block.faces)
    most = max(picture.height * picture.width // LARGE, 1)
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
    return face_walk.contained(geometry.Corners(*corners), depths)


def each_face(
    visit,
    faces_ref,
    margin,
    picture: differentiation.Picture,
    block: Block,
    parts: int,
):
    """Walks the faces of this program together, then each large one by itself.

    Args:
        visit: ``visit(face, done, triangle, walk, lanes)`` with the numbers of some
            faces and whether their result is due now, both ``[R, 1]``; their corners;
            and ``walk(function, state) -> state``, which is `face_walk.walk` over
            their pixels in so many lanes.
        faces_ref: ``[F, 6]``.
        margin: reach of a face, NDC.
        picture: its size.
        block: faces of a program, and lanes for each.
        parts: programs that share these faces.
    """
    count = faces_ref.shape[0]
    part = pl.program_id(2)

    def visit_block(face, lanes, large_ones):
        triangle, drawn = _load_faces(faces_ref, face, count)
        box = face_walk.reach_box(
            triangle.corners, drawn, margin, picture.height, picture.width
        )
        large = box.pixels > LARGE
        mine = large if large_ones else ~large & (part == 0)
        walk = functools.partial(
            face_walk.walk,
            box=box._replace(pixels=jnp.where(mine, box.pixels, 0)),
            height=picture.height,
            width=picture.width,
            lanes=lanes,
            part=part if large_ones else 0,
            parts=parts if large_ones else 1,
        )
        visit(face, (large == large_ones) & (face < count), triangle, walk, lanes)
        return jnp.max(jnp.max(large.astype(jnp.int32), axis=1), axis=0)

    first = pl.program_id(1) * block.faces
    face = first + lax.broadcasted_iota(jnp.int32, (block.faces, 1), 0)
    any_large = visit_block(face, block.lanes, False)

    def alone(row, carry):
        face = jnp.full((1, 1), first + row, jnp.int32)
        visit_block(face, block.threads, True)
        return carry

    lax.fori_loop(0, any_large * block.faces, alone, 0)
