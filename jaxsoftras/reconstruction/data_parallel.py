"""Gradients of a loss over a batch whose objects are divided among devices.

Each device differentiates the loss of its own objects, within `jax.shard_map`, and the
gradients are summed over the devices in an order of our own: those of a stage of the
encoder travel as one vector as soon as they are there, the last stage first, together
with those of all that comes behind it. Left to XLA, they would be joined otherwise, and
the backward pass of the batch normalisation, whose sums share a queue with them, would
wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxsoftras import models
from jaxsoftras.models import division

_AXES = ("data", "model")
_LARGE = 2**18
"""Numbers of a matrix from which on it is large; see `_is_large`."""


class Differentiated(NamedTuple):
    """A loss over a batch, and its gradient.

    Attributes:
        measured: ``[M]`` what the loss function measures, means over the batch.
        batch_stats: batch statistics after the step.
        gradient: of the loss by the parameters, divided as these are.
        norm: Euclidean norm of the whole gradient.
    """

    measured: jax.Array
    batch_stats: nnx.State
    gradient: nnx.State
    norm: jax.Array


def differentiate(
    measure: Callable[..., tuple[jax.Array, tuple[jax.Array, nnx.State]]],
    variables: models.Variables,
    placement: models.Variables,
    batch: Any,
    *shared: jax.Array,
) -> Differentiated:
    """Differentiates a loss by the parameters, for `jax.jit`.

    Args:
        measure: maps variables, objects of a batch and what is shared to the mean loss
            of these objects, and to ``[M]`` means over them and batch statistics.
        variables: parameters and batch statistics before the step.
        placement: shardings of the variables on devices with the axes ``("data",
            "model")``.
        batch: pytree of arrays with a leading axis of objects, which is divided along
            both axes of the devices.
        *shared: arrays that all devices have.
    """
    specs = jax.tree.map(lambda sharding: sharding.spec, placement)
    mesh: Mesh = jax.tree.leaves(placement)[0].mesh
    if mesh.size == 1:
        return _differentiate_alone(measure, variables, batch, *shared)

    def work(variables, batch, *shared):
        params = jax.tree.map(_own, variables.params, specs.params)

        def loss(params):
            mine = variables._replace(params=params)
            value, rest = measure(mine, batch, *shared)
            # the sum of the devices' parts is the mean over the batch
            return value / mesh.size, rest

        gradient, (measured, batch_stats) = jax.grad(loss, has_aux=True)(params)
        measured, gradient, norm = _sum(
            measured / mesh.size, gradient, specs.params, mesh
        )
        return measured, batch_stats, gradient, norm

    divided = jax.shard_map(
        work,
        mesh=mesh,
        in_specs=(specs, division.BATCH, *(P() for _ in shared)),
        out_specs=(P(), P(), specs.params, P()),
    )
    return Differentiated(*divided(variables, batch, *shared))


def _differentiate_alone(
    measure: Callable[..., tuple[jax.Array, tuple[jax.Array, nnx.State]]],
    variables: models.Variables,
    *arguments: Any,
) -> Differentiated:
    """`differentiate` on one device."""

    def loss(params):
        return measure(variables._replace(params=params), *arguments)

    gradient, (measured, batch_stats) = jax.grad(loss, has_aux=True)(variables.params)
    leaves = jax.tree.leaves(gradient)
    small = [_flatten(leaf) for leaf in leaves if not _is_large(leaf)]
    apart = [leaf for leaf in leaves if _is_large(leaf)]
    if small:
        apart.append(jnp.concatenate(small))
    square = _sum_squares(apart)
    return Differentiated(measured, batch_stats, gradient, jnp.sqrt(square))


def _own(parameter: jax.Array, spec: P) -> jax.Array:
    """Marks a parameter as the device's own, so that its gradient is not summed yet."""
    missing = tuple(axis for axis in _AXES if axis not in spec)
    return jax.lax.pcast(parameter, missing, to="varying")


