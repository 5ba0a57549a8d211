"""`pallas_call` for Triton, with the settings that all kernels here share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton


def whole_image(*shape: int) -> pl.BlockSpec:
    """The block of an array ``[B, *shape]`` that belongs to the program's image."""
    return pl.BlockSpec((None, *shape), lambda image, *_: (image, *[0] * len(shape)))


def call(
    kernel: Callable[..., None],
    *arguments: jax.Array,
    threads: int,
    grid: tuple[int, ...],
    in_specs: Sequence[pl.BlockSpec],
    outputs: Sequence[tuple[Any, pl.BlockSpec]],
    **keywords: Any,
) -> Any:
    """Runs a kernel on each point of a grid.

    Args:
        kernel: takes references to the inputs and the outputs.
        *arguments: the inputs.
        threads: threads of each program; a power of two.
        grid: numbers of programs.
        in_specs: the block of each input that a program sees.
        outputs: type and such a block of each output.
        **keywords: passed on to `pallas_call`.

    Returns:
        The outputs.
    """
    out_shapes, out_specs = zip(*outputs, strict=True)
    run = pl.pallas_call(
        kernel,
        grid=grid,
        in_specs=in_specs,
        out_shape=out_shapes,
        out_specs=out_specs,
        compiler_params=triton.CompilerParams(
            num_warps=max(threads // 32, 1), num_stages=1
        ),
        **keywords,
    )
    return run(*arguments)
