"""Colours of a reconstruction, one for each vertex or texel of the template.

Two heads behind one interface, made by ``Head(settings, sites, rngs=rngs)``: each maps
codes ``[N, latent]`` and the images that they are made from, ``[N, S, S, 4]``, to
colours ``[N, sites, 3]`` in [0, 1]. Images are RGBA with colours multiplied by
coverage.

* `PaletteHead`: colours of the image's own pixels, mixed (Liu et al., 2019,
  arXiv:1904.01786).
* `DirectHead`: colours predicted as numbers.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import config, mesh, texture
from jaxsoftras.models import layers

_FEATURES = 32
"""Features whose products are the logits of a selection."""

_NO_COLOR = 0.5
"""Colour that is predicted from an image without an object."""


def count_sites(settings: config.Model) -> int:
    """Counts the vertices of the template, or its texels if it has a texture."""
    template = mesh.icosphere(settings.template_level)
    if settings.texture_size:
        return len(template.faces) * settings.texture_size**2
    return len(template.vertices)


def make_texture(colors: np.ndarray) -> texture.VertexColors | texture.SurfaceTexture:
    """Makes a texture of colours ``[V, 3]`` or texels ``[F, R * R, 3]``."""
    kind = texture.VertexColors if colors.ndim == 2 else texture.SurfaceTexture
    return kind(colors)


def average_pixels(images: jax.Array, logits: jax.Array) -> jax.Array:
    """Averages the colours of an image's pixels, by coverage times ``exp(logits)``.

    Args:
        images: ``[N, S, S, 4]`` RGBA in [0, 1], colours multiplied by coverage.
        logits: ``[N, K, S * S]``; those of pixels without coverage do not count.

    Returns:
        ``[N, K, 3]`` in [0, 1], within the convex hull of the pixels' colours; grey for
        an image without coverage.
    """
    pixels = images.reshape(images.shape[0], -1, 4)
    covered = pixels[:, None, :, 3] > 0
    logits = jnp.where(covered, logits, -jnp.inf)
    largest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    weights = jnp.exp(logits - jnp.where(jnp.isfinite(largest), largest, 0))
    sums = jnp.einsum("nkp,npc->nkc", weights, pixels)
    color, coverage = sums[..., :3], sums[..., 3:]
    mean = color / jnp.where(coverage > 0, coverage, 1)
    # above 1 in files whose colours are not multiplied by coverage
    return jnp.where(coverage > 0, jnp.minimum(mean, 1), _NO_COLOR)


class PaletteHead(nnx.Module):
    """Mixes the colours of each site from a palette of the input's pixels.

    A first softmax, over the covered pixels, averages K colours of the image; a second
    one, over these, mixes the colour of each site. Logits are products of features: of
    K queries that depend on the code, with features of the pixels (a 3 x 3 convolution
    and a learnt position) and with learnt features of the sites. Parameters therefore
    grow with the number of sites, not with that times K. 4,875,488 at full size (64 px,
    642 vertices, K = 16).
    """

    def __init__(self, settings: config.Model, sites: int, *, rngs: nnx.Rngs):
        """Makes a head; see the module's docstring."""
        self.palette_size = settings.palette_size
        hidden = settings.decoder_hidden
        self.body = layers.Perceptron((settings.latent, *hidden), rngs=rngs)
        queries = self.palette_size * _FEATURES
        self.pixel_queries = layers.linear(hidden[-1], queries, rngs)
        self.site_queries = layers.linear(hidden[-1], queries, rngs)
        self.pixels = layers.conv(4, _FEATURES, kernel=3, stride=1, rngs=rngs)

        def draw(count: int) -> nnx.Param:
            return nnx.Param(jax.random.normal(rngs.params(), (count, _FEATURES)))

        self.position = draw(settings.image_size**2)
        self.sites = draw(sites)

    def __call__(self, codes: jax.Array, images: jax.Array) -> jax.Array:
        """Maps codes and images to colours ``[N, sites, 3]``."""
        hidden = self.body(codes)
        shape = (codes.shape[0], self.palette_size, _FEATURES)
        pixels = self.pixels(images).reshape(codes.shape[0], -1, _FEATURES)
        picked = jnp.einsum(
            "nkd,npd->nkp",
            self.pixel_queries(hidden).reshape(shape),
            pixels + self.position[...],
        )
        mixed = jnp.einsum(
            "nkd,td->ntk", self.site_queries(hidden).reshape(shape), self.sites[...]
        )
        palette = average_pixels(images, picked)
        return jnp.einsum("ntk,nkc->ntc", jax.nn.softmax(mixed), palette)


class DirectHead(nnx.Module):
    """Predicts the colours of all sites by fully connected layers and a sigmoid.

    6,570,886 parameters at full size (642 vertices).
    """

    def __init__(self, settings: config.Model, sites: int, *, rngs: nnx.Rngs):
        """Makes a head; see the module's docstring."""
        hidden = settings.decoder_hidden
        self.body = layers.Perceptron((settings.latent, *hidden), rngs=rngs)
        self.colors = layers.linear(hidden[-1], 3 * sites, rngs)

    def __call__(self, codes: jax.Array, images: jax.Array) -> jax.Array:
        """Maps codes to colours ``[N, sites, 3]``; the images play no further part."""
        del images
        colors = jax.nn.sigmoid(self.colors(self.body(codes)))
        return colors.reshape(codes.shape[0], -1, 3)


HEADS = {"palette": PaletteHead, "direct": DirectHead}
"""Heads by the name that ``model.color`` has for them."""


class Colors(nnx.Module):
    """Colours of the vertices, or of the texels of each face, by one of the heads."""

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """Makes the head that ``settings.color`` names."""
        self.texels = settings.texture_size**2
        self.head = HEADS[settings.color](settings, count_sites(settings), rngs=rngs)

    def __call__(self, codes: jax.Array, images: jax.Array) -> jax.Array:
        """Maps codes ``[N, latent]`` and images ``[N, S, S, 4]`` to colours.

        Returns:
            ``[N, V, 3]``, or texels ``[N, F, R * R, 3]`` of a `SurfaceTexture`.
        """
        colors = self.head(codes, images)
        if not self.texels:
            return colors
        return colors.reshape(codes.shape[0], -1, self.texels, 3)
