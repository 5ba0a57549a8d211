"""The order in which kernels for Mosaic GPU take faces."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.kernels.mosaic import faces as mosaic_faces


@pytest.mark.parametrize("faces", [1, 20, 512, 513, 1300])
def test_faces_are_sorted_by_size_a_few_hundred_at_a_time(faces):
    pixels = np.random.default_rng(faces).integers(0, 6000, (2, faces), np.int32)
    order = np.asarray(mosaic_faces.largest_first(jnp.asarray(pixels)))
    assert order.dtype == np.int32
    for own, sizes in zip(order, pixels, strict=True):
        np.testing.assert_array_equal(np.sort(own), np.arange(faces))
        length = mosaic_faces.run_of(faces)
        assert length < 800
        for first in range(0, faces, length):
            run = own[first : first + length]
            assert run.min() == first
            # beyond the most that a key has room for, all are alike
            assert np.all(np.diff(np.minimum(sizes[run], 4095)) <= 0)
