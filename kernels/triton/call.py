"""`pallas_call` for Triton, as all kernels here use it."""

from __future__ import annotations

import warnings

from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras.kernels.varying import output as output


def whole_image(*shape: int) -> pl.BlockSpec:
    """All that belongs to an image."""
    return pl.BlockSpec((None, *shape), lambda image, *_: (image, *[0] * len(shape)))


def call(kernel, *arguments, threads, grid, in_specs, outputs, **keywords):
    """Runs a kernel on each point of a grid.

    Args:
        kernel: of the references to inputs and outputs.
        *arguments: the inputs.
        threads: of each program; a power of two.
        grid: numbers of programs.
        in_specs: which part of each input a program sees.
        outputs: type and such a part of each output.
        **keywords: of `pallas_call`.

    Returns:
        The outputs.
    """
    # Lowering warns that this backend will go; the users of this module cannot help it.
    warnings.filterwarnings(
        "ignore", "The Pallas Triton backend is deprecated", DeprecationWarning
    )
    out_shapes, out_specs = zip(*outputs, strict=True)
    return pl.pallas_call(
        kernel,
        grid=grid,
        in_specs=in_specs,
        out_shape=out_shapes,
        out_specs=out_specs,
        compiler_params=triton.CompilerParams(
            num_warps=max(threads // 32, 1), num_stages=1
        ),
        **keywords,
    )(*arguments)
