"""The order in which Mosaic kernels take faces."""

import jax.numpy as jnp
import numpy as np
import pytest

mosaic_faces = pytest.importorskip("jaxsoftras.kernels.mosaic.faces")


@pytest.mark.parametrize("faces", [1, 20, 512, 513, 1300])
def test_faces_are_sorted_by_size_a_few_hundred_at_a_time(faces):
    pixels = np.random.default_rng(faces).integers(0, 6000, (2, faces), np.int32)
    order = np.asarray(mosaic_faces.sort_by_size(jnp.asarray(pixels)))
    assert order.dtype == np.int32
    for order_of_image, sizes in zip(order, pixels, strict=True):
        np.testing.assert_array_equal(np.sort(order_of_image), np.arange(faces))
        length = mosaic_faces.run_length(faces)
        assert length < 800
        for first in range(0, faces, length):
            run = order_of_image[first : first + length]
            assert run.min() == first
            # beyond the most that a key has room for, all are alike
            assert np.all(np.diff(np.minimum(sizes[run], 4095)) <= 0)
