"""Large layers divided among devices, along an axis ``"model"`` of the device mesh.

Device meshes have the axes ``("data", "model")``. Batches are divided along both, so
that every device has images of its own. A kernel of at least ``LARGE`` numbers is
divided along its inputs, if they divide evenly: before the layer, the devices of a row
exchange images for features, each then multiplies its part of the features of all
their images, and the sums go back to where the images are. For the paper's largest
layer, 16,384 x 1,024, two devices and 64 objects on each, a device sends about 9 MiB
in a step, where the sum of whole gradients sends 64 MiB.

Of a kernel that every device has as a whole, each computes the gradient of all images,
from features and cotangents that the devices send each other.

Layers call the functions here wherever they run: on one device, in a program that XLA
divides, or within `jax.shard_map`, where each device has its own images and its parts
of the kernels, and what is of all devices is asked for by name.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

LARGE = 2**22
"""Numbers of a kernel from which on it is divided, 16 MiB in single precision."""

BATCH = P(("data", "model"))
"""How batches are divided, along their first axis."""


def is_divided(shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> bool:
    """Whether a kernel, or a moment of it, is divided along its first axis."""
    parts = mesh.shape.get("model", 1)
    if parts == 1 or len(shape) != 2 or shape[0] % parts:
        return False
    return shape[0] * shape[1] >= LARGE


def place(state: Any, mesh: Mesh) -> Any:
    """Shardings for the arrays of a state, or of the shapes in their place.

    Args:
        state: a pytree of arrays; kernels and moments are recognised by their shapes.
        mesh: the devices, with the axes ``("data", "model")``.
    """

    def choose(path: jax.tree_util.KeyPath, x: Any) -> NamedSharding:
        # tables of features, which are no kernels, are used as a whole
        table = {getattr(entry, "key", None) for entry in path} & {"sites", "position"}
        divided = not table and is_divided(x.shape, mesh)
        return NamedSharding(mesh, P("model") if divided else P())

    return jax.tree.map_with_path(choose, state)


def check(placement: Any, parts: int) -> None:
    """Warns if devices are set apart to divide layers, and no layer is divided.

    Args:
        placement: shardings of a state; see `place`.
        parts: number of devices that are to divide a layer.
    """
    shardings = jax.tree.leaves(placement)
    if parts > 1 and all(each.is_fully_replicated for each in shardings):
        warnings.warn(
            f"devices.model={parts} divides no layer: none has a kernel of {LARGE:,} "
            f"numbers or more and a number of inputs that {parts} divides. Every "
            "device has the whole network.",
            stacklevel=2,
        )


def multiply(
    features: jax.Array, kernel: jax.Array, *args: Any, **options: Any
) -> jax.Array:
    """Multiplies features by the kernel of a layer, which may be divided.

    The mesh is that of `jax.sharding.use_abstract_mesh`, or of `jax.shard_map`, within
    which features and kernel are those of one device. There, the gradient by a kernel
    is that of all devices unless the kernel is marked as each device's own, by
    `jax.lax.pcast`.

    Args:
        features: ``[N, ..., C]``, of the images of each device.
        kernel: ``[C, D]``.
        *args: further arguments of `jax.lax.dot_general`.
        **options: options of `jax.lax.dot_general`.

    Returns:
        ``[N, ..., D]``, of the images of each device.
    """

    def product(features: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.dot_general(features, kernel, *args, **options)

    if own_axes():
        if features.shape[-1] != kernel.shape[0]:
            return cast(jax.Array, _multiply_part(product, features, kernel))
        if features.ndim == 2 and not varying_axes(kernel):
            return cast(jax.Array, _multiply_common(product, features, kernel))
        return product(features, kernel)
    if not is_divided(kernel.shape, jax.sharding.get_abstract_mesh()):
        return product(features, kernel)
    constrain = jax.lax.with_sharding_constraint
    # otherwise XLA divides the convolution before the layer as well, by rows of pixels
    features = constrain(features, BATCH)
    between = [None] * (features.ndim - 2)
    features = constrain(features, P("data", *between, "model"))
    return constrain(product(features, kernel), BATCH)


_Product = Callable[[jax.Array, jax.Array], jax.Array]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _multiply_common(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`multiply` by a kernel that the devices have in common, in `jax.shard_map`."""
    return product(features, kernel)


