"""The records of imported pictures, and their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.data import camera_files, description, picture_objects
from jaxsoftras.data.camera_files import CameraArrays
from jaxsoftras.data.categories import name_keys
from jaxsoftras.data.picture_files import PictureObject
from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.split import ALL_SPLITS
from jaxsoftras.data.writing import array_file, pair_names

_PROGRAM = "jaxsoftras data pictures"

_NORMALIZED = (
    "The axes are those of the given cameras. The bounding box of the visual hull of "
    "each object's silhouettes is centred, and its longest side is 1."
)
_KEPT = "World space is that of the given cameras, unchanged."


@dataclass(frozen=True)
class Taken:
    """An object of the data set.

    Attributes:
        source: where it was found.
        files: names of its pictures, relative to the object's folder.
        kept: file of its images and cameras; see `picture_objects.KeptArrays`.
    """

    source: PictureObject
    files: list[str]
    kept: Path


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
    most = max(len(taken.files) for taken in report.objects)
    entries = {
        key: {
            split: [
                {"name": taken.source.folder.name, "pictures": taken.files}
                for taken in splits[split]
            ]
            for split in ALL_SPLITS
            if split in splits
        }
        for key, splits in groups.items()
    }
    described = {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": name_keys(groups),
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
                _write_files(folder, key, split, members, most, options.size)
        description.write(folder, described)


def _write_files(
    folder: Path, key: str, split: str, members: Sequence[Taken], most: int, size: int
) -> None:
    """Writes images and cameras, filled up to the same number for every object."""
    cameras = []
    shape = (len(members), most, 4, size, size)
    with array_file(folder / pair_names(key, split)[0], np.uint8, shape) as file:
        for taken in members:
            images, *parts = picture_objects.read_kept(taken.kept)
            filling = most - len(images)
            # empty images cost nothing in a compressed file
            file.write(images.tobytes() + bytes(filling * images[0].size))
            cameras.append([_fill_up(part, filling) for part in parts])
    stacked = [np.stack(part) for part in zip(*cameras, strict=True)]
    counts = np.array([len(taken.files) for taken in members], np.int64)
    path = folder / camera_files.file_name(key, split)
    camera_files.write_cameras(path, CameraArrays(counts, *stacked))


def _fill_up(part: np.ndarray, count: int) -> np.ndarray:
    """Repeats the last row."""
    return np.concatenate([part, np.repeat(part[-1:], count, axis=0)])
