"""Writes data sets in the npz files of the SoftRas data sets.

``{synset}_{split}_images.npz`` holds uint8 ``[n, views, 4, S, S]`` and
``{synset}_{split}_voxels.npz`` bool ``[n, 32, 32, 32]``, each as ``arr_0``. Colours are
multiplied by coverage; voxels have the axes (y, x, reversed z). A JSON file beside them
states what the data set holds and how it was made, so that a program recognises its own
data sets and never replaces another folder.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import jax
import numpy as np

from jaxsoftras import atomic, voxels
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import SPLITS
from jaxsoftras.terminal import Progress

Name = TypeVar("Name")

FACES_STEP = 512
"""Meshes are padded to multiples of this many faces before voxelization."""

# Object i goes to entry i mod 10: about 70, 10 and 20 per cent of any number of
# objects; the first three give each split one. Additional objects leave the
# earlier ones where they are.
_SPLIT_PATTERN = "train test val train train test train train train train".split()
_MIN_OBJECTS = 3

_voxelize = jax.jit(voxels.voxelize)


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


def read_description(
    root: Path, file_name: str, splits: Sequence[str] = SPLITS
) -> dict[str, Any] | None:
    """Reads how the data set in a folder was made.

    Args:
        root: folder of the data set.
        file_name: name of its description file.
        splits: names of its splits.

    Returns:
        The description; None if the folder is missing or empty.

    Raises:
        FileExistsError: the folder holds something else, or other files than those of
            the data set that it describes.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        description = json.loads((root / file_name).read_text())
        expected = {file_name, *_file_names(description["objects"], splits)}
    except (OSError, ValueError, TypeError, KeyError):
        raise FileExistsError(
            f"{root} exists and is not a data set with a valid {file_name}: choose "
            "another folder."
        ) from None
    found = {path.name for path in root.iterdir()}
    if found != expected:
        raise FileExistsError(
            f"{root} is a data set with {len(expected - found)} files missing and "
            f"{len(found - expected)} others added: remove it or choose another folder."
        )
    return description


def solid_voxels(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Voxelizes one mesh by the rule of `jaxsoftras.voxels`.

    The mesh is padded to one of a few sizes, so that meshes of any size share a few
    compiled programs; padding does not change the result.

    Args:
        vertices: ``[V, 3]`` model frame, within ``[-0.5, 0.5]``.
        faces: ``[F, 3]`` vertex indices.

    Returns:
        ``[32, 32, 32]`` bool, axes (y, x, reversed z).
    """
    steps = -(-max(len(faces), len(vertices)) // FACES_STEP)
    size = steps * FACES_STEP
    # repeated vertices mark their cell again; a face with equal corners has no area
    more_vertices = np.repeat(vertices[:1], size - len(vertices), 0)
    more_faces = np.zeros((size - len(faces), 3), faces.dtype)
    grid = _voxelize(
        np.concatenate([vertices, more_vertices]).astype(np.float32),
        np.concatenate([faces, more_faces]),
    )
    return np.asarray(grid)


def write_category(
    folder: Path, synset: str, split: str, examples: Sequence[Example]
) -> None:
    """Writes the two files of one category and split.

    Args:
        folder: existing folder.
        synset: key of the category.
        split: ``"train"``, ``"val"`` or ``"test"``.
        examples: the objects in order, at least one.
    """
    write_one_by_one(folder, synset, split, examples, len(examples))


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
        _array_file(images_path, first.views, count) as images,
        _array_file(voxels_path, first.voxels, count) as voxels,
    ):
        for example in itertools.chain([first], objects):
            images.write(np.ascontiguousarray(example.views).tobytes())
            voxels.write(np.ascontiguousarray(example.voxels).tobytes())


def write_dataset(
    root: Path | str,
    objects: Mapping[str, Sequence[Name]],
    make_example: Callable[[str, Name], Example],
    description: Mapping[str, Any],
    *,
    description_name: str,
    progress: Progress | None = None,
) -> None:
    """Writes a data set; one with the same description file is replaced.

    The folder appears when it is complete; an error leaves what was there before.
    Objects are made by several threads; those of one category are in memory together.
    `assign_split` distributes them over the splits by their position.

    Args:
        root: folder of the data set.
        objects: names of the objects of each category, in order, by synset; at least 3
            each. A name is whatever ``make_example`` knows the object by.
        make_example: makes the object of a synset and a name.
        description: what the description file says besides ``"objects"``, the number of
            objects of each category; JSON values.
        description_name: name of the description file.
        progress: called with the numbers of objects made and to make.

    Raises:
        ValueError: an unknown category, or one with fewer than 3 objects.
        FileExistsError: the folder holds something other than such a data set.
    """
    root = Path(root)
    check_counts({synset: len(names) for synset, names in objects.items()})
    counts = {
        synset: len(objects[synset]) for synset in CATEGORIES if synset in objects
    }
    read_description(root, description_name)
    done, total = 0, sum(counts.values())
    with (
        atomic.folder(root) as folder,
        ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool,
    ):
        for synset in counts:
            examples = {split: [] for split in SPLITS}
            made = pool.map(functools.partial(make_example, synset), objects[synset])
            for number, example in enumerate(made):
                examples[assign_split(number)].append(example)
                done += 1
                if progress:
                    progress(done, total)
            for split in SPLITS:
                write_category(folder, synset, split, examples[split])
        text = json.dumps({**description, "objects": counts}, indent=2) + "\n"
        (folder / description_name).write_text(text)


@contextlib.contextmanager
def _array_file(path: Path, first: np.ndarray, count: int) -> Iterator[IO[bytes]]:
    """Opens an npz file for ``count`` arrays like the first, to be written in turn."""
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": False,
        "shape": (count, *first.shape),
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
