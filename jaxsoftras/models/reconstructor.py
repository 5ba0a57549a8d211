"""The whole network: from an image to the vertices of a mesh."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import config, mesh
from jaxsoftras.models import decoder, encoders

ENCODERS = {
    "baseline": encoders.BaselineEncoder,
    "resnet": encoders.ResNetEncoder,
    "attention": encoders.AttentionEncoder,
}


class Reconstructor(nnx.Module):
    """An encoder and a decoder: ``[N, S, S, 4]`` images to ``[N, V, 3]`` vertices."""

    def __init__(self, settings: config.Model, image_size: int, *, rngs: nnx.Rngs):
        """Makes a network.

        Args:
            settings: which encoder, and the sizes.
            image_size: side of the images, pixels; a multiple of 2 for each stage.
            rngs: for the initial parameters.

        Raises:
            ValueError: the images cannot be halved by every stage.
        """
        reduction = 2 ** len(settings.channels)
        if image_size % reduction:
            raise ValueError(
                f"Images of {image_size} px cannot be halved {len(settings.channels)} "
                "times, once for each of model.channels; use fewer channels or images "
                f"whose side is a multiple of {reduction}."
            )
        self.encoder = ENCODERS[settings.encoder](
            image_size, settings.channels, settings.hidden, settings.latent, rngs=rngs
        )
        self.decoder = decoder.Decoder(
            settings.template_level, settings.latent, settings.decoder_hidden, rngs=rngs
        )

    def __call__(self, images: jax.Array) -> jax.Array:
        """``[N, S, S, 4]`` RGBA in [0, 1] to ``[N, V, 3]``, model frame."""
        return self.decoder(self.encoder(images))


class Variables(NamedTuple):
    """What a network consists of besides its structure; a pytree.

    Attributes:
        params: what the optimiser changes.
        batch_stats: running averages of the batch normalisation.
    """

    params: nnx.State
    batch_stats: nnx.State


class Network:
    """A `Reconstructor` as pure functions of its variables."""

    def __init__(self, settings: config.Model, image_size: int):
        """Makes the structure; see `Reconstructor` for the arguments."""
        self._settings = settings
        self._image_size = image_size
        self.faces: np.ndarray = np.asarray(
            mesh.icosphere(settings.template_level).faces
        )
        model = nnx.eval_shape(lambda: self._build(jax.random.key(0)))
        model.train()
        self._training = nnx.split(model, nnx.Param, nnx.BatchStat)[0]
        model.eval()
        self._inference = nnx.split(model, nnx.Param, nnx.BatchStat)[0]

    def _build(self, key: jax.Array) -> Reconstructor:
        return Reconstructor(
            self._settings, self._image_size, rngs=nnx.Rngs(params=key)
        )

    def init(self, key: jax.Array) -> Variables:
        """Draws initial parameters."""
        _, params, batch_stats = nnx.split(self._build(key), nnx.Param, nnx.BatchStat)
        return Variables(params, batch_stats)

    def train(
        self, variables: Variables, images: jax.Array
    ) -> tuple[jax.Array, nnx.State]:
        """Vertices ``[N, V, 3]``, and the running averages after this batch."""
        # merged by copy: the averages may then change within a differentiated function
        model = nnx.merge(self._training, *variables, copy=True)
        return model(images), nnx.state(model, nnx.BatchStat)

    def infer(self, variables: Variables, images: jax.Array) -> jax.Array:
        """Vertices ``[N, V, 3]``, normalised by the running averages."""
        return nnx.merge(self._inference, *variables, copy=True)(images)


def to_network_input(images: jax.Array) -> jax.Array:
    """``[N, 4, S, S]`` uint8, as in the files, to ``[N, S, S, 4]`` in [0, 1]."""
    return jnp.moveaxis(images, -3, -1).astype(jnp.float32) / 255
