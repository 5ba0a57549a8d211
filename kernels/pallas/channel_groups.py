"""Colours of many channels, a few channels at a time."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import shading
from jaxsoftras.kernels.scene import Scene

LARGEST = 4
"""Channels that one kernel holds in registers; more are rendered in several calls."""


def split_channels(scene: Scene) -> list[slice]:
    """The groups of channels that one kernel can hold."""
    if scene.attributes is None:
        return []
    channels = scene.attributes.channels
    return [slice(k, k + LARGEST) for k in range(0, channels, LARGEST)]


def select_channels(scene: Scene, group: slice) -> Scene:
    """The scene with some channels of its colours."""
    attributes = scene.attributes
    assert attributes is not None
    values, texels, light = attributes
    if texels is not None:
        texels = texels[..., group]
    elif values is not None:
        values = values[..., group]
    if light is not None:
        factor, summand = jnp.split(light, 2, axis=-1)
        light = jnp.concatenate([factor[..., group], summand[..., group]], axis=-1)
    return scene._replace(attributes=shading.Attributes(values, texels, light))


def join_gradients(gradients: list[Scene]) -> Scene:
    """The gradient of a scene from the gradients through groups of its channels."""
    first = functools.reduce(
        lambda a, b: jax.tree.map(jnp.add, a, b),
        [gradient._replace(attributes=None) for gradient in gradients],
    )
    attributes = [g.attributes for g in gradients if g.attributes is not None]
    values, texels, light = (
        None if column[0] is None else list(column)
        for column in zip(*attributes, strict=True)
    )
    if texels is not None:
        texels = jnp.concatenate(texels, axis=-1)
        # all channels of an image lie at the same u and v
        values = None if values is None else functools.reduce(jnp.add, values)
    elif values is not None:
        values = jnp.concatenate(values, axis=-1)
    if light is not None:
        halves = [jnp.split(array, 2, axis=-1) for array in light]
        light = jnp.concatenate(
            [half for side in zip(*halves, strict=True) for half in side], axis=-1
        )
    return first._replace(attributes=shading.Attributes(values, texels, light))
