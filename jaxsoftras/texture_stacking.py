"""Textures of several meshes as those of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import texture_parts
from jaxsoftras.texture import Texture, UVTexture


def stack_rows(arrays: Sequence[Any], fill: float | None) -> Any:
    """Stacks arrays that may differ in their first axis, padded to the longest.

    The shorter ones are padded with a value or, if it is None, with their first row.
    """
    xp = np if all(isinstance(array, np.ndarray) for array in arrays) else jnp
    length = max(len(array) for array in arrays)
    rows = []
    for array in map(xp.asarray, arrays):
        missing = (length - len(array), *array.shape[1:])
        row = array[:1] if fill is None else xp.asarray(fill, array.dtype)
        rows.append(xp.concatenate([array, xp.broadcast_to(row, missing)]))
    return xp.stack(rows)


def _check_sizes(textures: Sequence[Any]) -> None:
    """Refuses arrays that differ in more than the number of faces or vertices."""
    arrays = [jax.tree.leaves(texture) for texture in textures]
    names = textures[0]._fields
    for name, fields in zip(names, zip(*arrays, strict=True), strict=False):
        first = 0 if name == "image" else 1
        shapes = {array.shape[first:] for array in fields}
        if len(shapes) > 1:
            raise ValueError(
                f"The {name} of a batch's textures must be of one size; these are "
                f"{' and '.join(str(list(shape)) for shape in sorted(shapes))}"
                f"{' after the first axis' if first else ''}."
            )


def _stack_images(textures: Sequence[UVTexture]) -> UVTexture:
    """Stacks textures of several images, or of images of several sizes."""
    images: list[Any] = []
    ranks: dict[int, int] = {}
    index = []
    for texture in textures:
        own = texture_parts.get_images(texture)
        for image in own:
            if id(image) not in ranks:
                ranks[id(image)] = len(images)
                images.append(image)
        rank = np.array([ranks[id(image)] for image in own], np.int32)
        shown = texture.image_index
        if shown is None:
            shown = np.zeros(len(texture.coordinates), np.int32)
        index.append(texture_parts.namespace(shown).asarray(rank)[shown])
    whole = textures[0]._replace(
        coordinates=stack_rows([texture.coordinates for texture in textures], 0),
        image=tuple(images),
        image_index=stack_rows(index, 0),
    )
    texture_parts.check_images("The UVTexture of the batch", whole)
    return whole


def stack_textures(given: Sequence[Texture | None]) -> Texture | None:
    """Stacks textures; see `jaxsoftras.stack_meshes`.

    Args:
        given: textures of one kind, each of one mesh.

    Raises:
        ValueError: textures of several kinds, sizes, or continuations.
    """
    kinds = {type(texture) for texture in given}
    if len(kinds) > 1:
        names = sorted("none" if k is type(None) else k.__name__ for k in kinds)
        raise ValueError(
            "Meshes of one batch must have textures of one kind; these have "
            f"{', '.join(names)}."
        )
    if given[0] is None:
        return None
    wraps = {getattr(texture, "wrap", None) for texture in given}
    if len(wraps) > 1:
        raise ValueError(
            "The images of a batch's textures must all have one continuation beyond "
            f"their edges, not {' and '.join(sorted(map(repr, wraps)))}; set `wrap`."
        )
    textures = texture_parts.match_opacity(given)
    if isinstance(textures[0], UVTexture):
        for texture in textures:
            texture_parts.check_images("A UVTexture", texture)
        sizes = {
            np.shape(texture.image)
            for texture in textures
            if texture.image_index is None
        }
        several = any(texture.image_index is not None for texture in textures)
        if several or len(sizes) > 1:
            return _stack_images(textures)
    _check_sizes(textures)
    return jax.tree.map(lambda *fields: stack_rows(fields, 0), *textures)
