"""Sums over faces in a fixed order; XLA's order may depend on the size of a batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.pallas import triton

from jaxsoftras.kernels import partitioning
from jaxsoftras.kernels.triton import call as triton_call

_WIDTH = 1024  # values added at a time


def _kernel(values_ref, total_ref):
    lane = lax.broadcasted_iota(jnp.int32, (_WIDTH,), 0)
    count = values_ref.shape[0]

    def add(step, total):
        place = step * _WIDTH + lane
        inside = place < count
        place = jnp.where(inside, place, 0)
        return total + triton.load(values_ref.at[place], mask=inside, other=0)

    steps = -(-count // _WIDTH)
    total_ref[0] = jnp.sum(lax.fori_loop(0, steps, add, jnp.zeros(_WIDTH, jnp.float32)))


def sum_faces(values: jax.Array, *, interpret: bool) -> jax.Array:
    """Sums ``[B, F]`` to ``[B]`` by a kernel."""
    batch, faces = values.shape
    (total,) = triton_call.call(
        _kernel,
        values,
        threads=_WIDTH,
        grid=(batch,),
        in_specs=[triton_call.whole_image(faces)],
        outputs=[
            (
                partitioning.kernel_output((batch, 1), jnp.float32, values),
                triton_call.whole_image(1),
            )
        ],
        interpret=interpret,
        name="sum_faces",
    )
    return total[:, 0]
