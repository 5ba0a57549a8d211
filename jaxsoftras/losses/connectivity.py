"""Edges of a topology that is known when a loss is traced, or of one that is not.

Padding, and faces that list a vertex twice, have no edges.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsoftras import topology


class Edges(NamedTuple):
    """Edges of a topology.

    Attributes:
        vertices: ``[E, 2]`` or ``[E, 4]`` vertex indices, as from the functions of the
            same names in `jaxsoftras.topology`; a numpy array for a known topology.
        exists: ``[E]`` whether an edge is one, or None if all are. If the topology
            is not known, E is its bound 3 F. Edges that are none have the indices 0.
    """

    vertices: jax.Array | np.ndarray
    exists: jax.Array | np.ndarray | None


def _as_known(vertices: np.ndarray) -> Edges:
    if len(vertices):
        return Edges(vertices, None)
    return Edges(np.zeros((1, vertices.shape[1]), int), np.zeros(1, bool))


def _is_face(faces):
    a, b, c = (faces[:, k] for k in range(3))
    return (a >= 0) & (a != b) & (b != c) & (c != a)


def _sorted_sides(faces: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Ends of the sides of all faces and the opposite corners, each ``[3 F]``.

    They are sorted; the sides of faces that do not exist are the last, with the largest
    possible index.
    """
    missing = np.int32(np.iinfo(np.int32).max)
    corners = jnp.where(_is_face(faces)[:, None], faces.astype(jnp.int32), missing)
    a, b, c = (corners[:, k] for k in range(3))
    first, second = jnp.concatenate([a, b, c]), jnp.concatenate([b, c, a])
    low, high = jnp.minimum(first, second), jnp.maximum(first, second)
    low, high, opposite = lax.sort((low, high, jnp.concatenate([c, a, b])), num_keys=3)
    return low, high, opposite


def _equals_next(low: jax.Array, high: jax.Array, steps: int) -> jax.Array:
    """Whether a side is the same edge as the one that many places on."""
    low, high = (jnp.pad(x, (0, steps), constant_values=-1) for x in (low, high))
    count = len(low) - steps
    return (low[:count] == low[steps:]) & (high[:count] == high[steps:])


def edges(faces: jax.Array | np.ndarray) -> Edges:
    """Distinct edges of a topology ``[F, 3]``: `topology.edges`."""
    if isinstance(faces, np.ndarray):
        return _as_known(topology.edges(faces[_is_face(faces)]))
    low, high, _ = _sorted_sides(faces)
    last = ~_equals_next(low, high, 1)
    exists = last & (low < np.iinfo(np.int32).max)
    return Edges(jnp.where(exists[:, None], jnp.stack([low, high], -1), 0), exists)


def interior_edges(faces: jax.Array | np.ndarray) -> Edges:
    """Edges that exactly two faces share: `topology.interior_edges`."""
    if isinstance(faces, np.ndarray):
        return _as_known(topology.interior_edges(faces[_is_face(faces)]))
    low, high, opposite = _sorted_sides(faces)
    pair, triple = (_equals_next(low, high, steps) for steps in (1, 2))
    first = ~jnp.pad(pair, (1, 0))[:-1]
    exists = first & pair & ~triple & (low < np.iinfo(np.int32).max)
    other = jnp.pad(opposite, (0, 1))[1:]
    vertices = jnp.stack([low, high, opposite, other], axis=-1)
    return Edges(jnp.where(exists[:, None], vertices, 0), exists)
