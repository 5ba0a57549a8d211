"""The type of what a kernel returns, within `jax.shard_map` too."""

from __future__ import annotations

import jax


def output(shape: tuple[int, ...], dtype, like: jax.Array) -> jax.ShapeDtypeStruct:
    """An output that varies over the same axes of `jax.shard_map` as an input."""
    kind = jax.typeof(like)
    if hasattr(kind, "manual_axis_type"):  # jax 0.11 and later
        return jax.ShapeDtypeStruct(
            shape, dtype, manual_axis_type=kind.manual_axis_type
        )
    return jax.ShapeDtypeStruct(shape, dtype, vma=kind.vma)
