"""Cameras as data sets store them: in the description, or in a file for each category.

Where the description's ``"camera"`` is ``{"kind": "per picture"}``, the file
``{key}_{split}_cameras.npz`` beside the images holds, for n objects of up to V
pictures in the image file,

* ``counts`` int64 ``[n]``: number of pictures of each object. Images and cameras beyond
  it are there to fill up the arrays.
* ``K`` float64 ``[n, V, 3, 3]``: pinhole intrinsics in pixels of the stored images,
  (0, 0) being the centre of the top left pixel.
* ``R`` float64 ``[n, V, 3, 3]`` and ``t`` float64 ``[n, V, 3]``: world to camera,
  ``q = R p + t``, with x right, y down and z forward, as in OpenCV.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsoftras import atomic, conventions
from jaxsoftras.data import damage
from jaxsoftras.data.description import FILE, Description
from jaxsoftras.data.rig import Handedness, Orbit, PictureCameras

PER_PICTURE = {"kind": "per picture"}
"""The description's ``"camera"`` of a data set with a camera for each picture."""


class CameraArrays(NamedTuple):
    """The arrays of a camera file; see the module."""

    counts: np.ndarray
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray


def is_per_picture(about: Description | None) -> bool:
    """Tells whether a data set has a camera for each picture."""
    return about is not None and _camera(about).get("kind") == "per picture"


def open_cameras(
    root: Path,
    split: str,
    shapes: Mapping[str, tuple[int, int, int]],
    about: Description | None,
    configured: Orbit,
) -> Orbit | dict[str, PictureCameras]:
    """Opens the cameras of a split.

    Args:
        root: folder of the data set.
        split: name of the split.
        shapes: number of objects, of views, and image size of each category.
        about: description of the data set.
        configured: rig of a data set whose description states none.

    Raises:
        FileNotFoundError: a camera file is missing.
        ValueError: a camera file is damaged, or does not fit the images; the
            description is wrong, or contradicts the configuration.
    """
    if is_per_picture(about):
        return {
            key: read_cameras(root / file_name(key, split), *shape)
            for key, shape in shapes.items()
        }
    return choose_orbit(about, configured, [shape[1] for shape in shapes.values()])


def choose_orbit(
    about: Description | None, configured: Orbit, views: Sequence[int] = ()
) -> Orbit:
    """The rig that the description states, or else the configured one.

    Args:
        about: description of the data set.
        configured: rig of the configuration.
        views: numbers of views that the image files hold.

    Raises:
        ValueError: the description is wrong, or contradicts the files, or a field of
            the configuration that is not left at its default.
    """
    if about is None or "camera" not in about.content:
        return configured
    content = _camera(about)
    orbit = _parse_orbit(content)
    for field in dataclasses.fields(Orbit):
        described, wanted = getattr(orbit, field.name), getattr(configured, field.name)
        if wanted not in (field.default, described):
            raise ValueError(
                f"data.{field.name} is {wanted}, but {FILE} says that the images have "
                f"{described}: leave it out of the configuration."
            )
    if any(number != content.get("views", number) for number in views):
        raise ValueError(
            f"{FILE} speaks of {content['views']} views, but the files hold "
            f"{', '.join(map(str, sorted(set(views))))}."
        )
    return orbit


def _camera(about: Description) -> dict[str, Any]:
    content = about.content.get("camera", {})
    if not isinstance(content, dict):
        raise ValueError(f'"camera" in {FILE} must be an object, not {content!r}.')
    return content


def _parse_orbit(content: Mapping[str, Any]) -> Orbit:
    if content.get("kind") != "orbit":
        raise ValueError(
            f"The camera in {FILE} is of kind {content.get('kind')!r}; this version of "
            'jaxsoftras knows "orbit" and "per picture".'
        )
    numbers = {}
    for name in ("distance", "elevation", "azimuth_step", "half_fov"):
        number = content.get(name)
        if (
            not isinstance(number, int | float)
            or isinstance(number, bool)
            or not math.isfinite(number)
        ):
            raise ValueError(
                f'"{name}" of the camera in {FILE} must be a number, not {number!r}.'
            )
        numbers[name] = float(number)
    orbit = Orbit(**numbers, handedness=content.get("handedness", "left"))
    sound = orbit.distance > 0 and 0 < orbit.half_fov < 90
    if not sound or orbit.handedness not in typing.get_args(Handedness):
        raise ValueError(
            f"The camera in {FILE} needs a positive distance, a half_fov between 0 and "
            '90, and the handedness "left" or "right".'
        )
    return orbit


def file_name(key: str, split: str) -> str:
    """Name of the camera file of a category and split."""
    return f"{key}_{split}_cameras.npz"


def write_cameras(path: Path, arrays: CameraArrays) -> None:
    """Writes a camera file, whole or not at all."""
    with atomic.file(path) as partial:
        np.savez_compressed(partial, **arrays._asdict())


def read_cameras(
    path: Path, num_objects: int, num_views: int, image_size: int
) -> PictureCameras:
    """Reads a camera file.

    Args:
        path: the file.
        num_objects: number of objects n of the image file.
        num_views: number of pictures V of each object there, with those that fill up.
        image_size: width and height of the images, pixels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, does not fit the images, or holds a camera that
            is none.
    """
    with (
        damage.explain(path),
        path.open("rb") as stream,
        np.load(stream, allow_pickle=False) as file,
    ):
        arrays = CameraArrays(*(file[name] for name in CameraArrays._fields))
    lead = (num_objects, num_views)
    expected = {
        "counts": ("iu", (num_objects,)),
        "K": ("f", (*lead, 3, 3)),
        "R": ("f", (*lead, 3, 3)),
        "t": ("f", (*lead, 3)),
    }
    for name, (kinds, shape) in expected.items():
        array = getattr(arrays, name)
        if array.shape != shape or array.dtype.kind not in kinds:
            raise ValueError(
                f"{path} holds {name} as {array.dtype} {list(array.shape)}; the images "
                f"need {'floats' if kinds == 'f' else 'integers'} {list(shape)}."
            )
    if arrays.counts.min() < 1 or arrays.counts.max() > num_views:
        raise ValueError(f"{path} has an object without pictures, or with too many.")
    try:
        table = conventions.from_opencv(arrays.K, arrays.R, arrays.t, image_size)
        if table.skew is not None:
            raise ValueError("K has a skew, which stored pictures never have")
    except ValueError as error:
        raise ValueError(f"{path} holds a camera that is none: {error}") from None
    return PictureCameras(
        jax.tree.map(np.asarray, table), arrays.counts.astype(np.int64)
    )
