"""The pixels within reach of an interval of coordinates."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def pixel_span(
    low: jax.Array, high: jax.Array, margin: jax.Array, size: int
) -> tuple[jax.Array, jax.Array]:
    """First and last pixel within a margin of an interval; elementwise.

    Args:
        low: lower end, NDC; for rows, which count downwards, minus the upper end.
        high: upper end, likewise.
        margin: reach beyond both ends, NDC.
        size: number of pixels along the axis.

    Returns:
        int32 in [0, size] and [-1, size - 1]; first > last if there is no such pixel.
    """
    # Pixel j lies at (2 j + 1 - size) / size. Reaching too far is harmless, as each
    # pixel is tested again; reaching too near is not, hence the slack for rounding.
    margin = margin * 1.0001 + 1e-5
    first = jnp.ceil(((low - margin) * size + (size - 1)) / 2)
    last = jnp.floor(((high + margin) * size + (size - 1)) / 2)
    # clipped as floats: a far corner must not overflow the conversion
    first = jnp.minimum(jnp.maximum(first, 0), size).astype(jnp.int32)
    last = jnp.minimum(jnp.maximum(last, -1), size - 1).astype(jnp.int32)
    return first, last
