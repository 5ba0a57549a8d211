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
    other, first = _permute(array, axes), jax.lax.axis_index(tuple(axes)) == 0
    order = (first, array, other), (first, other, array)
    return _mark_common(jnp.concatenate([jnp.where(*each) for each in order]), axes)


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
    count = jax.lax.axis_size(axis)
    if count != 2:
        parts = jnp.stack(jnp.split(features, count, axis=-1))
        parts = jax.lax.all_to_all(parts, axis, 0, 0)
        cotangents = jax.lax.all_gather(cotangent, axis, tiled=True)
        return parts.reshape(-1, parts.shape[-1]), cotangents
    width, own = features.shape[-1] // 2, jax.lax.axis_index(axis)

    def columns(device: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(features, device * width, width, -1)

    collected = columns(own), _permute(columns(1 - own), [axis])
    cotangents = cotangent, _permute(cotangent, [axis])
    return jnp.concatenate(collected), jnp.concatenate(cotangents)


def assemble(array: jax.Array, part: jax.Array, axis: str) -> jax.Array:
    """Assembles an array of parts along its first axis, one of each device.

    Args:
        array: ``[n R, ...]``, the array as it was, whose memory is used again.
        part: ``[R, ...]``, a device's own.
        axis: an axis of the devices.
    """
    if jax.lax.axis_size(axis) != 2:
        return jax.lax.all_gather(part, axis, tiled=True, to="invarying")
    own, rows = jax.lax.axis_index(axis), len(part)
    for device, rows_of in ((own, part), (1 - own, _permute(part, [axis]))):
        array = jax.lax.dynamic_update_slice_in_dim(array, rows_of, device * rows, 0)
    return _mark_common(array, [axis])


@functools.cache
def compiler_options(devices: Mesh) -> dict[str, str]:
    """`COPY_ENGINES` for two GPUs of a process; empty where they cannot be used.

    Whether they can is tried: GPUs of a host need not have access to each other.

    Args:
        devices: the devices of a program.
    """
    found = list(devices.devices.flat)
    alone = all(device.process_index == jax.process_index() for device in found)
    if len(found) != 2 or found[0].platform != "gpu" or not alone:
        return {}
    axes = devices.axis_names
    permuted = jax.shard_map(
        lambda x: _permute(x, axes), mesh=devices, in_specs=P(axes), out_specs=P(axes)
    )
    try:
        swapped = jax.jit(permuted, compiler_options=COPY_ENGINES)(jnp.arange(2))
        return COPY_ENGINES if np.array_equal(swapped, [1, 0]) else {}
    except (jax.errors.JaxRuntimeError, ValueError):
        return {}


def _permute(array: jax.Array, axes: Axes) -> jax.Array:
    """Sends an array to the other one of two devices, and returns what it sends."""
    return jax.lax.ppermute(array, tuple(axes), [(0, 1), (1, 0)])


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


def _mark_common(array: jax.Array, axes: Axes) -> jax.Array:
    """Marks an array of which every device along some axes has the same numbers."""
    return _common.bind(array, axes=tuple(axes))
