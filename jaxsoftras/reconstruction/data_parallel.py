"""Gradients of a loss over a batch whose objects are divided among devices.

Each device differentiates the loss of its own objects, within `jax.shard_map`, and what
the devices send each other is asked for by name. Left to XLA, gradients would be joined
otherwise, and the sums of the batch normalisation, which share a queue with them, would
wait. Three kinds of parameters are told apart:

- Kernels of fully connected layers with at least half as many numbers as the layer's
  features and cotangents of all images. These are what the devices send, and each
  computes the whole gradient from them, or its part of one that is divided; see
  `division.multiply`.
- Other kernels whose gradients are divided.
- All others, whose gradients are summed over the devices at the end, as one vector.
  Large matrices are a vector of their own, which travels before, if they are more than
  XLA would join to other sums.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxsoftras import models
from jaxsoftras.models import division, exchanges, halves
from jaxsoftras.models.halves import Halves

_AXES = ("data", "model")
_LARGE = 2**18
"""Numbers of a matrix from which on it is large; see `_is_large`."""

_JOINED = 30 * 2**18
"""Numbers up to which XLA joins sums of gradients to others, 30 MiB."""


@dataclasses.dataclass(frozen=True)
class _Kind:
    """How the gradient by a parameter is summed over the devices.

    Attributes:
        divided: see `division.is_divided`.
        in_layer: `division.multiply` sums it.
    """

    divided: bool
    in_layer: bool


class Differentiated(NamedTuple):
    """A loss over a batch, and its gradient.

    Attributes:
        measured: ``[M]`` what the loss function measures, means over the batch.
        batch_stats: batch statistics after the step.
        gradient: of the loss by the parameters; see `division.is_divided`.
        norm: Euclidean norm of the whole gradient.
    """

    measured: jax.Array
    batch_stats: nnx.State
    gradient: nnx.State
    norm: jax.Array


def differentiate(
    measure: Callable[..., tuple[jax.Array, tuple[jax.Array, nnx.State]]],
    variables: models.Variables,
    mesh: Mesh,
    batch: Any,
    *shared: jax.Array,
    images: int,
) -> Differentiated:
    """Differentiates a loss by the parameters, for `jax.jit`.

    Args:
        measure: maps variables, objects of a batch and what is shared to the mean loss
            of these objects, and to ``[M]`` means over them and batch statistics.
        variables: parameters and batch statistics before the step.
        mesh: the devices, with the axes ``("data", "model")``.
        batch: pytree of arrays with a leading axis of objects, which is divided along
            both axes of the devices.
        *shared: arrays that all devices have.
        images: number of images of the batch, which layers behind the stages of the
            encoder have features of.
    """
    if mesh.size == 1:
        return _differentiate_alone(measure, variables, batch, *shared)

    alike = _compute_alike(mesh)
    params = halves.split(variables.params, mesh)

    def classify(path: jax.tree_util.KeyPath, parameter: jax.Array | Halves) -> _Kind:
        divided = division.is_divided(path, parameter.shape, mesh)
        in_layer = _is_summed_in_layer(path, parameter.shape, images)
        return _Kind(divided, in_layer and (alike or divided))

    kinds = jax.tree.map_with_path(classify, params, is_leaf=halves.is_halved)
    specs = jax.tree.map(lambda kind: P("model") if kind.divided else P(), kinds)

    def own(kind: _Kind, parameter: jax.Array | Halves) -> jax.Array | Halves:
        if kind.in_layer:
            axes = {"model"} if kind.divided else set()
        else:  # each device's own, so that its gradient is not summed yet
            axes = set(_AXES)
        return jax.tree.map(lambda array: division.vary(array, axes), parameter)

    def work(params, batch_stats, batch, *shared):
        def loss(params):
            mine = models.Variables(halves.make_whole(params), batch_stats)
            value, rest = measure(mine, batch, *shared)
            # the sum of the devices' parts is the mean over the batch
            return value / mesh.size, rest

        params = jax.tree.map(own, kinds, params)
        gradient, (measured, updated) = jax.grad(loss, has_aux=True)(params)
        measured, gradient, norm = _sum(measured / mesh.size, gradient, kinds, mesh)
        return measured, updated, gradient, norm

    divided = jax.shard_map(
        work,
        mesh=mesh,
        in_specs=(halves.place(params), P(), division.BATCH, *(P() for _ in shared)),
        out_specs=(P(), P(), specs, P()),
    )
    return Differentiated(*divided(params, variables.batch_stats, batch, *shared))


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


def _sum(
    measured: jax.Array, gradient: nnx.State, kinds: nnx.State, mesh: Mesh
) -> tuple[jax.Array, nnx.State, jax.Array]:
    """Sums what the devices have measured, and their gradients; see the module.

    Returns:
        The sum of what is measured, the gradient, and its norm.
    """
    leaves, tree = jax.tree.flatten(gradient, halves.is_halved)
    squares = jnp.zeros((), measured.dtype)
    large: list[int] = []
    small: list[int] = []
    for k, kind in enumerate(tree.flatten_up_to(kinds)):
        if kind.divided:
            leaves[k] = _sum_divided(leaves[k])
            squares += jnp.sum(leaves[k] ** 2) / mesh.shape["data"]
        elif division.varying_axes(leaves[k]):
            (large if _is_large(leaves[k]) else small).append(k)
    vector, last = None, [*small, *large]
    if sum(leaves[k].size for k in large) > _JOINED:
        # on their way while the stages of the encoder are differentiated
        sums, vector = _sum_as_vector([leaves[k] for k in large])
        for k, found in zip(large, sums, strict=True):
            leaves[k] = found
        last = small
    parts = [*(leaves[k] for k in last), measured, squares[None]]
    sums, vector = _sum_as_vector(parts, after=vector)
    *sums, measured, squares = sums
    for k, found in zip(last, sums, strict=True):
        leaves[k] = found

    # the squares of small ones are those of the vector's first part
    whole = {k for k, leaf in enumerate(leaves) if not division.varying_axes(leaf)}
    apart = [leaves[k] for k in sorted(whole.difference(small))]
    apart.append(vector[: sum(leaves[k].size for k in small)])
    return measured, tree.unflatten(leaves), jnp.sqrt(squares[0] + _sum_squares(apart))


def _sum_divided(gradient: jax.Array | Halves) -> jax.Array:
    """A device's part of the sum of gradients over the devices."""
    if isinstance(gradient, Halves):
        if division.varying_axes(gradient.own) == {"model"}:  # of all images
            return gradient.own
        part = gradient.own + exchanges.permute(gradient.other, ["model"])
        return jax.lax.psum(part, "data")
    if division.varying_axes(gradient) == {"model"}:  # of all images
        return division.own_part(gradient)
    part = jax.lax.psum_scatter(gradient, "model", tiled=True)
    return jax.lax.psum(part, "data")


