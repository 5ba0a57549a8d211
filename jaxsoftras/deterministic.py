"""Gathers and segment sums whose results do not vary from run to run.

JAX differentiates a gather to a scatter-add, which a GPU carries out with atomic
additions: their order, and with it the rounding of the sum, changes from run to run.
The functions here sum in an order that depends on the index alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras import linear

_WIDTH = 8  # values summed at a time; the corners of most meshes meet in 5 to 7 faces


@jax.jit
def add_in_order(total: jax.Array, index: jax.Array, values: jax.Array) -> jax.Array:
    """Adds values to rows of an array, as ``total.at[index].add(values)`` does.

    Values for one row are first summed, in an order that depends on their position;
    each row is then written once.

    Args:
        total: ``[N, ...]``.
        index: ``[K]`` int32, equal indices next to each other; indices past the end of
            ``total`` are dropped.
        values: ``[K, ...]``.

    Returns:
        ``[N, ...]``.
    """
    change = index[1:] != index[:-1]
    begins = jnp.concatenate([jnp.ones_like(index[:1], bool), change])
    ends = jnp.concatenate([change, jnp.ones_like(index[:1], bool)])

    def combine(left, right):
        left_begins, left_sum = left
        right_begins, right_sum = right
        return left_begins | right_begins, jnp.where(
            right_begins, right_sum, left_sum + right_sum
        )

    flags = begins.reshape(-1, *[1] * (values.ndim - 1))
    _, sums = lax.associative_scan(combine, (flags, values))
    unused = total.shape[0] + jnp.arange(index.shape[0], dtype=index.dtype)
    row = jnp.where(ends, index, unused)
    return total.at[row].add(sums, mode="drop", unique_indices=True)


def _sum_known(values: jax.Array, index: np.ndarray, size: int) -> jax.Array:
    """Computes `segment_sum` for an index known when tracing, by a few gathers."""
    order = np.argsort(index, kind="stable")
    count = np.bincount(index, minlength=size)
    width = min(max(count.max(initial=1), 1), _WIDTH)
    rows = np.maximum(-(-count // width), 1)  # table rows for each segment
    segment = np.repeat(np.arange(size), rows)
    first_row = np.cumsum(rows) - rows
    rank = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    table = np.full((len(segment), width), len(index))  # past the end: zero
    table[first_row[index[order]] + rank // width, rank % width] = order
    sums = jnp.sum(values.at[..., table, :].get(mode="fill", fill_value=0), axis=-2)
    return sums if len(segment) == size else _sum_known(sums, segment, size)


def _sum_segments(
    values: jax.Array, index: jax.Array | np.ndarray, size: int
) -> jax.Array:
    *batch, count, channels = values.shape
    if count == 0:
        return jnp.zeros_like(values, shape=(*batch, size, channels))
    if isinstance(index, np.ndarray):
        return _sum_known(values, index, size)
    order = jnp.argsort(index, stable=True)
    rows = jnp.moveaxis(values, -2, 0)[order]
    zeros = jnp.zeros_like(rows, shape=(size, *rows.shape[1:]))
    return jnp.moveaxis(add_in_order(zeros, index[order], rows), 0, -2)


def _linear(forward, transposed, values: jax.Array, index) -> jax.Array:
    """Calls ``forward(values, index)``, which is linear, with the given transpose."""
    # `jax.jit` would trace an index known when tracing
    traced = () if isinstance(index, np.ndarray) else (index,)

    def along(traced, values):
        return forward(values, *(traced or (index,)))

    def back(traced, cotangent):
        return transposed(cotangent, *(traced or (index,)))

    @jax.custom_jvp
    def run(traced, values):
        return along(traced, values)

    @run.defjvp
    def _(primals, tangents):
        result = run(*primals)
        return result, linear.call(along, back, primals[0], tangents[1], like=result)

    return run(traced, jnp.asarray(values))


def segment_sum(
    values: jax.Array, index: jax.Array | np.ndarray, size: int
) -> jax.Array:
    """Sums the values of equal index.

    Args:
        values: ``[..., M, C]``.
        index: ``[M]`` integers from 0 to ``size - 1``; fastest as a numpy array.
        size: number of sums.

    Returns:
        ``[..., size, C]``.
    """
    return _linear(
        lambda values, index: _sum_segments(values, index, size),
        lambda cotangent, index: cotangent[..., index, :],
        values,
        index,
    )


def take(values: jax.Array, index: jax.Array | np.ndarray) -> jax.Array:
    """Gathers rows: ``values[..., index, :]``.

    Args:
        values: ``[..., N, C]``.
        index: ``[...]`` integers from 0 to ``N - 1``, of any shape; fastest as a numpy
            array.

    Returns:
        ``[..., *index.shape, C]``.
    """
    size, axes = values.shape[-2], values.ndim - 2

    def transposed(cotangent, index):
        batch, channels = cotangent.shape[:axes], cotangent.shape[-1]
        flat = cotangent.reshape(*batch, index.size, channels)
        # XLA would compute the sums again in whatever uses them; on a GPU, by the few
        # threads of a sum over all vertices
        return lax.optimization_barrier(_sum_segments(flat, index.reshape(-1), size))

    return _linear(
        lambda values, index: values[..., index, :], transposed, values, index
    )
