"""The soft silhouette on NVIDIA GPUs, as a pair of Pallas kernels for Triton.

Both walk the pixels of each face (`face_walk`). The forward kernel adds the face's
optical depth to the image in fixed point: such a sum is exact, and so does not depend
on the order in which the GPU adds. The backward kernel sums the gradient of a face in
registers and writes it once. docs/kernels.md tells why, and how fast they are.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras import geometry
from jaxsoftras.kernels.pallas import boxes as face_walk
from jaxsoftras.kernels.pallas import differentiation
from jaxsoftras.kernels.pallas import silhouette as silhouette_pallas
from jaxsoftras.kernels.triton import call as triton_call
from jaxsoftras.kernels.triton import faces as face_program
from jaxsoftras.kernels.triton import fixed_point as triton_fixed_point
from jaxsoftras.kernels.triton import sums as ordered_sum

# docs/kernels.md has the timings of others
_DEPTH = face_program.Block(faces=2, lanes=16)
_GRADIENT = face_program.Block(faces=2, lanes=16)
_LOG2_E = math.log2(math.e)
# Depths, in bits, are added as multiples of this. A double holds their sum exactly up
# to 2**13 bits; beyond 150, alpha is 1 and its derivative 0 in single precision.
_UNIT = 2.0**-40


def _depth_kernel(
    faces_ref,
    sigma_ref,
    _zeros_ref,
    depth_ref,
    *,
    picture,
    block,
    parts,
    interpret,
):
    sigma = sigma_ref[pl.program_id(0)]
    reach = sigma * picture.cutoff

    def visit(_face, _done, triangle, walk, _lanes):
        def add(state, pixels: face_walk.Pixels):
            signed = geometry.nearest(pixels.x, pixels.y, triangle.corners).signed
            counts = pixels.inside & (signed > -reach)
            z = signed * (_LOG2_E / sigma)
            # -log2(1 - sigmoid), the softplus in base 2
            depth = jnp.maximum(z, 0) + jnp.log2(1 + jnp.exp2(-jnp.abs(z)))
            place = pixels.row, pixels.column
            triton_fixed_point.add(
                depth_ref, place, depth, counts, _UNIT, interpret=interpret
            )
            return state

        walk(add, 0)

    face_program.each_face(visit, faces_ref, jnp.sqrt(reach), picture, block, parts)


def _gradient_kernel(
    faces_ref,
    sigma_ref,
    weight_ref,
    by_corner_ref,
    by_sigma_ref,
    *,
    picture,
    block,
    parts,
):
    sigma = sigma_ref[pl.program_id(0)]
    reach = sigma * picture.cutoff
    inverse = 1 / sigma
    count = faces_ref.shape[0]

    def visit(face, done, triangle, walk, lanes):
        def add(sums, pixels: face_walk.Pixels):
            place = (
                jnp.where(pixels.inside, pixels.row, 0),
                jnp.where(pixels.inside, pixels.column, 0),
            )
            weight = triton.load(weight_ref.at[place], mask=pixels.inside, other=0)
            near = geometry.nearest(pixels.x, pixels.y, triangle.corners)
            z = near.signed * inverse
            share = weight / (1 + jnp.exp2(z * -_LOG2_E))
            by_z = jnp.where(near.signed > -reach, share, 0)
            pull = jnp.where(near.signed > 0, -by_z, by_z)
            x, y = pull * near.x, pull * near.y
            terms = [w * p for w in near.weights for p in (x, y)] + [by_z * z]
            return tuple(total + term for total, term in zip(sums, terms, strict=True))

        zero = jnp.zeros((face.shape[0], lanes), jnp.float32)
        sums = walk(add, (zero,) * 7)
        # past the end for faces whose gradient is not due: Pallas' interpreter drops it
        place = jnp.where(done, face, count)
        *by_corner, by_sigma = (jnp.sum(s, axis=1, keepdims=True) for s in sums)
        for k, total in enumerate(by_corner):
            column = jnp.full_like(face, k)
            total = total * (2 * inverse)
            triton.store(by_corner_ref.at[place, column], total, mask=done)
        triton.store(by_sigma_ref.at[place], by_sigma * -inverse, mask=done)

    face_program.each_face(visit, faces_ref, jnp.sqrt(reach), picture, block, parts)


def _sigmas(batch: int) -> pl.BlockSpec:
    return pl.BlockSpec((batch,), lambda *_: (0,))


def _optical_depth(
    face_vertices, sigma, *, picture: differentiation.Picture, interpret: bool
):
    batch, faces = face_vertices.shape[:2]
    # The interpreter loses all but one of the additions of a block to the same pixel.
    block = _DEPTH._replace(faces=1) if interpret else _DEPTH
    parts = face_program.parts_of(faces, picture, block)
    shape = (batch, picture.height, picture.width)
    image = triton_call.whole_image(*shape[1:])
    kernel = functools.partial(
        _depth_kernel, picture=picture, block=block, parts=parts, interpret=interpret
    )
    # for the doubles of this one image, whatever precision the rest is computed in
    with jax.enable_x64(True):
        (bits,) = triton_call.call(
            kernel,
            face_vertices.reshape(batch, faces, 6),
            sigma,
            jnp.zeros_like(face_vertices, jnp.float64, shape=shape),
            threads=block.threads,
            grid=(batch, -(-faces // block.faces), parts),
            in_specs=[triton_call.whole_image(faces, 6), _sigmas(batch), image],
            outputs=[(triton_call.output(shape, jnp.float64, face_vertices), image)],
            input_output_aliases={2: 0},
            interpret=interpret,
            name="silhouette_depth",
        )
        return bits.astype(jnp.float32) / _LOG2_E


def _gradients(
    face_vertices,
    sigma,
    depth,
    cotangent,
    *,
    picture: differentiation.Picture,
    interpret: bool,
):
    batch, faces = face_vertices.shape[:2]
    block = _GRADIENT
    parts = face_program.parts_of(faces, picture, block)
    by_corner, by_sigma = triton_call.call(
        functools.partial(_gradient_kernel, picture=picture, block=block, parts=parts),
        face_vertices.reshape(batch, faces, 6),
        sigma,
        cotangent * jnp.exp(-depth),
        threads=block.threads,
        grid=(batch, -(-faces // block.faces), parts),
        in_specs=[
            triton_call.whole_image(faces, 6),
            _sigmas(batch),
            triton_call.whole_image(picture.height, picture.width),
        ],
        outputs=[
            (
                triton_call.output(
                    (batch, parts, faces, 6), jnp.float32, face_vertices
                ),
                pl.BlockSpec((None, None, faces, 6), lambda i, _, k: (i, k, 0, 0)),
            ),
            (
                triton_call.output((batch, parts, faces), jnp.float32, face_vertices),
                pl.BlockSpec((None, None, faces), lambda i, _, k: (i, k, 0)),
            ),
        ],
        interpret=interpret,
        name="silhouette_gradient",
    )
    by_corner, by_sigma = map(ordered_sum.over_parts, (by_corner, by_sigma))
    return (
        by_corner.reshape(face_vertices.shape),
        ordered_sum.over_faces(by_sigma, interpret=interpret),
    )


_draw = silhouette_pallas.of_kernels(_optical_depth, _gradients, effects=False)


def silhouette_triton(
    face_vertices: jax.Array, sigma: jax.Array, **options
) -> jax.Array:
    """`silhouette_pallas.of_kernels`, for GPUs of compute capability 8.0 or higher."""
    return _draw(face_vertices, sigma, **options)
