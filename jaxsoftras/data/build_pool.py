"""Makes objects by all cores, and keeps each as a file for a build to be resumed."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Generator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxsoftras import atomic, workers
from jaxsoftras.data import build_object
from jaxsoftras.data.build_object import Loaded, Options
from jaxsoftras.data.writing import Example
from jaxsoftras.meshfile import references

_RENDERING = 4  # threads that feed the device and compress what it gives


@dataclass(frozen=True)
class Task:
    """An object to make.

    Attributes:
        source: its mesh file.
        kept: where to keep the result: this path with the suffix ``.json``, and
            ``.npz`` if the mesh is sound.
        options: how to make it.
    """

    source: Path
    kept: Path
    options: Options


@dataclass(frozen=True)
class Outcome:
    """Result of making an object.

    Attributes:
        error: why it could not be made; empty if it was.
        notes: what it lacks.
    """

    error: str = ""
    notes: tuple[str, ...] = ()


def find_outcome(task: Task) -> Outcome | None:
    """Reads the outcome of a task that was done before; None if there is none.

    A mesh file that has changed since is to be read again, and so is one that names
    files which have changed, come or gone.
    """
    try:
        record = json.loads(task.kept.with_suffix(".json").read_text())
        outcome = Outcome(record["error"], tuple(record["notes"]))
        there = outcome.error or task.kept.with_suffix(".npz").exists()
        same = record["stamp"] == _stamp(task.source) and all(
            stamp == _stamp(task.source.parent / file)
            for file, stamp in record["files"].items()
        )
        return outcome if there and same else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def read_example(task: Task) -> Example:
    """Reads an object that was made.

    Raises:
        ValueError: a damaged file.
        FileNotFoundError: the file is missing.
    """
    path = task.kept.with_suffix(".npz")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Example(arrays["images"], arrays["voxels"])
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing: another build has packed this folder, or the file was "
            "deleted. Build again."
        ) from None
    except Exception as error:  # zipfile and numpy raise many types
        raise ValueError(f"{path} is damaged: delete it and build again.") from error


def run(task: Task) -> Outcome:
    """Makes an object with numpy and keeps it; an error is an outcome."""
    return _keep_made(task, lambda: build_object.make_object(task.source, task.options))


def _load(task: Task) -> Loaded | Outcome:
    """Makes an object but for its images."""
    with references.watch() as sought:
        try:
            loaded = build_object.load_object(task.source, task.options)
        except Exception as error:  # a mesh may break anything
            return _keep_error(task, error, sought)
    return loaded._replace(files=frozenset(sought))


def _render(task: Task, loaded: Loaded) -> Outcome:
    """Makes the images of an object on the device of JAX, and keeps the object."""
    from jaxsoftras.data import accelerated_meshes  # imports what processes need not

    options = task.options

    def make() -> tuple[Example, list[str]]:
        references.add(*loaded.files)
        images = accelerated_meshes.render_views(
            loaded.mesh, options.views, options.elevation, options.size
        )
        return build_object.complete_object(task.source, loaded, images)

    return _keep_made(task, make)


def run_all(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Task, Outcome]]:
    """Makes objects, with any number of processes, in whatever order they are done.

    Args:
        tasks: the objects, all by one renderer.
        jobs: number of processes; 1 for this one.

    Yields:
        Each task and its outcome.
    """
    by_numpy = all(task.options.renderer == "numpy" for task in tasks)
    function = run if by_numpy else _load
    calls = ((task,) for task in tasks)
    rendered: collections.deque[tuple[Task, Future[Outcome]]] = collections.deque()
    with (
        contextlib.closing(workers.map_as_completed(function, calls, jobs)) as done,
        ThreadPoolExecutor(_RENDERING) as threads,
    ):
        for (task,), result in done:
            if isinstance(result, Loaded):
                rendered.append((task, threads.submit(_render, task, result)))
                if len(rendered) > 2 * _RENDERING:
                    task, future = rendered.popleft()
                    yield task, future.result()
            elif isinstance(result, workers.ProcessDied):
                # not kept: with fewer processes at a time it may go well
                yield task, Outcome("its process died, perhaps for lack of memory")
            else:
                yield task, result
        for task, future in rendered:
            yield task, future.result()


def _keep_made(task: Task, make: Callable[[], tuple[Example, list[str]]]) -> Outcome:
    """Makes an object and keeps it; an error is an outcome."""
    with references.watch() as sought:
        try:
            example, notes = make()
        except Exception as error:  # a mesh may break anything
            return _keep_error(task, error, sought)
    with atomic.file(task.kept.with_suffix(".npz")) as partial:
        np.savez_compressed(partial, images=example.views, voxels=example.voxels)
    return _keep(task, Outcome(notes=tuple(notes)), sought)


def _keep_error(task: Task, error: Exception, sought: Set[Path]) -> Outcome:
    outcome = Outcome(build_object.explain(error, task.source))
    # the machine, not the mesh: another time it may go well
    if isinstance(error, (MemoryError, OSError)):
        return outcome
    return _keep(task, outcome, sought)


def _keep(task: Task, outcome: Outcome, sought: Set[Path]) -> Outcome:
    folder = task.source.parent
    record = {
        "stamp": _stamp(task.source),
        "files": {os.path.relpath(path, folder): _stamp(path) for path in sought},
        "error": outcome.error,
        "notes": outcome.notes,
    }
    with atomic.file(task.kept.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(record))
    return outcome


def _stamp(path: Path) -> list[int]:
    """Size and time of a file, which change with its content."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # such as a name that cannot be one
        return []
    return [status.st_size, status.st_mtime_ns]


def name_kept(file: str) -> str:
    """Names the files that keep an object, whatever signs its own name has."""
    return hashlib.sha256(file.encode()).hexdigest()[:32]
