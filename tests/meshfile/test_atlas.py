"""Atlases: what is packed looks as it did, and painted triangles are linear."""

import jax
import numpy as np
import pytest

from jaxsoftras import texture
from jaxsoftras.meshfile import atlas

SAMPLE = jax.jit(texture.sample, static_argnums=2)

RNG = np.random.default_rng(0)
WEIGHTS = RNG.dirichlet([0.5] * 3, 40)
IMAGES = [RNG.random((4, 6, 3)), RNG.random((5, 3, 3)), RNG.random((1, 1, 3))]


def look(image, corners, wrap):
    """Colours at points of a face."""
    return np.asarray(SAMPLE(image, WEIGHTS @ corners, wrap))


@pytest.mark.parametrize("wrap", ["clamp", "repeat"])
@pytest.mark.parametrize("reach", [1, 3])
def test_packed_images_look_the_same(wrap, reach):
    corners = RNG.uniform(-reach, reach, (9, 3, 2))
    index = np.arange(9) % 3
    packed = atlas.merge(corners, index, IMAGES, [wrap] * 3)
    assert np.all((packed.coordinates > 0) & (packed.coordinates < 1))
    for k in range(9):
        np.testing.assert_allclose(
            look(packed.image, packed.coordinates[k], "repeat"),
            look(IMAGES[index[k]], corners[k], wrap),
            atol=1e-5,
        )


def test_a_single_image_stays_as_it_is():
    corners = np.array([[[5.0, -7], [8, -7], [5, -5]]])
    made = atlas.merge(corners, np.zeros(1, int), IMAGES[:1], ["repeat"])
    assert made.image is IMAGES[0] and made.wrap == "repeat"
    np.testing.assert_array_equal(made.coordinates, corners + [-6, 7])


@pytest.mark.parametrize("wrap", ["clamp", "repeat"])
def test_too_many_repetitions(wrap):
    corners = np.array([[[0.0, 0], [1, 0], [0, 1]]] * 2)
    corners[0] *= 1e30
    with pytest.raises(ValueError, match="it shows 2 images, some of them repeated so"):
        atlas.merge(corners, np.arange(2), IMAGES[:2], [wrap] * 2)
    single = atlas.merge(corners[:1], np.zeros(1, int), IMAGES[:1], [wrap])
    assert single.image is IMAGES[0] and single.wrap == wrap


def test_painted_triangles_are_linear():
    colors = RNG.random((11, 3, 3))
    colors[4:7] = colors[4:7, :1]  # plain
    colors[8] = colors[2]
    uv, image = atlas.paint(colors)
    assert image.shape == (6, 8, 3)
    for corners, values in zip(uv, colors, strict=True):
        np.testing.assert_allclose(
            look(image, corners, "clamp"), WEIGHTS @ values, atol=1e-5
        )
