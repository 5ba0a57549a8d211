"""The engine of all fits: the loss of meshes against silhouettes, and Adam on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jaxsoftras import camera, config, losses, mesh, rasterization

_MOST_SCALES = 4  # of the multiscale term, as in training


class Views(NamedTuple):
    """Silhouettes of B objects from N views each; a pytree.

    Attributes:
        coverage: ``[B, N, S, S]`` 0 to 1, or uint8 from 0 to 255; row 0 at the top.
        cameras: with leading axes ``[B, N]``.
        weights: ``[B, N]`` weights of the views in the mean over them; those of views
            that only fill up are 0, and those of an object not all.
    """

    coverage: jax.Array | np.ndarray
    cameras: camera.Camera
    weights: jax.Array | np.ndarray

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.coverage.shape[-2:]
        return height, width


def _project(
    vertices: jax.Array, faces: np.ndarray, cameras: camera.Camera
) -> jax.Array:
    """Corners ``[B, N, F, 3, 3]`` in NDC of meshes ``[B, V, 3]`` in N views each."""
    return mesh.face_vertices(camera.project(cameras, vertices[:, None]), faces)


def _as_floats(coverage: jax.Array | np.ndarray) -> jax.Array:
    """Coverage from 0 to 1, whether it is stored so or as uint8."""
    coverage = jnp.asarray(coverage)
    if coverage.dtype == jnp.uint8:
        return coverage.astype(jnp.float32) / 255
    return coverage


def compute_loss(
    vertices: jax.Array,
    faces: np.ndarray,
    views: Views,
    sigma: ArrayLike,
    settings: config.Config,
) -> jax.Array:
    """The loss of training, of one mesh for all views of an object.

    The mean over the views of one minus the IoU of soft silhouettes, and the terms of
    ``settings.loss`` about shape, weighted. A term of weight 0 is not computed.

    Args:
        vertices: ``[B, V, 3]`` world space.
        faces: ``[F, 3]`` vertex indices.
        views: what the meshes are compared with.
        sigma: sharpness of the rasterizer, NDC squared.
        settings: ``loss``, and ``render`` but for its sigma.

    Returns:
        ``[B]``.
    """
    render, weight = settings.render, settings.loss
    drawn = rasterization.silhouette(
        _project(vertices, faces, views.cameras),
        views.image_size,
        sigma=sigma,
        dist_eps=render.dist_eps,
        implementation=render.implementation,
    )
    target = _as_floats(views.coverage)

    def mean(iou: jax.Array) -> jax.Array:
        total = jnp.sum(views.weights, axis=-1)
        return jnp.sum(views.weights * (1 - iou), axis=-1) / total

    loss = mean(losses.silhouette_iou(drawn, target))
    for name in ("laplacian", "flatten", "normal_consistency", "edge_length"):
        if factor := getattr(weight, name):
            loss = loss + factor * getattr(losses, name)(vertices, faces)
    if weight.multiscale:
        levels = min(_MOST_SCALES, (drawn.shape[-1] - 1).bit_length())
        iou = losses.multiscale_silhouette_iou(drawn, target, levels=levels)
        loss = loss + weight.multiscale * mean(iou)
    return loss


def compute_iou(
    vertices: jax.Array, faces: np.ndarray, views: Views, settings: config.Config
) -> jax.Array:
    """IoU ``[B, N]`` of masks, in pixels; 0 where both are empty.

    A pixel belongs to a mesh that covers its centre, and to the object if its coverage
    is at least a half.
    """
    drawn = rasterization.silhouette(
        _project(vertices, faces, views.cameras),
        views.image_size,
        distance="hard",
        implementation=settings.render.implementation,
    )
    covered, target = drawn > 0.5, _as_floats(views.coverage) >= 0.5
    both = jnp.sum(covered & target, axis=(-2, -1))
    either = jnp.sum(covered | target, axis=(-2, -1))
    return both / jnp.maximum(either, 1)


def descend(
    objective: Callable[[Any, jax.Array], jax.Array],
    optimizer: optax.GradientTransformation,
    state: tuple[Any, optax.OptState],
    first: ArrayLike,
    last: ArrayLike,
) -> tuple[Any, optax.OptState]:
    """Takes the steps from ``first`` to before ``last``, in one loop on the device.

    Args:
        objective: ``(parameters, step) -> [B]`` losses of B objects, none of which
            depends on the parameters of another.
        optimizer: one that treats each number by itself, as Adam does. Objects are then
            independent: nothing changes for one if there are others.
        state: the parameters, and the state of the optimiser.
        first: number of steps taken before.
        last: number of steps taken afterwards.

    Returns:
        The new state.
    """

    def step(number: jax.Array, state: tuple[Any, optax.OptState]):
        parameters, moments = state
        gradient = jax.grad(lambda p: jnp.sum(objective(p, number)))(parameters)
        updates, moments = optimizer.update(gradient, moments)
        return optax.apply_updates(parameters, updates), moments

    return jax.lax.fori_loop(first, last, step, state)
