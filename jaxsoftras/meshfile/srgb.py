"""Conversion of colours between linear light and sRGB, by IEC 61966-2-1."""

from __future__ import annotations

import numpy as np


def encode(linear: np.ndarray) -> np.ndarray:
    """Encodes linear intensities in [0, 1] as sRGB; elementwise.

    Args:
        linear: intensities; values outside [0, 1] are clipped.
    """
    linear = np.clip(linear, 0, 1)
    root = linear ** linear.dtype.type(1 / 2.4)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * root - 0.055)


def decode(encoded: np.ndarray) -> np.ndarray:
    """Decodes sRGB values in [0, 1] to linear intensities; the inverse of `encode`.

    Args:
        encoded: values; those outside [0, 1] are clipped.
    """
    encoded = np.clip(encoded, 0, 1)
    power = ((encoded + 0.055) / 1.055) ** encoded.dtype.type(2.4)
    return np.where(encoded <= 0.04045, encoded / 12.92, power)
