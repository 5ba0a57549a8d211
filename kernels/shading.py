"""The colour that a pixel sees on a face, from each kind of texture.

The first functions are elementwise: Pallas kernels use them for blocks of pairs. The
last ones, for XLA, take arrays with channels in an axis before the last two, ``[..., C,
h, w]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxsoftras import texture

Weights = tuple[jax.Array, jax.Array, jax.Array]
"""Weights of the corners of a face."""


class Lookup(NamedTuple):
    """How a face's attributes become a colour; static.

    Attributes:
        kind: ``"values"``: the attributes of the corners, or of the whole face,
            interpolated. ``"surface"``: the nearest texel of the face's own texture.
            ``"image"``: an image at the interpolated coordinates u and v, bilinearly.
        size: (height, width) of the image, or (R, R) for a surface texture.
        wrap: continuation of the image beyond its edges.
        sizes: (height, width) of each of several images, whose texels follow each
            other; empty for one image.
        faces: number of faces of a surface texture.
        transparent: whether the last channel of the colour is the opacity.
    """

    kind: Literal["values", "surface", "image"] = "values"
    size: tuple[int, int] = (1, 1)
    wrap: texture.Wrap = "clamp"
    sizes: tuple[tuple[int, int], ...] = ()
    faces: int = 0
    transparent: bool = False


class Attributes(NamedTuple):
    """Colours of the faces of a batch.

    Attributes:
        values: ``[B, F, n, A]`` attributes of the three corners (n = 3) or of the face
            (n = 1): colours; u and v, followed by the number of the image if there are
            several; or, for a surface texture, None, or the barycentric coordinates of
            the corners, all but the last, in a face of the texture (the faces of a
            clipped scene are pieces of them).
        texels: ``[T, N, C]`` texels of T textures, or None. T divides B, and image b
            has texture ``b // (B // T)``.
        light: ``[B, F, 3, 2 C]`` factor and summand of the colour at the corners, or
            None.
    """

    values: jax.Array | None
    texels: jax.Array | None = None
    light: jax.Array | None = None

    @property
    def channels(self) -> int:
        """C, the number of channels of the colour."""
        source = self.values if self.texels is None else self.texels
        assert source is not None
        return source.shape[-1]


def mix(weights: Weights, corners: Sequence[jax.Array]) -> jax.Array:
    """Interpolates an attribute of the corners; one of the whole face is constant."""
    if len(corners) == 1:
        return corners[0]
    w0, w1, w2 = weights
    return w0 * corners[0] + w1 * corners[1] + w2 * corners[2]


def image_position(
    size: tuple[ArrayLike, ArrayLike], u: jax.Array, v: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Column and row in an image, in texels from the centre of the first texel."""
    height, width = size
    return u * width - 0.5, (1 - v) * height - 0.5


def surface_texel(
    lookup: Lookup, weights: Weights, corners: Sequence[Sequence[jax.Array]], face
) -> jax.Array:
    """Index of the nearest texel of a face, among the texels of its mesh.

    Args:
        lookup: of the texture.
        weights: weights of the corners.
        corners: barycentric coordinates of each corner, all but the last, in a face of
            the texture; empty for the corners of that face.
        face: number of the face.
    """
    _, resolution = lookup.size
    first, second, _ = weights
    if corners:
        first, second = (mix(weights, w) for w in zip(*corners, strict=True))
        first, second = jnp.clip(first, 0, 1), jnp.clip(second, 0, 1)
        face = face % lookup.faces
    return face * resolution**2 + texture.surface_cell(first, second, resolution)


def image_texels(
    size: tuple[ArrayLike, ArrayLike],
    wrap: texture.Wrap,
    left: jax.Array,
    above: jax.Array,
) -> list[jax.Array]:
    """Indices of the 2 x 2 texels around a point, row by row.

    Args:
        size: (height, width) of the image.
        wrap: continuation of the image beyond its edges.
        left: column of the upper left texel, int32.
        above: its row, int32.
    """
    height, width = size
    return [
        texture.texel(above + down, height, wrap) * width
        + texture.texel(left + right, width, wrap)
        for down, right in itertools.product((0, 1), repeat=2)
    ]


def interpolate(weights: Weights, values: jax.Array) -> jax.Array:
    """Interpolates attributes with an axis of their own.

    Args:
        weights: weights of the corners, three arrays ``[..., h, w]``.
        values: ``[..., n, A]``, n = 1 or 3.

    Returns:
        ``[..., A, h, w]``; for n = 1, ``[..., A, 1, 1]``.
    """
    w0, w1, w2 = (w[..., None, :, :] for w in weights)
    corners = [values[..., k, :, None, None] for k in range(values.shape[-2])]
    return mix((w0, w1, w2), corners)


