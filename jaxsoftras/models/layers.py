"""Layers with the initialisation of the original networks, PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxsoftras.models import division

_KERNEL = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Uniform within +- 1 / sqrt(fan_in), as PyTorch initialises kernels and biases."""


def _bias(fan_in: int) -> nnx.Initializer:
    bound = 1 / math.sqrt(fan_in)

    def init(key, shape, dtype, out_sharding=None):
        del out_sharding
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Linear(nnx.Linear):
    """A fully connected layer, whose kernel may be divided among devices."""

    def __call__(self, inputs: jax.Array, **options: Any) -> jax.Array:
        """Maps ``[N, ..., C]`` to ``[N, ..., D]``."""
        kernel = self.kernel[...]
        outputs = super().__call__(division.exchange(inputs, kernel), **options)
        return division.give_back(outputs, kernel)


def linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> Linear:
    """A fully connected layer."""
    return Linear(
        inputs, outputs, kernel_init=_KERNEL, bias_init=_bias(inputs), rngs=rngs
    )


def conv(
    inputs: int, outputs: int, kernel: int, stride: int, rngs: nnx.Rngs
) -> nnx.Conv:
    """A square convolution, padded: stride 1 keeps the size and stride 2 halves it."""
    return nnx.Conv(
        inputs,
        outputs,
        (kernel, kernel),
        strides=stride,
        padding=kernel // 2,
        kernel_init=_KERNEL,
        bias_init=_bias(inputs * kernel * kernel),
        rngs=rngs,
    )


def batch_norm(features: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """Batch normalisation whose running averages move by a tenth each step."""
    return nnx.BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs)


class Perceptron(nnx.Module):
    """Fully connected layers, each followed by a ReLU."""

    def __init__(self, sizes: Sequence[int], *, rngs: nnx.Rngs):
        """Makes ``len(sizes) - 1`` layers, ``sizes[0]`` inputs to ``sizes[-1]``."""
        self.layers = nnx.List(
            linear(inputs, outputs, rngs)
            for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps ``[N, sizes[0]]`` to ``[N, sizes[-1]]``."""
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return x
