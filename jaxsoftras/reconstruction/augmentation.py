"""Changes of training batches that show more than the data set holds.

Each is drawn by seed and step alone, so that a resumed run makes the same ones.
"""

from __future__ import annotations

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
_FRAME = _COLOR + 2**24

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
        batch = batch._replace(
            images_a=_recolor(jnp.asarray(batch.images_a), matrices),
            images_b=_recolor(jnp.asarray(batch.images_b), matrices),
        )
    if settings.scale or settings.shift:
        numbers = _draw_uniform(_FRAME, 2 * count, 3, seed, step)
        numbers = numbers.reshape(2, count, 3)
        a, cameras_a = _reframe(batch.images_a, batch.cameras_a, settings, numbers[0])
        b, cameras_b = _reframe(batch.images_b, batch.cameras_b, settings, numbers[1])
        batch = data.PairBatch(a, b, cameras_a, cameras_b)
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


def _reframe(
    images: jax.Array | np.ndarray,
    cameras: rig.Viewpoints,
    settings: config.Augment,
    numbers: jax.Array,
) -> tuple[jax.Array, rig.Viewpoints]:
    """Enlarges and moves images, and what their cameras see.

    An image whose object touches the border stays: nobody knows how the object goes on
    beyond it.

    Args:
        images: ``[B, 4, S, S]`` uint8.
        cameras: with leading axes ``[B]``.
        settings: the largest changes.
        numbers: ``[B, 3]`` parts of them, -1 to 1: of the scale and of both shifts.
    """
    images = jnp.asarray(images)
    alpha = images[:, 3]
    rim = jnp.stack([alpha[:, 0], alpha[:, -1], alpha[..., 0], alpha[..., -1]])
    numbers = jnp.where(jnp.any(rim > 0, axis=(0, 2))[:, None], 0, numbers)
    factor = (1 + settings.scale) ** numbers[:, 0]
    shift = 2 * settings.shift * numbers[:, 1:]  # an image is 2 wide in NDC
    return resample(images, factor, shift), rig.zoom(cameras, factor, shift)


def resample(images: jax.Array, factor: jax.Array, shift: jax.Array) -> jax.Array:
    """Enlarges and moves images; what was outside is empty.

    Colours are multiplied by coverage, and both are interpolated linearly; reduced
    images average the pixels that fall together.

    Args:
        images: ``[B, C, H, W]`` uint8.
        factor: ``[B]``, positive.
        shift: ``[B, 2]`` NDC; see `jaxsoftras.data.rig.zoom`.
    """
    height, width = images.shape[-2:]
    # of y and x, in pixels from the corner at the top left
    scale = jnp.stack([factor, factor], axis=-1)
    size = jnp.array([height, width], jnp.float32)
    offset = (1 - scale + shift[:, ::-1] * jnp.array([-1, 1])) * size / 2
    resampled = jax.vmap(
        lambda image, scale, offset: jax.image.scale_and_translate(
            image,
            image.shape,
            (1, 2),
            scale,
            offset,
            "linear",
            precision=jax.lax.Precision.HIGHEST,
        )
    )(images.astype(jnp.float32), scale, offset)
    return jnp.round(resampled).astype(jnp.uint8)
