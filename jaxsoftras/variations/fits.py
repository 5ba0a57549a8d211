"""Meshes fitted to the objects of a split, as ``jaxsoftras fit`` leaves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras import mesh, terminal
from jaxsoftras.data import damage
from jaxsoftras.data.split import ALL_SPLITS

_FOLDER = "fits"
_SCORES = "eval"  # written when all objects have been fitted
_NAME = re.compile(r"(.+)_(\d{5,})\.npz")
_LEVELS = {10 * 4**level + 2: level for level in range(8)}  # by number of vertices
_LARGEST = 1.0  # coordinate; the unit box ends at 0.5
_FLATTEST = 0.01  # shortest side of the bounding box, relative to the longest


class Category(NamedTuple):
    """Fits of one category.

    Attributes:
        numbers: ``[n]`` numbers of the objects in their split, ascending.
        vertices: ``[n, V, 3]`` float32, model frame.
    """

    numbers: np.ndarray
    vertices: np.ndarray


class Fits(NamedTuple):
    """Fits of a split.

    Attributes:
        split: name of the split.
        categories: by key, in alphabetical order; each has at least one fit.
        faces: ``[F, 3]`` int32 vertex indices of all meshes, counter-clockwise seen
            from outside.
        data: checksum of the data set that they were fitted to.
        complete: whether all objects of the split had been fitted.
        left_out: reason by file name of those that cannot be used.
    """

    split: str
    categories: dict[str, Category]
    faces: np.ndarray
    data: str
    complete: bool
    left_out: dict[str, str]


def read_fits(folder: str | Path, split: str, least_iou: float) -> Fits:
    """Reads the fits of a split.

    Args:
        folder: folder that was given to ``jaxsoftras fit`` as ``--out``.
        split: name of the split.
        least_iou: mean IoU of silhouettes, over all views of an object, below which its
            fit is left out.

    Raises:
        ProgramError: there are no fits of this split, none is good enough, or they are
            of different meshes or data sets.
        ValueError: an argument is out of range, or a file is damaged.
    """
    if not 0 <= least_iou <= 1:
        raise ValueError(f"The least IoU must be from 0 to 1, not {least_iou}.")
    first, found = None, {}
    left_out: dict[str, str] = {}
    for path, key, number in _list_files(Path(folder), split):
        vertices, iou, data = _read(path)
        first = first or (path, len(vertices), data)
        _check_same(path, vertices, data, *first)
        if reason := _judge(vertices, iou, least_iou):
            left_out[path.name] = reason
        else:
            found.setdefault(key, []).append((number, vertices))
    assert first
    if not found:
        name, reason = next(iter(left_out.items()))
        raise terminal.ProgramError(
            f"None of the {len(left_out)} fits in {folder} can be used: {name} {reason}"
            ", for instance. Fit them with more steps, or lower --min-iou."
        )
    categories = {
        key: Category(np.array([n for n, _ in some]), np.stack([v for _, v in some]))
        for key, some in sorted(found.items())
    }
    faces = np.asarray(mesh.icosphere(_LEVELS[first[1]]).faces, np.int32)
    complete = (Path(folder) / _SCORES / split).is_dir()
    return Fits(split, categories, faces, first[2], complete, left_out)


def _list_files(folder: Path, split: str) -> list[tuple[Path, str, int]]:
    """Lists the files of a split with the category and number of each."""
    parent = folder / _FOLDER
    if not parent.is_dir():
        raise terminal.ProgramError(
            f"{folder} holds no fits: name a folder that jaxsoftras fit --config wrote "
            "with --out."
        )
    files = list(_match(parent / split))
    if not files:
        others = [name for name in ALL_SPLITS if any(_match(parent / name))]
        have = f"only those of {', '.join(others)}" if others else "nothing"
        raise terminal.ProgramError(
            f"{parent} holds no fits of the split {split}, {have}: run jaxsoftras fit "
            f"--split {split}. Objects that a network is tested on must not be among "
            "its training objects."
        )
    return sorted(files, key=lambda file: file[1:])


def _match(folder: Path) -> Iterator[tuple[Path, str, int]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if named := parse_name(path.name):
            yield path, *named


def parse_name(name: str) -> tuple[str, int] | None:
    """Category and number of the object that the file of a fit is named after.

    None if the name is not that of such a file.
    """
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def _read(path: Path) -> tuple[np.ndarray, float, str]:
    """Vertices of a fit, its mean IoU of silhouettes, and the checksum of its data."""
    with damage.explain(path), np.load(path, allow_pickle=False) as file:
        vertices = np.asarray(file["vertices"], np.float32)
        view_iou = np.asarray(file["view_iou"], float)
        data = str(file["data"])
    if vertices.shape != (len(vertices), 3) or len(vertices) not in _LEVELS:
        raise ValueError(
            f"{path} holds vertices {list(vertices.shape)}, which are not those of a "
            "subdivided icosahedron: fit it again."
        )
    seen = view_iou[~np.isnan(view_iou)]
    return vertices, float(seen.mean()) if seen.size else 0.0, data


def _check_same(
    path: Path, vertices: np.ndarray, data: str, other: Path, count: int, checksum: str
) -> None:
    """Raises ProgramError if a fit does not belong with another."""
    if len(vertices) != count:
        raise terminal.ProgramError(
            f"{path} has {len(vertices)} vertices and {other.name} has {count}: only "
            "meshes of one template can be combined; fit all with the same "
            "--template-level."
        )
    if data != checksum:
        raise terminal.ProgramError(
            f"{path} and {other.name} were fitted to different data sets: fit all "
            "objects anew, into another folder."
        )


def _judge(vertices: np.ndarray, iou: float, least_iou: float) -> str:
    """Why a fit cannot be used; empty if it can."""
    if not np.all(np.isfinite(vertices)):
        return "has coordinates that are not finite"
    if np.abs(vertices).max() > _LARGEST:
        return "is not within the unit box"
    sides = np.ptp(vertices, axis=0)
    if sides.min() <= _FLATTEST * sides.max():
        return "is flat"
    if iou < least_iou:
        return f"has a silhouette IoU below {least_iou:g}"
    return ""
