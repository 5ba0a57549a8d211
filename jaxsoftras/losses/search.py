"""Exhaustive search for the nearest of many targets, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# Targets in a block, and queries that look at it at once: what a CPU's cache holds, and
# enough work for any other device.
_TARGETS = 32
_QUERIES_ON_CPU, _QUERIES = 2048, 16384


def nearest(
    distance: Callable[[Any, Any], jax.Array],
    queries: jax.Array,
    targets: jax.Array,
) -> jax.Array:
    """Finds the target of least distance for each query, of equal ones the first.

    A first pass finds the block of targets that has the least distance; a second one
    looks through that block for the target. Only distances to a block are ever stored.

    Args:
        distance: takes the numbers of queries and the numbers of targets, arrays that
            broadcast, to their distances. Infinite distances are never the least.
        queries: ``[B, N, Q]``, Q numbers each.
        targets: ``[B, M, T]``, T numbers each, M > 0.

    Returns:
        ``[B, N]`` int32 indices, without derivatives; of no meaning where no distance
        is a finite number.
    """
    queries, targets = lax.stop_gradient((queries, targets))
    batch, count, _ = queries.shape
    number = targets.shape[1]
    most = _QUERIES_ON_CPU if jax.default_backend() == "cpu" else _QUERIES
    rows, columns = max(min(count, most), 1), min(number, _TARGETS)
    parts, steps = -(-count // rows), -(-number // columns)
    # each number of consecutive queries or targets is contiguous
    queries = jnp.pad(queries, [(0, 0), (0, parts * rows - count), (0, 0)])
    queries, targets = jnp.moveaxis(queries, -1, 1), jnp.moveaxis(targets, -1, 1)

    def search(item):
        mesh, part, first = item // parts, item % parts, jnp.zeros_like(item)
        sizes = (1, queries.shape[1], rows)
        query = lax.dynamic_slice(queries, (mesh, first, part * rows), sizes)[0]
        query = query[:, None]  # [Q, 1, rows]

        def start_of(step):
            """First target of a block; the last block overlaps the one before it."""
            return jnp.minimum(step * columns, number - columns)

        def look(step, best):
            step, (least, where) = step.astype(jnp.int32), best
            sizes = (1, targets.shape[1], columns)
            block = lax.dynamic_slice(targets, (mesh, first, start_of(step)), sizes)[0]
            found = jnp.min(distance(query, block[:, :, None]), axis=0)
            closer = found < least
            return jnp.where(closer, found, least), jnp.where(closer, step, where)

        nothing = jnp.full(rows, jnp.inf, queries.dtype), jnp.zeros(rows, jnp.int32)
        _, step = lax.fori_loop(0, steps, look, nothing)
        start = start_of(step)
        index = start + jnp.arange(columns, dtype=jnp.int32)[:, None]
        block = jnp.moveaxis(targets[mesh, :, index], -1, 0)  # [T, columns, rows]
        return start + jnp.argmin(distance(query, block), axis=0).astype(jnp.int32)

    # small sets are searched several at a time
    items = jnp.arange(batch * parts, dtype=jnp.int32)
    together = min(most // rows, max(batch * parts, 1))
    found = lax.map(search, items, batch_size=together)
    return found.reshape(batch, parts * rows)[:, :count]
