"""The soft rasterizer's public functions: checks, then the choice of a kernel."""

from __future__ import annotations

import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import geometry
from jaxsoftras.kernels import silhouette_reference, silhouette_xla

Implementation = Literal["reference", "xla"]
"""``"reference"``: dense, small scenes only. ``"xla"``: exact work list, any device."""

_SILHOUETTE = {
    "reference": silhouette_reference.silhouette_reference,
    "xla": silhouette_xla.silhouette_xla,
}

# The item counters of the work list are 32-bit: one face may touch this many tiles.
_LARGEST_SIDE = 32768


def _image_size(image_size: int | tuple[int, int]) -> tuple[int, int]:
    sides = image_size if isinstance(image_size, (tuple, list)) else (image_size,) * 2
    if len(sides) != 2 or not all(
        isinstance(side, (int, np.integer)) and 0 < side <= _LARGEST_SIDE
        for side in sides
    ):
        raise ValueError(
            "image_size must be an int or a pair (height, width) of ints from 1 to "
            f"{_LARGEST_SIDE}, not {image_size!r}."
        )
    return int(sides[0]), int(sides[1])


def _check_faces(face_vertices: jax.Array) -> None:
    shape = face_vertices.shape
    if len(shape) < 3 or shape[-2] != 3 or shape[-1] not in (2, 3):
        raise ValueError(
            "face_vertices must have the shape [..., F, 3, 2] or [..., F, 3, 3] (faces,"
            f" corners, coordinates); it has {list(shape)}."
        )
    if not jnp.issubdtype(face_vertices.dtype, jnp.floating):
        raise ValueError(
            f"face_vertices must be floating-point, not {face_vertices.dtype}; "
            "gather the corners with jaxsoftras.face_vertices(vertices, faces)."
        )


def _check_positive(name: str, value: ArrayLike) -> None:
    if not isinstance(value, Tracer) and not np.all(np.asarray(value) > 0):
        raise ValueError(f"{name} must be positive, not {value}.")


def silhouette(
    face_vertices: ArrayLike,
    image_size: int | tuple[int, int],
    *,
    sigma: ArrayLike = 1e-4,
    dist_eps: float = 1e-4,
    implementation: Implementation | None = None,
) -> jax.Array:
    """Renders soft silhouettes: the probability that some face covers a pixel.

    ``alpha = 1 - prod_j (1 - sigmoid(s_j / sigma))`` with ``s_j`` the squared distance
    (NDC) from the pixel centre to the boundary of face j, negated outside of the face
    (eq. 1 and 4 of Liu et al., 2019, arXiv:1904.01786). The product runs over all
    faces, whatever their orientation, order or depth; none is ever left out for want of
    space.

    Differentiable in ``face_vertices`` and ``sigma``, with bitwise repeatable results.
    Composes with `jax.jit`, `jax.vmap`, `jax.grad` and `jax.shard_map`.

    A face with a corner that is not finite, or farther than 1e8 from the origin, covers
    nothing and receives no gradient.

    Args:
        face_vertices: ``[..., F, 3, 2]`` or ``[..., F, 3, 3]`` corners of the faces,
            NDC: x right, y up, the image being ``[-1, 1]^2``. A third coordinate is
            unused: faces behind the camera or out of its range count as well.
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness, NDC squared, positive: a scalar, or one per image (of the
            shape of the leading axes). It may be traced, so a schedule does not
            recompile.
        dist_eps: a face's influence ends where its probability falls below this; in
            (0, 0.5). Larger is faster; a static number.
        implementation: ``"reference"`` or ``"xla"``; `None` chooses the fastest that
            runs everywhere.

    Returns:
        ``[..., H, W]`` alpha in [0, 1], of the dtype of ``face_vertices`` (half
        precision is computed in single); row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.
    """
    face_vertices = jnp.asarray(face_vertices)
    _check_faces(face_vertices)
    height, width = _image_size(image_size)
    _check_positive("sigma", sigma)
    if not 0 < dist_eps < 0.5:
        raise ValueError(f"dist_eps must lie between 0 and 0.5, not {dist_eps}.")
    implementation = implementation or "xla"
    if implementation not in _SILHOUETTE:
        raise ValueError(
            f"implementation must be one of {', '.join(get_args(Implementation))} or "
            f"None, not {implementation!r}."
        )

    batch, dtype = face_vertices.shape[:-3], face_vertices.dtype
    # half precision cannot tell the pixels of an image apart
    face_vertices = face_vertices.astype(jnp.promote_types(dtype, jnp.float32))
    sigma = jnp.asarray(sigma, face_vertices.dtype)
    try:
        # Adding zeros lets both vary over the same axes of a `shard_map`: gradients
        # then have the types of their arguments.
        sigmas = jnp.broadcast_to(sigma, batch) + jnp.zeros_like(
            face_vertices, shape=()
        )
        face_vertices = face_vertices + jnp.zeros_like(sigma, shape=())
    except ValueError:
        raise ValueError(
            f"sigma must be a scalar or of the shape {list(batch)} of the leading axes "
            f"of face_vertices, not {list(jnp.shape(sigma))}."
        ) from None
    alpha = _SILHOUETTE[implementation](
        face_vertices[..., :2].reshape(math.prod(batch), face_vertices.shape[-3], 3, 2),
        sigmas.reshape(-1),
        height=height,
        width=width,
        cutoff=geometry.support(dist_eps),
    )
    return alpha.reshape(*batch, height, width).astype(dtype)
