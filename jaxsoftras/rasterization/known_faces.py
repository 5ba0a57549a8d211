"""Checks of faces whose values are known, for corners far away and NaN."""

from __future__ import annotations

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.rasterization import large_faces


def _are_lost(faces: jax.Array) -> jax.Array:
    """Which faces ``[..., 3, D]`` would be drawn, were no corner NaN."""
    lost = jnp.any(jnp.isnan(faces), axis=(-2, -1))
    if faces.shape[-1] == 3:  # the projection of a point at the camera may be NaN
        lost = lost & ~jnp.any(faces[..., 2] <= 0, axis=-1)
    return lost


@jax.jit
def _count(faces: jax.Array) -> jax.Array:
    """Numbers of faces that are lost, and of those that have corners far away."""
    # half precision is computed in single; corners far away need no care in double
    faces = faces.astype(jnp.promote_types(faces.dtype, jnp.float32))
    far = jnp.sum(large_faces.are_far(faces)) if faces.dtype == jnp.float32 else 0
    return jnp.stack([jnp.sum(_are_lost(faces)), far])


def have_far_corners(faces: ArrayLike) -> bool:
    """Whether faces are known to have corners far away; warns of corners that are NaN.

    Known are those of calls outside of `jax.jit` and `jax.vmap`; see
    `checks.evaluate_known`.

    Args:
        faces: ``[..., F, 3, D]`` NDC, and depths if D = 3. Of another shape or dtype,
            which are refused later, nothing is known.
    """
    shape, dtype = np.shape(faces), jnp.result_type(faces)
    if len(shape) < 3 or 0 in shape or not jnp.issubdtype(dtype, jnp.floating):
        return False
    counts = checks.evaluate_known(_count, faces)
    if counts is None:
        return False
    lost, far = map(int, counts)
    if lost:
        warnings.warn(
            f"{lost} of {math.prod(shape[:-2])} faces have a corner that is NaN, and "
            "are not drawn.",
            stacklevel=checks.caller_depth(),
        )
    return far > 0
