"""Makes objects by all cores, and keeps each as a file for a build to be resumed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxsoftras import atomic, workers
from jaxsoftras.data import build_object
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.writing import Example


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

    A mesh file that has changed since is to be read again.
    """
    try:
        record = json.loads(task.kept.with_suffix(".json").read_text())
        if record["stamp"] != _stamp(task.source):
            return None
        return Outcome(record["error"], tuple(record["notes"]))
    except (OSError, ValueError, TypeError, KeyError):
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
        raise
    except Exception as error:  # zipfile and numpy raise many types
        raise ValueError(
            f"{path} is damaged ({error}): delete it and {path.stem}.json, and build "
            "again."
        ) from error


def run(task: Task) -> Outcome:
    """Makes an object and keeps it; an error is an outcome."""
    try:
        example, notes = build_object.make_object(task.source, task.options)
    except Exception as error:  # a mesh may break anything
        outcome = Outcome(build_object.explain(error, task.source))
    else:
        outcome = Outcome(notes=tuple(notes))
        with atomic.file(task.kept.with_suffix(".npz")) as partial:
            np.savez_compressed(partial, images=example.views, voxels=example.voxels)
    _keep(task, outcome)
    return outcome


def run_all(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Task, Outcome]]:
    """Makes objects, with any number of processes, in whatever order they are done.

    Args:
        tasks: the objects.
        jobs: number of processes; 1 for this one.

    Yields:
        Each task and its outcome.
    """
    calls = ((task,) for task in tasks)
    with contextlib.closing(workers.map_as_completed(run, calls, jobs)) as done:
        for (task,), outcome in done:
            if isinstance(outcome, workers.ProcessDied):
                # not kept: with fewer processes at a time it may go well
                outcome = Outcome("its process died, perhaps for lack of memory")
            yield task, outcome


def _keep(task: Task, outcome: Outcome) -> None:
    record = {
        "stamp": _stamp(task.source),
        "error": outcome.error,
        "notes": outcome.notes,
    }
    with atomic.file(task.kept.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(record))


def _stamp(path: Path) -> list[int]:
    """Size and time of a file, which change with its content."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def name_kept(file: str) -> str:
    """Names the files that keep an object, whatever signs its own name has."""
    return hashlib.sha256(file.encode()).hexdigest()[:32]
