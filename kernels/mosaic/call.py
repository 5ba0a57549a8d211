"""Pallas kernels for Mosaic GPU, as all of them are called here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu

from jaxsoftras.kernels import varying


class Place(NamedTuple):
    """Numbers of a running program.

    Attributes:
        part: among those that share the same faces.
        image: that it works on.
        block: among the programs for the faces of that image.
    """

    part: jax.Array
    image: jax.Array
    block: jax.Array


def place(blocks: int, team: int = 1) -> Place:
    """That of the running program, where each image has so many teams of programs."""
    number = lax.axis_index("team")
    image = lax.div(number, jnp.int32(blocks))
    block = number - image * blocks
    if team > 1:
        block = block * team + lax.axis_index("member")
    return Place(lax.axis_index("part"), image, block)


def _kernel(body, outputs, grid, team: int, interpret: bool, name: str):
    members = {"num_threads": team, "thread_name": "member"} if team > 1 else {}
    return pl.kernel(
        body,
        outputs,
        # the last of them may be the largest: CUDA wants the others below 2**16
        mesh=mosaic_gpu.Mesh(
            grid=grid, grid_names=("part", "team"), kernel_name=name, **members
        ),
        compiler_params=mosaic_gpu.CompilerParams(
            approx_math=True,
            # what later versions than 0.10 choose anyway
            lowering_semantics=mosaic_gpu.LoweringSemantics.Warpgroup,
            # nothing that a program reads is written by it
            unsafe_no_auto_barriers=True,
        ),
        interpret=mosaic_gpu.InterpretGPUParams() if interpret else False,
        name=name,
    )


def call(
    body,
    *arguments,
    outputs: Sequence[tuple[int, ...]] = (),
    changing: Sequence[jax.Array] = (),
    grid: tuple[int, int],
    team: int = 1,
    interpret: bool,
    name: str,
) -> list[jax.Array]:
    """Runs a kernel of references to arguments, changing arrays, and outputs.

    Args:
        body: the kernel.
        *arguments: arrays that it reads.
        outputs: shapes of what it writes, in single precision.
        changing: arrays of unsigned integers that it adds to.
        grid: parts, and teams of programs for each part.
        team: programs that the GPU starts as one. Four have 512 threads, of which none
            can have more than 128 registers, so that as many run at the same time.
        interpret: run it in Pallas' interpreter.
        name: of the kernel.

    Returns:
        The changed arrays, then the outputs.
    """
    like = arguments[0]
    if not changing:
        types = [varying.output(shape, jnp.float32, like) for shape in outputs]
        return list(_kernel(body, types, grid, team, interpret, name)(*arguments))
    kernel = _kernel(body, [], grid, team, interpret, name)
    before = [*changing, *(jnp.zeros(shape, jnp.float32) for shape in outputs)]
    after = pl.run_state(lambda references: kernel(*arguments, *references))(before)
    # Pallas changes no arrays that vary over the axes of `jax.shard_map`, and believes
    # that these do not.
    return [_varying(array, like) for array in after]


def _varying(array: jax.Array, like: jax.Array) -> jax.Array:
    """The array, known to vary over the same axes of `jax.shard_map` as another."""
    nothing = jnp.zeros_like(like, array.dtype, shape=())
    return array | nothing if array.dtype == jnp.uint32 else array + nothing
