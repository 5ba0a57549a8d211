"""Pallas kernels for Mosaic GPU, as all of them are called here."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu

from jaxsoftras.kernels import varying


def program(blocks: int):
    """Numbers of the running program: its part, and its image and block.

    Args:
        blocks: programs for each image.
    """
    number = lax.axis_index("program")
    image = lax.div(number, jnp.int32(blocks))
    return lax.axis_index("part"), (image, number - image * blocks)


def _kernel(body, outputs, programs, interpret: bool, name: str):
    return pl.kernel(
        body,
        outputs,
        # the last of them may be the largest: CUDA wants the others below 2**16
        mesh=mosaic_gpu.Mesh(
            grid=programs, grid_names=("part", "program"), kernel_name=name
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


def call(body, *arguments, output, programs, interpret: bool, name: str) -> jax.Array:
    """Runs a kernel of references to the arguments and to one output.

    Args:
        body: the kernel.
        *arguments: arrays.
        output: shape of the output, in single precision.
        programs: parts, and programs of each part.
        interpret: run it in Pallas' interpreter.
        name: of the kernel.

    Returns:
        The output.
    """
    outputs = [varying.output(output, jnp.float32, arguments[0])]
    (result,) = _kernel(body, outputs, programs, interpret, name)(*arguments)
    return result


def accumulate(
    body, *arguments, shape, programs, interpret: bool, name: str
) -> jax.Array:
    """Runs a kernel of references to the arguments and to integers that it adds to.

    Args:
        body: the kernel.
        *arguments: arrays.
        shape: of the integers, unsigned and of 32 bits.
        programs: parts, and programs of each part.
        interpret: run it in Pallas' interpreter.
        name: of the kernel.

    Returns:
        The integers, which were 0 before.
    """
    kernel = _kernel(body, [], programs, interpret, name)
    zeros = jnp.zeros(shape, jnp.uint32)
    total = pl.run_state(lambda changing: kernel(*arguments, changing))(zeros)
    # Pallas changes no arrays that vary over the axes of `jax.shard_map`, and believes
    # that this one does not.
    return total | jnp.zeros_like(arguments[0], jnp.uint32, shape=())
