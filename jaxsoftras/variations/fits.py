"""Meshes fitted to the objects of a split, as ``jaxsoftras fit`` leaves them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras import mesh, terminal
from jaxsoftras.data import damage
from jaxsoftras.data.split import ALL_SPLITS

_FOLDER = "fits"
_SCORES = "eval"  # written when all objects have been fitted
_NAME = re.compile(r"(.+)_(\d{5}|[1-9]\d{5,})\.npz", re.DOTALL | re.ASCII)
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


class _Fit(NamedTuple):
    """One file: the mesh ``[V, 3]``, and its mean IoU of silhouettes."""

    path: Path
    key: str
    number: int
    vertices: np.ndarray
    iou: float
    data: str


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
    folder = Path(folder)
    read = [_read(*file) for file in _list_files(folder, split)]
    for other in read[1:]:
        _check_same(other, read[0])
    reasons = {fit.path.name: _judge(fit, least_iou) for fit in read}
    sound = [fit for fit in read if not reasons[fit.path.name]]
    if not sound:
        name, reason = next(iter(reasons.items()))
        raise terminal.ProgramError(
            f"None of the {len(read)} fits in {folder} can be used: {name} {reason}, "
            "for instance. Fit them with more steps, or lower --min-iou."
        )
    return Fits(
        split,
        {key: _join(some) for key, some in itertools.groupby(sound, lambda f: f.key)},
        np.asarray(mesh.icosphere(_LEVELS[len(sound[0].vertices)]).faces, np.int32),
        sound[0].data,
        (folder / _SCORES / split).is_dir(),
        {name: reason for name, reason in reasons.items() if reason},
    )


def _join(fits: Iterable[_Fit]) -> Category:
    """Joins the fits of one category."""
    some = list(fits)
    vertices = np.stack([fit.vertices for fit in some]).astype(np.float32)
    return Category(np.array([fit.number for fit in some]), vertices)


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
        have = f", only those of {', '.join(others)}" if others else ""
        raise terminal.ProgramError(
            f"{parent} holds no fits of the split {split}{have}: run jaxsoftras fit "
            f"--split {split}. Objects that a network is tested on must not be among "
            "its training objects."
        )
    for path, key, _ in files:
        if not key.isprintable():
            raise terminal.ProgramError(
                f"{path} has control characters in the name of its category: rename "
                "the category in the data set, and fit it again."
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


def _read(path: Path, key: str, number: int) -> _Fit:
    """Reads one fit, and checks its types and shapes."""
    with (
        damage.explain(path),
        path.open("rb") as stream,  # numpy leaves a damaged one open
        np.load(stream, allow_pickle=False) as file,
    ):
        vertices, view_iou = file["vertices"], file["view_iou"]
        data = str(file["data"])
    count = vertices.shape[0] if vertices.ndim else 0
    if vertices.shape != (count, 3) or count not in _LEVELS:
        raise ValueError(
            f"{path} holds vertices {list(vertices.shape)}, which are not those of a "
            "subdivided icosahedron: fit it again."
        )
    if {vertices.dtype.kind, view_iou.dtype.kind} != {"f"}:
        raise ValueError(
            f"{path} holds vertices of type {vertices.dtype} and IoUs of type "
            f"{view_iou.dtype}, not floating-point numbers: fit it again."
        )
    seen = view_iou[~np.isnan(view_iou)].astype(float)
    if np.any((seen < 0) | (seen > 1)):
        raise ValueError(
            f"{path} holds IoUs from {seen.min():g} to {seen.max():g}, not from 0 to "
            "1: fit it again."
        )
    iou = float(seen.mean()) if seen.size else 0.0
    return _Fit(path, key, number, vertices, iou, data)


def _check_same(fit: _Fit, other: _Fit) -> None:
    """Raises ProgramError if a fit does not belong with another."""
    if len(fit.vertices) != len(other.vertices):
        raise terminal.ProgramError(
            f"{fit.path} has {len(fit.vertices)} vertices and {other.path.name} has "
            f"{len(other.vertices)}: only meshes of one template can be combined; fit "
            "all with the same --template-level."
        )
    if fit.data != other.data:
        raise terminal.ProgramError(
            f"{fit.path} and {other.path.name} were fitted to different data sets: fit "
            "all objects anew, into another folder."
        )


def _judge(fit: _Fit, least_iou: float) -> str:
    """Reason why a fit cannot be used; empty if it can."""
    vertices = fit.vertices
    if not np.all(np.isfinite(vertices)):
        return "has coordinates that are not finite"
    if np.abs(vertices).max() > _LARGEST:
        return "is not within the unit box"
    sides = np.ptp(vertices, axis=0)
    if sides.min() <= _FLATTEST * sides.max():
        return "is flat"
    if fit.iou < least_iou:
        return f"has a silhouette IoU below {least_iou:g}"
    return ""
