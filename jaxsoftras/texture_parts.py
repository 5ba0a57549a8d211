"""Colours, opacity and images of textures, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsoftras import checks
from jaxsoftras.texture import SurfaceTexture, Texture, UVTexture, Wrap


def namespace(*trees: Any) -> Any:
    """NumPy, or JAX if an array is one of JAX."""
    return jnp if any(isinstance(a, jax.Array) for a in jax.tree.leaves(trees)) else np


def get_images(texture: UVTexture) -> tuple[Any, ...]:
    """Images of a texture, of which it may have several."""
    return (texture.image,) if texture.image_index is None else tuple(texture.image)


def get_colors(texture: Texture) -> tuple[Any, ...]:
    """Arrays of colours of a texture, channels last."""
    return get_images(texture) if isinstance(texture, UVTexture) else (texture[0],)


def map_colors(change: Callable[[Any], Any], texture: Texture) -> Any:
    """Changes the arrays of colours of a texture, channels last."""
    match texture:
        case UVTexture(image_index=None):
            return texture._replace(image=change(texture.image))
        case UVTexture():
            return texture._replace(image=tuple(map(change, texture.image)))
        case SurfaceTexture(texels):
            return texture._replace(texels=change(texels))
        case _:
            return texture._replace(values=change(texture.values))


def add_opacity(texture: Texture) -> Any:
    """Adds an opacity of 1 to an opaque texture."""
    if texture.transparent:
        return texture

    def add(colors):
        xp = namespace(colors)
        return xp.concatenate([colors, xp.ones_like(colors[..., :1])], axis=-1)

    return map_colors(add, texture)._replace(transparent=True)


def match_opacity(textures: Sequence[Any]) -> list[Any]:
    """Adds an opacity of 1 to opaque textures if others are transparent."""
    if any(texture.transparent for texture in textures):
        return [add_opacity(texture) for texture in textures]
    return list(textures)


def check_images(owner: str, texture: UVTexture) -> None:
    """Raises a ValueError unless the images of a texture and their index fit together.

    Under a transformation, where values are not known, indices are not checked.

    Args:
        owner: subject of the error messages, such as ``"The UVTexture"``.
        texture: coordinates ``[..., F, 3, 2]`` and one or several images.
    """
    index, images = texture.image_index, texture.image
    if texture.wrap is not None:
        checks.check_choice("wrap", texture.wrap, Wrap)
    several = isinstance(images, (tuple, list))
    if several != (index is not None):
        raise ValueError(
            f"{owner} must have an image_index where its image is a tuple of images, "
            "and only there."
        )
    if index is None:
        if np.ndim(images) < 3:
            raise ValueError(
                f"{owner} must have an image [..., H, W, C], not "
                f"{list(np.shape(images))}; image[..., None] gives grey a channel."
            )
        return
    shapes = [np.shape(image) for image in images]
    valid = all(len(shape) == 3 and 0 not in shape[:2] for shape in shapes)
    if not shapes or not valid or len({shape[2] for shape in shapes}) > 1:
        found = " and ".join(str(list(shape)) for shape in dict.fromkeys(shapes))
        raise ValueError(
            f"{owner} must have images [H, W, C] with at least one texel each and one "
            f"number of channels, not {found or 'none'}."
        )
    faces = np.shape(texture.coordinates)[-3:-2] or ("F",)
    dtype = getattr(index, "dtype", None) or np.asarray(index).dtype
    if not jnp.issubdtype(dtype, jnp.integer) or np.shape(index)[-1:] != faces:
        raise ValueError(
            f"{owner} must have an image_index of integers [..., {faces[0]}], one for "
            f"each face, not {dtype} {list(np.shape(index))}."
        )
    if isinstance(index, Tracer) or np.size(index) == 0:
        return
    low, high = np.min(np.asarray(index)), np.max(np.asarray(index))
    if low < 0 or high >= len(images):
        raise ValueError(
            f"{owner} must have an image_index from 0 to {len(images) - 1}, of its "
            f"{len(images)} images; it ranges from {low} to {high}."
        )
