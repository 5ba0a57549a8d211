"""The embedded data set: procedural shapes in the file format of SoftRas data sets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import writing, zbuffer
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import catalogue
from jaxsoftras.terminal import Progress

DESCRIPTION = "embedded.json"
"""Name of the file that states the parameters by which a data set was made."""

_VERSION = 1


def write_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    progress: Progress | None = None,
) -> None:
    """Makes the data set; an embedded data set that is already there is replaced.

    The same arguments give the same files, byte for byte, on one kind of machine. Each
    object depends on the seed, its category and its number alone, so that a larger data
    set contains the smaller ones. The folder appears when it is complete.

    Args:
        root: folder of the data set.
        objects_per_category: one number for all 13 categories, or numbers by synset for
            only those; at least 3 each. About 70, 10 and 20 per cent of the objects go
            to train, val and test.
        seed: seed of the shapes and colours, not negative.
        image_size: width and height of the images, pixels.
        progress: called with the numbers of objects made and to make.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: the folder holds something other than an embedded data set.
    """
    description = _describe(objects_per_category, seed, image_size)
    counts = description.pop("objects")
    writing.write_dataset(
        root,
        {synset: range(count) for synset, count in counts.items()},
        functools.partial(_make_example, seed=seed, image_size=image_size),
        description,
        description_name=DESCRIPTION,
        progress=progress,
    )


def ensure_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    progress: Progress | None = None,
) -> None:
    """Makes the data set unless it is there already, made with the same arguments.

    Args:
        root: folder of the data set.
        objects_per_category: see `write_dataset`.
        seed: see `write_dataset`.
        image_size: see `write_dataset`.
        progress: see `write_dataset`.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: the folder holds something else, or a data set made with other
            arguments.
    """
    wanted = _describe(objects_per_category, seed, image_size)
    found = writing.read_description(Path(root), DESCRIPTION)
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
            f"{' and '.join(names)}: remove it or choose another folder."
        )


def _describe(
    objects_per_category: int | Mapping[str, int], seed: int, image_size: int
) -> dict[str, Any]:
    """Checks the parameters and returns the content of the description file."""
    if isinstance(objects_per_category, Mapping):
        counts = dict(objects_per_category)
    else:
        counts = dict.fromkeys(CATEGORIES, objects_per_category)
    writing.check_counts(counts)
    if seed < 0 or image_size < 1:
        raise ValueError(
            "The seed must not be negative and the image size must be positive, not "
            f"{seed} and {image_size}."
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


def _make_example(
    synset: str, number: int, *, seed: int, image_size: int
) -> writing.Example:
    """Renders and voxelizes one object."""
    vertices, faces, colors = catalogue.make_shape(synset, number, seed)
    # rendered and voxelized from the same single-precision vertices
    vertices = vertices.astype(np.float32)
    views = [
        zbuffer.render(
            vertices, faces, eye, image_size=image_size, colors=colors, closed=True
        )
        for eye in zbuffer.view_eyes()
    ]
    return writing.Example(np.stack(views), writing.solid_voxels(vertices, faces))
