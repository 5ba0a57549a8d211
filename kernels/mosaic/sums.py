"""Sums in an order of their own, by kernels for Mosaic GPU; as in `ordered_sum`."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import lanes as mosaic_lanes
from jaxsoftras.kernels.mosaic import lanes_interpreted as mosaic_lanes_interpreted


def _kernel(values_ref, total_ref, *, row, lanes):
    image = mosaic_call.place(1).image
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


def over_faces(values: jax.Array, row: int, *, interpret: bool) -> jax.Array:
    """Sums row ``row`` of ``[B, rows, F]`` to ``[B]``."""
    (total,) = mosaic_call.call(
        functools.partial(
            _kernel,
            row=row,
            lanes=mosaic_lanes_interpreted if interpret else mosaic_lanes,
        ),
        values,
        outputs=[(len(values),)],
        grid=(1, len(values)),
        interpret=interpret,
        name="sum_over_faces",
    )
    return total
