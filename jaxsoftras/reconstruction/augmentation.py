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
    batch: data.ViewBatch, settings: config.Augment, *, seed: int, step: jax.Array
) -> data.ViewBatch:
    """Changes a batch at random, by seed and step alone.

    Args:
        batch: B objects.
        settings: what to change.
        seed: seed of the run.
        step: number of the batch, a scalar.
    """
    count, views = batch.images.shape[:2]
    if settings.mirror:
        bits, _ = _draw(_MIRROR, count, seed, step)
        batch = _mirror(batch, bits % 2 == 1)
    if settings.color != config.Color():
        numbers = _draw_uniform(_COLOR, count, 4, seed, step)
        matrices = color_matrices(settings.color, numbers)
        images = _recolor(jnp.asarray(batch.images), matrices[:, None])
        batch = batch._replace(images=images)
    if settings.scale or settings.shift:
        numbers = _draw_uniform(_FRAME, count * views, 3, seed, step)
        batch = _reframe(batch, settings, numbers.reshape(count, views, 3))
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


def _mirror(batch: data.ViewBatch, chosen: jax.Array) -> data.ViewBatch:
    """Shows chosen objects as their mirror images in the plane x = 0.

    The image of a mirrored object from a mirrored camera is the mirrored image.
    """

    def choose(mirrored: jax.Array, plain: jax.Array | np.ndarray) -> jax.Array:
        return jnp.where(chosen.reshape(-1, *[1] * (plain.ndim - 1)), mirrored, plain)

    def choose_cameras(plain: rig.Viewpoints) -> rig.Viewpoints:
        return jax.tree.map(choose, rig.mirror(plain), plain)

    return data.ViewBatch(
        choose(jnp.flip(batch.images, -1), batch.images), choose_cameras(batch.cameras)
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
    """Maps the colours of images; those without coverage stay.

    Args:
        images: ``[..., 4, S, S]`` uint8.
        matrices: ``[..., 3, 4]``; see `color_matrices`.
    """
    rgba = images.astype(jnp.float32)
    color, alpha = rgba[..., :3, :, :], rgba[..., 3:, :, :]
    # not a matrix product, so that one pass reads and writes bytes only
    mapped = sum(
        matrices[..., k, None, None] * rgba[..., k, None, :, :] for k in range(4)
    )
    mapped = jnp.clip(jnp.round(mapped), 0, alpha)
    color = jnp.where(alpha > 0, mapped, color)
    return jnp.concatenate([color, alpha], axis=-3).astype(jnp.uint8)


def _reframe(
    batch: data.ViewBatch, settings: config.Augment, numbers: jax.Array
) -> data.ViewBatch:
    """Enlarges and moves images, and what their cameras see.

    An image whose object touches the border stays: nobody knows how the object goes on
    beyond it.

    Args:
        batch: B objects.
        settings: the largest changes.
        numbers: ``[B, k, 3]`` parts of them, -1 to 1: of the scale and of both shifts.
    """
    images = jnp.asarray(batch.images)
    alpha = images[:, :, 3]
    rim = [alpha[..., 0, :], alpha[..., -1, :], alpha[..., 0], alpha[..., -1]]
    touches = jnp.any(jnp.stack(rim) > 0, axis=(0, -1))
    numbers = jnp.where(touches[..., None], 0, numbers)
    factor = (1 + settings.scale) ** numbers[..., 0]
    shift = 2 * settings.shift * numbers[..., 1:]  # an image is 2 wide in NDC
    return data.ViewBatch(
        resample(images, factor, shift), rig.zoom(batch.cameras, factor, shift)
    )


def resample(images: jax.Array, factor: jax.Array, shift: jax.Array) -> jax.Array:
    """Enlarges and moves images; what was outside is empty.

    Colours are multiplied by coverage, and both are interpolated linearly; reduced
    images average the pixels that fall together.

    Args:
        images: ``[..., C, H, W]`` uint8.
        factor: ``[...]``, positive.
        shift: ``[..., 2]`` NDC; see `jaxsoftras.data.rig.zoom`.
    """

    def translate(image: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
        size = jnp.array(image.shape[1:], jnp.float32)
        # in pixels from the corner at the top left
        offset = (1 - scale + jnp.array([-shift[1], shift[0]])) * size / 2
        return jax.image.scale_and_translate(
            image,
            image.shape,
            (1, 2),
            jnp.stack([scale, scale]),
            offset,
            "linear",
            precision=jax.lax.Precision.HIGHEST,
        )

    resampled = jnp.vectorize(translate, signature="(c,h,w),(),(k)->(c,h,w)")(
        images.astype(jnp.float32), factor, shift
    )
    return jnp.round(resampled).astype(jnp.uint8)
