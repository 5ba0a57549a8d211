"""Exchanges between devices within `jax.shard_map`, along one of its axes or several.

Two devices permute arrays. On GPUs of one process, copy engines do that, if they are
asked to by `compiler_options`, and take no processors from the kernels beside which
they copy. More devices would have to permute as often as there are others: they gather
in a single exchange, which is NCCL's on GPUs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import mlir
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

Axes = Sequence[str]
"""Names of axes of the devices."""

COPY_ENGINES = {"xla_gpu_collective_permute_mode": "COLLECTIVES_PEER_MEMORY"}
"""Options of `jax.jit` by which copy engines permute arrays of GPUs."""


def gather(array: jax.Array, axes: Axes) -> jax.Array:
    """Gathers what each device has: ``[n N, ...]`` of n times ``[N, ...]``.

    Args:
        array: ``[N, ...]``, each device's own.
        axes: axes of the devices.

    Returns:
        In the order of the devices, and of a type that says that all have the same.
    """
    if not _are_two(axes):
        return jax.lax.all_gather(array, tuple(axes), tiled=True, to="invarying")
    return mark_common(join(array, permute(array, axes), axes), axes)


def permute(array: jax.Array, axes: Axes) -> jax.Array:
    """Sends an array to the other one of two devices, and returns what it sends."""
    return jax.lax.ppermute(array, tuple(axes), [(0, 1), (1, 0)])


def split(array: jax.Array, axes: Axes, along: int = -1) -> tuple[jax.Array, jax.Array]:
    """Splits an array into halves, one of each of two devices.

    Args:
        array: the first one of the devices has its first half.
        axes: axes of the devices.
        along: the axis of the array that is split.

    Returns:
        A device's own half, and that of the other.
    """
    first = jax.lax.axis_index(tuple(axes)) == 0
    left, right = jnp.split(array, 2, axis=along)
    return jnp.where(first, left, right), jnp.where(first, right, left)


def join(own: jax.Array, other: jax.Array, axes: Axes) -> jax.Array:
    """Joins halves, one of each of two devices, along their first axis."""
    first = jax.lax.axis_index(tuple(axes)) == 0
    halves = jnp.where(first, own, other), jnp.where(first, other, own)
    return jnp.concatenate(halves)


def collect(
    features: jax.Array, cotangent: jax.Array, axis: str
) -> tuple[jax.Array, jax.Array]:
    """Collects a device's columns of the features of all images, and all cotangents.

    Args:
        features: ``[N, C]``, of the images of each device. C divides by their number n.
        cotangent: ``[N, D]``.
        axis: an axis of the devices.

    Returns:
        ``[n N, C / n]`` and ``[n N, D]``, whose images have the same order.
    """
    if _are_two([axis]):
        own, others = split(features, [axis])
        collected = own, permute(others, [axis])
        cotangents = cotangent, permute(cotangent, [axis])
        return jnp.concatenate(collected), jnp.concatenate(cotangents)
    parts = jnp.stack(jnp.split(features, jax.lax.axis_size(axis), axis=-1))
    parts = jax.lax.all_to_all(parts, axis, 0, 0)
    cotangents = jax.lax.all_gather(cotangent, axis, tiled=True)
    return parts.reshape(-1, parts.shape[-1]), cotangents


@functools.cache
def compiler_options(devices: Mesh) -> dict[str, str]:
    """`COPY_ENGINES` for two GPUs of a process, if they work.

    Whether they do is tried: GPUs of a host need not have access to each other.

    Args:
        devices: the devices of a program.
    """
    found = list(devices.devices.flat)
    alone = all(device.process_index == jax.process_index() for device in found)
    if len(found) != 2 or found[0].platform != "gpu" or not alone:
        return {}
    axes, numbers = devices.axis_names, np.arange(len(found))
    gathered = jax.shard_map(
        lambda x: gather(x, axes), mesh=devices, in_specs=P(axes), out_specs=P()
    )
    try:
        result = jax.jit(gathered, compiler_options=COPY_ENGINES)(jnp.asarray(numbers))
        # errors of a program that runs are raised where its result is read
        parts = [np.asarray(part.data) for part in result.addressable_shards]
    except (jax.errors.JaxRuntimeError, ValueError):
        return {}
    return COPY_ENGINES if all(np.array_equal(part, numbers) for part in parts) else {}


def _are_two(axes: Axes) -> bool:
    return jax.lax.axis_size(tuple(axes)) == 2


_common = Primitive("mark_common")
"""Identity. `jax.shard_map` knows what devices have in common by how it came about, and
of permuted arrays it cannot know."""


@_common.def_abstract_eval
def _common_type(array, *, axes):
    held = array.manual_axis_type
    return array.update(manual_axis_type=type(held)(varying=held.varying - set(axes)))


mlir.register_lowering(_common, lambda context, array, *, axes: [array])


def mark_common(array: jax.Array, axes: Axes) -> jax.Array:
    """Marks an array of which every device along some axes has the same numbers."""
    return _common.bind(array, axes=tuple(axes))
