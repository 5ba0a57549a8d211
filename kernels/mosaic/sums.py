"""Sums over faces in a fixed order; XLA's order may depend on the size of a batch."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import lanes_interpreted
from jaxsoftras.kernels.mosaic.lanes import LANES, Lanes


def _kernel(values_ref, total_ref, *, row: int, lanes: Lanes):
    image = mosaic_call.program_id(1).image
    count = values_ref.shape[-1]
    lane = lanes.lane_id()

    def add(_, carry):
        place, total = carry
        value = lanes.load(values_ref.at[image, row], jnp.minimum(place, count - 1))
        return place + LANES, total + value

    steps = lax.div(count - lane + (LANES - 1), LANES)
    zero = jnp.zeros((LANES,), jnp.float32)
    _, total = lanes.lane_loop(steps, add, (lane, zero))
    total_ref[image] = jnp.sum(total)


def sum_faces(values: jax.Array, row: int, *, interpret: bool) -> jax.Array:
    """Sums row ``row`` of ``[B, rows, F]`` to ``[B]`` by a kernel."""
    lanes = lanes_interpreted.choose_lanes(interpret)
    (total,) = mosaic_call.call(
        functools.partial(_kernel, row=row, lanes=lanes),
        values,
        outputs=[(len(values),)],
        grid=(1, len(values)),
        interpret=interpret,
        name="sum_faces",
    )
    return total
