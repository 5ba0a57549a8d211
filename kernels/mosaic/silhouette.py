"""The soft silhouette on NVIDIA GPUs, as a pair of Pallas kernels for Mosaic GPU.

Both walk the pixels of each face, as those of `silhouette_triton` do. The forward
kernel adds the face's optical depth to the image in fixed point: such a sum is exact,
and so does not depend on the order in which the GPU adds. The backward kernel sums the
gradient of a face in registers and writes it once. docs/kernels.md tells why.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import faces as mosaic_faces
from jaxsoftras.kernels.mosaic import fixed_point as mosaic_fixed_point
from jaxsoftras.kernels.mosaic import lanes as mosaic_lanes
from jaxsoftras.kernels.mosaic import lanes_interpreted as mosaic_lanes_interpreted
from jaxsoftras.kernels.mosaic import sums as mosaic_sum
from jaxsoftras.kernels.mosaic import walk as mosaic_walk
from jaxsoftras.kernels.pallas import differentiation
from jaxsoftras.kernels.pallas import silhouette as silhouette_pallas

# lanes that walk a face; docs/kernels.md has the timings of others
_DEPTH_GROUP = 8
_GRADIENT_GROUP = 4
# Pixels of an image; in smaller ones, sorting faces takes as long as it saves.
_SORTED_FROM = 128 * 128

# Beyond an optical depth of 104, alpha is 1 and its derivative 0 in single precision.
_DEEPEST = 104.0


def _depth_kernel(
    corners_ref, boxes_ref, order_ref, sigma_ref, depth_ref, *, picture, plan
):
    faces = mosaic_faces.Faces(corners_ref, boxes_ref, order_ref)
    place = mosaic_call.place(plan.blocks)
    sigma = mosaic_walk.spread(sigma_ref, place.image, plan.lanes)
    unit = mosaic_fixed_point.depth_unit(plan.faces)

    def of_pair(pixels: mosaic_walk.Pixels, triangle: pairs.Triangle, sigma):
        signed = geometry.nearest(pixels.x, pixels.y, triangle.corners).signed
        z = signed * (1 / sigma)
        # -log(1 - sigmoid), the softplus
        depth = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
        counts = pixels.inside & (signed > -sigma * picture.cutoff)
        return jnp.minimum(depth, _DEEPEST) * (1 / unit), counts

    def visit(_face, _due, triangle, walk, _group):
        def add(state, pixels: mosaic_walk.Pixels):
            units, counts = plan.lanes.each(of_pair, pixels, triangle, sigma)
            plan.lanes.add(depth_ref.at[place.image], pixels.place, units, counts)
            return state

        walk(add, ())

    mosaic_walk.each_face(visit, faces, picture, plan, place)


def _gradient_kernel(
    corners_ref,
    boxes_ref,
    order_ref,
    sigma_ref,
    weight_ref,
    gradient_ref,
    *,
    picture,
    plan,
):
    faces = mosaic_faces.Faces(corners_ref, boxes_ref, order_ref)
    place = mosaic_call.place(plan.blocks)
    lanes = plan.lanes
    sigma = mosaic_walk.spread(sigma_ref, place.image, lanes)

    def add_pair(sums, pixels: mosaic_walk.Pixels, weight, triangle, sigma):
        near = geometry.nearest(pixels.x, pixels.y, triangle.corners)
        z = near.signed * (1 / sigma)
        share = weight * jax.nn.sigmoid(z)
        by_z = jnp.where(near.signed > -sigma * picture.cutoff, share, 0)
        pull = jnp.where(near.signed > 0, -by_z, by_z)
        x, y = pull * near.x, pull * near.y
        terms = [w * p for w in near.weights for p in (x, y)] + [by_z * z]
        return [total + term for total, term in zip(sums, terms, strict=True)]

    def visit(face, due, triangle, walk, group):
        def add(sums, pixels: mosaic_walk.Pixels):
            weight = lanes.load(weight_ref.at[place.image], pixels.place)
            return lanes.each(add_pair, sums, pixels, weight, triangle, sigma)

        sums = walk(add, [mosaic_walk.constant(0, lanes)] * 7)
        *by_corner, by_sigma = (
            mosaic_walk.sum_of_group(total, group, lanes) for total in sums
        )
        inverse = 1 / sigma
        rows = [total * (2 * inverse) for total in by_corner] + [by_sigma * -inverse]
        writes = due & ((lanes.number() & (group - 1)) == 0)
        lanes.store(gradient_ref.at[place.part, place.image], face, rows, writes)

    mosaic_walk.each_face(visit, faces, picture, plan, place)


def _lanes(interpret: bool):
    return mosaic_lanes_interpreted if interpret else mosaic_lanes


def _prepare(face_vertices, sigma, picture: differentiation.Picture):
    margin = jnp.sqrt(sigma * picture.cutoff)
    sort = picture.height * picture.width >= _SORTED_FROM
    return mosaic_faces.prepare(face_vertices, margin, picture, sort=sort)


def _optical_depth(
    face_vertices, sigma, *, picture: differentiation.Picture, interpret: bool
):
    batch, faces = face_vertices.shape[:2]
    height, width, _ = picture
    plan = mosaic_walk.plan(faces, picture, _DEPTH_GROUP, _lanes(interpret))
    (words,) = mosaic_call.call(
        functools.partial(_depth_kernel, picture=picture, plan=plan),
        *_prepare(face_vertices, sigma, picture),
        sigma,
        changing=[mosaic_fixed_point.words(batch, height * width)],
        grid=(plan.parts, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_depth",
    )
    depth = mosaic_fixed_point.floats(words, mosaic_fixed_point.depth_unit(faces))
    return depth.reshape(batch, height, width)


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
    plan = mosaic_walk.plan(faces, picture, _GRADIENT_GROUP, _lanes(interpret))
    weight = cotangent * jnp.exp(-depth)
    (gradients,) = mosaic_call.call(
        functools.partial(_gradient_kernel, picture=picture, plan=plan),
        *_prepare(face_vertices, sigma, picture),
        sigma,
        weight.reshape(batch, -1),
        outputs=[(plan.parts, batch, 7, faces)],
        grid=(plan.parts, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_gradient",
    )
    gradients = mosaic_walk.sum_parts(gradients)
    by_corner = jnp.swapaxes(gradients[:, :6], 1, 2).reshape(face_vertices.shape)
    # by a kernel, as XLA may choose its order by the batch
    by_sigma = mosaic_sum.over_faces(gradients, 6, interpret=interpret)
    return by_corner, by_sigma


_draw = silhouette_pallas.of_kernels(_optical_depth, _gradients, effects=True)


def silhouette_mosaic(
    face_vertices: jax.Array, sigma: jax.Array, **options
) -> jax.Array:
    """`silhouette_pallas.of_kernels`, for GPUs of compute capability 9.0 or higher."""
    return _draw(face_vertices, sigma, **options)
