"""Fits a mesh to the silhouette of one picture, by the soft rasterizer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsoftras import camera, config
from jaxsoftras.fitting import engine

_LEARNING_RATE = 2e-3


def refine(
    vertices: jax.Array,
    faces: np.ndarray,
    view: camera.Camera,
    coverage: jax.Array,
    steps: jax.Array | int,
    settings: config.Config,
) -> jax.Array:
    """Moves the vertices of a mesh, so that its silhouette from a camera fits.

    Adam minimises the loss of training: one minus the IoU of soft silhouettes, and the
    terms about shape, weighted as in training.

    Args:
        vertices: ``[V, 3]`` world space.
        faces: ``[F, 3]`` vertex indices.
        view: the camera.
        coverage: ``[S, S]`` the silhouette, 0 to 1.
        steps: number of steps.
        settings: weights of the terms, and settings of the rasterizer; where sigma is
            annealed, its last value counts.

    Returns:
        ``[V, 3]`` moved vertices.
    """
    views = engine.Views(
        coverage[None, None],
        jax.tree.map(lambda part: part[None, None], view),
        jnp.ones((1, 1), vertices.dtype),
    )
    optimizer = optax.adam(_LEARNING_RATE)
    annealed, constant = settings.render.final_sigma, settings.render.sigma
    sigma = constant if annealed is None else annealed

    def loss(moved: jax.Array, _: jax.Array) -> jax.Array:
        return engine.compute_loss(moved[None], faces, views, sigma, settings)

    start = vertices, optimizer.init(vertices)
    return engine.descend(loss, optimizer, start, 0, steps)[0]
