"""Takes over the pictures of one object, and keeps them as a file to be packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras.data import carving, picture_cameras, picture_crops, picture_files
from jaxsoftras.data.picture_cameras import Calibration
from jaxsoftras.data.picture_files import PictureObject

_CARVED = 256  # pixels along a side of the silhouettes that are carved


@dataclass(frozen=True)
class Options:
    """Settings of an import of pictures.

    Attributes:
        size: width and height of the images, pixels.
        keep_frame: whether the world space of the cameras is kept. Otherwise each
            object is moved and scaled into the unit box.
    """

    size: int = 64
    keep_frame: bool = False


class KeptArrays(NamedTuple):
    """Content of the file that keeps an object with V pictures.

    Attributes:
        images: ``[V, 4, S, S]`` uint8.
        intrinsics: ``[V, 3, 3]`` K of the images; see `Calibration`.
        rotation: ``[V, 3, 3]``.
        translation: ``[V, 3]``.
    """

    images: np.ndarray
    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


class Cropped(NamedTuple):
    """The square of a picture around its object.

    Attributes:
        image: ``[S, S, 4]`` float32: colours multiplied by coverage, and coverage.
        camera: of the square, without distortion.
        silhouette: the same with more pixels, to be carved.
        touches: whether the border of the picture cuts the object off.
    """

    image: np.ndarray
    camera: Calibration
    silhouette: carving.Silhouette
    touches: bool


@dataclass
class Outcome:
    """Pictures of an object that were kept, and those left out.

    Attributes:
        files: the pictures that were kept, relative to the object's folder; none if
            the object was left out.
        used: names of entries that were used of the shared camera file.
        left_out: path and reason of what is left out.
        notes: path and note of what deserves a look.
    """

    files: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


class _Taken(NamedTuple):
    """A picture that was taken over: its image ``[4, S, S]`` uint8, and its camera."""

    file: str
    image: np.ndarray
    camera: Calibration
    silhouette: carving.Silhouette


def take_object(
    root: Path,
    source: PictureObject,
    shared: Mapping[str, Any],
    options: Options,
    kept: Path,
) -> Outcome:
    """Takes over the pictures of an object.

    Args:
        root: folder of all categories.
        source: the object.
        shared: entries of the camera file in ``root`` for its pictures, by name.
        options: how to.
        kept: npz file to write `KeptArrays` to, if a picture can be used.

    Returns:
        What came of it; nothing that is broken is an error.
    """
    label = f"{source.key}/{source.name}"
    outcome = Outcome()
    try:
        entries = picture_files.read_cameras(source.folder)
    except Exception as error:  # a file may break anything
        return Outcome(left_out=[(label, _explain(error))])
    base, known = (root, shared) if entries is None else (source.folder, entries)
    used, taken, turned = set(), [], []
    for path in source.pictures:
        place = f"{label}/{path.relative_to(source.folder).as_posix()}"
        names = picture_files.names_in(base, path)
        name = next((name for name in names if name in known), None)
        if name is None:
            outcome.left_out.append((place, "there is no camera for it"))
            continue
        used.add(name)
        try:
            picture, touches = _take_picture(path, known[name], source, options)
        except Exception as error:
            outcome.left_out.append((place, _explain(error)))
            continue
        taken.append(picture)
        if picture_files.is_turned(path):
            turned.append(picture.file)
        if touches:
            outcome.notes.append((place, "the object is cut off by the border"))
    if entries is None:
        outcome.used = sorted(used)
    else:
        outcome.left_out += list_unused(entries, used, f"{label}/")
    if not taken:
        outcome.left_out.append((label, "no picture of it can be used"))
        return outcome
    try:
        cameras, note = _place(taken, options)
    except ValueError as error:
        outcome.left_out.append((label, str(error)))
        return outcome
    if note:
        outcome.notes.append((label, note))
    if turned:
        note = (
            f"the orientation tag of {len(turned)} pictures, such as {turned[0]}, is "
            "not applied: masks and cameras must fit the pixels as they are stored"
        )
        outcome.notes.append((label, note))
    if len(taken) == 1:
        outcome.notes.append((label, "it has a single picture"))
    images = np.stack([picture.image for picture in taken])
    parts = [np.stack(part) for part in zip(*(c[:3] for c in cameras), strict=True)]
    np.savez_compressed(kept, **KeptArrays(images, *parts)._asdict())
    outcome.files = [picture.file for picture in taken]
    return outcome


def read_kept(kept: Path) -> KeptArrays:
    """Reads the file that `take_object` wrote."""
    with np.load(kept, allow_pickle=False) as file:
        return KeptArrays(*(file[name] for name in KeptArrays._fields))


def list_unused(
    entries: Mapping[str, Any], used: set[str], prefix: str
) -> list[tuple[str, str]]:
    """Lists cameras that no picture has, with the reason."""
    return [
        (prefix + name, "a camera without a picture")
        for name in entries
        if name not in used
    ]


def _explain(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error)
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


def _take_picture(
    path: Path, entry: Any, source: PictureObject, options: Options
) -> tuple[_Taken, bool]:
    """Takes over a picture; tells whether the border cuts its object off."""
    image = picture_files.read_picture(path, source.folder)
    height, width = image.shape[:2]
    cropped = crop_object(
        image, picture_cameras.parse(entry, (width, height)), options.size
    )
    pixels = np.floor(cropped.image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    taken = _Taken(
        path.relative_to(source.folder).as_posix(),
        pixels.transpose(2, 0, 1),
        cropped.camera,
        cropped.silhouette,
    )
    return taken, cropped.touches


def crop_object(image: np.ndarray, calibration: Calibration, size: int) -> Cropped:
    """Crops a picture to the square around its object, without the lens's distortion.

    Args:
        image: ``[H, W, 4]`` float32: colours multiplied by coverage, and coverage.
        calibration: its camera.
        size: width and height of the result, pixels.

    Raises:
        ValueError: the object lies where the lens bends it out of sight.
    """
    touches = picture_crops.touches_border(image)
    # a fifth channel says where there is a picture
    image = np.pad(image, ((0, 0), (0, 0), (0, 1)), constant_values=1)
    picture = picture_crops.rectify(image, calibration)
    square = picture_crops.find_square(picture.image)
    small = picture_crops.crop(picture, square, size)
    large = picture_crops.crop(picture, square, _CARVED)
    silhouette = carving.Silhouette(
        large.image[..., 3] >= 0.5,
        large.image[..., 4] > 0.99 if touches else None,
        large.intrinsics,
        calibration.rotation,
        calibration.translation,
    )
    camera = calibration._replace(intrinsics=small.intrinsics, distortion=None)
    return Cropped(small.image[..., :4], camera, silhouette, touches)


def _place(
    taken: Sequence[_Taken], options: Options
) -> tuple[list[Calibration], str | None]:
    """Moves cameras into the frame of the object's unit box; notes who leaves it."""
    middle, longest = np.zeros(3), 1.0
    if not options.keep_frame:
        low, high = carving.find_box([picture.silhouette for picture in taken])
        middle, longest = (low + high) / 2, float(np.max(high - low))
    cameras, outside = [], []
    for picture in taken:
        camera = move_world(picture.camera, middle, longest)
        cameras.append(camera)
        moved = picture.silhouette._replace(translation=camera.translation)
        if leaves_unit_box(moved):
            outside.append(picture.file)
    if not outside:
        return cameras, None
    why = (
        "without --keep-frame it would be moved into it"
        if options.keep_frame
        else "its cameras or masks are inexact, and its visual hull too small"
    )
    return cameras, (
        "the object leaves the unit box, [-0.5, 0.5] on each axis, in "
        f"{len(outside)} pictures, such as {outside[0]}: {why}"
    )


def move_world(camera: Calibration, middle: np.ndarray, longest: float) -> Calibration:
    """The camera in a world in which ``middle`` is the origin, and ``longest`` is 1."""
    # p = longest p' + middle, and q / longest is seen in the same place
    moved = (camera.rotation @ middle + camera.translation) / longest
    return camera._replace(translation=moved)


def leaves_unit_box(silhouette: carving.Silhouette) -> bool:
    """Tells whether a silhouette reaches beyond that of the unit box."""
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), -1).reshape(-1, 3)
    seen = corners @ silhouette.rotation.T + silhouette.translation
    if np.any(seen[:, 2] <= 0):
        return bool(np.all(seen[:, 2] <= 0))
    pixels = seen @ silhouette.intrinsics.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    rows, columns = np.nonzero(silhouette.mask)
    spans = np.array([columns, rows]).T
    slack = 0.02 * len(silhouette.mask)
    below = spans.min(0) < pixels.min(0) - slack
    above = spans.max(0) > pixels.max(0) + slack
    return bool(np.any(below | above))
