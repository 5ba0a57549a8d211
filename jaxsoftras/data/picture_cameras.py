"""Cameras of a user's pictures: ``cameras.json``, checked entry by entry.

::

    {"pictures": {
        "001.png": {"K": [[900, 0, 511.5], [0, 900, 383.5], [0, 0, 1]],
                    "R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [0, 0, 3],
                    "distortion": [0.1, 0, 0, 0], "size": [1024, 768]},
        "002.png": {"distance": 3, "elevation": 30, "azimuth": 90, "fov": 40}}}

An entry has either K, R and t, as `jaxsoftras.from_opencv` takes them, with the lens
and the size (width, height) of the picture if need be; or the angles of
`jaxsoftras.eye_from_angles`, for a camera that looks at the origin, and its full
vertical field of view. docs/pictures.md says more.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import camera, conventions

FILE = "cameras.json"

_MATRICES = {"K": (3, 3), "R": (3, 3), "t": (3,)}
_ANGLES = ("distance", "elevation", "azimuth", "fov")
_OPTIONS = {"distortion", "size"}


class Calibration(NamedTuple):
    """A camera in the convention of OpenCV: x right, y down, z forward.

    Attributes:
        intrinsics: ``[3, 3]`` K, pixels; (0, 0) is the centre of the top left one.
        rotation: ``[3, 3]`` R, world to camera.
        translation: ``[3]`` t, world units; ``q = R p + t``.
        distortion: ``[D]`` coefficients, or None.
    """

    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    distortion: np.ndarray | None = None


def normalize(name: str) -> str:
    """One spelling of a name: file systems may compose accents or not."""
    return unicodedata.normalize("NFC", name.removeprefix("./"))


def read_entries(path: Path) -> dict[str, Any]:
    """Reads the entries of a camera file, without a look at what they say.

    Args:
        path: the file, ``{"pictures": {name: entry}}``.

    Returns:
        The entries by name.

    Raises:
        ValueError: the file is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text, object_pairs_hook=_Members)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON in UTF-8 ({error})") from None
    members = content.pairs if isinstance(content, _Members) else []
    pictures = [entry for name, entry in members if name == "pictures"]
    if len(pictures) != 1 or not isinstance(pictures[0], _Members):
        raise ValueError('it must be an object {"pictures": {NAME: CAMERA, ...}}')
    entries = {}
    for name, entry in pictures[0].pairs:
        if normalize(name) in entries:
            raise ValueError(f"it names {name} twice")
        entries[normalize(name)] = entry
    return entries


class _Members(dict[str, Any]):
    """An object of JSON, with all of its members, also those of one name."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        self.pairs = pairs


def parse(entry: Any, size: tuple[int, int]) -> Calibration:
    """Checks an entry and makes a camera of it.

    Args:
        entry: see the module.
        size: width and height of the picture, pixels.

    Raises:
        ValueError: the entry is no camera, or one of a picture of another size.
    """
    if not isinstance(entry, Mapping):
        raise ValueError("its camera must be an object with K, R and t, or angles")
    names = set(entry)
    if unknown := sorted(names - {*_MATRICES, *_OPTIONS, *_ANGLES}):
        raise ValueError(f"its camera has an unknown field {unknown[0]!r}")
    if names == set(_ANGLES):
        return _from_angles(entry, size)
    if not set(_MATRICES) <= names or names & set(_ANGLES):
        raise ValueError(
            "its camera needs K, R and t, or distance, elevation, azimuth and fov"
        )
    if "size" in entry and _numbers(entry, "size", (2,)).tolist() != list(size):
        width, height = entry["size"]
        raise ValueError(
            f"its camera is for {width} x {height} pixels, and it has {size[0]} x "
            f"{size[1]}"
        )
    k, rotation, translation = (
        _numbers(entry, name, shape) for name, shape in _MATRICES.items()
    )
    distortion = None
    if "distortion" in entry:
        distortion = _numbers(entry, "distortion", None)
        distortion = distortion if distortion.any() else None
    try:  # its checks are those of every camera
        conventions.from_opencv(
            k, rotation, translation, (size[1], size[0]), distortion
        )
    except ValueError as error:
        raise ValueError(f"its camera is none: {error}".rstrip(".")) from None
    return Calibration(k, rotation, translation, distortion)


def _numbers(
    entry: Mapping[str, Any], name: str, shape: tuple[int, ...] | None
) -> np.ndarray:
    """Numbers of a field, of a shape, or any number of them if None."""
    try:
        array = np.array(entry[name])
    except ValueError:  # lists of different length
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} of its camera must consist of numbers")
    array = array.astype(float)
    if array.shape != ((array.size,) if shape is None else shape):
        wanted = "a list" if shape is None else f"of the shape {list(shape)}"
        raise ValueError(f"{name} of its camera must be {wanted}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} of its camera is not finite")
    return array


def _from_angles(entry: Mapping[str, Any], size: tuple[int, int]) -> Calibration:
    distance, elevation, azimuth, fov = (
        float(_numbers(entry, name, ())) for name in _ANGLES
    )
    if distance <= 0 or not 0 < fov < 180:
        raise ValueError(
            "its camera needs a positive distance and a fov between 0 and 180 degrees"
        )
    made = camera.perspective_camera(
        camera.eye_from_angles(distance, elevation, azimuth),
        fov=fov,
        aspect=size[0] / size[1],
    )
    parts = conventions.to_opencv(made, (size[1], size[0]))[:3]
    return Calibration(*(np.asarray(part, float) for part in parts))
