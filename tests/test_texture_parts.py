"""Parts of textures: their checks. Tests of their users cover the rest."""

import jax
import numpy as np
import pytest

from jaxsoftras import texture
from jaxsoftras.texture_parts import check_images

IMAGES = (np.ones((2, 3, 3)), np.ones((1, 1, 3)))
GOOD = texture.UVTexture(
    np.zeros((2, 3, 2)), IMAGES, image_index=np.array([0, 1], np.int32)
)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"image_index": None}, "^It must have an image_index where its image is a t"),
        ({"image": IMAGES[0]}, "and only there"),
        ({"image": ()}, "at least one texel each and one number of channels, not none"),
        ({"image": (*IMAGES, np.ones((2, 2, 4)))}, r"and \[2, 2, 4\]"),
        ({"image": (np.ones((2, 0, 3)), *IMAGES)}, r"not \[2, 0, 3\]"),
        ({"image": (np.ones((1, 2, 2, 3)),)}, r"\[1, 2, 2, 3\]"),
        ({"image_index": np.array([0, 2])}, "from 0 to 1, of .* ranges from 0 to 2"),
        ({"image_index": np.array([-1, 0])}, "ranges from -1 to 0"),
        ({"image_index": np.array([0.0, 1])}, r"integers \[..., 2\], .* not float64"),
        ({"image_index": np.array([0, 1, 1])}, r"not int64 \[3\]"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        check_images("It", GOOD._replace(**change))


def test_what_is_right():
    check_images("It", GOOD)
    check_images("It", GOOD._replace(image=IMAGES[0], image_index=None))
    check_images("It", GOOD._replace(image_index=np.zeros((5, 2), int)))

    @jax.jit
    def traced(given):
        check_images("It", given)
        return given

    assert traced(GOOD).image_index.shape == (2,)
