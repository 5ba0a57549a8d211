"""Finds a user's pictures, and reads them with their masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import colmap, picture_cameras
from jaxsoftras.data.build_discovery import check_fractions, choose_split
from jaxsoftras.data.description import check_distinct, check_name
from jaxsoftras.data.picture_cameras import normalize
from jaxsoftras.data.split import ALL_SPLITS
from jaxsoftras.meshfile import imagefile

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_NOT_READ = {".heic", ".heif", ".avif", ".jp2", ".svg", ".exr", ".dng", ".psd"}
_IMAGES, _MASKS = "images", ("mask", "masks")


@dataclass(frozen=True)
class PictureObject:
    """The pictures of one object, as they were found.

    Attributes:
        key: name of the category.
        split: name of the split.
        name: path within the category.
        folder: folder of the object.
        pictures: its pictures, in the order of their names.
    """

    key: str
    split: str
    name: str
    folder: Path
    pictures: tuple[Path, ...]


@dataclass
class Found:
    """Objects of a folder, and paths that are none.

    Attributes:
        objects: the objects, in stored order.
        left_out: path and reason of what is none.
    """

    objects: list[PictureObject] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def discover(root: Path, fractions: tuple[float, float, float]) -> Found:
    """Finds objects: ``CATEGORY/OBJECT``, or ``CATEGORY/SPLIT/OBJECT``.

    Args:
        root: folder of the categories.
        fractions: shares of train, val and test of objects in no folder of that name.

    Raises:
        FileNotFoundError: there is no such folder, or no object in it.
        ValueError: shares that are negative or do not add up to 1, a category that
            files cannot be named after, or two whose names are too much alike.
    """
    check_fractions(fractions)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    found = Found()
    for category in _folders(root, root, found):
        check_name(category.name, root)
        for folder in _folders(category, root, found):
            given = folder.name if folder.name in ALL_SPLITS else None
            for place in _folders(folder, root, found) if given else [folder]:
                split = given or choose_split(place.name, fractions)
                _add_object(category, split, place, found)
    check_distinct(sorted({found.key for found in found.objects}), root)
    if not found.objects:
        raise FileNotFoundError(
            f"{root} has no pictures in folders CATEGORY/OBJECT; see docs/pictures.md."
        )
    return found


def _list(folder: Path, found: Found) -> list[Path]:
    """Lists a folder, without hidden names and those that cannot be written down."""
    paths = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        found.left_out.append((folder.name, error.strerror or str(error)))
        return []
    for path in entries:
        if path.name.startswith("."):
            continue
        try:
            str(path).encode()
            paths.append(path)
        except UnicodeEncodeError:
            found.left_out.append((ascii(path.name), "its name is not valid Unicode"))
    return paths


def _folders(folder: Path, root: Path, found: Found) -> list[Path]:
    """Lists the folders in a folder that is none of an object."""
    folders = []
    for path in _list(folder, found):
        if path.is_dir():
            folders.append(path)
        elif path.suffix.lower() in _SUFFIXES:
            place = path.relative_to(root).as_posix()
            found.left_out.append((place, "it lies in no object's folder"))
    return folders


def _add_object(category: Path, split: str, folder: Path, found: Found) -> None:
    inner = folder / _IMAGES
    name = folder.relative_to(category).as_posix()
    label, pictures = f"{category.name}/{name}", []
    for place in [folder, inner] if inner.is_dir() else [folder]:
        for path in _list(place, found):
            suffix, reason = path.suffix.lower(), ""
            if suffix in _NOT_READ:
                reason = f"{suffix} is not read; convert it to PNG or JPEG"
            elif suffix not in _SUFFIXES or path.stem.endswith("_mask"):
                continue
            elif path.exists() and not path.is_file():  # a pipe would be waited for
                reason = "it is not a regular file"
            if reason:
                file = path.relative_to(folder).as_posix()
                found.left_out.append((f"{label}/{file}", reason))
            else:
                pictures.append(path)
    if pictures:
        found.objects.append(
            PictureObject(category.name, split, name, folder, tuple(pictures))
        )
    else:
        found.left_out.append((label, "there is no picture in it"))


def read_cameras(folder: Path) -> dict[str, Any] | None:
    """Reads the camera entries that lie in the folder of an object.

    Returns:
        Entries of `jaxsoftras.data.picture_cameras` by name; None if there are none.

    Raises:
        ValueError: the camera file or the COLMAP model cannot be read.
    """
    path = folder / picture_cameras.FILE
    if path.is_file():
        try:
            return picture_cameras.read_entries(path)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    model = colmap.find_model(folder)
    return None if model is None else colmap.read_entries(model)


def names_in(folder: Path, picture: Path) -> list[str]:
    """Names by which a camera file in a folder may call a picture.

    The path from there; and in the folder of an object, the name in ``images``.
    """
    path = picture.relative_to(folder)
    names = [path.as_posix()]
    if path.parent == Path(_IMAGES):
        names.append(path.name)
    return [normalize(name) for name in names]


def read_picture(path: Path, folder: Path) -> np.ndarray:
    """Reads a picture and its mask.

    The mask is ``mask/NAME.png`` or ``masks/NAME.png`` in the folder of the object
    (``NAME.jpg.png`` too, as COLMAP calls it), ``NAME_mask.png`` beside the picture, or
    else the picture's alpha channel. Black is background, and the brightest value of a
    mask is the object.

    Args:
        path: the picture.
        folder: folder of the object.

    Returns:
        ``[H, W, 4]`` float32 in [0, 1]: colours multiplied by coverage, and coverage.

    Raises:
        ValueError: the picture or its mask is damaged; there is no mask, or it is of
            another size, empty or full.
    """
    image = imagefile.decode(path)
    mask_path = find_mask(path, folder)
    if mask_path is not None:
        try:
            mask = imagefile.decode(mask_path)[..., :3].max(-1)
        except ValueError as error:
            raise ValueError(f"its mask cannot be read: {error}") from None
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f"its mask has {mask.shape[1]} x {mask.shape[0]} pixels, and it has "
                f"{image.shape[1]} x {image.shape[0]}"
            )
        mask = mask / max(mask.max(), 1e-9)
    elif image.shape[-1] == 4:
        mask = image[..., 3]
    else:
        raise ValueError(
            "it has no mask: no masks/NAME.png, NAME_mask.png, or alpha channel that "
            "is not opaque"
        )
    if not np.any(mask >= 0.5):
        raise ValueError("its mask is empty")
    if np.all(mask >= 0.5):
        raise ValueError("its mask is full")
    return np.concatenate([image[..., :3] * mask[..., None], mask[..., None]], axis=-1)


def is_turned(path: Path) -> bool:
    """Tells whether the tag of a camera asks viewers to turn or mirror a picture."""
    from PIL import ExifTags, Image

    with Image.open(path) as image:
        return image.getexif().get(ExifTags.Base.Orientation, 1) != 1


def find_mask(path: Path, folder: Path) -> Path | None:
    """Finds the file of a picture's mask, if there is one; see `read_picture`."""
    places = [path.with_name(f"{path.stem}_mask.png")]
    for name in _MASKS:
        masks = folder / name
        places += [masks / f"{path.stem}.png", masks / f"{path.name}.png"]
    return next((place for place in places if place.is_file()), None)
