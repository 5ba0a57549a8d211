"""The soft silhouette on NVIDIA GPUs, as a pair of Pallas kernels for Mosaic GPU.

Both walk the pixels of each face, as those of `silhouette_triton` do. The forward
kernel adds the face's optical depth to the image in fixed point: such a sum is exact,
and so does not depend on the order in which the GPU adds. The backward kernel sums the
gradient of a face in registers and writes it once. docs/kernels.md tells why.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import (
    batching,
    differentiation,
    mosaic_call,
    mosaic_lanes,
    mosaic_lanes_interpreted,
    mosaic_walk,
    partitioning,
    silhouette_xla,
)

# lanes that walk a face; docs/kernels.md has the timings of others
_DEPTH_GROUP = 8
_GRADIENT_GROUP = 4

_LOG2_E = math.log2(math.e)
# Bits of optical depth before the binary point that a face may add to a pixel: beyond
# 150 bits, alpha is 1 and its derivative 0 in single precision.
_WHOLE_BITS = 8


def _fraction(faces: int) -> int:
    """Bits behind the binary point, so that no sum over the faces overflows."""
    return 64 - _WHOLE_BITS - faces.bit_length()


def _depth_kernel(corners_ref, boxes_ref, sigma_ref, depth_ref, *, picture, plan):
    part, (image, block) = mosaic_call.program(plan.blocks)
    sigma = sigma_ref[image]
    reach = sigma * picture.cutoff
    scale = _LOG2_E / sigma
    most = 2.0**_WHOLE_BITS - 1

    def visit(_face, _due, triangle, walk, _group):
        def add(state, pixels: mosaic_walk.Pixels):
            signed = geometry.nearest(pixels.x, pixels.y, triangle).signed
            z = signed * scale
            # -log2(1 - sigmoid), the softplus in base 2
            depth = jnp.maximum(z, 0) + jnp.log2(1 + jnp.exp2(-jnp.abs(z)))
            plan.lanes.add(
                depth_ref.at[image],
                pixels.place,
                jnp.minimum(depth, most),
                pixels.active & (signed > -reach),
                _fraction(plan.faces),
            )
            return state

        walk(add, ())

    mosaic_walk.each_face(
        visit,
        corners_ref.at[image],
        boxes_ref.at[image],
        picture,
        plan,
        block=block,
        part=part,
    )


def _gradient_kernel(
    corners_ref, boxes_ref, sigma_ref, weight_ref, gradient_ref, *, picture, plan
):
    part, (image, block) = mosaic_call.program(plan.blocks)
    lanes = plan.lanes
    sigma = sigma_ref[image]
    reach = sigma * picture.cutoff
    inverse = 1 / sigma

    def visit(face, due, triangle, walk, group):
        def add(sums, pixels: mosaic_walk.Pixels):
            weight = lanes.load(weight_ref.at[image], pixels.place)
            near = geometry.nearest(pixels.x, pixels.y, triangle)
            z = near.signed * inverse
            share = weight * lanes.reciprocal(1 + jnp.exp2(z * -_LOG2_E))
            by_z = jnp.where(near.signed > -reach, share, 0)
            pull = jnp.where(near.signed > 0, -by_z, by_z)
            x, y = pull * near.x, pull * near.y
            terms = [w * p for w in near.weights for p in (x, y)] + [by_z * z]
            return tuple(total + term for total, term in zip(sums, terms, strict=True))

        zero = jnp.zeros((mosaic_lanes.LANES,), jnp.float32)
        sums = walk(add, (zero,) * 7)
        *by_corner, by_sigma = (
            mosaic_walk.sum_of_group(total, group, lanes) for total in sums
        )
        rows = [total * (2 * inverse) for total in by_corner] + [by_sigma * -inverse]
        writes = due & ((lanes.number() & (group - 1)) == 0)
        lanes.store(gradient_ref.at[part, image], face, rows, writes)

    mosaic_walk.each_face(
        visit,
        corners_ref.at[image],
        boxes_ref.at[image],
        picture,
        plan,
        block=block,
        part=part,
    )


def _sum_kernel(values_ref, total_ref, *, row, lanes):
    _, (image, _) = mosaic_call.program(1)
    count = values_ref.shape[-1]
    lane = lanes.number()

    def add(_, carry):
        place, total = carry
        value = lanes.load(values_ref.at[image, row], jnp.minimum(place, count - 1))
        return place + mosaic_lanes.LANES, total + value

    steps = lax.div(count - lane + (mosaic_lanes.LANES - 1), mosaic_lanes.LANES)
    zero = jnp.zeros((mosaic_lanes.LANES,), jnp.float32)
    _, total = lanes.repeat(steps, add, (lane, zero))
    total_ref[image] = jnp.sum(total)


def _sum_parts(values: jax.Array) -> jax.Array:
    """Over the first axis, in pairs: XLA may choose its order by the batch."""
    while values.shape[0] > 1:
        half = values.shape[0] // 2
        values = values[:half] + values[half:]
    return values[0]


def _lanes(interpret: bool):
    return mosaic_lanes_interpreted if interpret else mosaic_lanes


def _optical_depth(
    face_vertices, sigma, *, picture: differentiation.Picture, interpret: bool
):
    batch, faces = face_vertices.shape[:2]
    height, width, _ = picture
    plan = mosaic_walk.plan(faces, picture, _DEPTH_GROUP, _lanes(interpret))
    words = mosaic_call.accumulate(
        functools.partial(_depth_kernel, picture=picture, plan=plan),
        *mosaic_walk.prepare(face_vertices, sigma, picture),
        sigma,
        shape=(batch, height * width, 2),
        programs=(plan.parts, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_depth",
    )
    low, high = (words[..., k].astype(jnp.float32) for k in range(2))
    fraction = _fraction(faces)
    bits = high * 2.0 ** (32 - fraction) + low * 2.0**-fraction
    return (bits * (1 / _LOG2_E)).reshape(batch, height, width)


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
    lanes = _lanes(interpret)
    plan = mosaic_walk.plan(faces, picture, _GRADIENT_GROUP, lanes)
    weight = cotangent * jnp.exp(-depth)
    gradients = mosaic_call.call(
        functools.partial(_gradient_kernel, picture=picture, plan=plan),
        *mosaic_walk.prepare(face_vertices, sigma, picture),
        sigma,
        weight.reshape(batch, -1),
        output=(plan.parts, batch, 7, faces),
        programs=(plan.parts, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_gradient",
    )
    gradients = _sum_parts(gradients)
    by_corner = jnp.swapaxes(gradients[:, :6], 1, 2).reshape(face_vertices.shape)
    # by a kernel, as XLA may choose its order by the batch
    by_sigma = mosaic_call.call(
        functools.partial(_sum_kernel, row=6, lanes=lanes),
        gradients,
        output=(batch,),
        programs=(1, batch),
        interpret=interpret,
        name="silhouette_sum",
    )
    return by_corner, by_sigma


def _on_batches(kernel, interpret: bool, **ranks):
    def call(*arguments):
        *arrays, picture = arguments
        function = functools.partial(kernel, picture=picture, interpret=interpret)
        if not interpret:  # the interpreter has side effects, which forbid this
            function = partitioning.by_image(function, **ranks)
        return batching.fold_batch(function)(*arrays)

    return call


_SILHOUETTE = {
    interpret: differentiation.differentiable(
        _on_batches(_optical_depth, interpret, inputs=(4, 1), outputs=(3,)),
        _on_batches(_gradients, interpret, inputs=(4, 1, 3, 3), outputs=(4, 1)),
    )
    for interpret in (False, True)
}


def silhouette_mosaic(
    face_vertices: jax.Array,
    sigma: jax.Array,
    *,
    height: int,
    width: int,
    cutoff: float,
    interpret: bool = False,
) -> jax.Array:
    """Soft silhouettes, equal to `silhouette_reference` in value and gradient.

    For NVIDIA GPUs of compute capability 9.0 or higher. Double precision and empty
    batches are left to `silhouette_xla`.

    Args:
        face_vertices: ``[B, F, 3, 2]`` NDC.
        sigma: ``[B]`` NDC squared.
        height: pixels.
        width: pixels.
        cutoff: squared radius of a face's influence, in units of sigma.
        interpret: run the kernels in Pallas' interpreter, on any device; for tests.

    Returns:
        ``[B, H, W]`` alpha.
    """
    if face_vertices.dtype != jnp.float32 or 0 in face_vertices.shape:
        return silhouette_xla.silhouette_xla(
            face_vertices, sigma, height=height, width=width, cutoff=cutoff
        )
    picture = differentiation.Picture(height, width, cutoff)
    return _SILHOUETTE[interpret](face_vertices, sigma.astype(jnp.float32), picture)
