"""Depth, normals, indices and whatever else an ordinary rasterizer shows."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras import deterministic as gather
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels import scene as blending
from jaxsoftras.kernels.dispatch import VISIBLE, Implementation, choose
from jaxsoftras.rasterization import inputs, visibility
from jaxsoftras.rasterization.visibility import Fragments


def find_fragments(
    face_vertices: ArrayLike,
    image_size: int | tuple[int, int],
    *,
    near: float = 1.0,
    far: float = 100.0,
    double_sided: bool = True,
    front_face: pairs.FrontFace = "clockwise",
    implementation: Implementation | None = None,
) -> Fragments:
    """Finds the nearest face at each pixel centre, as a z-buffer does.

    ``depth`` and ``weights`` are differentiable in ``face_vertices``, at a given
    visibility: which face is nearest has no gradient. `interpolate` turns fragments
    into images of normals, positions or any other attribute.

    Args:
        face_vertices: ``[..., F, 3, 3]`` corners, NDC and depth.
        image_size: pixels, of a square image or (height, width).
        near: least depth that is seen.
        far: greatest depth that is seen, and the depth where there is no face.
        double_sided: whether faces are seen from behind.
        front_face: how the corners of a face run on the screen seen from its front; see
            `rasterize`.
        implementation: ``"reference"``, ``"xla"``, ``"pallas"`` or ``"mosaic"`` (both
            for NVIDIA GPUs); `None` chooses the fastest that runs on the default
            device.

    Returns:
        Fields ``[..., H, W, ...]``; of faces at equal depth, the first.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a scene too large for
            ``"reference"``.
    """
    corners, dtype = inputs.faces(face_vertices, depth=True)
    height, width = checks.as_image_size(image_size)
    inputs.check_range(near, far)
    checks.check_choice("front_face", front_face, pairs.FrontFace)
    rules = pairs.Rules(
        distance="hard",
        near=float(near),
        far=float(far),
        front=front_face,
        double_sided=double_sided,
    )
    batch = corners.shape[:-3]
    corners = corners.reshape(math.prod(batch), *corners.shape[-3:])
    ones = jnp.ones_like(corners, shape=(len(corners),))
    scene = blending.Scene(corners, ones, ones, None)
    task = blending.Task(height, width, rules, shading.Lookup())
    face = choose(VISIBLE, implementation, corners)(scene, task)
    found = visibility.fragments(scene, task, face)
    return Fragments(
        found.face.reshape(*batch, height, width),
        found.weights.reshape(*batch, height, width, 3).astype(dtype),
        found.depth.reshape(*batch, height, width).astype(dtype),
    )


def interpolate(
    fragments: Fragments, face_attributes: ArrayLike, background: ArrayLike = 0.0
) -> jax.Array:
    """Interpolates attributes at the points that are seen.

    Args:
        fragments: fields ``[..., H, W, ...]``.
        face_attributes: ``[..., F, 3, C]`` at the corners, such as the normals or the
            positions of the vertices.
        background: a scalar, ``[C]`` or ``[..., C]``: where there is no face.

    Returns:
        ``[..., H, W, C]``, differentiable in the attributes and in the weights.

    Raises:
        ValueError: an argument of wrong shape, or attributes of fewer faces than the
            fragments show.
    """
    (attributes,) = checks.as_floats(face_attributes)
    batch = fragments.face.shape[:-2]
    if attributes.ndim != len(batch) + 3 or attributes.shape[-2] != 3:
        raise ValueError(
            "face_attributes must have the shape [..., F, 3, C] with leading axes "
            f"{list(batch)}; it has {list(attributes.shape)}."
        )
    attributes = jnp.broadcast_to(attributes, (*batch, *attributes.shape[-3:]))
    count, _, channels = attributes.shape[-3:]
    checks.check_values(
        f"face_attributes has {count} faces, and the fragments show more.",
        lambda face: face < count,
        fragments.face,
    )
    images = math.prod(batch)
    outside = inputs.background(background, batch, channels, attributes.dtype)
    outside = outside.reshape(*batch, 1, 1, channels)
    if count == 0:
        return jnp.broadcast_to(outside, (*fragments.face.shape, channels))
    face = fragments.face.reshape(images, -1)
    index = jnp.maximum(face, 0) + count * jnp.arange(images)[:, None]
    corners = gather.take(attributes.reshape(-1, 3 * channels), index)
    corners = corners.reshape(*fragments.face.shape, 3, channels)
    values = jnp.sum(fragments.weights[..., None] * corners, axis=-2)
    return jnp.where(fragments.face[..., None] >= 0, values, outside)
