"""Within a Pallas kernel: the colour that a pixel sees on a face.

The rules of `shading`, for kernels: arrays there have an element for each pair of a
face and a pixel, and no further axes, so that channels are kept apart.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

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


def layout_of(
    attributes: shading.Attributes | None, lookup: shading.Lookup
) -> Layout | None:
    """The layout of the attributes of a batch, if there are any."""
    if attributes is None:
        return None
    values = attributes.values
    return Layout(
        lookup,
        attributes.channels,
        0 if values is None else values.shape[2],
        attributes.light is not None,
    )


class Colors(NamedTuple):
    """The attributes of some faces, each an array; a pytree.

    Attributes:
        values: for each corner, each attribute.
        light: for each corner, factor and summand of each channel.
    """

    values: list[list[jax.Array]]
    light: list[list[jax.Array]]


def rows(columns: list[jax.Array], corners: int) -> list[list[jax.Array]]:
    """Columns of a face's attributes, as a list for each corner."""
    each = len(columns) // max(corners, 1)
    return [columns[k * each : (k + 1) * each] for k in range(corners)]


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
