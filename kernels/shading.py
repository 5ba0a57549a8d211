"""The colour that a pixel sees on a face, from each kind of texture.

Arrays over pairs of a face and a pixel have the shape ``[..., h, w]``; colours have
their channels before the last two axes, ``[..., C, h, w]``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import texture


class Lookup(NamedTuple):
    """How a face's attributes become a colour; static.

    Attributes:
        kind: ``"values"``: the attributes of the corners, or of the whole face,
            interpolated. ``"surface"``: the nearest texel of the face's own.
            ``"image"``: an image at the interpolated coordinates u and v, bilinearly.
        size: of the image (height, width), or (R, R) for a surface texture.
        wrap: what lies beyond the image.
    """

    kind: Literal["values", "surface", "image"] = "values"
    size: tuple[int, int] = (1, 1)
    wrap: texture.Wrap = "clamp"

    def position(self, u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Column and row in an image, in texels from the centre of the first."""
        height, width = self.size
        return u * width - 0.5, (1 - v) * height - 0.5

    def surface_texel(self, weights, face: jax.Array) -> jax.Array:
        """The nearest texel of a face's own, among those of its mesh."""
        _, resolution = self.size
        cell = texture.surface_cell(weights[0], weights[1], resolution)
        return face * resolution**2 + cell


class Attributes(NamedTuple):
    """What colours the faces of a batch.

    Attributes:
        values: ``[B, F, n, A]`` attributes of the three corners (n = 3) or of the face
            (n = 1): colours, or u and v. None for a surface texture.
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
        """C, of the colour."""
        source = self.values if self.texels is None else self.texels
        assert source is not None
        return source.shape[-1]


def interpolate(weights, values: jax.Array) -> jax.Array:
    """Weighs the attributes of corners.

    Args:
        weights: three arrays ``[..., h, w]``.
        values: ``[..., n, A]``, n = 1 or 3.

    Returns:
        ``[..., A, h, w]``; for n = 1, ``[..., A, 1, 1]``.
    """
    corners = [values[..., k, :, None, None] for k in range(values.shape[-2])]
    return mix([w[..., None, :, :] for w in weights], corners)


def mix(weights, corners):
    """An attribute of a point from that of each corner, or from that of the face."""
    if len(corners) == 1:
        return corners[0]
    w0, w1, w2 = weights
    return w0 * corners[0] + w1 * corners[1] + w2 * corners[2]


class Footprint(NamedTuple):
    """The texels that pairs need.

    Attributes:
        index: int32 ``[n, ..., h, w]`` of texels of their texture, n = 1 or 4.
        first: column and row of the upper left one, for an image.
    """

    index: jax.Array
    first: tuple[jax.Array, jax.Array] | None


def _position(lookup: Lookup, weights, values) -> tuple[jax.Array, jax.Array]:
    uv = interpolate(weights, values)
    return lookup.position(uv[..., 0, :, :], uv[..., 1, :, :])


def footprint(
    lookup: Lookup, weights, values: jax.Array | None, face: jax.Array
) -> Footprint:
    """Which texels of its texture a pair needs.

    Args:
        lookup: the kind of texture, not ``"values"``.
        weights: of the corners, three arrays ``[..., h, w]``.
        values: ``[..., 3, 2]`` u and v for an image.
        face: number of the face within its image, broadcasts against ``[..., h, w]``.

    Returns:
        Indices, without derivative.
    """
    if lookup.kind == "image":
        height, width = lookup.size
        x, y = _position(lookup, weights, values)
        left, above = texture.texel_before(x), texture.texel_before(y)
        columns = texture.two_texels(left, width, lookup.wrap)
        rows = texture.two_texels(above, height, lookup.wrap)
        index = rows[:, None] * width + columns
        return Footprint(index.reshape(4, *index.shape[2:]), (left, above))
    return Footprint(lookup.surface_texel(weights, face)[None], None)


def color(
    lookup: Lookup,
    weights,
    values: jax.Array | None,
    texels: jax.Array | None,
    first: tuple[jax.Array, jax.Array] | None,
    light: jax.Array | None,
) -> jax.Array:
    """Colours of pairs.

    Args:
        lookup: the kind of texture.
        weights: of the corners, three arrays ``[..., h, w]``.
        values: ``[..., n, A]`` of the faces.
        texels: those of the `Footprint`, ``[n, ..., C, h, w]``.
        first: of the `Footprint`.
        light: ``[..., 3, 2 C]`` of the faces, or None.

    Returns:
        ``[..., C, h, w]``.
    """
    if lookup.kind == "values":
        shade = interpolate(weights, values)
        # a colour of the whole face has no pixels yet
        shade = jnp.broadcast_to(shade, (*shade.shape[:-2], *weights[0].shape[-2:]))
    elif lookup.kind == "image":
        x, y = _position(lookup, weights, values)
        across, down = (
            texture.two_weights(x, first[0]),
            texture.two_weights(y, first[1]),
        )
        share = (down[:, None] * across)[..., None, :, :]
        shade = jnp.sum(share.reshape(4, *share.shape[2:]) * texels, axis=0)
    else:
        shade = texels[0]
    if light is not None:
        factor, summand = jnp.split(interpolate(weights, light), 2, axis=-3)
        shade = shade * factor + summand
    return shade
