"""The attributes of faces within a Pallas kernel, by the rules of `shading`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels import shading


class Layout(NamedTuple):
    """How a kernel finds the attributes of a face; static.

    Attributes:
        lookup: how attributes become colours.
        channels: C, the number of channels of the colour.
        corners: number of corners that have values: 3; 1 if the values belong to the
            whole face; or 0.
        lit: whether there is light.
    """

    lookup: shading.Lookup
    channels: int
    corners: int
    lit: bool


def choose_layout(
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
        light: for each corner, the factors and then the summands of all channels.
    """

    values: list[list[jax.Array]]
    light: list[list[jax.Array]]


def split_rows(columns: list[jax.Array], corners: int) -> list[list[jax.Array]]:
    """Splits the columns of a face's attributes into a list for each corner."""
    each = len(columns) // max(corners, 1)
    return [columns[k * each : (k + 1) * each] for k in range(corners)]


def _mix_all(weights: shading.Weights, corners: list[list[jax.Array]]):
    """Interpolates each attribute."""
    return [shading.mix(weights, column) for column in zip(*corners, strict=True)]


def _weighted_sum(weights: list[jax.Array], values: Sequence[jax.Array]) -> jax.Array:
    # from 0, so that fusing products with sums treats all of them alike
    total: Any = 0
    for weight, value in zip(weights, values, strict=True):
        total = total + weight * value
    return total


def _image_position(layout: Layout, weights: shading.Weights, colors: Colors):
    """Column and row of pairs in their image, and the texel at or before them."""
    u, v = _mix_all(weights, colors.values)
    position = shading.image_position(layout.lookup.size, u, v)
    return position, [jnp.floor(lax.stop_gradient(p)) for p in position]


def find_texels(
    layout: Layout, weights: shading.Weights, colors: Colors, face: jax.Array
) -> list[jax.Array]:
    """Indices of the texels that pairs need, without derivative: none, 1 or 4."""
    lookup = layout.lookup
    if lookup.kind == "values":
        return []
    if lookup.kind == "surface":
        return [shading.surface_texel(lookup, weights, colors.values, face)]
    _, first = _image_position(layout, weights, colors)
    left, above = (p.astype(jnp.int32) for p in first)
    return shading.image_texels(lookup.size, lookup.wrap, left, above)


def shade(
    layout: Layout,
    weights: shading.Weights,
    colors: Colors,
    texels: list[list[jax.Array]],
) -> list[jax.Array]:
    """Each channel of the colour; see `shading.color`.

    Args:
        layout: layout of the attributes.
        weights: weights of the corners.
        colors: attributes of the faces.
        texels: for each texel that a pair needs, each channel.
    """
    if layout.lookup.kind == "values":
        shades = _mix_all(weights, colors.values)
    elif layout.lookup.kind == "surface":
        shades = texels[0]
    else:
        (x, y), (left, above) = _image_position(layout, weights, colors)
        right, down = x - left, y - above
        texel_weights = [b * a for b in (1 - down, down) for a in (1 - right, right)]
        shades = [
            _weighted_sum(texel_weights, channel)
            for channel in zip(*texels, strict=True)
        ]
    if not layout.lit:
        return shades
    light = _mix_all(weights, colors.light)
    factors, summands = light[: layout.channels], light[layout.channels :]
    return [
        shade * factor + summand
        for shade, factor, summand in zip(shades, factors, summands, strict=True)
    ]
