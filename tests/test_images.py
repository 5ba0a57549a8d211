import re
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxsoftras
from jaxsoftras import images

RNG = np.random.default_rng(0)
RGBA = RNG.integers(0, 256, (4, 6, 4), np.uint8)


def saved(folder, image, name="a.png", **options):
    images.save_image(folder / name, image, **options)
    with Image.open(folder / name) as file:
        return np.asarray(file)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_levels_are_kept(suffix, channels, tmp_path):
    image = RGBA[..., :channels]
    if channels == 4:
        image = image.copy()
        image[..., 3] |= 1  # files need not keep the colour of what cannot be seen
    for given in (image, image / 255, jnp.asarray(image, jnp.float32) / 255):
        found = saved(tmp_path, given, "a" + suffix)
        if channels == 1:
            found = found.reshape(4, 6, -1)[..., :1]
        np.testing.assert_array_equal(found, image)


def test_grey_and_bool(tmp_path):
    ramp = np.linspace(0, 1, 6, dtype=np.float16).reshape(2, 3)
    np.testing.assert_array_equal(
        saved(tmp_path, ramp), [[0, 51, 102], [153, 204, 255]]
    )
    mask = np.array([[True, False]])
    np.testing.assert_array_equal(saved(tmp_path, mask), [[255, 0]])
    half = jnp.full((2, 2), 0.5, jnp.bfloat16)
    np.testing.assert_array_equal(saved(tmp_path, half), np.full((2, 2), 128))


def test_grey_with_opacity(tmp_path):
    image = np.array([[[0.2, 0.4]]])
    np.testing.assert_array_equal(saved(tmp_path, image), [[[51, 51, 51, 102]]])


def test_background(tmp_path):
    image = np.array([[[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.2]]])
    found = saved(tmp_path, image, background=(0.0, 0.0, 1.0))
    np.testing.assert_array_equal(found, [[[255, 0, 0], [51, 0, 204]]])
    white = saved(tmp_path, image, background=1.0)
    np.testing.assert_array_equal(white, [[[255, 0, 0], [255, 204, 204]]])
    behind = np.array([[[0.0] * 3, [1.0] * 3]])
    np.testing.assert_array_equal(saved(tmp_path, image, background=behind), white)
    opaque = image[..., :3]
    np.testing.assert_array_equal(
        saved(tmp_path, opaque, background=0.5), [[[255, 0, 0]] * 2]
    )


def test_jpeg_is_laid_over_white(tmp_path):
    image = np.zeros((16, 16, 4))
    image[:8, :, 3] = 1
    found = saved(tmp_path, image, "a.jpg").astype(int)
    assert found.shape == (16, 16, 3)
    assert found[:4].max() < 10 and found[-4:].min() > 245


def test_scale(tmp_path):
    found = saved(tmp_path, RGBA, scale=3)
    np.testing.assert_array_equal(found, np.kron(RGBA, np.ones((3, 3, 1), np.uint8)))


@pytest.mark.parametrize(
    "batch, rows, columns",
    [((1,), 1, 1), ((3,), 2, 2), ((5,), 2, 3), ((2, 3), 2, 3), ((2, 2, 3), 4, 3)],
)
def test_batches_are_grids(batch, rows, columns, tmp_path):
    many = RNG.integers(0, 256, (*batch, 2, 4, 3), np.uint8)
    found = saved(tmp_path, many)
    assert found.shape == (2 * rows, 4 * columns, 3)
    for k, image in enumerate(many.reshape(-1, 2, 4, 3)):
        top, left = 2 * (k // columns), 4 * (k % columns)
        np.testing.assert_array_equal(found[top : top + 2, left : left + 4], image)


@pytest.mark.parametrize(
    "values, expected, message",
    [
        ([np.nan, 0.2], [0, 51], "1 of its 2 pixels are NaN"),
        ([1.5, -0.5], [255, 0], "range from -0.5 to 1.5, clipped"),
        ([np.inf, np.nan], [255, 0], "NaN, shown as 0; its values range from 0 to inf"),
    ],
)
def test_says_what_is_not_shown(values, expected, message, tmp_path):
    with pytest.warns(UserWarning, match=message) as caught:
        found = saved(tmp_path, np.array([values]))
    np.testing.assert_array_equal(found, [expected])
    assert [warning.filename for warning in caught] == [__file__]


def test_rounding_errors_are_not_worth_a_word(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = saved(tmp_path, np.array([[1 + 1e-6, -1e-6]]))
    np.testing.assert_array_equal(found, [[255, 0]])


@pytest.mark.parametrize(
    "image, options, message",
    [
        (np.ones(3), {}, "it has [3]."),
        (np.ones((2, 3, 5)), {}, "image[..., None] gives"),
        (np.ones((0, 3)), {}, "it has [0, 3, 1]."),
        (np.ones((2, 2), int), {}, "not int64; divide"),
        (np.ones((2, 2), np.uint16), {}, "not uint16; divide"),
        (np.ones((2, 2), complex), {}, "not complex128"),
        (np.ones((2, 2)), {"scale": 0}, "scale must be an integer"),
        (np.ones((2, 2)), {"scale": 1.5}, "scale must be an integer"),
        (np.ones((2, 2, 4)), {"background": [1, 0]}, "array of shape [2]"),
        (np.ones((2, 2, 4)), {"background": 255}, "values from 0 to 1"),
        (np.ones((1, 17000)), {"name": "a.webp"}, "at most 16383 pixels"),
        (np.ones((2, 2)), {"name": "a.gif"}, "ends in one of .png, .jpg"),
        (np.ones((2, 2)), {"name": "a"}, "ends in one of .png, .jpg"),
    ],
)
def test_refusals(image, options: Any, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        saved(tmp_path, image, **options)
    assert not list(tmp_path.iterdir())


def test_refuses_arguments_in_another_order_and_what_is_no_image(tmp_path):
    wrong: Any = np.ones((2, 2))
    with pytest.raises(ValueError, match="takes the path first"):
        images.save_image(wrong, tmp_path / "a.png")
    rendering: Any = jaxsoftras.Rendering(jnp.ones((2, 2, 4)))
    with pytest.raises(ValueError, match="not a Rendering; .* rendering.image"):
        images.save_image(tmp_path / "a.png", rendering)
    with pytest.raises(ValueError, match="background must be a number, .* 'white'"):
        images.save_image(tmp_path / "a.png", rendering.image, background="white")  # pyright: ignore


def test_refuses_traced_images_and_missing_folders(tmp_path):
    with pytest.raises(ValueError, match="return it from the compiled function"):
        jax.jit(lambda x: images.save_image(tmp_path / "a.png", x))(jnp.ones((2, 2)))
    with pytest.raises(FileNotFoundError, match="no folder"):
        images.save_image(tmp_path / "none" / "a.png", np.ones((2, 2)))


def test_an_old_file_survives_an_error(tmp_path, monkeypatch):
    images.save_image(tmp_path / "a.png", np.zeros((2, 2)))
    content = (tmp_path / "a.png").read_bytes()

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        images.save_image(tmp_path / "a.png", np.ones((2, 2)))
    assert (tmp_path / "a.png").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1
