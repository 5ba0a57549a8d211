"""The colours of faces, checked and brought into the form of the kernels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jaxsoftras import texture, texture_parts
from jaxsoftras.kernels import shading


class FaceLight(NamedTuple):
    """Light at the corners of faces: a colour becomes ``color * diffuse + specular``.

    Attributes:
        diffuse: ``[..., F, 3, C]`` factor of the colour.
        specular: ``[..., F, 3, C]`` summand.
    """

    diffuse: ArrayLike
    specular: ArrayLike


class SurfacePieces(NamedTuple):
    """Pieces of the faces of a `SurfaceTexture`, as clipping makes them.

    Attributes:
        texture: of F faces.
        corners: ``[..., N, 3, 3]`` barycentric coordinates of each corner (second to
            last axis) in its face; piece k belongs to face k mod F.
    """

    texture: texture.SurfaceTexture
    corners: jax.Array


FaceAttributes = ArrayLike | texture.SurfaceTexture | texture.UVTexture | SurfacePieces
"""``[..., F, C]`` or ``[..., F, 3, C]`` numbers, or a texture."""


def at_new_corners(
    weights: jax.Array, values: jax.Array, where: jax.Array
) -> jax.Array:
    """Interpolates attributes at new corners of faces.

    Args:
        weights: ``[..., F, 3, 3]`` weights of the corners (last axis) at each new one.
        values: ``[..., F, 3, C]`` attributes at the corners.
        where: ``[..., F]`` which faces have new corners.

    Returns:
        ``[..., F, 3, C]``; the attributes as they are on other faces, and on those with
        an attribute that is not finite, which gets into no gradient of a weight.
    """
    finite = jnp.all(jnp.isfinite(values), axis=(-2, -1))
    known = (where & finite)[..., None, None]
    rows = jnp.where(known, values, 0)
    mixed = jnp.zeros((), values.dtype)
    for k in range(3):
        mixed = mixed + weights[..., k, None] * rows[..., k : k + 1, :]
    return jnp.where(known, mixed, values)


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
        hint = "" if name == "UV coordinates" else "; divide 8-bit colours by 255"
        raise ValueError(f"{name} must be floating-point, not {array.dtype}{hint}.")
    return array.astype(dtype)


def _images(
    skin: texture.UVTexture, batch: tuple[int, ...], dtype
) -> tuple[jax.Array, shading.Lookup]:
    """Texels ``[T, N, C]`` of one image, or of several that follow each other."""
    texels, sizes = [], []
    for image in texture_parts.get_images(skin):
        image = _floating("the texture image", image, dtype)
        if image.ndim < 3 or 0 in image.shape[-3:-1]:
            raise ValueError(
                "The texture image must have the shape [..., H, W, C]; it has "
                f"{list(image.shape)}."
            )
        # one image for the whole batch is not copied
        axes = () if image.ndim == 3 else batch
        image = _broadcast("the texture image", image, axes, *image.shape[-3:])
        sizes.append(image.shape[1:3])
        texels.append(lax.collapse(image, 1, 3))
    several = () if skin.image_index is None else tuple(sizes)
    return jnp.concatenate(texels, axis=1), shading.Lookup(
        "image", sizes[0], sizes=several
    )


def check_images(face_attributes: Any) -> None:
    """Checks the images of a `UVTexture`, and their index if it is known.

    Raises:
        ValueError: images and index that do not fit together.
    """
    if isinstance(face_attributes, texture.UVTexture):
        texture_parts.check_images("The UVTexture", face_attributes)


def as_kernel_attributes(
    face_attributes: FaceAttributes,
    face_light: FaceLight | None,
    wrap: texture.Wrap | None,
    batch: tuple[int, ...],
    corners: jax.Array,
    transparent: bool = False,
) -> tuple[shading.Attributes, shading.Lookup]:
    """Checks attributes and brings them into the form of the kernels.

    Args:
        face_attributes: attributes of the faces.
        face_light: light at their corners.
        wrap: continuation of a texture image beyond its edges; None stands for the
            texture's own, or else ``"clamp"``.
        batch: leading axes of the faces.
        corners: ``[B, F, 3, D]`` the faces, for their number and dtype.
        transparent: whether the last attribute is the opacity; also if the texture says
            so.

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
    transparent = transparent or getattr(face_attributes, "transparent", False)
    if isinstance(face_attributes, (texture.SurfaceTexture, SurfacePieces)):
        faces = count
        if isinstance(face_attributes, SurfacePieces):
            skin, places = face_attributes
            faces = skin.texels.shape[-3]
            values = _broadcast("corners", places[..., :2], batch, count, 3, 2)
        else:
            skin = face_attributes
        resolution = skin.resolution
        texels = _floating("texels", skin.texels, dtype)
        texels = _broadcast("texels", texels, batch, faces, resolution**2, None)
        texels = lax.collapse(texels, 1, 3)
        lookup = shading.Lookup("surface", (resolution, resolution), faces=faces)
    elif isinstance(face_attributes, texture.UVTexture):
        uv = _floating("UV coordinates", face_attributes.coordinates, dtype)
        values = _broadcast("UV coordinates", uv, batch, count, 3, 2)
        index = face_attributes.image_index
        texels, lookup = _images(face_attributes, batch, dtype)
        if index is not None:
            number = jnp.asarray(index)[..., None, None]
            number = _broadcast("image_index", number, batch, count, 1, 1)
            number = jnp.broadcast_to(number, (*values.shape[:-1], 1))
            values = jnp.concatenate([values, number.astype(dtype)], axis=-1)
        wrap = wrap or face_attributes.wrap or "clamp"
        lookup = lookup._replace(wrap=wrap)
    else:
        values = _floating("face_attributes", face_attributes, dtype)
        if values.ndim == len(batch) + 2:
            values = values[..., None, :]
        by_corner = values.ndim == len(batch) + 3 and values.shape[-2] == 3
        each = 3 if by_corner else 1
        values = _broadcast("face_attributes", values, batch, count, each, None)
    channels = shading.Attributes(values, texels).channels
    if channels == int(transparent):
        raise ValueError(
            "face_attributes must have at least one channel"
            f"{' beside the opacity' if transparent else ''}; for alpha alone use "
            "jaxsoftras.silhouette."
        )
    light = None
    if face_light is not None:
        colors = channels - transparent
        factor, summand = (
            _broadcast(name, _floating(name, part, dtype), batch, count, 3, colors)
            for name, part in (
                ("face_light.diffuse", face_light.diffuse),
                ("face_light.specular", face_light.specular),
            )
        )
        parts = [factor, summand]
        if transparent:  # light does not change the opacity
            one = jnp.ones_like(factor[..., :1])
            parts = [factor, one, summand, 0 * one]
        light = jnp.concatenate(parts, axis=-1)
    lookup = lookup._replace(transparent=transparent)
    return shading.Attributes(values, texels, light), lookup
