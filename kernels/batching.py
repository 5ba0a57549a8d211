"""Batching rules for kernels that take a batch axis already."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import linear


def _batch_none(kernel: Callable[..., Any], in_batched, args):
    """The batching rule for an axis of size 0."""

    def pick(is_batched, array):
        return jnp.zeros_like(array, shape=array.shape[1:]) if is_batched else array

    out = kernel(*jax.tree.map(pick, tuple(in_batched), args))
    none = jax.tree.map(lambda x: jnp.broadcast_to(x, (1, *x.shape))[:0], out)
    return none, jax.tree.map(lambda _: True, out)


def fold_batch(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Makes ``jax.vmap`` of a kernel one call with a larger batch.

    Without this, a vmapped loop of data-dependent length runs every image as long as
    the longest one, and copies its whole state in each step.

    Args:
        kernel: takes and returns arrays ``[B, ...]``, or pytrees of them, each image
            independent of the others.

    Returns:
        The same function with its own batching rule.
    """
    batched = jax.custom_batching.custom_vmap(kernel)

    @batched.def_vmap
    def _(axis_size, in_batched, *args):
        if axis_size == 0:
            return _batch_none(kernel, in_batched, args)

        def merge(is_batched, array):
            if not is_batched:
                array = jnp.broadcast_to(array, (axis_size, *array.shape))
            return lax.collapse(array, 0, 2)

        out = run(*jax.tree.map(merge, tuple(in_batched), args))

        def split(x):
            return x.reshape(axis_size, len(x) // axis_size, *x.shape[1:])

        return jax.tree.map(split, out), jax.tree.map(lambda _: True, out)

    # the derivative is a kernel with a batching rule too
    @jax.custom_jvp
    def run(*args):
        return batched(*args)

    @run.defjvp
    def _(primals, tangents):
        def along(primals, tangents):
            return jax.jvp(kernel, primals, tangents)[1]

        # apart: the value does not depend on a batch of tangents
        value = run(*primals)
        return value, linear.call(
            fold_batch(along), linear.refuse, primals, tangents, like=value
        )

    return functools.wraps(kernel)(lambda *args: run(*args))