def _sum_as_vector(
    arrays: list[jax.Array], after: jax.Array | None = None
) -> tuple[list[jax.Array], jax.Array]:
    """Sums arrays over the devices, which travel as one vector.

    Args:
        arrays: what each device has.
        after: the vector that travels before. A number of it, which nobody reads, goes
            with the arrays: otherwise XLA would join the two.

    Returns:
        The sums, and the vector that they are parts of.
    """
    parts = [_flatten(array) for array in arrays]
    before = [] if after is None else [after[:1]]
    vector = jax.lax.psum(jnp.concatenate([*parts, *before]), _AXES)
    summed = jnp.split(vector, np.cumsum([part.size for part in parts]))
    sums = [_unflatten(*each) for each in zip(summed, arrays, strict=False)]
    return sums, vector


def _compute_alike(mesh: Mesh) -> bool:
    """Whether devices compute the same bits from the same numbers.

    They do within a process. Processes compile for themselves, and may choose other
    algorithms: what they computed each by itself would drift apart.
    """
    return len({device.process_index for device in mesh.devices.flat}) == 1


def _is_summed_in_layer(
    path: jax.tree_util.KeyPath, shape: tuple[int, ...], images: int
) -> bool:
    """Whether `division.multiply` sums the gradient by a parameter over the devices.

    It does so if no more is sent for it: each device sends a gradient that is summed
    twice, once to be summed and once as a part of the sum, and features once.
    """
    names = division.find_names(path)
    # layers within parts of the encoder have features of every pixel
    if "kernel" not in names or names & {"stages", "blocks"} or len(shape) != 2:
        return False
    return images * sum(shape) <= 2 * math.prod(shape)


def _sum_squares(gradients: list[jax.Array]) -> jax.Array | int:
    return sum(jnp.sum(gradient**2) for gradient in gradients)


def _is_large(array: jax.Array) -> bool:
    """Whether an array is a large matrix, a kernel or its gradient.

    The squares of a large gradient are summed by themselves: XLA does so where the
    optimiser reads it, for which a kernel of a small or a transposed array takes some
    5 us longer.
    """
    return array.ndim == 2 and array.size >= _LARGE


def _flatten(array: jax.Array) -> jax.Array:
    """Flattens a parameter; kernels of convolutions by output, as cuDNN stores them."""
    return (jnp.moveaxis(array, -1, 0) if array.ndim > 2 else array).reshape(-1)


def _unflatten(flat: jax.Array, like: jax.Array) -> jax.Array:
    """Inverse of `_flatten`, with the shape and the type of a parameter."""
    flat, shape = flat.astype(like.dtype), like.shape
    if len(shape) <= 2:
        return flat.reshape(shape)
    return jnp.moveaxis(flat.reshape(shape[-1], *shape[:-1]), 0, -1)
