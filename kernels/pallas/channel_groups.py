"""Colours of many channels, a few at a time."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import shading
from jaxsoftras.kernels.scene import Scene

LARGEST = 4
"""Channels that one kernel holds in registers; more are drawn in several calls."""


def groups(scene: Scene) -> list[slice]:
    """The channels, so many at a time as a kernel holds."""
    if scene.attributes is None:
        return []
    channels = scene.attributes.channels
    return [slice(k, k + LARGEST) for k in range(0, channels, LARGEST)]


def with_channels(scene: Scene, group: slice) -> Scene:
    """The scene with some channels of its colours."""
    attributes = scene.attributes
    values, texels, light = attributes
    if texels is not None:
        texels = texels[..., group]
    elif values is not None:
        values = values[..., group]
    if light is not None:
        factor, summand = jnp.split(light, 2, axis=-1)
        light = jnp.concatenate([factor[..., group], summand[..., group]], axis=-1)
    return scene._replace(attributes=shading.Attributes(values, texels, light))


def joined(parts: list[Scene]) -> Scene:
    """The gradient of a scene from those through groups of its channels."""
    first = functools.reduce(
        lambda a, b: jax.tree.map(jnp.add, a, b),
        [part._replace(attributes=None) for part in parts],
    )
    values, texels, light = (
        None if column[0] is None else list(column)
        for column in zip(*(part.attributes for part in parts), strict=True)
    )
    if texels is not None:
        texels = jnp.concatenate(texels, axis=-1)
        # all channels of an image lie at the same u and v
        values = None if values is None else functools.reduce(jnp.add, values)
    else:
        values = jnp.concatenate(values, axis=-1)
    if light is not None:
        halves = [jnp.split(part, 2, axis=-1) for part in light]
        light = jnp.concatenate(
            [half for side in zip(*halves, strict=True) for half in side], axis=-1
        )
    return first._replace(attributes=shading.Attributes(values, texels, light))
