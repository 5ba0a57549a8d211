"""The colours of faces, checked and brought into the form of the kernels."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import texture
from jaxsoftras.kernels import shading


class FaceLight(NamedTuple):
    """Light at the corners of faces: a colour becomes ``color * diffuse + specular``.

    Attributes:
        diffuse: ``[..., F, 3, C]`` factor of the colour.
        specular: ``[..., F, 3, C]`` summand.
    """

    diffuse: ArrayLike
    specular: ArrayLike


FaceAttributes = ArrayLike | texture.SurfaceTexture | texture.UVTexture
"""``[..., F, C]`` or ``[..., F, 3, C]`` numbers, or a texture."""


def _broadcast(
    name: str, array: jax.Array, batch: tuple[int, ...], *shape: int | None
) -> jax.Array:
    """``[..., *shape]`` to ``[B, *shape]``; None in the shape stands for any size."""
    trailing = array.shape[-len(shape) :] if array.ndim >= len(shape) else None
    fits = trailing is not None and all(
        wanted in (None, size) for wanted, size in zip(shape, trailing, strict=True)
    )
    try:
        if not fits:
            raise ValueError
        array = jnp.broadcast_to(array, (*batch, *array.shape[-len(shape) :]))
    except ValueError:
        axes = ", ".join("C" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{name} must have the shape [..., {axes}] with leading axes like "
            f"{list(batch)}; it has {list(array.shape)}."
        ) from None
    return array.reshape(math.prod(batch), *array.shape[len(batch) :])


def _floating(name: str, value: ArrayLike, dtype) -> jax.Array:
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be floating-point, not {array.dtype}; divide 8-bit colours "
            "by 255."
        )
    return array.astype(dtype)


def as_kernel_attributes(
    face_attributes: FaceAttributes,
    face_light: FaceLight | None,
    wrap: texture.Wrap | None,
    batch: tuple[int, ...],
    corners: jax.Array,
) -> tuple[shading.Attributes, shading.Lookup]:
    """Checks attributes and brings them into the form of the kernels.

    Args:
        face_attributes: attributes of the faces.
        face_light: light at their corners.
        wrap: continuation of a texture image beyond its edges; None stands for the
            texture's own, or else ``"clamp"``.
        batch: leading axes of the faces.
        corners: ``[B, F, 3, D]`` the faces, for their number and dtype.

    Returns:
        The attributes, and how to look them up.

    Raises:
        ValueError: a wrong shape or dtype.
    """
    count, dtype = corners.shape[1], corners.dtype
    texels = values = None
    lookup = shading.Lookup()
    if isinstance(face_attributes, (texture.FaceColors, texture.VertexColors)):
        raise ValueError(
            "face_attributes must be gathered for the faces: give the values of "
            "FaceColors, or jaxsoftras.face_vertices(values, faces) of VertexColors."
        )
    if isinstance(face_attributes, texture.SurfaceTexture):
        resolution = face_attributes.resolution
        texels = _floating("texels", face_attributes.texels, dtype)
        texels = _broadcast("texels", texels, batch, count, resolution**2, None)
        texels = texels.reshape(len(texels), -1, texels.shape[-1])
        lookup = shading.Lookup("surface", (resolution, resolution))
    elif isinstance(face_attributes, texture.UVTexture):
        uv = _floating("UV coordinates", face_attributes.coordinates, dtype)
        values = _broadcast("UV coordinates", uv, batch, count, 3, 2)
        image = _floating("the texture image", face_attributes.image, dtype)
        if image.ndim < 3 or 0 in image.shape[-3:-1]:
            raise ValueError(
                "The texture image must have the shape [..., H, W, C]; it has "
                f"{list(image.shape)}."
            )
        # one image for the whole batch is not copied
        images = () if image.ndim == 3 else batch
        texels = _broadcast("the texture image", image, images, *image.shape[-3:])
        height, width, channels = texels.shape[1:]
        texels = texels.reshape(len(texels), height * width, channels)
        wrap = wrap or face_attributes.wrap or "clamp"
        lookup = shading.Lookup("image", (height, width), wrap)
    else:
        values = _floating("face_attributes", face_attributes, dtype)
        if values.ndim == len(batch) + 2:
            values = values[..., None, :]
        by_corner = values.ndim == len(batch) + 3 and values.shape[-2] == 3
        each = 3 if by_corner else 1
        values = _broadcast("face_attributes", values, batch, count, each, None)
    channels = shading.Attributes(values, texels).channels
    if channels == 0:
        raise ValueError(
            "face_attributes must have at least one channel; for alpha alone use "
            "jaxsoftras.silhouette."
        )
    light = None
    if face_light is not None:
        parts = [
            _broadcast(name, _floating(name, part, dtype), batch, count, 3, channels)
            for name, part in (
                ("face_light.diffuse", face_light.diffuse),
                ("face_light.specular", face_light.specular),
            )
        ]
        light = jnp.concatenate(parts, axis=-1)
    return shading.Attributes(values, texels, light), lookup
