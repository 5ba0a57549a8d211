"""Checkpoints of a run: written by Orbax in the background, verified when read.

`jaxsoftras.reconstruction.sound_checkpoints` chooses among them;
`jaxsoftras.reconstruction.checkpoint_files` has the folders, and what makes them whole.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import atomic
from jaxsoftras.reconstruction import (
    checkpoint_errors,
    checkpoint_files,
    checkpoint_scores,
    orbax_format,
    provenance,
)
from jaxsoftras.reconstruction.run_folder import RunError
from jaxsoftras.reconstruction.sound_checkpoints import ITEM, SoundCheckpoints

State = TypeVar("State")


class Checkpoints(SoundCheckpoints):
    """Checkpoints of a run, each of which is complete or absent.

    Use as a context manager, which waits at the end until all are written.
    """

    def __init__(self, workdir: Path, keep: int = 3, *, read_only: bool = False):
        """Opens the checkpoints of a run folder.

        Args:
            workdir: the run folder.
            keep: number of checkpoints to keep, the newest ones; and the best one, if
                any has a score.
            read_only: whether to leave the folder untouched. Otherwise the caller has
                claimed it; see `run_folder.claim`.
        """
        super().__init__(workdir, read_only=read_only)
        self._keep = keep
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoints")
        self._writing: list[concurrent.futures.Future[None]] = []
        if not read_only:
            checkpoint_files.remove_leftovers(self._folder)

    def save(self, step: int, state: Any) -> None:
        """Starts to write a checkpoint in the background, unless it exists.

        Args:
            step: number of steps taken.
            state: a pytree of arrays, which nobody may donate or write to.

        Raises:
            RunError: the checkpoint before could not be written.
        """
        self.wait()
        if step not in checkpoint_files.list_steps(self._folder):
            self._writing = [self._thread.submit(self._write, step, state)]

    def add_score(self, step: int, score: float) -> None:
        """Gives a score to a checkpoint that is or will be written; in the background.

        To be called after `save`, if at all, and before the next one, lest the
        checkpoint be removed as an old one before it is known to be the best. Without a
        checkpoint of that step, nothing happens.

        Args:
            step: step of the checkpoint.
            score: the higher the better.
        """
        self._writing.append(self._thread.submit(self._write_score, step, score))

    def check(self) -> None:
        """Reports an error of writing in the background, without waiting.

        Raises:
            RunError: the checkpoint could not be written; the others are intact.
        """
        done = [writing for writing in self._writing if writing.done()]
        self._writing = [each for each in self._writing if each not in done]
        for writing in done:
            writing.result()

    def wait(self) -> None:
        """Waits until the last checkpoint is written.

        Raises:
            RunError: see `check`.
        """
        writing, self._writing = self._writing, []
        for each in writing:
            each.result()

    def restore(self, like: State, step: int | None = None) -> State:
        """Restores a state.

        Args:
            like: a state of the same structure whose leaves have shapes, dtypes and
                shardings; see `abstract`.
            step: step of the checkpoint; the newest sound one if None.

        Raises:
            RunError: there is no such checkpoint, it is damaged, or its structure,
                shapes or dtypes are others.
        """
        return _place(self.read(like, step), like)

    def read(self, like: State, step: int | None = None) -> State:
        """Reads a state as arrays of NumPy; otherwise as `restore`."""
        step = self.find(step)
        with self._explaining(step):
            saved = orbax_format.read_structure(self._item(step))
        checkpoint_errors.check_fit(self._folder / str(step), saved, like)
        with self._explaining(step):
            return orbax_format.read(self._item(step), like)

    def restore_field(self, name: str, like: State, step: int | None = None) -> State:
        """Restores one field of a state and reads no other.

        Args:
            name: name of the field, or names of nested ones, ``opt_state.average``.
            like: see `restore`, but of the field alone.
            step: step of the checkpoint; the newest sound one if None.

        Raises:
            RunError: see `restore`.
        """
        step = self.find(step)
        with self._explaining(step):
            saved = orbax_format.read_structure(self._item(step))
        *groups, last = name.split(".")
        wanted = jax.tree.map(lambda _: orbax_format.SKIP, saved)
        group = wanted
        for part in groups:
            saved, group = saved.get(part, {}), group.get(part, {})
        checkpoint = self._folder / str(step)
        checkpoint_errors.check_fit(checkpoint, saved.get(last, {}), like)
        group[last] = like
        with self._explaining(step):
            values = orbax_format.read(self._item(step), wanted)
        return _place(functools.reduce(dict.__getitem__, name.split("."), values), like)

    def _write(self, step: int, state: Any) -> None:
        """Writes a checkpoint and removes old ones; runs in the background."""
        checkpoint = self._folder / str(step)
        try:
            on_host = jax.device_get(state)
            with atomic.folder(checkpoint) as partial:
                orbax_format.write(partial / ITEM, on_host)
                checkpoint_files.seal(partial, step, provenance.list_versions())
            checkpoint_files.flush(self._folder)
            self._remove_old()
        except Exception as error:
            reason = checkpoint_errors.explain(error)
            raise RunError(
                f"The checkpoint {checkpoint} could not be written: {reason}; those "
                "before it are intact."
            ) from error

    def _write_score(self, step: int, score: float) -> None:
        """Writes a score and removes the checkpoint that is no longer the best."""
        checkpoint = self._folder / str(step)
        if not checkpoint.is_dir():
            return
        try:
            checkpoint_scores.write(checkpoint, score)
            self._remove_old()
        except Exception as error:
            raise RunError(
                f"The score of the checkpoint {checkpoint} could not be written: "
                f"{checkpoint_errors.explain(error)}; the checkpoints are intact."
            ) from error

    def _remove_old(self) -> None:
        best = self.peek_best()
        for old in checkpoint_files.list_steps(self._folder)[: -self._keep]:
            if old != best:
                checkpoint_files.remove(self._folder / str(old))

    @contextlib.contextmanager
    def _explaining(self, step: int) -> Iterator[None]:
        """Turns errors of reading a sound checkpoint into one sentence."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            checkpoint = self._folder / str(step)
            reason = checkpoint_errors.explain(error)
            raise RunError(
                f"The checkpoint {checkpoint} cannot be read: {reason}"
                f"{checkpoint_errors.compare_versions(checkpoint)}."
            ) from error

    def __enter__(self) -> Checkpoints:
        """Returns the checkpoints, which are open already."""
        return self

    def __exit__(self, kind, *_) -> None:
        """Waits until all checkpoints are written, also when the run has failed."""
        try:
            self.wait()
        except RunError as error:
            if kind is None:
                raise
            warnings.warn(str(error), stacklevel=2)  # the error that ends the run is up
        finally:
            self._thread.shutdown()


def abstract(state: State, sharding: Any = None) -> State:
    """Replaces the arrays of a state by their shapes, dtypes and shardings.

    Args:
        state: a pytree of arrays of JAX, or of their shapes.
        sharding: a sharding for all of them, or one for each, in place of their own.
    """
    if sharding is None:
        sharding = jax.tree.map(lambda x: x.sharding, state)
    elif isinstance(sharding, jax.sharding.Sharding):
        sharding = jax.tree.map(lambda _: sharding, state)
    return jax.tree.map(
        lambda x, placed: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placed),
        state,
        sharding,
    )


def _place(values: State, like: State) -> State:
    """Puts arrays on the devices of a sharding, or uncommitted on the default one."""

    def place(value: np.ndarray, wanted: jax.ShapeDtypeStruct) -> jax.Array:
        if wanted.sharding is None:
            return jnp.asarray(value)
        return jax.device_put(value, wanted.sharding)

    return jax.tree.map(place, values, like)
