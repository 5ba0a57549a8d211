"""Conversion between linear light and sRGB."""

import numpy as np
import pytest

from jaxsoftras.meshfile import srgb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(dtype):
    """The standard's: both pieces meet at 0.0031308, and 0.5 is 188 of 255."""
    linear = np.array([0, 0.0031308, 0.5, 1], dtype)
    encoded = srgb.encode(linear)
    assert encoded.dtype == dtype
    np.testing.assert_allclose(encoded, [0, 0.04045, 0.735357, 1], atol=1e-6)


def test_inverse():
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(srgb.encode(srgb.decode(values)), values, atol=1e-12)


def test_clips():
    beyond = np.array([-1.0, 2.0])
    assert srgb.encode(beyond).tolist() == pytest.approx([0, 1])
    assert srgb.decode(beyond).tolist() == pytest.approx([0, 1])
