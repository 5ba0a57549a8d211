"""COLMAP text models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxsoftras.data import colmap

CAMERAS = """# Camera list
1 SIMPLE_PINHOLE 48 40 70 25.5 18.5
2 PINHOLE 48 40 70 66 25.5 18.5
3 SIMPLE_RADIAL 48 40 70 25.5 18.5 0.1
4 RADIAL 48 40 70 25.5 18.5 0.1 0.2
5 OPENCV 48 40 70 66 25.5 18.5 0.1 0.2 0.3 0.4
"""
# a turn of 90 degrees about z; lines of points that are empty, not, and missing
IMAGES = """# Image list
1 2 0 0 2 1 2 3 1 one.png

2 1 0 0 0 1 2 3 2 folder/name with spaces.png
1.5 2.5 -1 3.5 4.5 7
3 1 0 0 0 1 2 3 3 three.png
4 1 0 0 0 1 2 3 4 four.png

5 1 0 0 0 1 2 3 5 5.png
"""


def write(folder: Path, cameras: str = CAMERAS, images: str = IMAGES) -> Path:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(cameras)
    (folder / "images.txt").write_text(images)
    return folder


def test_models(tmp_path):
    entries = colmap.read_entries(write(tmp_path / "model"))
    names = ["one.png", "folder/name with spaces.png", "three.png", "four.png", "5.png"]
    assert list(entries) == names
    one, two, *others = entries.values()
    turn = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(one["R"], turn, atol=1e-12)
    assert one["t"] == [1, 2, 3] and one["size"] == [48, 40]
    # the centre of the top left pixel is (1/2, 1/2) there, and (0, 0) here
    assert one["K"] == [[70, 0, 25], [0, 70, 18], [0, 0, 1]]
    assert two["K"] == [[70, 0, 25], [0, 66, 18], [0, 0, 1]]
    assert "distortion" not in two
    lenses = [entry["distortion"] for entry in others]
    assert lenses == [[0.1, 0, 0, 0], [0.1, 0.2, 0, 0], [0.1, 0.2, 0.3, 0.4]]


@pytest.mark.parametrize("place", [".", "sparse", "sparse/0"])
def test_places(place, tmp_path):
    folder = write(tmp_path / "object" / place / ".")
    assert colmap.find_model(tmp_path / "object") == folder


def test_binary_models_are_refused(tmp_path):
    assert colmap.find_model(tmp_path) is None
    (tmp_path / "images.bin").touch()
    with pytest.raises(ValueError, match="--output_type TXT"):
        colmap.find_model(tmp_path)


@pytest.mark.parametrize(
    ("cameras", "images", "message"),
    [
        ("1 FOV 48 40 70 66 25 18 0.1", IMAGES, "model FOV is not among"),
        ("1 PINHOLE 48 40 70 66 25", IMAGES, "line 1 of cameras.txt is no PINHOLE"),
        ("1 PINHOLE 48 40 x 66 25 18", IMAGES, "line 1 of cameras.txt is no camera"),
        (CAMERAS, "1 1 0 0 0 1 2 3 9 one.png", "line 1 of images.txt is no picture"),
        (CAMERAS, "1 1 0 0 zero 1 2 3 1 one.png", "is no picture"),
        (CAMERAS, "1 1 0 0 0 1 2", "is no picture"),
    ],
)
def test_wrong_lines(cameras, images, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        colmap.read_entries(write(tmp_path / "model", cameras, images))
