"""Mistakes in calls from Python: a TypeError or a ValueError of one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras import prediction
from jaxsoftras.prediction import Picture, Predictor, arguments
from tests.support import tiny_models

IMAGE = np.zeros((20, 20, 4), np.float32)
IMAGE[5:15, 5:15] = 1
NAN = np.where(IMAGE > 0, np.nan, IMAGE)
BRIGHT = np.concatenate([np.ones((20, 20, 3), np.float32), IMAGE[..., 3:]], -1)


@pytest.fixture(scope="module")
def predictor():
    return Predictor(tiny_models.make())


def refusal(kind, call, *values, **options) -> str:
    with pytest.raises(kind) as caught:
        call(*values, **options)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    return text


@pytest.mark.parametrize("model", ["model.zip", Path("model.zip"), None, 3])
def test_models(model):
    for call in (Predictor, lambda model: prediction.predict(model, "a.png")):
        assert type(model).__name__ in refusal(TypeError, call, model)


def test_files_are_named(predictor, tmp_path):
    missing = tmp_path / "none.png"
    text = refusal(ValueError, prediction.predict, predictor.model, missing)
    assert text == f"{missing}: there is no such file."


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (IMAGE[..., :3], "[20, 20, 3] of float32"),
        (IMAGE[..., 3], "[20, 20] of float32"),
        (IMAGE[None], "[1, 20, 20, 4]"),
        (np.moveaxis(IMAGE, -1, 0), "[4, 20, 20]"),
        (np.uint8(255 * IMAGE), "uint8"),
        (IMAGE > 0, "bool"),
        (IMAGE.astype(complex), "complex128"),
        (IMAGE.astype(object), "object"),
        (255 * IMAGE, "from 0 to 255"),
        (-IMAGE, "from -1 to"),
        (NAN, "from nan to nan"),
        (BRIGHT, "multiply them"),
    ],
)
def test_images(image, found, predictor):
    text = refusal(ValueError, predictor, Picture(image, "file"))
    assert found in text


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_images_pass(dtype):
    shades = np.random.default_rng(0).random((20, 20, 4))
    shades[..., :3] *= shades[..., 3:]
    arguments.check_picture(Picture(shades.astype(dtype), "file"))
    arguments.check_picture(Picture(shades.tolist(), "file"))  # type: ignore[arg-type]


@pytest.mark.parametrize("picture", [IMAGE, None, 3, ["a.png", "b.png"], b"a.png"])
def test_pictures(picture, predictor):
    name = type(picture).__name__
    assert name in refusal(TypeError, predictor, picture)
    model = tiny_models.make()
    assert name in refusal(TypeError, prediction.predict, model, picture)


def test_a_file_is_read_first(predictor):
    for path in ("a.png", Path("a.png")):
        assert "read_picture reads a file" in refusal(TypeError, predictor, path)


@pytest.mark.parametrize("refine", [1.5, float("nan"), "3", None, True, np.ones(2)])
def test_steps(refine, predictor):
    picture = Picture(IMAGE, "file")
    text = refusal(TypeError, predictor, picture, refine=refine)
    assert "a whole number of steps" in text
    assert "not -1" in refusal(ValueError, predictor, picture, refine=np.int64(-1))


@pytest.mark.parametrize("name", ["elevation", "distance"])
def test_numbers(name):
    model = tiny_models.make()
    for value in ("30", [30.0], np.array([1.0, 2.0]), 30j, True):
        text = refusal(TypeError, Predictor, model, **{name: value})
        assert f"The {name} must be a number, not {type(value).__name__}" in text
    for value in (np.nan, np.inf, -1e9):
        text = refusal(ValueError, Predictor, model, **{name: value})
        assert f"The {name} must be from" in text and f"not {value}" in text
    values: list[Any] = [30, np.float32(30), np.int64(30), np.array(30.0)]
    for value in values:
        assert getattr(Predictor(model, **{name: value}).orbit, name) == 30
