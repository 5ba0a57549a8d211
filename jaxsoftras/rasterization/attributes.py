"""From what users hand in as the colours of faces to what the kernels take."""

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
        diffuse: ``[..., F, 3, C]``.
        specular: ``[..., F, 3, C]``.
    """

    diffuse: ArrayLike
    specular: ArrayLike


FaceAttributes = ArrayLike | texture.SurfaceTexture | texture.UVTexture
"""``[..., F, C]`` or ``[..., F, 3, C]`` numbers, or a texture."""


def _spread(name: str, array: jax.Array, batch: tuple[int, ...], *shape) -> jax.Array:
    """``[..., *shape]`` to ``[B, *shape]``; None in the shape stands for any size."""
    own = array.shape[-len(shape) :] if array.ndim >= len(shape) else None
    fits = own is not None and all(
        wanted in (None, size) for wanted, size in zip(shape, own, strict=True)
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


def kernel_attributes(
    face_attributes: FaceAttributes,
    face_light: FaceLight | None,
    wrap: texture.Wrap,
    face_vertices: jax.Array,
) -> tuple[shading.Attributes, shading.Lookup, int]:
    """Checks attributes and brings them into the form of the kernels.

    Args:
        face_attributes: of the faces.
        face_light: light at their corners.
        wrap: what lies beyond a texture image.
        face_vertices: ``[..., F, 3, D]``, for the batch and the dtype.

    Returns:
        The attributes, how to look them up, and the number of channels.

    Raises:
        ValueError: a wrong shape or dtype.
    """
    *batch, count = face_vertices.shape[:-2]
    batch = tuple(batch)
    dtype = face_vertices.dtype
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
        texels = _spread("texels", texels, batch, count, resolution**2, None)
        texels = texels.reshape(len(texels), -1, texels.shape[-1])
        lookup = shading.Lookup("surface", (resolution, resolution))
    elif isinstance(face_attributes, texture.UVTexture):
        uv = _floating("UV coordinates", face_attributes.coordinates, dtype)
        values = _spread("UV coordinates", uv, batch, count, 3, 2)
        image = _floating("the texture image", face_attributes.image, dtype)
        if image.ndim < 3 or 0 in image.shape[-3:-1]:
            raise ValueError(
                "The texture image must have the shape [..., H, W, C]; it has "
                f"{list(image.shape)}."
            )
        # one image for the whole batch is not copied
        own = () if image.ndim == 3 else batch
        texels = _spread("the texture image", image, own, *image.shape[-3:])
        height, width, channels = texels.shape[1:]
        texels = texels.reshape(len(texels), height * width, channels)
        lookup = shading.Lookup("image", (height, width), wrap)
    else:
        values = _floating("face_attributes", face_attributes, dtype)
        if values.ndim == len(batch) + 2:
            values = values[..., None, :]
        corners = 3 if values.ndim == len(batch) + 3 and values.shape[-2] == 3 else 1
        values = _spread("face_attributes", values, batch, count, corners, None)
    channels = shading.Attributes(values, texels).channels
    if channels == 0:
        raise ValueError(
            "face_attributes must have at least one channel; for alpha alone use "
            "jaxsoftras.silhouette."
        )
    light = None
    if face_light is not None:
        parts = [
            _spread(name, _floating(name, part, dtype), batch, count, 3, channels)
            for name, part in (
                ("face_light.diffuse", face_light.diffuse),
                ("face_light.specular", face_light.specular),
            )
        ]
        light = jnp.concatenate(parts, axis=-1)
    return shading.Attributes(values, texels, light), lookup, channels
