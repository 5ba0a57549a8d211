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


FAR = np.array([[[0.0, 0], [1, 0], [0, 1]]] * 2) * np.array([1e4, 2])[:, None, None]


@pytest.mark.parametrize(
    "wraps", [["clamp", "clamp"], ["repeat", "repeat"], ["repeat", "clamp"]]
)
def test_too_many_repetitions_for_one_image(wraps):
    made = atlas.merge(FAR, np.arange(2), IMAGES[:2], wraps)
    assert made.wrap == wraps[0] and len(made.image) == 2
    assert made.image_index is not None and made.image_index.tolist() == [0, 1]
    for k in range(2):
        if wraps[k] == made.wrap:
            assert made.image[k] is IMAGES[k]
        found = look(made.image[k], made.coordinates[k], made.wrap)
        # coordinates up to 1e4 are rounded to 1e-3
        tolerance = 1e-5 if k else 2e-2
        expected = look(IMAGES[k], FAR[k], wraps[k])
        np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("wrap", ["clamp", "repeat"])
def test_a_single_image_that_repeats_stays(wrap):
    single = atlas.merge(FAR[:1] * 1e26, np.zeros(1, int), IMAGES[:1], [wrap])
    assert single.image is IMAGES[0] and single.wrap == wrap


def test_repeated_beside_clamped_far_beyond_its_edges():
    with pytest.raises(ValueError, match="it shows 2 images, .* clamped far beyond"):
        atlas.merge(FAR[[0, 0]], np.arange(2), IMAGES[:2], ["repeat", "clamp"])


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
