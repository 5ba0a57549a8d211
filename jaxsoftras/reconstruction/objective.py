"""The loss of training: its terms, and their weighted sum."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, losses

_MOST_SCALES = 4


class Losses(NamedTuple):
    """Terms of the loss before weighting, one number per object.

    The last three are 0, and not computed, if their weight is 0.

    Attributes:
        silhouette: ``[B]`` mean of ``1 - IoU`` over the k^2 renders.
        laplacian: ``[B]`` mean over the k meshes.
        flatten: ``[B]`` mean over the k meshes.
        normal_consistency: ``[B]`` mean over the k meshes.
        edge_length: ``[B]`` mean over the k meshes.
        multiscale: ``[B]`` mean of ``1 - IoU``, of several scales, over the renders.
    """

    silhouette: jax.Array
    laplacian: jax.Array
    flatten: jax.Array
    normal_consistency: jax.Array
    edge_length: jax.Array
    multiscale: jax.Array


def compute_terms(
    vertices: jax.Array,
    faces: np.ndarray,
    rendered: jax.Array,
    target: jax.Array,
    weight: config.Loss,
) -> Losses:
    """Computes the terms of the loss.

    Args:
        vertices: ``[B, k, V, 3]`` k meshes of each object, model frame.
        faces: ``[F, 3]`` vertex indices.
        rendered: ``[B, k, k, S, S]`` silhouettes by object, mesh and view, 0 to 1.
        target: ``[B, 1, k, S, S]`` silhouettes of the views, 0 to 1.
        weight: weights of the terms.
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
    return terms


def sum_terms(terms: Losses, weights: config.Loss) -> jax.Array:
    """Sums the silhouette term, of weight 1, and the others, weighted: ``[B]``."""
    total = terms.silhouette
    for name, weight in dataclasses.asdict(weights).items():
        if weight:
            total = total + weight * getattr(terms, name)
    return total
