"""Inputs and outputs that every backend shares: a scene, a task, a blend."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import shading
from jaxsoftras.kernels.options import RasterOptions


class Scene(NamedTuple):
    """A batch of faces to draw.

    Attributes:
        face_vertices: ``[B, F, 3, 3]`` NDC and depth. For alpha alone also ``[B, F, 3,
            2]``, from which kernels render silhouettes faster.
        sigma: ``[B]`` sharpness of the probability map.
        gamma: ``[B]`` sharpness of the choice among depths.
        attributes: attributes of the faces, or None for alpha alone.
    """

    face_vertices: jax.Array
    sigma: jax.Array
    gamma: jax.Array
    attributes: shading.Attributes | None = None

    def add_depths(self) -> Scene:
        """The same faces, at depth 1 if they have no depths."""
        vertices = self.face_vertices
        if vertices.shape[-1] == 3:
            return self
        one = jnp.ones_like(vertices[..., :1])
        return self._replace(face_vertices=jnp.concatenate([vertices, one], axis=-1))


class Task(NamedTuple):
    """The image to render; static.

    Attributes:
        height: pixels.
        width: pixels.
        options: of the rasterizer.
        lookup: how attributes become colours.
    """

    height: int
    width: int
    options: RasterOptions
    lookup: shading.Lookup = shading.Lookup()


class Blend(NamedTuple):
    """All faces taken together at each pixel, before the background is added.

    With ``q_j = D_j exp(n_j)`` the weight of face j, from its `pairs.Pair.probability`
    and `pairs.Pair.nearness`.

    Attributes:
        total: ``[B, H, W]`` sum of the faces' contributions to alpha; the other fields
            are None without attributes.
        logit: ``[B, H, W]`` ``log sum_j q_j``; the lowest number where no face has a
            colour.
        color: ``[B, C, H, W]`` ``sum_j q_j C_j / sum_j q_j``; 0 where no face has a
            colour.
    """

    total: jax.Array
    logit: Any = None
    color: Any = None


class Softmax(NamedTuple):
    """Normalizer of the softmax weights of a pixel's faces; ``[B, H, W]`` each.

    A weight is ``D exp(nearness - level) / sum``. The two stay apart because nearness
    grows as 1 / gamma, and the logarithm of the sum would lose its digits beside it.

    Attributes:
        level: the greatest nearness, or another number that keeps the exponentials
            small; without meaning where no face has a colour.
        log_sum: logarithm of the sum, and 0 there.
    """

    level: jax.Array
    log_sum: jax.Array
