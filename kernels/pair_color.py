"""Within a Pallas kernel: the colour that a pixel sees on a face.

The rules of `shading`, for kernels: a block there has a row for each face and a column
for each lane, and no further axes, so that channels are kept apart.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.pallas import triton

from jaxsoftras import texture
from jaxsoftras.kernels import shading

Weights = tuple[jax.Array, jax.Array, jax.Array]


class Layout(NamedTuple):
    """How a kernel finds the attributes of a face; static.

    Attributes:
        lookup: how attributes become colours.
        channels: C, of the colour.
        corners: for how many corners there are values: 3; 1 if they are of the whole
            face; or 0.
        lit: whether there is light.
    """

    lookup: shading.Lookup
    channels: int
    corners: int
    lit: bool

    @property
    def attributes(self) -> int:
        """Values for each corner: the channels, or u and v."""
        return 2 if self.lookup.kind == "image" else self.channels


class Colors(NamedTuple):
    """The attributes of a block of faces, each ``[R, 1]``; a pytree.

    Attributes:
        values: for each corner, each attribute.
        light: for each corner, factor and summand of each channel.
    """

    values: list[list[jax.Array]]
    light: list[list[jax.Array]]


def _load_columns(ref, face, corners: int, columns: int) -> list[list[jax.Array]]:
    if ref is None:
        return []
    exists = face < ref.shape[0]
    place = jnp.where(exists, face, 0)

    def load(column):
        index = ref.at[place, jnp.full_like(face, column)]
        return triton.load(index, mask=exists, other=0)

    return [[load(k * columns + c) for c in range(columns)] for k in range(corners)]


def load(attributes: shading.Attributes, face: jax.Array, layout: Layout) -> Colors:
    """The attributes of faces.

    Args:
        attributes: references to values ``[F, n * A]`` and light ``[F, 3 * 2 * C]``.
        face: ``[R, 1]`` numbers; those past the end have attributes of 0.
        layout: of the attributes.
    """
    return Colors(
        _load_columns(attributes.values, face, layout.corners, layout.attributes),
        _load_columns(attributes.light, face, 3, 2 * layout.channels),
    )


def _position(layout: Layout, weights: Weights, values):
    u, v = (shading.mix(weights, corners) for corners in zip(*values, strict=True))
    return layout.lookup.position(u, v)


def texels_at(
    layout: Layout, weights: Weights, colors: Colors, face: jax.Array
) -> list[jax.Array]:
    """Indices of the texels that pairs need, without derivative: none, 1 or 4."""
    lookup = layout.lookup
    if lookup.kind == "values":
        return []
    if lookup.kind == "surface":
        return [lookup.surface_texel(weights, face)]
    height, width = lookup.size
    left, above = (
        jnp.floor(lax.stop_gradient(p)).astype(jnp.int32)
        for p in _position(layout, weights, colors.values)
    )
    return [
        texture.texel(above + down, height, lookup.wrap) * width
        + texture.texel(left + right, width, lookup.wrap)
        for down, right in itertools.product((0, 1), repeat=2)
    ]


def load_texels(
    texels_ref, index: list[jax.Array], valid: jax.Array, channels: int
) -> list[list[jax.Array]]:
    """For each texel, each channel; from a reference to ``[N, C]``."""

    def load(place, channel):
        place = jnp.where(valid, place, 0)
        ref = texels_ref.at[place, jnp.full_like(place, channel)]
        return triton.load(ref, mask=valid, other=0)

    return [[load(place, c) for c in range(channels)] for place in index]


def shade(
    layout: Layout, weights: Weights, colors: Colors, texels: list[list[jax.Array]]
) -> list[jax.Array]:
    """Each channel of the colour; see `shading.color`."""
    if layout.lookup.kind == "values":
        shades = [shading.mix(weights, c) for c in zip(*colors.values, strict=True)]
    elif layout.lookup.kind == "surface":
        shades = texels[0]
    else:
        x, y = _position(layout, weights, colors.values)
        right, down = (p - jnp.floor(lax.stop_gradient(p)) for p in (x, y))
        shares = [d * r for d in (1 - down, down) for r in (1 - right, right)]
        shades = [
            sum(share * texel for share, texel in zip(shares, channel, strict=True))
            for channel in zip(*texels, strict=True)
        ]
    if not layout.lit:
        return shades
    light = [shading.mix(weights, c) for c in zip(*colors.light, strict=True)]
    factors, summands = light[: layout.channels], light[layout.channels :]
    return [
        s * factor + summand
        for s, factor, summand in zip(shades, factors, summands, strict=True)
    ]
