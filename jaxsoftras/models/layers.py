"""Layers with the initialisation of the original networks, PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
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


def linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A fully connected layer, whose kernel may be divided among devices."""
    return nnx.Linear(
        inputs,
        outputs,
        kernel_init=_KERNEL,
        bias_init=_bias(inputs),
        dot_general=division.multiply,
        rngs=rngs,
    )


def conv(
    inputs: int, outputs: int, kernel: int, stride: int, rngs: nnx.Rngs
) -> nnx.Conv:
    """A square convolution, padded: stride 1 keeps the size and stride 2 halves it.

    A kernel of even size is for stride 2 alone.
    """
    return nnx.Conv(
        inputs,
        outputs,
        (kernel, kernel),
        strides=stride,
        padding=(kernel - 1) // 2,
        kernel_init=_KERNEL,
        bias_init=_bias(inputs * kernel * kernel),
        promote_dtype=_to_first,
        rngs=rngs,
    )


def _to_first(arrays: Any, /, **_: Any) -> Any:
    """Converts a layer's parameters to the type of its inputs, which come first."""
    inputs, *parameters = arrays
    return (
        inputs,
        *(None if p is None else p.astype(inputs.dtype) for p in parameters),
    )


def _spread(mean: jax.Array, square: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of values whose means, and squares' means, are given."""
    # a difference of roundings may be negative
    return mean, jnp.maximum(square - mean * mean, 0)


class BatchNorm(nnx.BatchNorm):
    """Batch normalisation that returns the type of its inputs, ``[..., C]``.

    It computes in single precision or better whatever that type is.
    """

    def __call__(self, x: jax.Array) -> jax.Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Normalises features; see `nnx.BatchNorm`."""
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        mean, variance = self.mean[...], self.var[...]
        if not self.use_running_average:
            axes = tuple(range(x.ndim - 1))
            moments = jnp.mean(wide, axes), jnp.mean(wide * wide, axes)
            moments = division.average(moments)
            now, spread = _spread(*moments)
            self.mean[...] = self.momentum * mean + (1 - self.momentum) * now
            self.var[...] = self.momentum * variance + (1 - self.momentum) * spread
            # marked first: the derivatives of all devices are then summed together
            mean, variance = _spread(*division.own(moments))
        assert self.scale is not None and self.bias is not None
        factor = jax.lax.rsqrt(variance + self.epsilon) * self.scale[...]
        return ((wide - mean) * factor + self.bias[...]).astype(x.dtype)


class DepthwiseConv(nnx.Module):
    """A square convolution of each channel by itself, padded to keep the size.

    It is written as a sum of shifted images, which XLA fuses: on CPUs its forward pass
    is 15 times and its gradient twice as fast as that of a grouped convolution.
    """

    def __init__(self, features: int, size: int, *, rngs: nnx.Rngs):
        """Makes kernels of ``size x size``, an odd number, for each of the channels."""
        shape = (size, size, 1, features)
        self.kernel = nnx.Param(_KERNEL(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(
            _bias(size * size)(rngs.params(), (features,), jnp.float32)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps ``[N, H, W, C]`` to ``[N, H, W, C]``, in the type of the inputs."""
        kernel, bias = self.kernel[...].astype(x.dtype), self.bias[...].astype(x.dtype)
        height, width, size = *x.shape[1:3], len(kernel)
        around = size // 2
        padded = jnp.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
        shifted = (
            kernel[i, j, 0] * padded[:, i : i + height, j : j + width]
            for i in range(size)
            for j in range(size)
        )
        return sum(shifted, bias)


class LayerNorm(nnx.LayerNorm):
    """Normalisation of each pixel's features that returns the type of its inputs."""

    def __call__(self, x: jax.Array) -> jax.Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Normalises features ``[..., C]``; see `nnx.LayerNorm`."""
        return super().__call__(x).astype(x.dtype)


def batch_norm(features: int, rngs: nnx.Rngs) -> BatchNorm:
    """Batch normalisation whose running averages move by a tenth each step."""
    return BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs)


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