def _sum(
    measured: jax.Array, gradient: nnx.State, specs: nnx.State, mesh: Mesh
) -> tuple[jax.Array, nnx.State, jax.Array]:
    """Sums what the devices have measured, and their gradients; see the module.

    Returns:
        The sum of what is measured, the gradient, and its norm.
    """
    paths, tree = jax.tree.flatten_with_path(gradient)
    leaves = [leaf for _, leaf in paths]
    divisions = tree.flatten_up_to(specs)
    whole = [k for k, spec in enumerate(divisions) if not spec]
    squares = jnp.zeros((), measured.dtype)
    for k in set(range(len(leaves))).difference(whole):
        leaves[k] = jax.lax.psum(leaves[k], "data")
        squares += _sum_squares([leaves[k]]) / mesh.shape["data"]

    groups = _group_by_stage([paths[k][0] for k in whole])
    vectors: list[list[jax.Array]] = []
    for group in groups:
        # small ones first: the sum of their squares is that of a part of the vector
        group.sort(key=lambda k: _is_large(leaves[whole[k]]))
        vectors.append([_flatten(leaves[whole[k]]) for k in group])
    vectors[-1] += [measured, squares[None]]
    sums: list[jax.Array] = []
    for parts in vectors:
        # A number of the sum before, which nobody reads, keeps their order. Otherwise
        # XLA would join them to one sum at the end.
        before = [sums[-1][:1]] if sums else []
        sums.append(jax.lax.psum(jnp.concatenate([*parts, *before]), _AXES))

    summed: list[jax.Array] = []
    apart: list[jax.Array] = []  # whose squares are summed apart
    for group, parts, vector in zip(groups, vectors, sums, strict=True):
        summed = jnp.split(vector, np.cumsum([part.size for part in parts]))
        small = 0
        for k, part in zip(group, summed, strict=False):
            like = leaves[whole[k]]
            leaves[whole[k]] = _unflatten(part, like)
            if _is_large(like):
                apart.append(part)
            else:
                small += part.size
        apart.append(vector[:small])
    measured, squares = summed[len(groups[-1]) :][:2]
    square = squares[0] + _sum_squares(apart)
    return measured, tree.unflatten(leaves), jnp.sqrt(square)


def _group_by_stage(paths: list[jax.tree_util.KeyPath]) -> list[list[int]]:
    """Numbers of parameters by stage of the encoder, the last one first.

    What lies behind the stages is with the last of them: backwards, it comes before.
    """
    stages = [_find_stage(path) for path in paths]
    last = max((stage for stage in stages if stage is not None), default=0)
    groups: list[list[int]] = [[] for _ in range(last + 1)]
    for number, stage in enumerate(stages):
        groups[0 if stage is None else last - stage].append(number)
    return [group for group in groups if group]


def _find_stage(path: jax.tree_util.KeyPath) -> int | None:
    """Number of the stage of the encoder that a parameter is of; None for no stage."""
    match [getattr(entry, "key", None) for entry in path]:
        case ["encoder", "stages", int(stage), *_]:
            return stage
    return None


def _sum_squares(gradients: list[jax.Array]) -> jax.Array | int:
    return sum(jnp.sum(gradient**2) for gradient in gradients)


def _is_large(gradient: jax.Array) -> bool:
    """Whether the squares of a gradient are summed by themselves.

    XLA computes such a sum where the optimiser reads the gradient, for which a kernel
    of a small or a transposed array takes some 5 us longer.
    """
    return gradient.ndim == 2 and gradient.size >= _LARGE


def _flatten(array: jax.Array) -> jax.Array:
    """Flattens a parameter; kernels of convolutions by output, as cuDNN stores them."""
    return (jnp.moveaxis(array, -1, 0) if array.ndim > 2 else array).reshape(-1)


def _unflatten(flat: jax.Array, like: jax.Array) -> jax.Array:
    """Inverse of `_flatten`, with the shape and the type of a parameter."""
    flat, shape = flat.astype(like.dtype), like.shape
    if len(shape) <= 2:
        return flat.reshape(shape)
    return jnp.moveaxis(flat.reshape(shape[-1], *shape[:-1]), 0, -1)
