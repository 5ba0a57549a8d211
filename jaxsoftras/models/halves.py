"""Kernels in halves, as two devices have them from step to step.

Of a kernel whose gradient two devices divide, each updates one half and is sent the
other; see `jaxsoftras.models.division`. Were the halves one array, both would be
written to it in each step, which takes as long as reading the kernel twice. A program
therefore splits the kernels of a state before its first step, and joins them after its
last one.

Functions of pytrees take `is_halved` to find halves among leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeGuard

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxsoftras.models import division, exchanges


class Halves(NamedTuple):
    """A kernel of which each of two devices along ``"model"`` updates one half.

    Attributes:
        own: ``[C, D]``, divided along its first axis: the half that a device updates.
        other: ``[C, D]``, divided likewise: the half that the other one updates.
    """

    own: jax.Array
    other: jax.Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the kernel."""
        return self.own.shape


def is_halved(leaf: Any) -> TypeGuard[Halves]:
    """Whether a leaf of a pytree is a kernel in halves."""
    return isinstance(leaf, Halves)


def split(state: Any, mesh: Mesh) -> Any:
    """Splits the kernels whose gradients two devices divide.

    Args:
        state: a pytree of arrays. Adam's moments, of which a device has its part alone,
            stay as they are, and so do `Halves`.
        mesh: the devices, with the axes ``("data", "model")``. Unless there are two
            along ``"model"``, nothing is split.
    """
    if mesh.shape["model"] != 2:
        return state
    halve = jax.shard_map(
        lambda kernel: Halves(*exchanges.split(kernel, ["model"], 0)),
        mesh=mesh,
        in_specs=P(),
        out_specs=P("model"),
    )

    def convert(path: jax.tree_util.KeyPath, leaf: Any) -> Any:
        if is_halved(leaf) or division.is_moment(path):
            return leaf
        return halve(leaf) if division.is_divided(path, leaf.shape, mesh) else leaf

    return jax.tree.map_with_path(convert, state, is_leaf=is_halved)


def join(state: Any, mesh: Mesh) -> Any:
    """Joins what `split` has split."""

    def join_halves(halves: Halves) -> jax.Array:
        kernel = exchanges.join(halves.own, halves.other, ["model"])
        return exchanges.mark_common(kernel, ["model"])

    joined = jax.shard_map(join_halves, mesh=mesh, in_specs=P("model"), out_specs=P())
    return _replace(state, joined)


def keep_own(state: Any) -> Any:
    """A pytree with the own half of each device in place of `Halves`."""
    return _replace(state, lambda halves: halves.own)


def hold(state: Any) -> Any:
    """Holds `Halves` in memory, for what both devices compute from them.

    The half that a device is sent is what the other one has in memory. Within another
    expression, XLA might compute it anew and round it otherwise.
    """
    return _replace(state, jax.lax.optimization_barrier)


def place(state: Any) -> Any:
    """How a pytree is divided among devices, for `jax.shard_map`."""
    return jax.tree.map(
        lambda leaf: P("model") if is_halved(leaf) else P(), state, is_leaf=is_halved
    )


def make_whole(parameters: Any) -> Any:
    """Parameters as layers have them, within `jax.shard_map`.

    A kernel that is a device's own along ``"model"`` alone has its own half first, as
    `division.multiply` expects.
    """

    def whole(halves: Halves) -> jax.Array:
        if division.varying_axes(halves.own) == {"model"}:
            return jnp.concatenate(halves)
        return exchanges.join(halves.own, halves.other, ["model"])

    return _replace(parameters, whole)


def _replace(state: Any, function: Callable[[Halves], Any]) -> Any:
    """Replaces `Halves` in a pytree by what a function maps them to."""
    return jax.tree.map(
        lambda leaf: function(leaf) if is_halved(leaf) else leaf,
        state,
        is_leaf=is_halved,
    )
