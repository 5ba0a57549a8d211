"""``examples.npz``: reconstructions that an evaluation writes for its report."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras import terminal

FILE = "examples.npz"
MEASURES = {
    "iou": "voxel IoU",
    "silhouette_iou": "silhouette IoU",
    "": "no score",
}
"""Names of the scores by which the objects of a category are ranked."""
RANKS = {
    "best": "Best",
    "median": "Median",
    "worst": "Worst",
    "only": "Only object with a score",
    "unranked": "First object",
}
"""Headings of the ranks, in the order in which they are shown."""


class Examples(NamedTuple):
    """E reconstructed objects, the arrays of ``examples.npz``.

    A category has its best, its median and its worst object; only some of them if fewer
    than three have a score; and its first object if none has.

    Attributes:
        categories: ``[E]`` keys of the categories, str.
        ranks: ``[E]`` ranks within the category, the keys of `RANKS`, str.
        objects: ``[E]`` numbers of the objects in the split, from 0, int32.
        measures: ``[E]`` scores by which they are ranked, the keys of `MEASURES`, str.
        scores: ``[E]`` mean over the input views of the object, 0 to 1, or NaN.
        view_scores: ``[E]`` score of the mesh that is shown, 0 to 1, or NaN.
        inputs: ``[E, P, P, 3]`` uint8, the network's input.
        renders: ``[E, 2, P, P, 3]`` uint8, the mesh from the input's view and another.
        references: ``[E, 2, P, P, 3]`` uint8, the true voxels from these views, or the
            images if there are no voxels.
        vertices: ``[E, V, 3]`` float32, the mesh, model frame.
        faces: ``[F, 3]`` int32 vertex indices, the same for all meshes.
        has_voxels: ``[E]`` bool.
        occupied: ``[E, n, n, n]`` bool true voxels in the axes of the data files; empty
            where there are none.
        eyes: ``[E, 3]`` positions of the cameras of the inputs, model frame.
        axes: ``[E, 3, 3]`` rows right, up and forward of these cameras, model frame; a
            determinant of 1 means mirrored images, see `jaxsoftras.camera_model`.
    """

    categories: np.ndarray
    ranks: np.ndarray
    objects: np.ndarray
    measures: np.ndarray
    scores: np.ndarray
    view_scores: np.ndarray
    inputs: np.ndarray
    renders: np.ndarray
    references: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    has_voxels: np.ndarray
    occupied: np.ndarray
    eyes: np.ndarray
    axes: np.ndarray


# beginning of the dtype, and shape; letters stand for equal sizes throughout the file
_FORMATS: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "categories": ("U", ("E",)),
    "ranks": ("U", ("E",)),
    "objects": ("i", ("E",)),
    "measures": ("U", ("E",)),
    "scores": ("f", ("E",)),
    "view_scores": ("f", ("E",)),
    "inputs": ("u1", ("E", "P", "P", 3)),
    "renders": ("u1", ("E", 2, "P", "P", 3)),
    "references": ("u1", ("E", 2, "P", "P", 3)),
    "vertices": ("f", ("E", "V", 3)),
    "faces": ("i", ("F", 3)),
    "has_voxels": ("b", ("E",)),
    "occupied": ("b", ("E", "n", "n", "n")),
    "eyes": ("f", ("E", 3)),
    "axes": ("f", ("E", 3, 3)),
}


_LEAST = {"P": 1, "V": 1, "n": 2}
_DAMAGES = (
    *(KeyError, ValueError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def save(path: Path, examples: Examples) -> None:
    """Writes the file in place; use `jaxsoftras.atomic` around it."""
    np.savez_compressed(path, **examples._asdict())


def load(path: Path) -> Examples:
    """Reads the file.

    Raises:
        ProgramError: it is damaged; the message says how.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream):  # and no other format
            stream.seek(0)
            file = np.load(stream, allow_pickle=False)
            arrays = {name: file[name] for name in Examples._fields}
    except _DAMAGES as error:
        raise _damaged(path, str(error)) from error
    _check(path, arrays)
    return Examples(**arrays)


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    sizes: dict[str, int] = {}
    for name, (kind, shape) in _FORMATS.items():
        array = arrays[name]
        expected = [
            sizes.setdefault(size, given) if isinstance(size, str) else size
            for size, given in zip(shape, array.shape, strict=False)
        ]
        fits = len(array.shape) == len(shape) and list(array.shape) == expected
        if not (fits and array.dtype.str[1:].startswith(kind)):
            raise _damaged(path, f"{name} is {array.dtype.name} {list(array.shape)}")
    for size, least in _LEAST.items():
        if sizes[size] < least:
            raise _damaged(path, f"{size} is {sizes[size]}")
    faces, count = arrays["faces"], arrays["vertices"].shape[1]
    if faces.size and not 0 <= faces.min() <= faces.max() < count:
        raise _damaged(path, f"faces are not indices of the {count} vertices")
    for name, known in (("ranks", RANKS), ("measures", MEASURES)):
        if unknown := set(arrays[name].tolist()) - set(known):
            raise _damaged(path, f"{name} holds {min(unknown)!r}")


def _damaged(path: Path, reason: str) -> terminal.ProgramError:
    return terminal.ProgramError(
        f"{path} is damaged ({reason.rstrip('.')}): evaluate the run again."
    )
