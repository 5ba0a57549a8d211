"""The records of imported pictures, and their files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.data import camera_files, description
from jaxsoftras.data.camera_files import CameraArrays
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.picture_cameras import Calibration
from jaxsoftras.data.picture_files import PictureObject
from jaxsoftras.data.split import SPLITS
from jaxsoftras.data.writing import pair_names

_PROGRAM = "jaxsoftras data pictures"

_NORMALIZED = (
    "The axes are those of the given cameras. The bounding box of the visual hull of "
    "each object's silhouettes is centred, and its longest side is 1."
)
_KEPT = "World space is that of the given cameras, unchanged."


@dataclass(frozen=True)
class Options:
    """How pictures are taken over.

    Attributes:
        size: width and height of the images, pixels.
        keep_frame: whether the world space of the cameras is kept. Otherwise each
            object is moved and scaled into the unit box.
    """

    size: int = 64
    keep_frame: bool = False


@dataclass
class Taken:
    """An object of the data set.

    Attributes:
        source: where it was found.
        images: ``[4, S, S]`` uint8 each.
        cameras: pinhole cameras of the images.
        files: names of the pictures, relative to the object's folder.
    """

    source: PictureObject
    images: list[np.ndarray] = field(default_factory=list)
    cameras: list[Calibration] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@dataclass
class Report:
    """Objects that were taken over, and files that were not.

    Attributes:
        objects: the objects of the data set.
        left_out: path and reason of what is not in it.
        notes: path and note of pictures and objects that deserve a look.
    """

    objects: list[Taken] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def check_folder(out: Path) -> None:
    """Raises FileExistsError unless a folder may be replaced by the data set."""

    def name_files(key: str, split: str) -> tuple[str, str]:
        return pair_names(key, split)[0], camera_files.file_name(key, split)

    description.check_replaceable(out, _PROGRAM, name_files, kind="of pictures")


def write(
    out: Path, report: Report, options: Options, fractions: Sequence[float]
) -> None:
    """Writes a data set of at least one object, whole or not at all."""
    groups: dict[str, dict[str, list[Taken]]] = {}
    for taken in report.objects:
        splits = groups.setdefault(taken.source.key, {})
        splits.setdefault(taken.source.split, []).append(taken)
    most = max(len(taken.images) for taken in report.objects)
    entries = {
        key: {
            split: [
                {"name": taken.source.name, "pictures": taken.files}
                for taken in splits[split]
            ]
            for split in SPLITS
            if split in splits
        }
        for key, splits in groups.items()
    }
    # a synset is shown as what it means, unless a folder has that name
    names = {key: CATEGORIES.get(key, key) for key in groups}
    names = {key: key if name in groups else name for key, name in names.items()}
    described = {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": names,
        "camera": camera_files.PER_PICTURE,
        "voxels": False,
        "frame": (_KEPT if options.keep_frame else _NORMALIZED)
        + " Images: red, green and blue multiplied by coverage, and coverage.",
        "image_size": options.size,
        "objects": entries,
        "made_by": {
            "program": _PROGRAM,
            **dataclasses.asdict(options),
            "splits": list(fractions),
            "left_out": [list(row) for row in report.left_out],
            "notes": [list(row) for row in report.notes],
        },
    }
    with atomic.folder(out, last=description.FILE) as folder:
        for key, splits in groups.items():
            for split, members in splits.items():
                _write_files(folder, key, split, members, most)
        text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        (folder / description.FILE).write_text(text, encoding="utf-8")


def _write_files(
    folder: Path, key: str, split: str, members: Sequence[Taken], most: int
) -> None:
    """Writes images and cameras, filled up to the same number for every object."""
    counts = np.array([len(taken.images) for taken in members])
    # empty images cost nothing in a compressed file
    images = np.zeros((len(members), most, *members[0].images[0].shape), np.uint8)
    for row, taken in zip(images, members, strict=True):
        row[: len(taken.images)] = taken.images
    np.savez_compressed(folder / pair_names(key, split)[0], images)

    def stack(part: str) -> np.ndarray:
        rows = [[getattr(c, part) for c in taken.cameras] for taken in members]
        return np.stack([row + row[-1:] * (most - len(row)) for row in rows])

    parts = [stack(part) for part in ("intrinsics", "rotation", "translation")]
    arrays = CameraArrays(counts.astype(np.int64), *parts)
    camera_files.write_cameras(folder / camera_files.file_name(key, split), arrays)
