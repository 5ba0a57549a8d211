"""The template sphere, and the vertices of it that a decoder predicts."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import spatial

from jaxsoftras import deterministic, mesh

RADIUS = 0.25
"""Radius of the template in the model frame, whose sides are 1."""


class Template(NamedTuple):
    """A sphere, of which all vertices or those of one half are predicted.

    Attributes:
        vertices: ``[V, 3]`` on the sphere of radius `RADIUS`, model frame.
        predicted: ``[P]`` indices of the predicted vertices: all, or those with x >= 0.
        source: ``[V]`` row among the predicted vertices that each vertex copies.
        flip: ``[V, 3]`` sign of that copy: -1 for the x of a mirrored vertex, and 0 for
            the x of a vertex on the plane x = 0.
    """

    vertices: np.ndarray
    predicted: np.ndarray
    source: np.ndarray
    flip: np.ndarray

    @property
    def symmetric(self) -> bool:
        """Whether one half is predicted and the other its mirror image in x = 0."""
        return len(self.predicted) < len(self.vertices)

    def predict(self, values: jax.Array) -> jax.Array:
        """Values ``[..., P, 3]`` of the predicted vertices, of ``[..., V, 3]``."""
        return deterministic.take(values, self.predicted) if self.symmetric else values

    def expand(self, values: jax.Array) -> jax.Array:
        """Vectors ``[..., V, 3]`` of all vertices, from ``[..., P, 3]``.

        Both halves of a symmetric template have the same numbers, but for the sign of
        x: the result is its own mirror image exactly.
        """
        if not self.symmetric:
            return values
        return jnp.asarray(self.flip, values.dtype) * deterministic.take(
            values, self.source
        )


@functools.cache
def make(level: int, symmetric: bool) -> Template:
    """Makes the template of a number of subdivisions.

    Vertices are in the order of `jaxsoftras.icosphere`, so that the faces are the same;
    those of a coarser level come first. A symmetric one is turned about y by 90
    degrees, as an icosphere is its own mirror image in z = 0.

    Args:
        level: see `jaxsoftras.icosphere`.
        symmetric: whether one half is predicted and the other its mirror image.
    """
    vertices = RADIUS * np.asarray(mesh.icosphere(level).vertices)
    count = len(vertices)
    if not symmetric:
        every = np.arange(count)
        return Template(vertices, every, every, np.ones((count, 3)))
    vertices = np.stack([vertices[:, 2], vertices[:, 1], -vertices[:, 0]], axis=-1)
    mirror = np.array([-1, 1, 1])
    _, partner = spatial.KDTree(vertices).query(mirror * vertices)
    predicted = np.flatnonzero(vertices[:, 0] >= 0)
    row = np.zeros(count, int)
    row[predicted] = np.arange(len(predicted))
    is_copy = vertices[:, 0] < 0
    flip = np.ones((count, 3))
    flip[:, 0] = np.sign(vertices[:, 0])
    return Template(
        vertices, predicted, row[np.where(is_copy, partner, range(count))], flip
    )
