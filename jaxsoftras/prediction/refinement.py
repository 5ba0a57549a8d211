"""Fits a mesh to the silhouette of one picture, by the soft rasterizer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsoftras import camera, config, losses, mesh, rasterization

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
    Laplacian and flattening terms, weighted as in training.

    Args:
        vertices: ``[V, 3]`` world space.
        faces: ``[F, 3]`` vertex indices.
        view: the camera.
        coverage: ``[S, S]`` the silhouette, 0 to 1.
        steps: number of steps.
        settings: weights of the terms, and settings of the rasterizer.

    Returns:
        ``[V, 3]`` moved vertices.
    """
    optimizer = optax.adam(_LEARNING_RATE)
    render, weights = settings.render, settings.loss

    def loss(moved: jax.Array) -> jax.Array:
        corners = mesh.face_vertices(camera.project(view, moved), faces)
        drawn = rasterization.silhouette(
            corners,
            coverage.shape[-1],
            sigma=render.sigma,
            dist_eps=render.dist_eps,
            implementation=render.implementation,
        )
        return (
            1
            - losses.silhouette_iou(drawn, coverage)
            + weights.laplacian * losses.laplacian(moved, faces)
            + weights.flatten * losses.flatten(moved, faces)
        )

    def step(_, state: tuple) -> tuple:
        moved, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(moved), moments)
        return optax.apply_updates(moved, updates), moments

    start = vertices, optimizer.init(vertices)
    return jnp.asarray(jax.lax.fori_loop(0, steps, step, start)[0])
