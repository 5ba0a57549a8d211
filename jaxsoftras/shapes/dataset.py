"""Writes the embedded data set in the file format of the SoftRas data sets.

`{synset}_{split}_images.npz` holds uint8 ``[n, 24, 4, 64, 64]`` and
`{synset}_{split}_voxels.npz` bool ``[n, 32, 32, 32]``, each as `arr_0`. Colours are
plain, multiplied by coverage; voxels have the axes (y, x, reversed z).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.zbuffer import render, view_eyes
from jaxsoftras.shapes.catalogue import make_shape
from jaxsoftras.voxels import voxelize

DESCRIPTION = "embedded.json"
"""Name of the file that says with which parameters a data set was made."""

FACES_STEP = 512
"""Meshes are padded to multiples of this many faces before voxelization."""

_VERSION = 1
# object i is in split i mod 10: about 70, 10 and 20 per cent of any number of objects,
# and more objects leave the earlier ones where they are
_SPLIT_OF_OBJECT = "train test val train train test train train train train".split()
_SPLITS = ("train", "val", "test")
_voxelize = jax.jit(voxelize)


def _describe(
    objects_per_category: int | Mapping[str, int], seed: int, image_size: int
) -> dict:
    """Checks the parameters and states them as the description file does."""
    if isinstance(objects_per_category, Mapping):
        counts = dict(objects_per_category)
    else:
        counts = dict.fromkeys(CATEGORIES, objects_per_category)
    if unknown := sorted(set(counts) - set(CATEGORIES)):
        raise ValueError(
            f"unknown categories {', '.join(unknown)}: use the synsets in "
            "jaxsoftras.data.categories"
        )
    if not counts or min(counts.values()) < 3:
        raise ValueError(
            "each category needs at least 3 objects, one for each of train, val, test"
        )
    if seed < 0 or image_size < 1:
        raise ValueError(
            "the seed must not be negative and the image size must be positive, not "
            f"{seed} and {image_size}"
        )
    return {
        "format": "jaxsoftras embedded shapes",
        "version": _VERSION,
        "seed": seed,
        "image_size": image_size,
        "objects": {
            synset: counts[synset] for synset in CATEGORIES if synset in counts
        },
    }


def _file_names(description: dict) -> Iterator[str]:
    for synset in description["objects"]:
        for split in _SPLITS:
            yield f"{synset}_{split}_images.npz"
            yield f"{synset}_{split}_voxels.npz"


def _read_description(root: Path) -> dict | None:
    """The description of the data set at root; None where there is nothing at all.

    Raises:
        FileExistsError: root holds something else, or more or less than a data set.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        description = json.loads((root / DESCRIPTION).read_text())
        expected = {DESCRIPTION, *_file_names(description)}
    except (OSError, ValueError, TypeError, KeyError):
        raise FileExistsError(
            f"{root} exists and is not an embedded data set: choose another folder"
        ) from None
    found = {path.name for path in root.iterdir()}
    if found != expected:
        raise FileExistsError(
            f"{root} is an embedded data set with {len(expected - found)} files "
            f"missing and {len(found - expected)} others added: remove it or choose "
            "another folder"
        )
    return description


def solid_voxels(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Voxelizes one mesh by the rule of `jaxsoftras.voxels`.

    The mesh is padded to one of a few sizes, which changes nothing, so that meshes of
    any size share a few compiled programs.

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


def _make_example(
    synset: str, index: int, *, seed: int, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Views ``[24, 4, S, S]`` uint8 and voxels ``[32, 32, 32]`` of an object."""
    vertices, faces, colors = make_shape(synset, index, seed)
    # what is rendered is what is voxelized, to the last bit
    vertices = vertices.astype(np.float32)
    views = [
        render(vertices, faces, eye, image_size=image_size, colors=colors, closed=True)
        for eye in view_eyes()
    ]
    return np.stack(views), solid_voxels(vertices, faces)


def _write_files(
    folder: Path, description: dict, progress: Callable[[int, int], None] | None
) -> None:
    make = functools.partial(
        _make_example, seed=description["seed"], image_size=description["image_size"]
    )
    total, done = sum(description["objects"].values()), 0
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for synset, count in description["objects"].items():
            examples = []
            for example in pool.map(functools.partial(make, synset), range(count)):
                examples.append(example)
                done += 1
                if progress:
                    progress(done, total)
            for split in _SPLITS:
                views, voxels = zip(
                    *(
                        example
                        for index, example in enumerate(examples)
                        if _SPLIT_OF_OBJECT[index % len(_SPLIT_OF_OBJECT)] == split
                    ),
                    strict=True,
                )
                stem = folder / f"{synset}_{split}"
                np.savez_compressed(f"{stem}_images.npz", np.stack(views))
                np.savez_compressed(f"{stem}_voxels.npz", np.stack(voxels))
    text = json.dumps(description, indent=2) + "\n"
    (folder / DESCRIPTION).write_text(text)


def _put_in_place(complete: Path, root: Path) -> None:
    """Renames a finished folder to root; what is there goes only if that succeeds."""
    if not root.exists():
        os.replace(complete, root)
        return
    replaced = root.with_name(f".{root.name}.replaced-{os.getpid()}")
    os.replace(root, replaced)
    try:
        os.replace(complete, root)
    except OSError:
        os.replace(replaced, root)
        raise
    shutil.rmtree(replaced)


def write_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Makes the data set; an embedded data set that is already there is replaced.

    The same arguments give the same files, byte for byte, on one kind of machine. Each
    object depends on the seed, its category and its number alone, so that a larger data
    set contains the smaller ones. The folder appears when it is complete.

    Args:
        root: folder to make.
        objects_per_category: one number for all 13 categories, or numbers by synset for
            only those; at least 3 each. About 70, 10 and 20 per cent of the objects go
            to train, val and test.
        seed: seed of the shapes and colours, not negative.
        image_size: width and height of the pictures, pixels.
        progress: called with the numbers of objects made and to make.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: root holds something other than an embedded data set.
    """
    description = _describe(objects_per_category, seed, image_size)
    root = Path(root).resolve()
    _read_description(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.with_name(f".{root.name}.partial-{os.getpid()}")
    try:
        partial.mkdir()
        _write_files(partial, description, progress)
        _put_in_place(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def ensure_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Makes the data set unless it is there, made with the same arguments.

    Args:
        root: folder to find or make.
        objects_per_category: as for `write_dataset`.
        seed: as for `write_dataset`.
        image_size: as for `write_dataset`.
        progress: as for `write_dataset`.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: root holds something else, or a data set made with other
            arguments.
    """
    wanted = _describe(objects_per_category, seed, image_size)
    found = _read_description(Path(root))
    if found is None:
        write_dataset(
            root,
            objects_per_category=objects_per_category,
            seed=seed,
            image_size=image_size,
            progress=progress,
        )
    elif found != wanted:
        names = [key for key in wanted if found.get(key) != wanted[key]]
        raise FileExistsError(
            f"{root} holds an embedded data set made with another "
            f"{' and '.join(names)}: remove it or choose another folder"
        )
