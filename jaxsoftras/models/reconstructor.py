"""The complete network, from an image to the vertices of a mesh and their colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import config, mesh
from jaxsoftras.models import color, decoder, encoders, flow

ENCODERS = {
    "baseline": encoders.BaselineEncoder,
    "resnet": encoders.ResNetEncoder,
    "attention": encoders.AttentionEncoder,
    "large": encoders.LargeEncoder,
    "convnext": encoders.ConvNextEncoder,
}
DECODERS = {
    "softras": decoder.SoftRasDecoder,
    "multilevel": decoder.MultilevelDecoder,
    "flow": flow.FlowDecoder,
}


class Reconstruction(NamedTuple):
    """Meshes that a network makes of N images; a pytree.

    Attributes:
        vertices: ``[N, V, 3]`` model frame.
        colors: ``[N, V, 3]`` RGB in [0, 1] at the vertices, or ``[N, F, R * R, 3]``
            texels of a `jaxsoftras.SurfaceTexture`; None if ``model.color`` is
            ``none``.
    """

    vertices: jax.Array
    colors: jax.Array | None = None


class Reconstructor(nnx.Module):
    """An encoder and decoders: images ``[N, S, S, 4]`` to a `Reconstruction`."""

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """Makes a network.

        Args:
            settings: kinds of encoder and decoder, and all sizes.
            rngs: random numbers for the initial parameters.
        """
        self.encoder = ENCODERS[settings.encoder](
            settings.image_size,
            settings.channels,
            settings.hidden,
            settings.latent,
            settings.pooling,
            rngs=rngs,
        )
        self.decoder = DECODERS[settings.decoder](settings, rngs=rngs)
        # last, so that the other parameters are those of a network without colours
        self.color = (
            None if settings.color == "none" else color.Colors(settings, rngs=rngs)
        )

    def __call__(self, images: jax.Array) -> Reconstruction:
        """Maps RGBA images ``[N, S, S, 4]`` in [0, 1] to meshes, model frame."""
        codes = self.encoder(images)
        colors = None if self.color is None else self.color(codes, images)
        return Reconstruction(self.decoder(codes), colors)


class Variables(NamedTuple):
    """Arrays of a network, beside its structure; a pytree.

    Attributes:
        params: parameters, which the optimiser updates.
        batch_stats: running averages of the batch normalisation.
    """

    params: nnx.State
    batch_stats: nnx.State


class Network:
    """A `Reconstructor` as pure functions of its variables.

    Attributes:
        faces: ``[F, 3]`` int32 vertex indices, the topology of all reconstructions.
        shapes: `jax.ShapeDtypeStruct` of the variables, in their structure.
    """

    def __init__(self, settings: config.Model):
        """Makes the structure of a network.

        Args:
            settings: kinds of encoder and decoder, and all sizes.
        """
        self._settings = settings
        self.faces: np.ndarray = np.asarray(
            mesh.icosphere(settings.template_level).faces
        )
        model = nnx.eval_shape(lambda: self._build(jax.random.key(0)))
        model.train()
        self._training, *shapes = nnx.split(model, nnx.Param, nnx.BatchStat)
        self.shapes = Variables(*shapes)
        model.eval()
        self._inference = nnx.split(model, nnx.Param, nnx.BatchStat)[0]

    def _apply(
        self,
        structure: nnx.GraphDef,
        variables: Variables,
        call: Callable[[Reconstructor], Any],
    ) -> tuple[Reconstructor, Any]:
        """Calls the network in the configured precision; returns it and the result."""
        # A copy, because the averages may not be mutated inside a differentiated
        # function.
        model = nnx.merge(structure, *variables, copy=True)
        if self._settings.precision == "float32":
            with jax.default_matmul_precision("float32"):
                return model, call(model)
        return model, call(model)

    def _as_input(self, images: jax.Array) -> jax.Array:
        """Converts images to the type of the first layers."""
        images = jnp.asarray(images)
        if self._settings.precision == "bfloat16":
            return images.astype(jnp.bfloat16)  # until a fully connected layer
        return images.astype(jnp.promote_types(images.dtype, jnp.float32))

    def _build(self, key: jax.Array) -> Reconstructor:
        return Reconstructor(self._settings, rngs=nnx.Rngs(params=key))

    def init(self, key: jax.Array) -> Variables:
        """Draws initial parameters."""
        _, params, batch_stats = nnx.split(self._build(key), nnx.Param, nnx.BatchStat)
        return Variables(params, batch_stats)

    def train(
        self, variables: Variables, images: jax.Array
    ) -> tuple[Reconstruction, nnx.State]:
        """Reconstructs meshes, normalised by the batch.

        Args:
            variables: parameters and running averages.
            images: ``[N, S, S, 4]`` RGBA in [0, 1].

        Returns:
            The meshes, and the running averages after this batch.
        """
        images = self._as_input(images)
        model, meshes = self._apply(
            self._training, variables, lambda model: model(images)
        )
        return meshes, nnx.state(model, nnx.BatchStat)

    def reconstruct(self, variables: Variables, images: jax.Array) -> Reconstruction:
        """Reconstructs meshes, normalised by the running averages.

        Args:
            variables: parameters and running averages.
            images: ``[N, S, S, 4]`` RGBA in [0, 1].
        """
        images = self._as_input(images)
        return self._apply(self._inference, variables, lambda model: model(images))[1]

    def infer(self, variables: Variables, images: jax.Array) -> jax.Array:
        """Vertices ``[N, V, 3]`` alone of `reconstruct`, model frame."""
        return self.reconstruct(variables, images).vertices

    def encode(self, variables: Variables, images: jax.Array) -> jax.Array:
        """Codes ``[N, latent]``, of which the decoder makes meshes.

        Args:
            variables: parameters and running averages.
            images: ``[N, S, S, 4]`` RGBA in [0, 1].
        """
        images = self._as_input(images)
        return self._apply(self._inference, variables, lambda m: m.encoder(images))[1]

    def decode(self, variables: Variables, codes: jax.Array) -> jax.Array:
        """Vertices ``[N, V, 3]``, model frame, of codes: `infer` is this of `encode`.

        Args:
            variables: parameters and running averages.
            codes: ``[N, latent]``.
        """
        return self._apply(self._inference, variables, lambda m: m.decoder(codes))[1]


def to_network_input(images: jax.Array) -> jax.Array:
    """Converts images ``[N, 4, S, S]`` uint8, as stored, to ``[N, S, S, 4]`` floats.

    Values 0 to 255 become 0 to 1.
    """
    return jnp.moveaxis(images, -3, -1).astype(jnp.float32) / 255
