"""Losses and metrics between images: silhouette IoU, SSIM, PSNR."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks
from jaxsoftras.losses.inputs import Array, as_numbers, check_leading

# SSIM as its authors published it: a Gaussian window of 11 pixels, sigma 1.5
_RADIUS, _SIGMA = 5, 1.5
_WINDOW = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * _SIGMA**2))
_WINDOW /= _WINDOW.sum()
_K1, _K2 = 0.01, 0.03
# identical images have 100 dB
_LEAST_ERROR = 1e-10
# above 1, the steps of bfloat16 are half of this
_SILHOUETTES = -1 / 64, 1 + 1 / 64
# highlights exceed 1; values of 8 bits, or normalized to [-1, 1], exceed this range
_COLORS = -0.5, 2.0


@jax.jit
def _find_extremes(*images: jax.Array) -> jax.Array:
    """Least and largest value of each image, ``[N, 2]``; NaN of one that has some."""
    extremes = [(jnp.min(x), jnp.max(x)) for x in images]
    return jnp.asarray(extremes, jnp.float32)


def _check_range(limits: tuple[float, float], note: str, **images: Array) -> None:
    """Raises a ValueError if an image whose values are known is beyond the limits."""
    known = {k: x for k, x in images.items() if not isinstance(x, Tracer)}
    known = {k: x for k, x in known.items() if x.dtype != bool and x.size}
    found = checks.evaluate_known(_find_extremes, *known.values()) if known else None
    if found is None:
        return
    for name, (low, high) in zip(known, found, strict=True):
        if low < limits[0] or high > limits[1]:
            raise ValueError(
                f"{name} must have values from 0 to 1{note}, not from {low:.4g} to "
                f"{high:.4g}; divide 8-bit images by 255, and clip others."
            )


def _as_silhouettes(predicted: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    predicted = as_numbers("predicted", predicted, "[..., H, W]", None, None)
    height, width = predicted.shape[-2:]
    form = f"[..., {height}, {width}] like predicted"
    target = as_numbers("target", target, form, height, width)
    check_leading(predicted=predicted.shape[:-2], target=target.shape[:-2])
    if predicted.ndim > 2 and width == 1 and height > 1:
        raise ValueError(
            "Silhouettes are [..., H, W], without an axis for channels, not "
            f"{list(predicted.shape)}; pass image[..., -1], the alpha of an image."
        )
    _check_range(_SILHOUETTES, "", predicted=predicted, target=target)
    return predicted, target


def _as_images(predicted: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    form = "[..., H, W, C], C from 1 to 4 channels (for silhouettes, alpha[..., None])"
    predicted = as_numbers("predicted", predicted, form, None, None, None)
    height, width, channels = predicted.shape[-3:]
    if not 1 <= channels <= 4 or 0 in (height, width):
        raise ValueError(
            f"predicted must have the shape {form}, not {list(predicted.shape)}."
        )
    form = f"[..., {height}, {width}, {channels}] like predicted"
    target = as_numbers("target", target, form, height, width, channels)
    check_leading(predicted=predicted.shape[:-3], target=target.shape[:-3])
    for name, image in (("predicted", predicted), ("target", target)):
        if not jnp.issubdtype(image.dtype, jnp.floating):
            raise ValueError(
                f"{name} must be floating-point, in [0, 1], not {image.dtype}; divide "
                "8-bit images by 255."
            )
    note = ", or a little beyond (-0.5 to 2)"
    _check_range(_COLORS, note, predicted=predicted, target=target)
    return predicted, target


def _as_mask(mask: ArrayLike | None, predicted: Array, target: Array) -> Array | None:
    """Checks a mask ``[..., H, W]`` of images ``[..., H, W, C]``."""
    if mask is None:
        return None
    height, width = predicted.shape[-3:-1]
    form = f"[..., {height}, {width}] like the images"
    mask = as_numbers("mask", mask, form, height, width)
    check_leading(
        predicted=predicted.shape[:-3], target=target.shape[:-3], mask=mask.shape[:-2]
    )
    if mask.dtype != bool:
        raise ValueError(
            f"mask must be bool, not {mask.dtype}; pass coverage > 0.5 of a coverage."
        )
    return mask


def _average(values: jax.Array, mask: Array | None) -> jax.Array:
    """Mean of ``[..., H, W, C]`` over pixels, those of a mask, and channels."""
    axes = (-3, -2, -1)
    if mask is None:
        return jnp.mean(values, axis=axes)
    mask = mask[..., None]
    total = jnp.sum(jnp.where(mask, values, 0), axis=axes)
    return total / (jnp.sum(mask, axis=axes) * values.shape[-1])


def silhouette_iou(predicted: ArrayLike, target: ArrayLike) -> jax.Array:
    """Soft intersection over union of silhouettes (Liu et al., 2019, eq. 7).

    ``sum(p t) / (sum(p + t - p t) + 1e-6)``; the loss is one minus this.

    Args:
        predicted: ``[..., H, W]`` alpha in [0, 1].
        target: ``[..., H, W]`` alpha in [0, 1].

    Returns:
        ``[...]`` in [0, 1).

    Raises:
        ValueError: a wrong shape or dtype; values out of range by more than rounding,
            but not under a transformation, where values are not known.

    Example:
        >>> left, top = jnp.array([[1, 0], [1, 0]]), jnp.array([[1, 1], [0, 0]])
        >>> print(losses.silhouette_iou(left, top))  # 1 of 3 pixels
        0.3333332
    """
    return _silhouette_iou(*_as_silhouettes(predicted, target))


@jax.jit
def _silhouette_iou(predicted, target) -> jax.Array:
    predicted, target = checks.as_floats(predicted, target)
    product = predicted * target
    intersection = jnp.sum(product, axis=(-2, -1))
    union = jnp.sum(predicted + target - product, axis=(-2, -1))
    return intersection / (union + 1e-6)


def multiscale_silhouette_iou(
    predicted: ArrayLike, target: ArrayLike, *, levels: int = 4
) -> jax.Array:
    """Mean of the intersection over union of silhouettes at several scales.

    Level k compares images whose pixels are the means of ``2^k x 2^k`` pixels, in which
    silhouettes can overlap that do not at full size, and so have a gradient: ``mean_k
    sum(min(p_k, t_k)) / (sum(max(p_k, t_k)) + 1e-6)``; the loss is one minus this.

    Minimum and maximum take the place of the products in `silhouette_iou`, equal to
    them for pixels of 0 and 1: a product is largest for a pixel of 1 even where the
    target, a mean, is 0.6. The gradient is that of one branch, or the mean of both
    where p = t.

    Args:
        predicted: ``[..., H, W]`` alpha in [0, 1].
        target: ``[..., H, W]`` alpha in [0, 1].
        levels: number of scales, the full size included; a static number. Where a side
            is odd, the next level sees a row or column of zeros beyond it.

    Returns:
        ``[...]`` in [0, 1).

    Raises:
        ValueError: a wrong shape or dtype; values out of range, as for
            `silhouette_iou`; levels out of range: the last one has at least two pixels,
            or the full size.

    Example:
        >>> left = jnp.zeros((4, 4)).at[:, 0].set(1)
        >>> right = jnp.zeros((4, 4)).at[:, 1].set(1)
        >>> print(losses.multiscale_silhouette_iou(left, right, levels=2).round(4))
        0.5
    """
    predicted, target = _as_silhouettes(predicted, target)
    most = max(1, (max(predicted.shape[-2:]) - 1).bit_length())
    if not isinstance(levels, (int, np.integer)) or not 1 <= levels <= most:
        raise ValueError(
            f"levels must be an int from 1 to {most} for images of "
            f"{predicted.shape[-2]} x {predicted.shape[-1]} pixels, not {levels!r}."
        )
    return _multiscale_silhouette_iou(predicted, target, int(levels))


def _halve(image: jax.Array) -> jax.Array:
    """Means of 2 x 2 pixels, with zeros beyond odd sides."""
    *batch, height, width = image.shape
    image = jnp.pad(image, [(0, 0)] * len(batch) + [(0, height % 2), (0, width % 2)])
    blocks = image.reshape(*batch, (height + 1) // 2, 2, (width + 1) // 2, 2)
    return jnp.mean(blocks, axis=(-3, -1))


@functools.partial(jax.jit, static_argnames="levels")
def _multiscale_silhouette_iou(predicted, target, levels: int) -> jax.Array:
    predicted, target = checks.as_floats(predicted, target)
    total = jnp.zeros((), predicted.dtype)
    for level in range(levels):
        if level:
            predicted, target = _halve(predicted), _halve(target)
        common = jnp.sum(jnp.minimum(predicted, target), axis=(-2, -1))
        union = jnp.sum(jnp.maximum(predicted, target), axis=(-2, -1))
        total = total + common / (union + 1e-6)
    return total / levels


def ssim(
    predicted: ArrayLike, target: ArrayLike, *, mask: ArrayLike | None = None
) -> jax.Array:
    """Structural similarity of images (Wang et al., 2004, eq. 13).

    ``(2 m_p m_t + C1) (2 s_pt + C2) / ((m_p^2 + m_t^2 + C1) (s_p^2 + s_t^2 + C2))``
    with the means, variances and covariance within a Gaussian window of 11 x 11 pixels
    (sigma 1.5) that lies within the image, C1 = 0.01^2 and C2 = 0.03^2: the mean over
    all windows and channels. The loss is one minus this.

    Args:
        predicted: ``[..., H, W, C]`` in [0, 1], H and W at least 11, C at most 4.
        target: ``[..., H, W, C]`` in [0, 1].
        mask: ``[..., H, W]`` bool: the mean is over the windows with a pixel of it in
            their middle. None for all windows.

    Returns:
        ``[...]`` in [-1, 1], 1 for equal images; NaN where a mask leaves nothing.

    Raises:
        ValueError: a wrong shape or dtype; 8-bit images, of floats too, and others with
            values below -0.5 or above 2, but not under a transformation, where values
            are not known.

    Example:
        >>> black, grey = jnp.zeros((16, 16, 3)), jnp.full((16, 16, 3), 0.1)
        >>> print(losses.ssim(grey, grey), losses.ssim(black, grey))  # C1 / (0.01 + C1)
        1.0 0.00990099
    """
    predicted, target = _as_images(predicted, target)
    size = 2 * _RADIUS + 1
    if min(predicted.shape[-3:-1]) < size:
        raise ValueError(
            f"SSIM needs images of at least {size} x {size} pixels, not "
            f"{predicted.shape[-3]} x {predicted.shape[-2]}."
        )
    return _ssim(predicted, target, _as_mask(mask, predicted, target))


def _window_means(image: jax.Array) -> jax.Array:
    """Means within the windows of ``[..., H, W, C]``, ``[..., H - 10, W - 10, C]``."""

    def weights(size):
        """``[size - 10, size]`` weights of the pixels of a row in each window."""
        table = np.zeros((size - 2 * _RADIUS, size))
        for k, weight in enumerate(_WINDOW):
            table += weight * np.eye(*table.shape, k)
        return table.astype(image.dtype)

    # matrix products, of which a gradient is as fast as they are
    multiply = functools.partial(jnp.einsum, precision="highest")
    height, width = image.shape[-3:-1]
    rows = multiply("ih,...hwc->...iwc", weights(height), image)
    return multiply("jw,...iwc->...ijc", weights(width), rows)


@jax.jit
def _ssim(predicted, target, mask) -> jax.Array:
    p, t = jnp.broadcast_arrays(*checks.as_floats(predicted, target))
    mean_p, mean_t, pp, tt, pt = _window_means(jnp.stack([p, t, p * p, t * t, p * t]))
    variances = pp - mean_p**2 + tt - mean_t**2
    covariance = pt - mean_p * mean_t
    c1, c2 = _K1**2, _K2**2
    likeness = (2 * mean_p * mean_t + c1) * (2 * covariance + c2)
    likeness /= (mean_p**2 + mean_t**2 + c1) * (variances + c2)
    if mask is not None:
        mask = mask[..., _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    return _average(likeness, mask)


def psnr(
    predicted: ArrayLike, target: ArrayLike, *, mask: ArrayLike | None = None
) -> jax.Array:
    """Peak signal-to-noise ratio of images whose peak is 1.

    ``-10 log10(mean((p - t)^2))`` over all pixels and channels, at most 100, which
    equal images have, with zero gradient. The loss is minus this.

    Args:
        predicted: ``[..., H, W, C]`` in [0, 1], C at most 4.
        target: ``[..., H, W, C]`` in [0, 1].
        mask: ``[..., H, W]`` bool, the pixels that count; None for all.

    Returns:
        ``[...]`` decibels; NaN where a mask leaves nothing.

    Raises:
        ValueError: a wrong shape or dtype; 8-bit images, of floats too, and others with
            values below -0.5 or above 2, but not under a transformation, where values
            are not known.

    Example:
        >>> black, grey = jnp.zeros((8, 8, 3)), jnp.full((8, 8, 3), 0.1)
        >>> print(losses.psnr(black, grey), losses.psnr(grey, grey))
        20.0 100.0
    """
    predicted, target = _as_images(predicted, target)
    return _psnr(predicted, target, _as_mask(mask, predicted, target))


@jax.jit
def _psnr(predicted, target, mask) -> jax.Array:
    predicted, target = checks.as_floats(predicted, target)
    error = _average((predicted - target) ** 2, mask)
    return -10 * jnp.log10(jnp.maximum(error, _LEAST_ERROR))
