"""The soft silhouette as its definition reads: every face at every pixel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxsoftras import geometry

LIMIT = 2**24
"""Most (face, pixel) pairs; with their gradients, these take about a gigabyte."""


def check_size(batch: int, faces: int, height: int, width: int) -> None:
    """Raises a ValueError for scenes of more than `LIMIT` pairs."""
    pairs = batch * faces * height * width
    if pairs > LIMIT:
        raise ValueError(
            f"The reference implementation holds all {pairs:,} pairs of {batch} x "
            f"{faces} faces and {height} x {width} pixels in memory, and takes at most "
            f"{LIMIT:,}; use implementation='xla' for this size."
        )


def silhouette_reference(
    face_vertices: jax.Array,
    sigma: jax.Array,
    *,
    height: int,
    width: int,
    cutoff: float,
) -> jax.Array:
    """Soft silhouettes, dense, differentiated by JAX.

    ``alpha_p = 1 - prod_j (1 - D_jp)`` with ``D_jp = sigmoid(s_jp / sigma)``, ``s_jp``
    the signed squared distance from pixel p to the boundary of face j, and ``D_jp = 0``
    where ``s_jp <= -sigma * cutoff`` (eq. 1 and 4 of Liu et al., 2019).

    Args:
        face_vertices: ``[B, F, 3, 2]`` NDC.
        sigma: ``[B]`` NDC squared.
        height: pixels.
        width: pixels.
        cutoff: squared radius of a face's influence, in units of sigma.

    Returns:
        ``[B, H, W]`` alpha.

    Raises:
        ValueError: more pairs of faces and pixels than `LIMIT`.
    """
    check_size(*face_vertices.shape[:2], height, width)
    x, y = geometry.pixel_centers(height, width, face_vertices.dtype)
    safe, drawn = geometry.drawable(face_vertices)
    triangles = geometry.corners(safe[:, :, None, None])  # fields [B, F, 1, 1]
    signed = geometry.nearest(x, y[:, None], triangles).signed  # [B, F, H, W]
    sigma = sigma[:, None, None, None]
    counts = drawn[:, :, None, None] & (signed > -sigma * cutoff)
    # log(1 - sigmoid(z)) = -softplus(z)
    log_outside = jnp.where(counts, -jax.nn.softplus(signed / sigma), 0)
    return -jnp.expm1(jnp.sum(log_outside, axis=1))