def _multiply_common_forward(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return product(features, kernel), (features, kernel)


def _multiply_common_backward(
    product: _Product, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    features, kernel = residuals
    _, to_features = jax.vjp(lambda features: product(features, kernel), features)
    by_features = to_features(cotangent)
    features, cotangent = (
        jax.lax.all_gather(part, own_axes(), tiled=True, to="invarying")
        for part in (features, cotangent)
    )
    _, to_kernel = jax.vjp(lambda kernel: product(features, kernel), kernel)
    return *by_features, *to_kernel(cotangent)


_multiply_common.defvjp(_multiply_common_forward, _multiply_common_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _multiply_part(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`multiply` by a device's part of a kernel, within `jax.shard_map`."""
    return _multiply_part_forward(product, features, kernel)[0]


def _multiply_part_forward(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    part = _exchange(jnp.stack(jnp.split(features, _parts(), axis=-1)))
    part = part.reshape(-1, *part.shape[2:])
    summed = jax.lax.psum_scatter(product(part, kernel), "model", tiled=True)
    return summed, (part, kernel)


def _multiply_part_backward(
    product: _Product, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    # `jax.lax.all_gather` would be joined to those of other layers and wait for them
    copies = jnp.broadcast_to(cotangent, (_parts(), *cotangent.shape))
    whole = _exchange(copies).reshape(-1, *cotangent.shape[1:])
    by_part, by_kernel = jax.vjp(product, *residuals)[1](whole)
    given_back = _exchange(by_part.reshape(_parts(), -1, *by_part.shape[1:]))
    # a barrier, so that the devices exchange the one while they compute the other
    given_back, by_kernel = jax.lax.optimization_barrier((given_back, by_kernel))
    return jnp.concatenate(given_back, axis=-1), by_kernel


_multiply_part.defvjp(_multiply_part_forward, _multiply_part_backward)


def _exchange(parts: jax.Array) -> jax.Array:
    """Sends ``parts[k]`` to device k along ``"model"``, and returns what they send."""
    return jax.lax.all_to_all(parts, "model", 0, 0)


def _parts() -> int:
    return jax.lax.axis_size("model")


def by_device(
    function: Callable[..., jax.Array], mesh: Mesh, batch: Sequence[Any], *shared: Any
) -> jax.Array:
    """Calls a function of a batch on each device, with the items that it has.

    Args:
        function: maps arrays ``[N, ...]``, and what is shared, to ``[N, ...]``.
        mesh: the devices, with the axes ``("data", "model")``.
        batch: its first arguments, pytrees of arrays ``[N, ...]``.
        *shared: its further arguments, pytrees of arrays that all devices have.
    """
    if own_axes():
        return function(*batch, *shared)
    specs = (*(BATCH for _ in batch), *(P() for _ in shared))
    divided = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=BATCH)
    return divided(*batch, *shared)


def own_axes() -> tuple[str, ...]:
    """Axes of the devices, within a `jax.shard_map` over them; none elsewhere."""
    return tuple(jax.sharding.get_abstract_mesh().manual_axes)


def varying_axes(array: jax.Array) -> frozenset[str]:
    """Axes of the devices along which an array is each device's own."""
    return jax.typeof(array).manual_axis_type.varying


def average(moments: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Means over the devices within `jax.shard_map`; the same elsewhere."""
    axes = own_axes()
    return tuple(jax.lax.pmean(jnp.stack(moments), axes)) if axes else moments


def own(moments: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Marks what the devices have in common as each device's own.

    Within `jax.shard_map`, derivatives by it are then those of one device, and are
    summed where it is marked.
    """
    axes = own_axes()
    if not axes:
        return moments
    return tuple(jax.lax.pcast(jnp.stack(moments), axes, to="varying"))
