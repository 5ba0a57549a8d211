"""The alpha of Soft Rasterizer and its gradient, as a pair of Triton kernels.

Both walk the pixels of each face (`walk`). The forward kernel adds the face's optical
depth to the image in fixed point: such a sum is exact, and so does not depend on the
order in which the GPU adds. The backward kernel sums the gradient of a face in
registers and writes it once. They know one formula, `RasterOptions.soft_silhouette`,
for which the general kernels of `blend` take 6 to 16 % longer, forward and backward
(docs/kernels-log.md).
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras import geometry
from jaxsoftras.kernels import partitioning
from jaxsoftras.kernels.pallas import fixed_point
from jaxsoftras.kernels.scene import Task
from jaxsoftras.kernels.triton import call as triton_call
from jaxsoftras.kernels.triton import faces as face_blocks
from jaxsoftras.kernels.triton import fixed_point as exact
from jaxsoftras.kernels.triton.walk import PixelBlock

# docs/kernels-log.md has timings of others
_DEPTH_BLOCK = face_blocks.Block(faces=2, lanes=16)
_GRADIENT_BLOCK = face_blocks.Block(faces=2, lanes=16)
_LOG2_E = math.log2(math.e)


def _depth_kernel(
    faces_ref,
    sigma_ref,
    _zeros_ref,
    depth_ref,
    *,
    task: Task,
    block: face_blocks.Block,
    splits: int,
    interpret: bool,
):
    sigma = sigma_ref[pl.program_id(0)]
    reach = sigma * task.options.cutoff

    def visit(_face, _writes, triangle, walk, _lanes):
        def add(state, pixels: PixelBlock):
            signed = geometry.nearest(pixels.x, pixels.y, triangle.corners).signed
            counts = pixels.inside & (signed > -reach)
            z = signed * (_LOG2_E / sigma)
            # -log2(1 - sigmoid), the softplus in base 2
            depth = jnp.maximum(z, 0) + jnp.log2(1 + jnp.exp2(-jnp.abs(z)))
            place = pixels.row, pixels.column
            exact.add(
                depth_ref,
                place,
                depth,
                counts,
                exact.DEPTH_QUANTUM,
                interpret=interpret,
            )
            return state

        walk(add, 0)

    face_blocks.each_face(visit, faces_ref, jnp.sqrt(reach), task, block, splits)


def _gradient_kernel(
    faces_ref,
    sigma_ref,
    weight_ref,
    by_corner_ref,
    by_sigma_ref,
    *,
    task: Task,
    block: face_blocks.Block,
    splits: int,
):
    sigma = sigma_ref[pl.program_id(0)]
    reach = sigma * task.options.cutoff
    inverse = 1 / sigma
    count = faces_ref.shape[0]

    def visit(face, writes, triangle, walk, lanes):
        def add(sums, pixels: PixelBlock):
            place = (
                jnp.where(pixels.inside, pixels.row, 0),
                jnp.where(pixels.inside, pixels.column, 0),
            )
            weight = triton.load(weight_ref.at[place], mask=pixels.inside, other=0)
            near = geometry.nearest(pixels.x, pixels.y, triangle.corners)
            z = near.signed * inverse
            weighted = weight / (1 + jnp.exp2(z * -_LOG2_E))
            by_z = jnp.where(near.signed > -reach, weighted, 0)
            pull = jnp.where(near.signed > 0, -by_z, by_z)
            x, y = pull * near.x, pull * near.y
            terms = [w * p for w in near.weights for p in (x, y)] + [by_z * z]
            return tuple(total + term for total, term in zip(sums, terms, strict=True))

        zero = jnp.zeros((face.shape[0], lanes), jnp.float32)
        sums = walk(add, (zero,) * 7)
        # past the end for incomplete faces: Pallas' interpreter drops it
        place = jnp.where(writes, face, count)
        *by_corner, by_sigma = (jnp.sum(s, axis=1, keepdims=True) for s in sums)
        for k, total in enumerate(by_corner):
            column = jnp.full_like(face, k)
            total = total * (2 * inverse)
            triton.store(by_corner_ref.at[place, column], total, mask=writes)
        triton.store(by_sigma_ref.at[place], by_sigma * -inverse, mask=writes)

    face_blocks.each_face(visit, faces_ref, jnp.sqrt(reach), task, block, splits)


def _sigmas(batch: int) -> pl.BlockSpec:
    return pl.BlockSpec((batch,), lambda *_: (0,))


def optical_depth(
    corners: jax.Array, sigma: jax.Array, task: Task, *, interpret: bool
) -> jax.Array:
    """Sums ``-log prod_j (1 - D_j)``; see `backend.Backend.silhouette`."""
    batch, faces = corners.shape[:2]
    # The interpreter loses all but one of the additions of a block to the same pixel.
    block = _DEPTH_BLOCK._replace(faces=1) if interpret else _DEPTH_BLOCK
    splits = face_blocks.choose_splits(faces, task, block)
    shape = (batch, task.height, task.width)
    image = triton_call.whole_image(*shape[1:])
    kernel = functools.partial(
        _depth_kernel, task=task, block=block, splits=splits, interpret=interpret
    )
    # for the doubles of this one image, whatever precision the rest is computed in
    with jax.enable_x64(True):
        (bits,) = triton_call.call(
            kernel,
            corners.reshape(batch, faces, 6),
            sigma,
            jnp.zeros_like(corners, jnp.float64, shape=shape),
            threads=block.threads,
            grid=(batch, -(-faces // block.faces), splits),
            in_specs=[triton_call.whole_image(faces, 6), _sigmas(batch), image],
            outputs=[(partitioning.kernel_output(shape, jnp.float64, corners), image)],
            input_output_aliases={2: 0},
            interpret=interpret,
            name="silhouette_depth",
        )
        return bits.astype(jnp.float32) / _LOG2_E


def gradient(
    corners: jax.Array,
    sigma: jax.Array,
    cotangent: jax.Array,
    task: Task,
    *,
    interpret: bool,
) -> tuple[jax.Array, jax.Array]:
    """Cotangents of corners and sigma; see `backend.Backend.silhouette_gradient`."""
    batch, faces = corners.shape[:2]
    block = _GRADIENT_BLOCK
    splits = face_blocks.choose_splits(faces, task, block)
    by_corner, by_sigma = triton_call.call(
        functools.partial(_gradient_kernel, task=task, block=block, splits=splits),
        corners.reshape(batch, faces, 6),
        sigma,
        cotangent,
        threads=block.threads,
        grid=(batch, -(-faces // block.faces), splits),
        in_specs=[
            triton_call.whole_image(faces, 6),
            _sigmas(batch),
            triton_call.whole_image(task.height, task.width),
        ],
        outputs=[
            (
                partitioning.kernel_output(
                    (batch, splits, faces, 6), jnp.float32, corners
                ),
                pl.BlockSpec((None, None, faces, 6), lambda i, _, k: (i, k, 0, 0)),
            ),
            (
                partitioning.kernel_output(
                    (batch, splits, faces), jnp.float32, corners
                ),
                pl.BlockSpec((None, None, faces), lambda i, _, k: (i, k, 0)),
            ),
        ],
        interpret=interpret,
        name="silhouette_gradient",
    )
    by_corner, by_sigma = (
        fixed_point.tree_sum(x, axis=1) for x in (by_corner, by_sigma)
    )
    return by_corner.reshape(corners.shape), fixed_point.tree_sum(by_sigma, axis=1)
