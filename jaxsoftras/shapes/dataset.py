"""The embedded data set: procedural shapes in the file format of SoftRas data sets."""

from __future__ import annotations

import contextlib
import json
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import atomic, checks, cores, workers
from jaxsoftras.data import accelerated, writing
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import ALL_SPLITS, STYLE
from jaxsoftras.data.zbuffer import Renderer
from jaxsoftras.shapes import catalogue, making
from jaxsoftras.terminal import Progress

DESCRIPTION = "embedded.json"
"""Name of the file that states the parameters by which a data set was made."""

_VERSION = 2
_LARGEST_IMAGE = 8192  # pixels
_OBJECTS_PER_PROCESS = 32  # fewer do not repay the start of a process


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
    jobs = {synset: _list_jobs(count) for synset, count in counts.items()}
    number = sum(map(len, jobs.values()))
    if processes is None:
        processes = min(cores.count_cores(), number // _OBJECTS_PER_PROCESS)
    processes = min(processes, number)
    calls = (
        (synset, number, seed, split == STYLE)
        for synset, those in jobs.items()
        for split, number in those
    )
    files = len(jobs) * len(ALL_SPLITS)
    with (
        atomic.folder(root, last=DESCRIPTION) as folder,
        ThreadPoolExecutor(files) as packers,
    ):
        with _make(calls, image_size, renderer, processes) as made:
            packed = _pack(folder, jobs, made, packers, progress)
        for done in packed:
            done.result()
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
    different = {k for k in {**wanted, **found} if found.get(k) != wanted.get(k)}
    names = sorted(different - {"renderer"})
    if names:
        raise FileExistsError(
            f"{root} holds an embedded data set made with another "
            f"{' and '.join(names)}: remove it or choose another folder."
        )


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


@contextlib.contextmanager
def _make(
    calls: Iterable[tuple[str, int, int, bool]],
    image_size: int,
    renderer: Renderer,
    processes: int,
) -> Iterator[Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Gives the images and voxels of the objects in order, while its context lasts."""
    if renderer == "numpy":
        full = ((*call, image_size) for call in calls)
        made = workers.map_in_order(making.make_object, full, processes)
        rendered = made
    else:
        made = workers.map_in_order(making.make_mesh, calls, processes)
        rendered = accelerated.render_in_order(made, image_size)
    with contextlib.closing(made):
        yield rendered


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
    if seed < 0 or not 1 <= image_size <= _LARGEST_IMAGE:
        raise ValueError(
            "The seed must not be negative and the image size must be from 1 to "
            f"{_LARGEST_IMAGE}, not {seed} and {image_size}."
        )
    checks.check_choice("renderer", renderer, Renderer)
    return {
        "format": "jaxsoftras embedded shapes",
        "version": _VERSION,
        "seed": seed,
        "image_size": image_size,
        "objects": {
            synset: counts[synset] for synset in CATEGORIES if synset in counts
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


def _pack(
    folder: Path,
    jobs: Mapping[str, list[tuple[str, int]]],
    made: Iterator[tuple[np.ndarray, np.ndarray]],
    packers: ThreadPoolExecutor,
    progress: Progress | None,
) -> list[Future[None]]:
    """Hands the objects to a thread for each file, which compresses them as they come.

    A file is one stream, whose compression takes a good part of the time of making.
    """
    written = []
    done, total = 0, sum(map(len, jobs.values()))
    for synset, those in jobs.items():
        parts = {split: queue.SimpleQueue() for split in ALL_SPLITS}
        for split, part in parts.items():
            count = sum(other == split for other, _ in those)
            examples = iter(part.get, None)
            written.append(
                packers.submit(
                    writing.write_one_by_one, folder, synset, split, examples, count
                )
            )
        try:
            for split, _ in those:
                parts[split].put(writing.Example(*next(made)))
                done += 1
                if progress:
                    progress(done, total)
        finally:
            for part in parts.values():
                part.put(None)  # the end, also after an error
    return written
