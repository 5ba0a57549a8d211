"""Gathers, and sums over equal indices, whose results do not vary from run to run.

JAX differentiates a gather to a scatter-add, which a GPU carries out with atomic
additions: their order, and so the rounding of the sum, changes from run to run. The
functions here sum in an order fixed by the index alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_WIDTH = 8  # values summed at a time; the corners of most meshes meet in 5 to 7 faces


def add_in_order(total: jax.Array, index: jax.Array, values: jax.Array) -> jax.Array:
    """Adds values to places of an array, as ``total.at[index].add(values)`` does.

    Values for one place are first summed, in an order fixed by their position; each
    place is then written once.

    Args:
        total: ``[N, ...]``.
        index: ``[K]`` int32, equal indices next to each other; those past the end of
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
    place = jnp.where(ends, index, unused)
    return total.at[place].add(sums, mode="drop", unique_indices=True)


def _sum_known(values: jax.Array, index: np.ndarray, size: int) -> jax.Array:
    """`segment_sum` for an index known when tracing: a few gathers."""
    order = np.argsort(index, kind="stable")
    count = np.bincount(index, minlength=size)
    width = min(max(count.max(initial=1), 1), _WIDTH)
    rows = np.maximum(-(-count // width), 1)  # of the table, for each place
    place = np.repeat(np.arange(size), rows)
    first_row = np.cumsum(rows) - rows
    rank = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    table = np.full((len(place), width), len(index))  # past the end: nothing
    table[first_row[index[order]] + rank // width, rank % width] = order
    sums = jnp.sum(values.at[..., table, :].get(mode="fill", fill_value=0), axis=-2)
    return sums if len(place) == size else _sum_known(sums, place, size)


def _sums(values: jax.Array, index: jax.Array | np.ndarray, size: int) -> jax.Array:
    if isinstance(index, np.ndarray):
        return _sum_known(values, index, size)
    order = jnp.argsort(index, stable=True)
    rows = jnp.moveaxis(values, -2, 0)[order]
    zeros = jnp.zeros_like(rows, shape=(size, *rows.shape[1:]))
    return jnp.moveaxis(add_in_order(zeros, index[order], rows), 0, -2)


def _linear(forward, transposed, values: jax.Array, index) -> jax.Array:
    """``forward(values, index)``, which is linear, with the given transpose.

    The rules call the plain functions, which JAX differentiates forwards: so does
    `jax.jvp` of `jax.grad`, a Hessian-vector product.
    """
    # a rule may close over what is known when tracing, but not over what is traced
    traced = () if isinstance(index, np.ndarray) else (index,)

    @jax.custom_vjp
    def call(values, *traced):
        return forward(values, *(traced or (index,)))

    def call_forward(values, *traced):
        return forward(values, *(traced or (index,))), traced

    def call_backward(traced, cotangent):
        by_values = transposed(cotangent, *(traced or (index,)))
        return (by_values, *(None for _ in traced))

    call.defvjp(call_forward, call_backward)
    return call(jnp.asarray(values), *traced)


def segment_sum(
    values: jax.Array, index: jax.Array | np.ndarray, size: int
) -> jax.Array:
    """Sums of the values of equal index.

    Args:
        values: ``[..., M, C]``.
        index: ``[M]`` from 0 to ``size - 1``; fastest as a numpy array.
        size: number of sums.

    Returns:
        ``[..., size, C]``.
    """
    return _linear(
        lambda values, index: _sums(values, index, size),
        lambda cotangent, index: cotangent[..., index, :],
        values,
        index,
    )


def take(values: jax.Array, index: jax.Array | np.ndarray) -> jax.Array:
    """Picks rows: ``values[..., index, :]``.

    Args:
        values: ``[..., N, C]``.
        index: ``[...]`` integers from 0 to ``N - 1``, of any shape; fastest as a numpy
            array.

    Returns:
        ``[..., *index.shape, C]``.
    """
    size, axes = values.shape[-2], values.ndim - 2

    def transposed(cotangent, index):
        flat = cotangent.reshape(*cotangent.shape[:axes], -1, cotangent.shape[-1])
        return _sums(flat, index.reshape(-1), size)

    return _linear(
        lambda values, index: values[..., index, :], transposed, values, index
    )
