"""Cameras of a COLMAP model in text form: ``cameras.txt`` and ``images.txt``.

The format is described in COLMAP's documentation, "Output Format". Poses are world to
camera, with the axes of OpenCV; pixels are counted from the corner of the top left one,
whose centre is (1/2, 1/2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data.picture_cameras import normalize

FILES = ("cameras.txt", "images.txt")

# number of focal lengths, then the places of the parameters in a vector of OpenCV
_MODELS = {
    "SIMPLE_PINHOLE": (1, 0),
    "PINHOLE": (2, 0),
    "SIMPLE_RADIAL": (1, 1),
    "RADIAL": (1, 2),
    "OPENCV": (2, 4),
}


def find_model(folder: Path) -> Path | None:
    """Finds the folder of a model: this one, ``sparse`` or ``sparse/0`` in it.

    Raises:
        ValueError: the model is there in binary form only.
    """
    places = (folder, folder / "sparse", folder / "sparse" / "0")
    for place in places:
        if all((place / name).is_file() for name in FILES):
            return place
    for place in places:
        if (place / "images.bin").is_file():
            raise ValueError(
                "its COLMAP model is binary; convert it with colmap model_converter "
                "--output_type TXT"
            )
    return None


def read_entries(folder: Path) -> dict[str, Any]:
    """Reads the cameras of a model as entries of `jaxsoftras.data.picture_cameras`.

    Args:
        folder: folder of ``cameras.txt`` and ``images.txt``.

    Returns:
        An entry for each picture, by its name in the model.

    Raises:
        ValueError: a line that cannot be read, or a camera model that is not known.
    """
    lenses = _read_lenses(folder / FILES[0])
    entries = {}
    after_image = False
    for number, line in _lines(folder / FILES[1]):
        words = line.split(maxsplit=9)
        # Each picture has a second line, which lists points and may be empty.
        if after_image and _lists_points(line):
            after_image = False
            continue
        if not words:
            continue
        try:
            pose = np.array(words[1:8], float)
            lens = lenses[words[8]]
            name = words[9].strip()
        except (IndexError, ValueError, KeyError):
            raise ValueError(f"line {number} of {FILES[1]} is no picture") from None
        entries[normalize(name)] = {
            **lens,
            "R": _rotation(pose[:4]).tolist(),
            "t": pose[4:].tolist(),
        }
        after_image = True
    return entries


def _read_lenses(path: Path) -> dict[str, dict[str, Any]]:
    lenses = {}
    for number, line in _lines(path):
        words = line.split()
        if not words:
            continue
        try:
            model, size = words[1], [int(word) for word in words[2:4]]
            values = [float(word) for word in words[4:]]
        except (IndexError, ValueError):
            raise ValueError(f"line {number} of {path.name} is no camera") from None
        if model not in _MODELS:
            raise ValueError(
                f"the camera model {model} is not among {', '.join(_MODELS)}: "
                "undistort the pictures with colmap image_undistorter"
            )
        lengths, coefficients = _MODELS[model]
        if len(size) != 2 or len(values) != lengths + 2 + coefficients:
            raise ValueError(f"line {number} of {path.name} is no {model} camera")
        focal, (cx, cy) = values[:lengths], values[lengths : lengths + 2]
        distortion = values[lengths + 2 :]
        lenses[words[0]] = {
            "K": [[focal[0], 0, cx - 0.5], [0, focal[-1], cy - 0.5], [0, 0, 1]],
            "size": size,
        }
        if distortion:
            lenses[words[0]]["distortion"] = [*distortion, *[0.0] * (4 - coefficients)]
    return lenses


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines by number, without comments."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text in UTF-8") from None
    return [
        (number, line)
        for number, line in enumerate(lines, 1)
        if not line.startswith("#")
    ]


def _lists_points(line: str) -> bool:
    words = line.split()
    try:
        np.array(words, float)
    except ValueError:
        return False
    return len(words) % 3 == 0


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    """Matrix of a quaternion (w, x, y, z), of any length; NaN for one of zeros."""
    with np.errstate(invalid="ignore"):
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
