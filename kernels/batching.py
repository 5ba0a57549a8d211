"""Batching rules for kernels that take a batch axis already."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def fold_batch(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Makes ``jax.vmap`` of a kernel one call with a larger batch.

    Without this, a vmapped loop of data-dependent length runs every image as long as
    the longest one, and copies its whole state in each step.

    Args:
        kernel: takes arrays ``[B, ...]`` and returns an array, or a tuple of arrays,
            ``[B, ...]``, each image independent of the others.

    Returns:
        The same function with its own batching rule.
    """
    batched = jax.custom_batching.custom_vmap(kernel)

    @batched.def_vmap
    def _(axis_size, in_batched, *args):
        merged = []
        for is_batched, arg in zip(in_batched, args, strict=True):
            if not is_batched:
                arg = jnp.broadcast_to(arg, (axis_size, *arg.shape))
            merged.append(arg.reshape(-1, *arg.shape[2:]))
        out = batched(*merged)

        def split(x):
            return x.reshape(axis_size, -1, *x.shape[1:])

        return jax.tree.map(split, out), jax.tree.map(lambda _: True, out)

    return functools.wraps(kernel)(lambda *args: batched(*args))
