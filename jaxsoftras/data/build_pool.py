"""Makes objects by all cores, and keeps each as a file for a build to be resumed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxsoftras import atomic
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
    begun = task.kept.with_suffix(".begun")
    begun.touch()
    try:
        example, notes = build_object.make_object(task.source, task.options)
    except Exception as error:  # a mesh may break anything
        outcome = Outcome(build_object.explain(error, task.source))
    else:
        outcome = Outcome(notes=tuple(notes))
        with atomic.file(task.kept.with_suffix(".npz")) as partial:
            np.savez_compressed(partial, images=example.views, voxels=example.voxels)
    _keep(task, outcome)
    begun.unlink(missing_ok=True)
    return outcome


def run_all(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    """Makes objects, with any number of processes, in whatever order they are done.

    A process that dies, for lack of memory say, takes no other object along: those that
    were in work are made again, each in a process of its own.

    Args:
        tasks: the objects.
        jobs: number of processes; 1 for this one.

    Yields:
        Each task and its outcome.
    """
    if jobs == 1:
        for task in tasks:
            yield task, run(task)
        return
    left = dict.fromkeys(tasks)
    while left:
        for task, outcome in _run_pool(list(left), jobs):
            del left[task]
            yield task, outcome
        # unless all are done, a process died, and the pool with it
        for task in [task for task in left if task.kept.with_suffix(".begun").exists()]:
            del left[task]
            yield task, _run_alone(task)


def _run_pool(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    """Makes objects until all are done or a process dies."""
    with _pool(jobs) as pool:
        futures: dict[Future[Outcome], Task] = {}
        try:
            for task in tasks:
                futures[pool.submit(run, task)] = task
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            pass
        finally:
            pool.shutdown(cancel_futures=True)


def _run_alone(task: Task) -> Outcome:
    with _pool(1) as pool:
        try:
            return pool.submit(run, task).result()
        except BrokenProcessPool:
            task.kept.with_suffix(".begun").unlink(missing_ok=True)
            # not kept: with fewer processes at a time it may go well
            return Outcome("its process died, perhaps for lack of memory")


def _pool(jobs: int) -> ProcessPoolExecutor:
    # a process of JAX must not be forked
    return ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )


def _ignore_interrupts() -> None:
    """Leaves Ctrl-C to the program, which lets the objects in work be finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
