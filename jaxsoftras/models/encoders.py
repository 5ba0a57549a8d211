"""Five image encoders behind one interface.

Each maps RGBA images ``[N, S, S, 4]`` in [0, 1] to codes ``[N, latent]``, and is made
by ``Encoder(image_size, channels, hidden, latent, pooling, rngs=rngs)``: ``channels``
lists the channels of its stages, each of which halves the image, and ``hidden`` the
sizes of the fully connected layers before the code. ``image_size`` (S, pixels) must be
divisible by ``2 ** len(channels)``. ``pooling`` says what those layers get of the last
stage: all of it (``none``), the means over each quarter of the image (``grid2``), or
over the whole (``mean``).
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jaxsoftras.config import Pooling
from jaxsoftras.models import layers


class _Encoder(nnx.Module):
    """Stages that each halve the image, then fully connected layers with ReLU."""

    def __init__(
        self,
        image_size: int,
        channels: Sequence[int],
        hidden: Sequence[int],
        latent: int,
        pooling: Pooling = "none",
        *,
        rngs: nnx.Rngs,
    ):
        """See the module's docstring for the arguments."""
        self.stages = nnx.List(
            self._stage(inputs, outputs, index == 0, rngs)
            for index, (inputs, outputs) in enumerate(
                zip((4, *channels), channels, strict=False)
            )
        )
        side = image_size // 2 ** len(channels)
        self._cells = {"none": side, "grid2": 2, "mean": 1}[pooling]
        self.head = layers.Perceptron(
            (self._cells**2 * channels[-1], *hidden, latent), rngs=rngs
        )

    def _stage(
        self, inputs: int, outputs: int, is_first: bool, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        raise NotImplementedError("each encoder has its own stages")

    def features(self, images: jax.Array) -> jax.Array:
        """Features of the last stage, ``[N, S, S, 4]`` to ``[N, s, s, C]``."""
        for stage in self.stages:
            images = stage(images)
        return images

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images ``[N, S, S, 4]`` in [0, 1] to codes ``[N, latent]``."""
        features = _pool(self.features(images), self._cells)
        return self.head(features.reshape(images.shape[0], -1))


def _pool(features: jax.Array, cells: int) -> jax.Array:
    """Means over the cells of a square grid, ``[N, s, s, C]`` to ``[N, g, g, C]``."""
    n, side, _, channels = features.shape
    if side == cells:
        return features
    size = side // cells
    parts = features.reshape(n, cells, size, cells, size, channels)
    return jnp.mean(parts, axis=(2, 4))


class BaselineEncoder(_Encoder):
    """The encoder of Soft Rasterizer: plain convolutions.

    Each stage is a 5 x 5 convolution of stride 2, batch normalisation and ReLU. Fully
    connected layers with ReLU follow, the code included. 19,384,384 parameters at full
    size (64 px, channels 64, 128, 256, hidden 1024, 1024, latent 512).
    """

    def _stage(
        self, inputs: int, outputs: int, is_first: bool, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        convolution = layers.conv(inputs, outputs, kernel=5, stride=2, rngs=rngs)
        return nnx.Sequential(convolution, layers.batch_norm(outputs, rngs), nnx.relu)


class LargeEncoder(_Encoder):
    """The encoder of the larger network that Soft Rasterizer was released with.

    Between two stages of the baseline lies one more 5 x 5 convolution, of stride 1,
    with batch normalisation and ReLU. 19,896,960 parameters at full size, 3 per cent
    more than the baseline encoder.
    """

    def _stage(
        self, inputs: int, outputs: int, is_first: bool, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        between = [] if is_first else [(inputs, 1)]
        parts = []
        for channels, stride in (*between, (outputs, 2)):
            parts += [
                layers.conv(inputs, channels, kernel=5, stride=stride, rngs=rngs),
                layers.batch_norm(channels, rngs),
                nnx.relu,
            ]
        return nnx.Sequential(*parts)


class _ResidualBlock(nnx.Module):
    """``relu(f(x) + skip(x))``, where f is two normalised 3 x 3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
        self.conv1 = layers.conv(inputs, outputs, kernel=3, stride=stride, rngs=rngs)
        self.norm1 = layers.batch_norm(outputs, rngs)
        self.conv2 = layers.conv(outputs, outputs, kernel=3, stride=1, rngs=rngs)
        self.norm2 = layers.batch_norm(outputs, rngs)
        self.skip = (
            nnx.identity
            if stride == 1 and inputs == outputs
            else layers.conv(inputs, outputs, kernel=1, stride=stride, rngs=rngs)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        residual = nnx.relu(self.norm1(self.conv1(x)))
        residual = self.norm2(self.conv2(residual))
        return nnx.relu(residual + self.skip(x))


class ResNetEncoder(_Encoder):
    """A ResNet-like encoder: each stage is two residual blocks.

    The first block of a stage halves the image; its shortcut is a 1 x 1 convolution of
    stride 2. The fully connected layers are the baseline's. 21,093,056 parameters at
    full size, 9 per cent more than the baseline encoder.
    """

    def _stage(
        self, inputs: int, outputs: int, is_first: bool, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        return nnx.Sequential(
            _ResidualBlock(inputs, outputs, stride=2, rngs=rngs),
            _ResidualBlock(outputs, outputs, stride=1, rngs=rngs),
        )


class _AttentionBlock(nnx.Module):
    """A transformer block: self-attention and a perceptron, each ``x + f(norm(x))``."""

    def __init__(self, features: int, heads: int, *, rngs: nnx.Rngs):
        self.heads = heads
        self.norm1 = nnx.LayerNorm(features, rngs=rngs)
        self.query_key_value = layers.linear(features, 3 * features, rngs)
        self.project = layers.linear(features, features, rngs)
        self.norm2 = nnx.LayerNorm(features, rngs=rngs)
        self.expand = layers.linear(features, 2 * features, rngs)
        self.contract = layers.linear(2 * features, features, rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        n, t, c = tokens.shape  # images, tokens, features
        joint = self.query_key_value(self.norm1(tokens))
        joint = joint.reshape(n, t, 3, self.heads, c // self.heads)
        attended = jax.nn.dot_product_attention(
            joint[:, :, 0], joint[:, :, 1], joint[:, :, 2]
        )
        tokens = tokens + self.project(attended.reshape(n, t, c))
        hidden = nnx.gelu(self.expand(self.norm2(tokens)))
        return tokens + self.contract(hidden)


class AttentionEncoder(BaselineEncoder):
    """An encoder with self-attention over the features of the convolutions.

    The features of the baseline's convolutions, one token for each cell of the last
    stage (64 at full size) plus a learnt position, pass through two transformer blocks
    of up to 8 heads, then through the baseline's fully connected layers. 20,454,976
    parameters at full size, 6 per cent more than the baseline encoder.
    """

    def __init__(
        self,
        image_size: int,
        channels: Sequence[int],
        hidden: Sequence[int],
        latent: int,
        pooling: Pooling = "none",
        *,
        rngs: nnx.Rngs,
    ):
        """See the module's docstring for the arguments."""
        super().__init__(image_size, channels, hidden, latent, pooling, rngs=rngs)
        side, features = image_size // 2 ** len(channels), channels[-1]
        heads = max(heads for heads in (1, 2, 4, 8) if features % heads == 0)
        self.position = nnx.Param(
            0.02 * jax.random.normal(rngs.params(), (side * side, features))
        )
        self.blocks = nnx.List(
            _AttentionBlock(features, heads, rngs=rngs) for _ in range(2)
        )

    def features(self, images: jax.Array) -> jax.Array:
        """Features after attention, ``[N, S, S, 4]`` to ``[N, s, s, C]``."""
        features = super().features(images)
        tokens = features.reshape(features.shape[0], -1, features.shape[-1])
        tokens = tokens + self.position[...]
        for block in self.blocks:
            tokens = block(tokens)
        return tokens.reshape(features.shape)


class _ConvNextBlock(nnx.Module):
    """``x + scale f(x)``, with f a depthwise convolution, then two linear layers.

    The convolution is 5 x 5; the layers widen the features fourfold and narrow them
    again, with GELU between them and a normalisation of each pixel's features before.
    ``scale`` is learnt for each channel, from 0.1 (Touvron et al., *Going Deeper with
    Image Transformers*, 2021, for networks of this depth).
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.depthwise = layers.DepthwiseConv(features, size=5, rngs=rngs)
        self.norm = layers.LayerNorm(features, rngs=rngs)
        self.expand = layers.linear(features, 4 * features, rngs)
        self.contract = layers.linear(4 * features, features, rngs)
        self.scale = nnx.Param(jnp.full(features, 0.1))

    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = nnx.gelu(self.expand(self.norm(self.depthwise(x))))
        return x + (self.scale[...] * self.contract(hidden)).astype(x.dtype)


class ConvNextEncoder(_Encoder):
    """A ConvNeXt-like encoder (Liu et al., *A ConvNet for the 2020s*, 2022).

    The first stage begins with a 4 x 4 convolution of stride 2 and a normalisation of
    each pixel's features, the others with a normalisation and a 2 x 2 convolution of
    stride 2. One block follows in each. Nothing depends on other images of a batch.
    19,224,896 parameters at full size, 1 per cent fewer than the baseline encoder.
    """

    def _stage(
        self, inputs: int, outputs: int, is_first: bool, rngs: nnx.Rngs
    ) -> nnx.Sequential:
        halve = layers.conv(
            inputs, outputs, kernel=4 if is_first else 2, stride=2, rngs=rngs
        )
        norm = layers.LayerNorm(outputs if is_first else inputs, rngs=rngs)
        parts = (halve, norm) if is_first else (norm, halve)
        return nnx.Sequential(*parts, _ConvNextBlock(outputs, rngs=rngs))
