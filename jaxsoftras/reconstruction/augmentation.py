"""Changes of training batches that show more than the data set holds.

Each is drawn by seed and step alone, so that a resumed run makes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, data
from jaxsoftras.data import rig
from jaxsoftras.data.threefry import random_bits

# Counters of the kinds of changes, 2^24 each; `jaxsoftras.data.drawing` counts up from
# 0 with the same key.
_MIRROR = 2**31
_COLOR = _MIRROR + 2**24

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of R'G'B', ITU-R BT.601


def augment(
    batch: data.PairBatch, settings: config.Augment, *, seed: int, step: jax.Array
) -> data.PairBatch:
    """Changes a batch at random, by seed and step alone.

    Args:
        batch: B objects.
        settings: what to change.
        seed: seed of the run.
        step: number of the batch, a scalar.
    """
    count = len(batch.images_a)
    if settings.mirror:
        bits, _ = _draw(_MIRROR, count, seed, step)
        batch = _mirror(batch, bits % 2 == 1)
    if settings.color != config.Color():
        numbers = _draw_uniform(_COLOR, count, 4, seed, step)
        matrices = color_matrices(settings.color, numbers)
        batch = _map_images(batch, lambda images: _recolor(images, matrices))
    return batch


def _draw(
    first: int, count: int, seed: int, step: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Draws two arrays ``[count]`` of random uint32."""
    key = [jnp.asarray([word], jnp.uint32) for word in (seed % 2**32, seed >> 32)]
    places = jnp.arange(count, dtype=jnp.uint32) + jnp.uint32(first)
    return random_bits(key, (step.astype(jnp.uint32).reshape(1), places), jnp)


def _draw_uniform(
    first: int, count: int, width: int, seed: int, step: jax.Array
) -> jax.Array:
    """Draws ``[count, width]`` numbers in [-1, 1)."""
    half = -(-width // 2)
    bits = jnp.stack(_draw(first, count * half, seed, step), axis=-1)
    numbers = (bits.reshape(count, 2 * half) >> 8).astype(jnp.float32)
    return numbers[:, :width] * 2**-23 - 1


def _map_images(
    batch: data.PairBatch, change: Callable[[jax.Array], jax.Array]
) -> data.PairBatch:
    a, b = change(jnp.asarray(batch.images_a)), change(jnp.asarray(batch.images_b))
    return batch._replace(images_a=a, images_b=b)


def _mirror(batch: data.PairBatch, chosen: jax.Array) -> data.PairBatch:
    """Shows chosen objects as their mirror images in the plane x = 0.

    The image of a mirrored object from a mirrored camera is the mirrored image.
    """

    def choose(mirrored: jax.Array, plain: jax.Array | np.ndarray) -> jax.Array:
        return jnp.where(chosen.reshape(-1, *[1] * (plain.ndim - 1)), mirrored, plain)

    def choose_cameras(plain: rig.Viewpoints) -> rig.Viewpoints:
        return jax.tree.map(choose, rig.mirror(plain), plain)

    return data.PairBatch(
        choose(jnp.flip(batch.images_a, -1), batch.images_a),
        choose(jnp.flip(batch.images_b, -1), batch.images_b),
        choose_cameras(batch.cameras_a),
        choose_cameras(batch.cameras_b),
    )


def color_matrices(settings: config.Color, numbers: jax.Array) -> jax.Array:
    """Affine maps of colours: hue and saturation, then brightness, then contrast.

    A turn of the hue by t turns R'G'B' about the grey axis, by Rodrigues' formula:
    ``cos t I + (1 - cos t) / 3 J + sin t / sqrt(3) K`` with J all ones and K the cross
    product with (1, 1, 1).

    Args:
        settings: the largest changes.
        numbers: ``[B, 4]`` parts of them, -1 to 1: of brightness, contrast, saturation
            and hue.

    Returns:
        ``[B, 3, 4]``. Applied to red, green, blue and coverage, where the colours are
        multiplied by coverage, they give such colours.
    """
    largest = [settings.brightness, settings.contrast, settings.saturation]
    brightness, contrast, saturation = (
        1 + jnp.asarray(largest) * numbers[:, :3]
    ).T.reshape(3, -1, 1, 1)
    angle = jnp.deg2rad(settings.hue * numbers[:, 3])[:, None, None]
    identity, ones = jnp.eye(3), jnp.ones((3, 3))
    cross = jnp.cross(np.ones(3, np.float32), jnp.eye(3)).T
    turn = (
        jnp.cos(angle) * identity
        + (1 - jnp.cos(angle)) / 3 * ones
        + jnp.sin(angle) / np.sqrt(3).astype(np.float32) * cross
    )
    fade = saturation * identity + (1 - saturation) * ones * _LUMA
    linear = contrast * brightness * jnp.matmul(fade, turn, precision="highest")
    offset = jnp.broadcast_to((1 - contrast) / 2, (len(numbers), 3, 1))
    return jnp.concatenate([linear, offset], axis=-1)


def _recolor(images: jax.Array, matrices: jax.Array) -> jax.Array:
    """Maps the colours of ``[B, 4, S, S]`` uint8; those without coverage stay."""
    rgba = images.astype(jnp.float32)
    alpha = rgba[:, 3:]
    # not a matrix product, so that one pass reads and writes bytes only
    color = sum(matrices[:, :, k, None, None] * rgba[:, None, k] for k in range(4))
    color = jnp.clip(jnp.round(color), 0, alpha)
    color = jnp.where(alpha > 0, color, rgba[:, :3])
    return jnp.concatenate([color, alpha], axis=1).astype(jnp.uint8)
