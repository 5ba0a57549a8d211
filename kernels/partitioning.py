"""Kernels on several devices: each device renders its own images."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P


def kernel_output(shape: tuple[int, ...], dtype, like: jax.Array):
    """The type of a kernel's output, which varies over devices as an input does.

    Within `jax.shard_map` a type says over which axes of the mesh an array varies.
    """
    kind = jax.typeof(like)
    if hasattr(kind, "manual_axis_type"):  # jax 0.11 and later
        return jax.ShapeDtypeStruct(
            shape, dtype, manual_axis_type=kind.manual_axis_type
        )
    return jax.ShapeDtypeStruct(shape, dtype, **{"vma": kind.vma})


def _rule(inputs: Sequence[int], outputs: Sequence[int]) -> tuple[str, tuple[str, ...]]:
    """A sharding rule in which arrays of these ranks share their first axis alone."""
    names = (f"b{number}" for number in itertools.count())
    others = []

    def axes(rank):
        trailing = [next(names) for _ in range(rank - 1)]
        others.extend(trailing)
        return " ".join(["a", *trailing])

    rule = " -> ".join(", ".join(map(axes, ranks)) for ranks in (inputs, outputs))
    return rule, tuple(others)


def _explicit_mesh(arrays: Sequence[jax.Array]):
    """The mesh over which the types of arrays say that they are sharded, or None.

    It need not be the mesh of `jax.set_mesh`: types alone may know of it.
    """
    for mesh in (
        jax.sharding.get_abstract_mesh(),
        *(jax.typeof(array).sharding.mesh for array in arrays),
    ):
        if mesh.explicit_axes:
            return mesh
    return None


def _batch_axes(arrays: Sequence[jax.Array]):
    """The mesh axes that shard the batch axis, from the first array that has any."""
    for array in arrays:
        spec = jax.typeof(array).sharding.spec
        if spec and spec[0] is not None:
            return spec[0]
    return None


def shard_arrays_by_image(
    kernel: Callable[..., Any], *, inputs: Sequence[int], outputs: Sequence[int]
) -> Callable[..., Any]:
    """Lets several devices run a kernel, each on the images that it holds.

    Without this, XLA gathers all images on every device, as it does for any opaque
    call.

    Args:
        kernel: takes arrays ``[B, ...]`` and returns an array, or a tuple of arrays,
            ``[B, ...]``, each image independent of the others.
        inputs: ranks of the arguments.
        outputs: ranks of the results.

    Returns:
        The same function. It differs under `jax.jit` with arguments on several devices,
        whatever the type of the mesh's axes; within `jax.shard_map` it does not.
    """
    # custom_partitioning inspects the signature, which a functools.partial may lack
    automatic = custom_partitioning(lambda *arrays: kernel(*arrays))

    def partition(mesh, arguments, results):
        images = P(
            arguments[0].sharding.spec[0] if arguments[0].sharding.spec else None
        )

        def shardings(tree):
            return jax.tree.map(lambda _: NamedSharding(mesh, images), tree)

        return mesh, kernel, shardings(results), shardings(arguments)

    rule, replicated = _rule(inputs, outputs)
    automatic.def_partition(
        partition, sharding_rule=rule, need_replication_factors=replicated
    )

    @functools.wraps(kernel)
    def call(*arrays):
        if jax.sharding.get_abstract_mesh().manual_axes:
            return kernel(*arrays)
        mesh = _explicit_mesh(arrays)
        if mesh is None:
            return automatic(*arrays)
        images = P(_batch_axes(arrays))
        placed = NamedSharding(mesh, images)
        return jax.shard_map(
            kernel, mesh=mesh, in_specs=images, out_specs=images, check_vma=False
        )(*(jax.sharding.reshard(x, placed) for x in arrays))

    return call


def shard_by_image(
    kernel: Callable[..., Any],
    outputs: Callable[..., Any],
    *,
    differentiable: bool = False,
) -> Callable[..., Any]:
    """`shard_arrays_by_image` for pytrees.

    Where the batch shares a leaf (a texture), the kernel is called unchanged.

    Args:
        kernel: takes and returns pytrees of arrays ``[B, ...]``.
        outputs: takes the same arguments, and returns a pytree like the kernel's
            result, of leaves with the same number of axes.
        differentiable: whether JAX can differentiate the kernel forwards. If so, the
            derivative of the result is the kernel's, without sharding.

    Returns:
        The same function.
    """

    def call(*arguments):
        leaves, tree = jax.tree.flatten(arguments)
        if any(leaf.shape[0] != leaves[0].shape[0] for leaf in leaves):
            return kernel(*arguments)
        ranks, result = jax.tree.flatten(outputs(*arguments))

        def plain(*leaves):
            return tuple(jax.tree.leaves(kernel(*jax.tree.unflatten(tree, leaves))))

        flat = shard_arrays_by_image(
            plain, inputs=[*map(jnp.ndim, leaves)], outputs=[*map(jnp.ndim, ranks)]
        )
        if differentiable:
            flat = _with_derivative(flat, plain)
        return jax.tree.unflatten(result, flat(*leaves))

    return functools.wraps(kernel)(call)


def _with_derivative(function, like):
    """A function with the forward derivative of another one."""

    @jax.custom_jvp
    def call(*arguments):
        return function(*arguments)

    @call.defjvp
    def _(primals, tangents):
        return call(*primals), jax.jvp(like, primals, tangents)[1]

    return call
