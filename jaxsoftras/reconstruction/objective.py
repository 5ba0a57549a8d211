"""The loss of training: its terms, and their weighted sum."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, losses

_MOST_SCALES = 4


class Losses(NamedTuple):
    """Terms of the loss before weighting, one number per object.

    The last four are 0, and not computed, if their weight is 0.

    Attributes:
        silhouette: ``[B]`` mean of ``1 - IoU`` over the k^2 renders.
        laplacian: ``[B]`` mean over the k meshes.
        flatten: ``[B]`` mean over the k meshes.
        normal_consistency: ``[B]`` mean over the k meshes.
        edge_length: ``[B]`` mean over the k meshes.
        multiscale: ``[B]`` mean of ``1 - IoU``, of several scales, over the renders.
        color: ``[B]`` mean of `color_difference` over the k^2 renders in colour.
    """

    silhouette: jax.Array
    laplacian: jax.Array
    flatten: jax.Array
    normal_consistency: jax.Array
    edge_length: jax.Array
    multiscale: jax.Array
    color: jax.Array


class Colored(NamedTuple):
    """Renders in colour, and the images that they are compared with.

    Attributes:
        rendered: ``[B, k, k, S, S, 3]`` by object, mesh and view, 0 to 1.
        images: ``[B, 1, k, 4, S, S]`` RGBA of the views, 0 to 1, colours multiplied by
            coverage.
    """

    rendered: jax.Array
    images: jax.Array


def color_difference(
    rendered: jax.Array, images: jax.Array, norm: Literal["l1", "l2"]
) -> jax.Array:
    """Mean difference of colours over an object.

    ``sum |a r - c| / (3 sum a)`` over pixels and channels, with coverage a of the
    object, its colour c times a, and the render r; or of the squares. Both sides have
    the object's own coverage: the background cancels, of which an image has more than
    of the object, and differences of shape are left to the silhouettes.

    Args:
        rendered: ``[..., S, S, 3]`` colours, 0 to 1.
        images: ``[..., 4, S, S]`` RGBA, 0 to 1, colours multiplied by coverage.
        norm: ``"l1"`` or ``"l2"``.

    Returns:
        ``[...]``; 0 where there is no object.
    """
    images = jnp.moveaxis(images, -3, -1)
    coverage = images[..., 3:]
    difference = coverage * rendered - images[..., :3]
    error = jnp.abs(difference) if norm == "l1" else difference**2
    axes = (-3, -2, -1)
    return jnp.sum(error, axes) / (3 * jnp.sum(coverage, axes) + 1e-6)


def compute_terms(
    vertices: jax.Array,
    faces: np.ndarray,
    rendered: jax.Array,
    target: jax.Array,
    weight: config.Loss,
    colored: Colored | None = None,
) -> Losses:
    """Computes the terms of the loss.

    Args:
        vertices: ``[B, k, V, 3]`` k meshes of each object, model frame.
        faces: ``[F, 3]`` vertex indices.
        rendered: ``[B, k, k, S, S]`` silhouettes by object, mesh and view, 0 to 1.
        target: ``[B, 1, k, S, S]`` silhouettes of the views, 0 to 1.
        weight: weights of the terms.
        colored: renders and images in colour; None for no colour term.
    """
    iou = losses.silhouette_iou(rendered, target)
    none = jnp.zeros(len(vertices), vertices.dtype)
    terms = Losses(
        silhouette=jnp.mean(1 - iou, axis=(1, 2)),
        laplacian=jnp.mean(losses.laplacian(vertices, faces), axis=1),
        flatten=jnp.mean(losses.flatten(vertices, faces), axis=1),
        normal_consistency=none,
        edge_length=none,
        multiscale=none,
        color=none,
    )
    if weight.normal_consistency:
        value = losses.normal_consistency(vertices, faces)
        terms = terms._replace(normal_consistency=jnp.mean(value, axis=1))
    if weight.edge_length:
        value = losses.edge_length(vertices, faces)
        terms = terms._replace(edge_length=jnp.mean(value, axis=1))
    if weight.multiscale:
        levels = min(_MOST_SCALES, (rendered.shape[-1] - 1).bit_length())
        iou = losses.multiscale_silhouette_iou(rendered, target, levels=levels)
        terms = terms._replace(multiscale=jnp.mean(1 - iou, axis=(1, 2)))
    if colored is not None:
        difference = color_difference(*colored, weight.color_norm)
        terms = terms._replace(color=jnp.mean(difference, axis=(1, 2)))
    return terms


def sum_terms(terms: Losses, weights: config.Loss) -> jax.Array:
    """Sums the silhouette term, of weight 1, and the others, weighted: ``[B]``."""
    total = terms.silhouette
    for name in terms._fields[1:]:
        if weight := getattr(weights, name):
            total = total + weight * getattr(terms, name)
    return total
