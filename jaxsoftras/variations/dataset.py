"""A data set of variations of fits, in the npz files of SoftRas data sets."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.data import build, description, production, rig, writing, zbuffer
from jaxsoftras.data.categories import name_keys
from jaxsoftras.data.zbuffer import Renderer
from jaxsoftras.shapes.catalogue import Shape
from jaxsoftras.terminal import Progress
from jaxsoftras.variations import blending, making
from jaxsoftras.variations.blending import Recipe
from jaxsoftras.variations.fits import Fits

SPLIT = "train"
"""The only split of the data set."""

_PROGRAM = "jaxsoftras vary"
_VERSION = 1  # of the objects of a seed
_MOST_OBJECTS = 2**17


class Job(NamedTuple):
    """An object to make.

    Attributes:
        key: key of its category.
        recipe: the fits that it combines.
        seed: seed of its deformation and colours.
    """

    key: str
    recipe: Recipe
    seed: np.random.SeedSequence


def write_dataset(
    fits: Fits,
    root: str | Path,
    *,
    objects_per_category: int,
    seed: int = 0,
    image_size: int = 64,
    renderer: Renderer = "numpy",
    processes: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes variations of fits; a data set of such that is already there is replaced.

    The same arguments give the same files, byte for byte, on one kind of machine. Each
    object depends on the fits of its category, the seed, its category and its number
    alone, so that a larger data set contains the smaller ones. The folder appears when
    it is complete. It has the split ``train`` alone.

    Args:
        fits: what the objects are made of.
        root: folder of the data set.
        objects_per_category: number of objects of each category.
        seed: seed of shapes and colours, not negative.
        image_size: width and height of the images, pixels.
        renderer: as for `jaxsoftras.shapes.dataset.write_dataset`.
        processes: number of processes that make objects, which plays no part in the
            result; up to 1 makes them in this one. One for each core if None, or fewer
            if there are few objects.
        progress: called with the numbers of objects made and to make.

    Raises:
        ValueError: an argument is out of range, or no file can have the name of a
            category.
        FileExistsError: the folder holds something else.
        ChildProcessError: a process ended on its own, for lack of memory perhaps.
    """
    if not 1 <= objects_per_category <= _MOST_OBJECTS:
        raise ValueError(
            f"Each category can have from 1 to {_MOST_OBJECTS} objects, not "
            f"{objects_per_category}."
        )
    seed, image_size = production.check_options(seed, image_size, renderer)
    jobs = list(list_jobs(fits, objects_per_category, seed))
    made_by = {
        "program": _PROGRAM,
        "version": _VERSION,
        "seed": seed,
        "split": fits.split,
        "data": fits.data,
        "renderer": renderer,
        "left_out": fits.left_out,
    }
    content = _describe(fits, jobs, image_size, made_by)
    root = Path(root)
    where = "The data set of the fits"
    description.parse(content, where)
    description.check_distinct(fits.categories, where)
    description.check_replaceable(
        root, _PROGRAM, writing.pair_names, kind="of variations"
    )
    calls = (
        (*_combine(fits, job.key, job.recipe), fits.faces, job.seed) for job in jobs
    )
    with atomic.folder(root, last=description.FILE) as folder:
        with production.make_in_order(
            making.make_object,
            making.make_mesh,
            calls,
            image_size,
            renderer,
            production.choose_processes(processes, len(jobs)),
        ) as made:
            places = [(job.key, SPLIT) for job in jobs]
            examples = itertools.starmap(writing.Example, made)
            writing.write_in_order(folder, places, examples, progress)
        description.write(folder, content)


def list_jobs(fits: Fits, objects_per_category: int, seed: int) -> Iterator[Job]:
    """Draws the objects of a data set: the first of each category, then the second.

    Args:
        fits: what the objects are made of.
        objects_per_category: number of objects of each category.
        seed: seed of the data set.
    """
    neighbors = {
        key: blending.rank_neighbors(category.vertices)
        for key, category in fits.categories.items()
    }
    for number in range(objects_per_category):
        for key in fits.categories:
            entropy = [seed, number, *key.encode()]
            of_recipe, of_shape = np.random.SeedSequence(entropy).spawn(2)
            rng = np.random.default_rng(of_recipe)
            yield Job(key, blending.draw_recipe(rng, neighbors[key]), of_shape)


def make_rows(fits: Fits, columns: int, seed: int) -> list[list[Shape]]:
    """Makes the first objects of each category, one row each, for a contact sheet.

    Args:
        fits: what the objects are made of.
        columns: number of objects in each row.
        seed: seed of the data set.
    """
    rows: dict[str, list[Shape]] = {key: [] for key in fits.categories}
    for key, recipe, of_shape in list_jobs(fits, columns, seed):
        parts = _combine(fits, key, recipe)
        rows[key].append(making.make_shape(*parts, fits.faces, of_shape))
    return list(rows.values())


def _combine(fits: Fits, key: str, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the fits of a recipe, and their weights."""
    return fits.categories[key].vertices[recipe.parents], recipe.weights


def _describe(
    fits: Fits, jobs: list[Job], image_size: int, made_by: dict[str, Any]
) -> dict[str, Any]:
    """Content of the description file."""
    objects: dict[str, dict[str, list[dict[str, Any]]]] = {
        key: {SPLIT: []} for key in fits.categories
    }
    for key, recipe, _ in jobs:
        entries = objects[key][SPLIT]
        numbers = fits.categories[key].numbers[recipe.parents]
        entries.append({"name": f"{len(entries):05}", "fits": numbers.tolist()})
    return {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": name_keys(fits.categories),
        "camera": {
            "kind": "orbit",
            **dataclasses.asdict(rig.SOFTRAS_RIG),
            "views": zbuffer.VIEWS,
        },
        "frame": build.FRAME,
        "image_size": image_size,
        "objects": objects,
        "made_by": made_by,
    }
