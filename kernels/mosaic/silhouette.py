"""The alpha of Soft Rasterizer and its gradient, as a pair of Mosaic kernels.

Both walk the pixels of each face (`walk`). The forward kernel adds the face's optical
depth to the image in fixed point: such a sum is exact, and so does not depend on the
order in which the GPU adds. The backward kernel sums the gradient of a face in
registers and writes it once. They know one formula, `RasterOptions.soft_silhouette`,
for which the general kernels of `blend` take 6 to 16 % longer, forward and backward
(docs/kernels-log.md).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxsoftras import geometry
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import faces as prepared
from jaxsoftras.kernels.mosaic import fixed_point as exact
from jaxsoftras.kernels.mosaic import lanes_interpreted
from jaxsoftras.kernels.mosaic import walk as walks
from jaxsoftras.kernels.pallas import fixed_point
from jaxsoftras.kernels.scene import Task

# lanes that walk a face; docs/kernels-log.md has timings of others
_DEPTH_LANES = 8
_GRADIENT_LANES = 4
# Pixels of an image; in smaller ones, sorting faces takes as long as it saves.
_SORTED_FROM = 128 * 128

# Beyond an optical depth of 104, alpha is 1 and its derivative 0 in single precision.
_DEEPEST = 104.0


def _depth_kernel(
    corners_ref,
    boxes_ref,
    order_ref,
    sigma_ref,
    depth_ref,
    *,
    task: Task,
    plan: walks.Plan,
):
    faces = prepared.PreparedFaces(corners_ref, boxes_ref, order_ref)
    program = mosaic_call.program_id(plan.blocks)
    sigma = walks.broadcast(sigma_ref, program.image, plan.lanes)
    quantum = exact.choose_depth_quantum(plan.faces)

    def evaluate_pair(pixels: walks.LanePixels, triangle: pairs.Triangle, sigma):
        signed = geometry.nearest(pixels.x, pixels.y, triangle.corners).signed
        z = signed * (1 / sigma)
        # -log(1 - sigmoid), the softplus
        depth = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
        counts = pixels.inside & (signed > -sigma * task.options.cutoff)
        return jnp.minimum(depth, _DEEPEST) * (1 / quantum), counts

    def visit(_face, _writes, triangle, walk, _lanes):
        def add(state, pixels: walks.LanePixels):
            quanta, counts = plan.lanes.map_elementwise(
                evaluate_pair, pixels, triangle, sigma
            )
            plan.lanes.add(depth_ref.at[program.image], pixels.place, quanta, counts)
            return state

        walk(add, ())

    walks.each_face(visit, faces, task, plan, program)


def _gradient_kernel(
    corners_ref,
    boxes_ref,
    order_ref,
    sigma_ref,
    weight_ref,
    gradient_ref,
    *,
    task: Task,
    plan: walks.Plan,
):
    faces = prepared.PreparedFaces(corners_ref, boxes_ref, order_ref)
    program = mosaic_call.program_id(plan.blocks)
    lanes = plan.lanes
    sigma = walks.broadcast(sigma_ref, program.image, lanes)

    def add_pair(sums, pixels: walks.LanePixels, weight, triangle, sigma):
        near = geometry.nearest(pixels.x, pixels.y, triangle.corners)
        z = near.signed * (1 / sigma)
        weighted = weight * jax.nn.sigmoid(z)
        by_z = jnp.where(near.signed > -sigma * task.options.cutoff, weighted, 0)
        pull = jnp.where(near.signed > 0, -by_z, by_z)
        x, y = pull * near.x, pull * near.y
        terms = [w * p for w in near.weights for p in (x, y)] + [by_z * z]
        return [total + term for total, term in zip(sums, terms, strict=True)]

    def visit(face, writes, triangle, walk, lanes_per_face):
        def add(sums, pixels: walks.LanePixels):
            weight = lanes.load(weight_ref.at[program.image], pixels.place)
            return lanes.map_elementwise(
                add_pair, sums, pixels, weight, triangle, sigma
            )

        sums = walk(add, [walks.constant(0, lanes)] * 7)
        *by_corner, by_sigma = (
            walks.sum_lanes(total, lanes_per_face, lanes) for total in sums
        )
        inverse = 1 / sigma
        rows = [total * (2 * inverse) for total in by_corner] + [by_sigma * -inverse]
        first = (lanes.lane_id() & (lanes_per_face - 1)) == 0
        ref = gradient_ref.at[program.split, program.image]
        lanes.store(ref, face, rows, writes & first)

    walks.each_face(visit, faces, task, plan, program)


def _prepare(corners: jax.Array, sigma: jax.Array, task: Task):
    margin = task.options.margin(sigma)
    sort = task.height * task.width >= _SORTED_FROM
    return prepared.prepare(corners, margin, task, sort=sort)


def optical_depth(
    corners: jax.Array, sigma: jax.Array, task: Task, *, interpret: bool
) -> jax.Array:
    """Sums ``-log prod_j (1 - D_j)``; see `backend.Backend.silhouette`."""
    batch, faces = corners.shape[:2]
    plan = walks.make_plan(
        faces, task, _DEPTH_LANES, lanes_interpreted.choose_lanes(interpret)
    )
    (words,) = mosaic_call.call(
        functools.partial(_depth_kernel, task=task, plan=plan),
        *_prepare(corners, sigma, task),
        sigma,
        accumulators=[exact.int64_full(batch, task.height * task.width)],
        grid=(plan.splits, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_depth",
    )
    depth = exact.to_float32(words, exact.choose_depth_quantum(faces))
    return depth.reshape(batch, task.height, task.width)


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
    plan = walks.make_plan(
        faces, task, _GRADIENT_LANES, lanes_interpreted.choose_lanes(interpret)
    )
    (gradients,) = mosaic_call.call(
        functools.partial(_gradient_kernel, task=task, plan=plan),
        *_prepare(corners, sigma, task),
        sigma,
        cotangent.reshape(batch, -1),
        outputs=[(plan.splits, batch, 7, faces)],
        grid=(plan.splits, batch * plan.blocks),
        interpret=interpret,
        name="silhouette_gradient",
    )
    gradients = fixed_point.tree_sum(gradients, axis=0)
    by_corner = jnp.swapaxes(gradients[:, :6], 1, 2).reshape(corners.shape)
    return by_corner, fixed_point.tree_sum(gradients[:, 6], axis=1)
