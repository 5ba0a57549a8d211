"""The embedded data set: procedural shapes in the file format of SoftRas data sets."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxsoftras import atomic
from jaxsoftras.data import production, writing
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import ALL_SPLITS, STYLE
from jaxsoftras.data.zbuffer import Renderer
from jaxsoftras.shapes import catalogue, making
from jaxsoftras.terminal import Progress

DESCRIPTION = "embedded.json"
"""Name of the file that states the parameters by which a data set was made."""

_VERSION = 2


def write_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    renderer: Renderer = "numpy",
    processes: int | None = None,
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
            to train, val and test. As many as in test are made in addition, of kinds
            that are held out from all three, for the split ``style``.
        seed: seed of the shapes and colours, not negative.
        image_size: width and height of the images, pixels.
        renderer: ``"numpy"``, the same on every machine, by all processes; or
            ``"jax"`` on its default device, fast if that is a GPU and slow otherwise:
            a few pixels on edges differ, and the description says so.
        processes: number of processes that make objects, which plays no part in the
            result; up to 1 makes them in this one. One for each core if None, or fewer
            if there are few objects.
        progress: called with the numbers of objects made and to make.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: the folder holds something other than an embedded data set.
        ChildProcessError: a process ended on its own, for lack of memory perhaps.
    """
    root = Path(root)
    description = _describe(objects_per_category, seed, image_size, renderer)
    counts = description["objects"]
    writing.read_description(root, DESCRIPTION, _VERSION, ALL_SPLITS)
    jobs = [
        (synset, *job) for synset, count in counts.items() for job in _list_jobs(count)
    ]
    calls = ((synset, number, seed, split == STYLE) for synset, split, number in jobs)
    places = [(synset, split) for synset, split, _ in jobs]
    processes = production.choose_processes(processes, len(jobs))
    with atomic.folder(root, last=DESCRIPTION) as folder:
        with production.make_in_order(
            making.make_object,
            making.make_mesh,
            calls,
            image_size,
            renderer,
            processes,
        ) as made:
            examples = itertools.starmap(writing.Example, made)
            writing.write_in_order(folder, places, examples, progress)
        text = json.dumps(description, indent=2) + "\n"
        (folder / DESCRIPTION).write_text(text)


def ensure_dataset(
    root: Path | str,
    *,
    objects_per_category: int | Mapping[str, int],
    seed: int = 0,
    image_size: int = 64,
    progress: Progress | None = None,
) -> None:
    """Makes the data set unless it is there already, made with the same arguments.

    One whose images the GPU has made, which differ in a few pixels, is as good.

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
    found = writing.read_description(Path(root), DESCRIPTION, _VERSION, ALL_SPLITS)
    if found is None:
        write_dataset(
            root,
            objects_per_category=objects_per_category,
            seed=seed,
            image_size=image_size,
            progress=progress,
        )
        return
    if difference := _find_difference(found, wanted):
        raise FileExistsError(
            f"{root} holds another embedded data set ({difference}); remove the "
            "folder, or choose another one (data.root in a configuration)."
        )


def _find_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Names the first argument that differs in two descriptions, and counts them."""
    first, second = (
        {**given, **{f"objects of {s}": n for s, n in given["objects"].items()}}
        for given in (found, wanted)
    )
    names = [
        name
        for name in {**second, **first}
        if name not in ("objects", "renderer") and first.get(name) != second.get(name)
    ]
    if not names:
        return ""
    more = f", and {len(names) - 1} more such" if len(names) > 1 else ""
    name = names[0]
    return f"{name}: {first.get(name, 0)} in place of {second.get(name, 0)}{more}"


def open_shapes(
    root: Path | str,
) -> Callable[[str, str, int], catalogue.Shape] | None:
    """Finds the shapes that an embedded data set was made of, to make them again.

    Args:
        root: folder of the data set.

    Returns:
        Makes the shape of an object, whose vertices the data set had in single
        precision, by synset, split, and number in that split. None if the folder holds
        no embedded data set of this version.
    """
    try:
        recipe = json.loads((Path(root) / DESCRIPTION).read_text())
        seed, counts = int(recipe["seed"]), dict(recipe["objects"])
        if recipe["version"] != _VERSION:
            return None
        jobs = {synset: _list_jobs(int(count)) for synset, count in counts.items()}
    except (OSError, ValueError, TypeError, KeyError):
        return None

    def make_shape(synset: str, split: str, number: int) -> catalogue.Shape:
        numbers = [other for name, other in jobs[synset] if name == split]
        return catalogue.make_shape(
            synset, numbers[number], seed, held_out=split == STYLE
        )

    return make_shape


def _describe(
    objects_per_category: int | Mapping[str, int],
    seed: int,
    image_size: int,
    renderer: Renderer = "numpy",
) -> dict[str, Any]:
    """Checks the parameters and returns the content of the description file."""
    if isinstance(objects_per_category, Mapping):
        counts = dict(objects_per_category)
    else:
        counts = dict.fromkeys(CATEGORIES, objects_per_category)
    writing.check_counts(counts)
    seed, image_size = production.check_options(seed, image_size, renderer)
    return {
        "format": "jaxsoftras embedded shapes",
        "version": _VERSION,
        "seed": seed,
        "image_size": image_size,
        "objects": {
            synset: operator.index(counts[synset])
            for synset in CATEGORIES
            if synset in counts
        },
        **({} if renderer == "numpy" else {"renderer": renderer}),
    }


def _list_jobs(count: int) -> list[tuple[str, int]]:
    """Lists the split and the number of each object of a category.

    Objects of the split ``style`` have numbers of their own, from 0.
    """
    jobs = [(writing.assign_split(number), number) for number in range(count)]
    tested = sum(split == "test" for split, _ in jobs)
    return jobs + [(STYLE, number) for number in range(tested)]
