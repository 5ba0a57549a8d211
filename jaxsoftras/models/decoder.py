"""Three decoders behind one interface, which map a code to a deformed template.

Each maps codes ``[N, latent]`` to vertices ``[N, V, 3]`` within the model frame
``(-0.5, 0.5)^3``, and is made by ``Decoder(settings, rngs=rngs)`` of a
`jaxsoftras.config.Model`. The template is a sphere of radius 1/4, which outputs of zero
leave as it is; see `jaxsoftras.models.templates`.

* `SoftRasDecoder`: that of Soft Rasterizer. Every vertex stays in its octant.
* `MultilevelDecoder`: free displacements, coarse to fine.
* `jaxsoftras.models.flow.FlowDecoder`: a deformation of space that never folds.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import config, deterministic, mesh, topology
from jaxsoftras.models import layers, templates


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


def displace(template: np.ndarray, displacement: jax.Array) -> jax.Array:
    """Moves a template within the cube ``(-1, 1)^3``, each vertex wherever it likes.

    The logit of (t + 1) / 2, with t a coordinate, is displaced: t becomes
    ``tanh(artanh(t) + displacement / 2)``.

    Args:
        template: ``[V, 3]`` vertices within (-1, 1).
        displacement: ``[..., V, 3]``, logits.

    Returns:
        ``[..., V, 3]`` vertices within (-1, 1).
    """
    start = np.arctanh(template).astype(displacement.dtype)
    return jnp.tanh(start + displacement / 2)


class Decoder(nnx.Module):
    """Fully connected layers with ReLU behind a code, and the template.

    Attributes:
        body: the layers.
    """

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """Makes the layers.

        Args:
            settings: level and symmetry of the template, and all sizes.
            rngs: random numbers for the initial parameters.
        """
        self._level = settings.template_level
        self._symmetric = settings.symmetric
        self.body = layers.Perceptron(
            (settings.latent, *settings.decoder_hidden), rngs=rngs
        )

    @property
    def template(self) -> templates.Template:
        """The sphere that is deformed."""
        return templates.make(self._level, self._symmetric)

    def __call__(self, codes: jax.Array) -> jax.Array:
        """Maps codes ``[N, latent]`` to vertices ``[N, V, 3]``, model frame."""
        return self.template.expand(self._predict(self.body(codes)))

    def _predict(self, hidden: jax.Array) -> jax.Array:
        """Predicted vertices ``[N, P, 3]`` of the last layer's features."""
        raise NotImplementedError("each decoder has its own heads")


def place_by_bias(
    template: templates.Template, bias: jax.Array, centroid: jax.Array
) -> jax.Array:
    """Vertices of `SoftRasDecoder`, from the outputs of its heads.

    Args:
        template: the sphere, with P predicted vertices.
        bias: ``[..., P, 3]`` displacements, logits.
        centroid: ``[..., 3]``, of which ``tanh(0.1 c)`` is the centroid.

    Returns:
        ``[..., P, 3]`` predicted vertices, model frame.
    """
    centroid = jnp.tanh(0.1 * centroid)
    if template.symmetric:
        centroid = centroid * np.array([0, 1, 1])
    sphere = template.vertices[template.predicted]
    return 0.5 * deform(2 * sphere, bias, centroid)


class SoftRasDecoder(Decoder):
    """The decoder of Soft Rasterizer.

    Two linear heads: the bias of each vertex coordinate and the centroid, ``tanh(0.1
    h)``, for `deform`, in the cube ``(-1, 1)^3``; the result is halved. A symmetric
    template keeps its centroid in the plane x = 0. 6,577,033 parameters at full size
    (latent 512, hidden 1024, 2048, 642 vertices).
    """

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """See `Decoder`."""
        super().__init__(settings, rngs=rngs)
        features, vertices = settings.decoder_hidden[-1], len(self.template.predicted)
        self.centroid = layers.linear(features, 3, rngs)
        self.bias = layers.linear(features, 3 * vertices, rngs)

    def _predict(self, hidden: jax.Array) -> jax.Array:
        bias = self.bias(hidden).reshape(hidden.shape[0], -1, 3)
        return place_by_bias(self.template, bias, self.centroid(hidden))


def place_by_levels(
    template: templates.Template,
    own: jax.Array,
    shift: jax.Array,
    coarse_level: int,
    level: int,
) -> jax.Array:
    """Vertices of `MultilevelDecoder`, from the outputs of its heads.

    Args:
        template: the sphere of ``level``, with P predicted vertices.
        own: ``[..., P, 3]`` displacements, see `accumulate`.
        shift: ``[..., 3]`` displacement of the whole.
        coarse_level: see `accumulate`.
        level: see `accumulate`.

    Returns:
        ``[..., P, 3]`` predicted vertices, model frame.
    """
    if template.symmetric:
        shift = shift * np.array([0, 1, 1])
    total = accumulate(template.expand(own), coarse_level, level)
    sphere = template.vertices[template.predicted]
    return 0.5 * displace(2 * sphere, template.predict(total) + shift[..., None, :])


class MultilevelDecoder(Decoder):
    """A decoder that displaces the vertices of successive subdivisions.

    The vertices of the coarsest sphere have a displacement each. At every subdivision a
    new vertex gets the mean displacement of the ends of its edge, plus one of its own
    that is half as large as those of the level before: a hierarchical basis
    (Yserentant, *On the Multi-Level Splitting of Finite Element Spaces*, 1986), with as
    many numbers as there are coordinates. The whole is moved besides. `displace` keeps
    the mesh within the cube, and lets every vertex go anywhere in it.

    6,577,033 parameters at full size, as many as `SoftRasDecoder`.
    """

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """See `Decoder`."""
        super().__init__(settings, rngs=rngs)
        self._coarse_level = settings.coarse_level
        features, vertices = settings.decoder_hidden[-1], len(self.template.predicted)
        self.shift = layers.linear(features, 3, rngs)
        self.displacement = layers.linear(features, 3 * vertices, rngs)

    def _predict(self, hidden: jax.Array) -> jax.Array:
        own = self.displacement(hidden).reshape(hidden.shape[0], -1, 3)
        return place_by_levels(
            self.template, own, self.shift(hidden), self._coarse_level, self._level
        )


def accumulate(own: jax.Array, coarse_level: int, level: int) -> jax.Array:
    """Adds the displacements of the levels of a subdivided icosphere.

    Args:
        own: ``[..., V, 3]`` displacement of each vertex relative to the edge that it
            was made on; absolute for those of the coarsest sphere. Those of the s-th
            subdivision after it are first divided by ``2**s``.
        coarse_level: subdivisions of the coarsest sphere.
        level: subdivisions of the finest one, which has V vertices.

    Returns:
        ``[..., V, 3]`` displacements.
    """
    coarse = mesh.icosphere(coarse_level)
    faces, count = np.asarray(coarse.faces), len(coarse.vertices)
    total = own[..., :count, :]
    for step in range(1, level - coarse_level + 1):
        edges, faces = topology.split_faces(faces, count)
        detail = own[..., count : count + len(edges), :] / 2**step
        means = jnp.mean(deterministic.take(total, edges), axis=-2)
        total = jnp.concatenate([total, means + detail], axis=-2)
        count += len(edges)
    return total
