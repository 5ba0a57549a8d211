"""The decoder, which maps a code to the vertices of a deformed template."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import mesh
from jaxsoftras.models import layers


def deform(template: np.ndarray, bias: jax.Array, centroid: jax.Array) -> jax.Array:
    """Deforms a template within the cube ``(-1, 1)^3``.

    Each coordinate t of the template, of sign s, becomes ``s sigmoid(logit(|t|) +
    bias)``, which stays on its side of zero. The cube is then bent, axis by axis, so
    that zero moves to the centroid while the cube's faces stay. A coordinate that is
    zero in the template lands on the centroid, whatever its bias.

    Args:
        template: ``[V, 3]`` vertices within (-1, 1).
        bias: ``[..., V, 3]`` displacements, logits.
        centroid: ``[..., 3]`` within (-1, 1).

    Returns:
        ``[..., V, 3]`` vertices within (-1, 1).
    """
    # a sign of 0 cancels the logit, which need only be finite
    size = np.where(template == 0, 0.5, np.abs(template))
    logit = (np.log(size) - np.log1p(-size)).astype(bias.dtype)
    sign = np.sign(template).astype(bias.dtype)
    moved = sign * jax.nn.sigmoid(logit + bias)
    centroid = centroid[..., None, :]
    positive, negative = jnp.maximum(moved, 0), jnp.maximum(-moved, 0)
    return positive * (1 - centroid) - negative * (1 + centroid) + centroid


class Decoder(nnx.Module):
    """The decoder of Soft Rasterizer.

    Fully connected layers with ReLU, then two linear heads: the bias of each vertex
    coordinate and the centroid, ``tanh(0.1 h)``, for `deform`. The template is a sphere
    of radius 1/2 in the cube ``(-1, 1)^3``; the result is halved, into the model frame
    ``(-0.5, 0.5)^3``. 6,577,033 parameters at full size (latent 512, hidden 1024, 2048,
    642 vertices).
    """

    def __init__(
        self,
        template_level: int,
        latent: int,
        hidden: Sequence[int],
        *,
        rngs: nnx.Rngs,
    ):
        """Makes a decoder.

        Args:
            template_level: subdivisions of the template, a `jaxsoftras.mesh.icosphere`.
            latent: size of the code.
            hidden: sizes of the fully connected layers.
            rngs: random numbers for the initial parameters.
        """
        self.template_level = template_level
        vertices = len(mesh.icosphere(template_level).vertices)
        self.body = layers.Perceptron((latent, *hidden), rngs=rngs)
        self.centroid = layers.linear(hidden[-1], 3, rngs)
        self.bias = layers.linear(hidden[-1], 3 * vertices, rngs)

    def __call__(self, codes: jax.Array) -> jax.Array:
        """Maps codes ``[N, latent]`` to vertices ``[N, V, 3]``, model frame."""
        hidden = self.body(codes)
        bias = self.bias(hidden).reshape(codes.shape[0], -1, 3)
        centroid = jnp.tanh(0.1 * self.centroid(hidden))
        sphere = np.asarray(mesh.icosphere(self.template_level).vertices)
        return 0.5 * deform(0.5 * sphere, bias, centroid)