def _image(lookup: Lookup, values: jax.Array):
    """(height, width) of the images of faces, and the index of their first texels.

    Args:
        lookup: of one or several images.
        values: ``[..., 3, 2]``; with several images ``[..., 3, 3]``.

    Returns:
        Integers, or arrays ``[..., 1, 1]``.
    """
    if not lookup.sizes:
        return lookup.size, 0
    number = jnp.round(values[..., 0, 2]).astype(jnp.int32)[..., None, None]
    counts = [height * width for height, width in lookup.sizes]
    heights, widths = zip(*lookup.sizes, strict=True)
    firsts = itertools.accumulate(counts[:-1], initial=0)
    height, width, first = (
        # made of scalars: a constant array cannot be partitioned over devices
        jnp.concatenate([jnp.full(1, entry, jnp.int32) for entry in table])[number]
        for table in (heights, widths, firsts)
    )
    return (height, width), first


def _position(lookup: Lookup, weights: Weights, values: jax.Array):
    size, _ = _image(lookup, values)
    uv = interpolate(weights, values[..., :2])
    return image_position(size, uv[..., 0, :, :], uv[..., 1, :, :])


def footprint(
    lookup: Lookup, weights: Weights, values: jax.Array | None, face: jax.Array
) -> jax.Array:
    """Finds the texels that pairs need.

    Args:
        lookup: the kind of texture, not ``"values"``.
        weights: weights of the corners, three arrays ``[..., h, w]``.
        values: see `Attributes`; ``[..., 3, A]``.
        face: index of the face within its image, broadcasts against ``[..., h, w]``.

    Returns:
        Indices among the texels of their texture, int32 ``[n, ..., h, w]``, n = 1 or 4.
    """
    if lookup.kind == "image":
        assert values is not None
        x, y = _position(lookup, weights, values)
        size, first = _image(lookup, values)
        above = texture.texel_before(y, size[0], lookup.wrap)
        left = texture.texel_before(x, size[1], lookup.wrap)
        return jnp.stack(image_texels(size, lookup.wrap, left, above)) + first
    corners = ()
    if values is not None:
        corners = [[values[..., k, n, None, None] for n in range(2)] for k in range(3)]
    return surface_texel(lookup, weights, corners, face)[None]


def _with_places(lookup: Lookup, texels: jax.Array) -> jax.Array:
    """Adds column and row in their image to texels ``[T, N, C]``."""
    if not lookup.sizes:
        return texture.with_places(texels, lookup.size[1])
    counts = [height * width for height, width in lookup.sizes]
    parts = jnp.split(texels, np.cumsum(counts[:-1]), axis=1)
    return jnp.concatenate(
        [
            texture.with_places(part, width)
            for part, (_, width) in zip(parts, lookup.sizes, strict=True)
        ],
        axis=1,
    )


class Texels(NamedTuple):
    """The texels that pairs need.

    Attributes:
        values: ``[n, ..., C, h, w]``.
        place: ``[..., 2, h, w]`` column and row of the first one in its image, or None.
    """

    values: jax.Array
    place: jax.Array | None


def look_up(
    lookup: Lookup,
    texels: jax.Array,
    index: jax.Array,
    take: Callable[[jax.Array, jax.Array], jax.Array],
) -> Texels:
    """Looks texels up.

    Args:
        lookup: the kind of texture, not ``"values"``.
        texels: ``[T, N, C]`` texels of T textures.
        index: ``[n, ..., h, w]`` among the texels of all textures.
        take: gathers rows of a table.
    """
    channels = texels.shape[-1]
    if lookup.kind == "image":
        texels = _with_places(lookup, texels)
    rows = jnp.moveaxis(take(texels.reshape(-1, texels.shape[-1]), index), -1, -3)
    if lookup.kind != "image":
        return Texels(rows, None)
    return Texels(rows[..., :channels, :, :], rows[0, ..., channels:, :, :])


def color(
    lookup: Lookup,
    weights: Weights,
    values: jax.Array | None,
    texels: Texels | None,
    light: jax.Array | None,
) -> jax.Array:
    """Computes the colours of pairs.

    Args:
        lookup: the kind of texture.
        weights: weights of the corners, three arrays ``[..., h, w]``.
        values: ``[..., n, A]`` attributes of the faces.
        texels: the texels of the `footprint`.
        light: ``[..., 3, 2 C]`` light at the corners, or None.

    Returns:
        ``[..., C, h, w]``, with the opacity if the lookup is transparent.
    """
    if lookup.kind == "values":
        assert values is not None
        shade = interpolate(weights, values)
        # the colour of a whole face has no pixels yet
        shade = jnp.broadcast_to(shade, (*shade.shape[:-2], *weights[0].shape[-2:]))
    elif lookup.kind == "image":
        assert values is not None and texels is not None and texels.place is not None
        place = lax.stop_gradient(texels.place)
        (height, width), _ = _image(lookup, values)
        across, down = (
            texture.two_weights(
                position,
                texture.first_of_two(position, place[..., k, :, :], size, lookup.wrap),
            )
            for k, (position, size) in enumerate(
                zip(_position(lookup, weights, values), (width, height), strict=True)
            )
        )
        texel_weights = (down[:, None] * across)[..., None, :, :]
        texel_weights = texel_weights.reshape(4, *texel_weights.shape[2:])
        shade = jnp.sum(texel_weights * texels.values, axis=0)
    else:
        assert texels is not None
        shade = texels.values[0]
    if light is not None:
        factor, summand = jnp.split(interpolate(weights, light), 2, axis=-3)
        shade = shade * factor + summand
    return shade
