"""Launches of Mosaic kernels, with the settings that all kernels here share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu

from jaxsoftras.kernels import partitioning


class ProgramId(NamedTuple):
    """Indices of a running program, one warpgroup.

    Attributes:
        split: index among the programs that share the same faces.
        image: index of its image.
        block: index among the programs for the faces of that image.
    """

    split: jax.Array
    image: jax.Array
    block: jax.Array


def program_id(blocks: int, warpgroups: int = 1) -> ProgramId:
    """Indices of the running program.

    Args:
        blocks: thread blocks for each image.
        warpgroups: warpgroups of a thread block.
    """
    number = lax.axis_index("thread_block")
    image = lax.div(number, jnp.int32(blocks))
    block = number - image * blocks
    if warpgroups > 1:
        block = block * warpgroups + lax.axis_index("warpgroup")
    return ProgramId(lax.axis_index("split"), image, block)


def _make_kernel(body, outputs, grid, warpgroups: int, interpret: bool, name: str):
    threads = {}
    if warpgroups > 1:
        threads = {"num_threads": warpgroups, "thread_name": "warpgroup"}
    return pl.kernel(
        body,
        outputs,
        # the last axis may be the largest: CUDA wants the others below 2**16
        mesh=mosaic_gpu.Mesh(
            grid=grid,
            grid_names=("split", "thread_block"),
            kernel_name=name,
            **threads,
        ),
        compiler_params=mosaic_gpu.CompilerParams(
            approx_math=True,
            # the default of versions after 0.10
            lowering_semantics=mosaic_gpu.LoweringSemantics.Warpgroup,
            # nothing that a program reads is written by it
            unsafe_no_auto_barriers=True,
        ),
        interpret=mosaic_gpu.InterpretGPUParams() if interpret else False,
        name=name,
    )


def call(
    body: Callable[..., None],
    *arguments: jax.Array,
    outputs: Sequence[tuple[int, ...]] = (),
    accumulators: Sequence[jax.Array] = (),
    grid: tuple[int, int],
    warpgroups: int = 1,
    interpret: bool,
    name: str,
) -> list[jax.Array]:
    """Runs a kernel, which takes references to arguments, accumulators and outputs.

    Args:
        body: the kernel.
        *arguments: arrays that it reads.
        outputs: shapes of the arrays that it writes, in single precision.
        accumulators: arrays of unsigned integers that it updates atomically.
        grid: splits, and thread blocks for each split.
        warpgroups: warpgroups per thread block. With 4 (512 threads) the compiler may
            use at most 128 registers a thread, so that more of them run at a time.
        interpret: run it in Pallas' interpreter.
        name: name of the kernel.

    Returns:
        The accumulators, then the outputs.
    """
    like = arguments[0]
    if not accumulators:
        types = [
            partitioning.kernel_output(shape, jnp.float32, like) for shape in outputs
        ]
        kernel = _make_kernel(body, types, grid, warpgroups, interpret, name)
        return list(kernel(*arguments))
    kernel = _make_kernel(body, [], grid, warpgroups, interpret, name)
    before = [*accumulators, *(jnp.zeros(shape, jnp.float32) for shape in outputs)]
    after = pl.run_state(lambda references: kernel(*arguments, *references))(before)
    # `pl.run_state` does not accept arrays that vary over axes of `jax.shard_map`; the
    # results are marked as varying afterwards.
    return [_vary_like(array, like) for array in after]


def _vary_like(array: jax.Array, like: jax.Array) -> jax.Array:
    """The array, known to vary over the same axes of `jax.shard_map` as another."""
    nothing = jnp.zeros_like(like, array.dtype, shape=())
    return array | nothing if array.dtype == jnp.uint32 else array + nothing
