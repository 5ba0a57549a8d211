"""Writes data sets in the npz files of the SoftRas data sets.

``{synset}_{split}_images.npz`` holds uint8 ``[n, views, 4, S, S]`` and
``{synset}_{split}_voxels.npz`` bool ``[n, 32, 32, 32]``, each as ``arr_0``. Colours are
multiplied by coverage; voxels have the axes (y, x, reversed z). A JSON file beside them
states what the data set holds and how it was made, so that a program recognises its own
data sets and never replaces another folder.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import queue
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from jaxsoftras import atomic
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import SPLITS
from jaxsoftras.terminal import Progress

# Object i goes to entry i mod 10: about 70, 10 and 20 per cent of any number of
# objects; the first three give each split one. Additional objects leave the
# earlier ones where they are.
_SPLIT_PATTERN = "train test val train train test train train train train".split()
_MIN_OBJECTS, _MAX_OBJECTS = 3, 2**20


class Example(NamedTuple):
    """One object of a data set.

    Attributes:
        views: ``[views, 4, S, S]`` uint8, the object seen from all views.
        voxels: ``[32, 32, 32]`` bool, axes (y, x, reversed z).
    """

    views: np.ndarray
    voxels: np.ndarray


def assign_split(number: int) -> str:
    """Chooses the split of an object by its number within its category, from 0."""
    return _SPLIT_PATTERN[number % len(_SPLIT_PATTERN)]


def check_counts(counts: Mapping[str, int]) -> None:
    """Raises ValueError unless every category can fill its three splits.

    Args:
        counts: number of objects by synset.
    """
    if unknown := sorted(set(counts) - set(CATEGORIES)):
        raise ValueError(
            f"Unknown categories {', '.join(unknown)}: use the synsets in "
            "jaxsoftras.data.categories."
        )
    if not counts or min(counts.values()) < _MIN_OBJECTS:
        raise ValueError(
            f"Each category needs at least {_MIN_OBJECTS} objects, one for each of "
            "train, val and test."
        )
    if max(counts.values()) > _MAX_OBJECTS:
        raise ValueError(
            f"No category can have more than {_MAX_OBJECTS} objects, not "
            f"{max(counts.values())}."
        )


def read_description(
    root: Path, file_name: str, version: int, splits: Sequence[str] = SPLITS
) -> dict[str, Any] | None:
    """Reads how the data set in a folder was made.

    Args:
        root: folder of the data set.
        file_name: name of its description file.
        version: version that it must have.
        splits: names of its splits.

    Returns:
        The description; None if the folder is missing or empty.

    Raises:
        FileExistsError: the folder holds something else, a data set of another version,
            or other files than those of the data set that it describes.
    """
    files = atomic.list_names(root) if root.is_dir() else set()
    if not root.exists() or (root.is_dir() and not files):
        return None
    try:
        description = json.loads((root / file_name).read_text())
        found = description["version"]
        expected = {file_name, *_file_names(description["objects"], splits)}
    except (OSError, ValueError, TypeError, KeyError):
        npz = any(name.endswith(".npz") for name in files)
        other = ', or read its npz files, with data.source "npz"' if npz else ""
        raise FileExistsError(
            f"{root} exists and is not a data set with a valid {file_name}: choose "
            f"another folder{other}."
        ) from None
    if found != version:
        raise FileExistsError(
            f"{root} is a data set of version {found}, by its {file_name}, and not of "
            f"version {version}: remove it, choose another folder, or read it as it "
            'is, with data.source "npz".'
        )
    if files != expected:
        raise FileExistsError(
            f"{root} is a data set with {len(expected - files)} files missing and "
            f"{len(files - expected)} others added: remove it or choose another folder."
        )
    return description


def write_one_by_one(
    folder: Path, key: str, split: str, examples: Iterable[Example], count: int
) -> None:
    """Writes the two files of one category and split, without all it holds in memory.

    Args:
        folder: existing folder.
        key: key of the category.
        split: ``"train"``, ``"val"`` or ``"test"``.
        examples: the objects in order; each is written before the next is asked for.
        count: their number, at least one.
    """
    images_path, voxels_path = (folder / name for name in pair_names(key, split))
    objects = iter(examples)
    first = next(objects)
    with (
        array_file(images_path, np.uint8, (count, *first.views.shape)) as images,
        array_file(voxels_path, np.bool_, (count, *first.voxels.shape)) as voxels,
    ):
        for example in itertools.chain([first], objects):
            images.write(np.ascontiguousarray(example.views).tobytes())
            voxels.write(np.ascontiguousarray(example.voxels).tobytes())


def write_in_order(
    folder: Path,
    places: Sequence[tuple[str, str]],
    examples: Iterable[Example],
    progress: Progress | None = None,
) -> None:
    """Writes the files of several categories and splits as their objects come.

    Each pair of files is compressed by a thread: it is one stream, whose compression
    takes a good part of the time of making. Objects wait in memory for their thread, so
    categories that take turns need less of it.

    Args:
        folder: existing folder.
        places: key of the category and split of each object.
        examples: the objects in the same order. None is asked for when a file could not
            be written.
        progress: called with the number of objects that came, and that of all.

    Raises:
        OSError: a file cannot be written.
    """
    counts = collections.Counter(places)
    queues = {place: queue.SimpleQueue() for place in counts}
    with ThreadPoolExecutor(len(queues)) as packers:
        written = {
            place: packers.submit(
                write_one_by_one, folder, *place, iter(some.get, None), counts[place]
            )
            for place, some in queues.items()
        }
        try:
            numbered = enumerate(zip(places, examples, strict=True), 1)
            for done, (place, example) in numbered:
                if written[place].done():
                    written[place].result()  # raises: only an error ends it early
                queues[place].put(example)
                if progress:
                    progress(done, len(places))
        finally:
            for some in queues.values():
                some.put(None)  # the end, also after an error
        for future in written.values():
            future.result()


@contextlib.contextmanager
def array_file(
    path: Path, dtype: DTypeLike, shape: tuple[int, ...]
) -> Iterator[IO[bytes]]:
    """Opens an npz file for one array ``arr_0``, to be written piece by piece.

    Args:
        path: the file.
        dtype: type of the array.
        shape: its shape; the pieces, in C order, must fill it.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    member = zipfile.ZipInfo("arr_0.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def pair_names(synset: str, split: str) -> tuple[str, str]:
    """Names the files of images and voxels of a category and split."""
    stem = f"{synset}_{split}"
    return f"{stem}_images.npz", f"{stem}_voxels.npz"


def _file_names(synsets: Mapping[str, int], splits: Sequence[str]) -> Iterator[str]:
    for synset in synsets:
        for split in splits:
            yield from pair_names(synset, split)
