"""Checkpoints of a run: written by Orbax in the background, verified when read.

`jaxsoftras.reconstruction.checkpoint_files` has the folders, and what makes them whole.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

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
from jaxsoftras.reconstruction.run_folder import CHECKPOINTS, RunError

State = TypeVar("State")

_ITEM = "default"  # name of Orbax's folder, also in earlier versions


class Checkpoints:
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
        self._folder = workdir / CHECKPOINTS
        self._keep = keep
        self._read_only = read_only
        self._unverified: set[int] = set()  # of which was warned
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoints")
        self._writing: list[concurrent.futures.Future[None]] = []
        if not read_only:
            checkpoint_files.remove_leftovers(self._folder)

    def latest(self) -> int | None:
        """Step of the newest checkpoint, verified or not, if there is one."""
        return max(checkpoint_files.list_steps(self._folder), default=None)

    def newest(self) -> int | None:
        """Step of the newest sound checkpoint, if there are checkpoints.

        A warning names damaged ones, which are renamed unless `read_only`.

        Raises:
            RunError: all checkpoints are damaged.
        """
        step, damaged = self._find_sound(sorted)
        if step is not None:
            return step
        aside = checkpoint_files.list_damaged(self._folder)
        if damaged or aside:
            names = [f"{step} ({damaged[step]})" for step in sorted(damaged)] + aside
            raise RunError(
                f"{self._folder} holds damaged checkpoints only: {', '.join(names)}; "
                "put back a sound one, or remove them to begin at step 0."
            )
        return None

    def best(self) -> int | None:
        """Step of the sound checkpoint with the highest score, if any has a score.

        Of equal scores, the first counts. A warning names damaged ones, which are
        renamed unless `read_only`, and damaged scores.
        """
        step, damaged = self._find_sound(self._rank)
        if step is None:
            self._pass_over(damaged, "no other one has a score")
        checkpoint_scores.warn_of_damage(self._folder)
        return step

    def peek_best(self) -> int | None:
        """Step of the checkpoint with the highest score, verified or not."""
        steps = self._rank(checkpoint_files.list_steps(self._folder))
        return steps[-1] if steps else None

    def _rank(self, steps: Iterable[int]) -> list[int]:
        return checkpoint_scores.rank(self._folder, steps)

    def score(self, step: int) -> float | None:
        """Score of a checkpoint; None if it has none, or a damaged one."""
        return checkpoint_scores.find(self._folder, step)

    def _find_sound(
        self, rank: Callable[[Iterable[int]], list[int]]
    ) -> tuple[int | None, dict[int, str]]:
        """Finds the last of the ranked steps that is sound, and passes over others.

        Returns:
            The step, and None if there is none; the damaged ones that were tried.
        """
        damaged: dict[int, str] = {}
        while steps := rank(
            set(checkpoint_files.list_steps(self._folder)) - set(damaged)
        ):
            step = steps[-1]
            damage = self._find_damage(step)
            if damage is None:
                self._pass_over(damaged, f"that of step {step} is used")
                return step, {}
            if (self._folder / str(step)).exists():  # not removed by a training run
                damaged[step] = damage
        return None, damaged

    def find(self, step: int | Literal["best"] | None = None) -> int:
        """Step of a sound checkpoint.

        Args:
            step: the wanted step, or ``"best"``; see `best`, and `newest` if None.

        Raises:
            RunError: there is no such checkpoint, or it is damaged.
        """
        if step is None:
            step = self.newest()
            if step is None:
                raise RunError(
                    f"There is no checkpoint in {self._folder}; train first."
                )
            return step
        if step == "best":
            best = self.best()
            if best is None:
                raise RunError(
                    f"No sound checkpoint in {self._folder} has a score; choose "
                    "another one, or train with log.validate_every."
                )
            return best
        steps = checkpoint_files.list_steps(self._folder)
        if step not in steps:
            raise RunError(
                f"There is no checkpoint of step {step} in {self._folder}, but of "
                f"{', '.join(map(str, steps)) or 'none'}."
            )
        if damage := self._find_damage(step):
            raise RunError(
                f"The checkpoint {self._folder / str(step)} is damaged: {damage}; "
                "choose another step."
            )
        return step

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

    def _find_damage(self, step: int) -> str | None:
        """Phrase about a damaged checkpoint; warns of one that cannot be verified."""
        checkpoint = self._folder / str(step)
        if any(map(self._has_manifest, self._list_until(step))):
            return checkpoint_files.find_damage(checkpoint)
        try:
            item = self._item(step)
            orbax_format.read(item, orbax_format.read_structure(item))
        except Exception:
            return "it has no checksums, and cannot be read"
        if step not in self._unverified:
            self._unverified.add(step)
            warnings.warn(
                f"The checkpoint {checkpoint} has no checksums, as in earlier versions,"
                " and is read without verification.",
                stacklevel=3,
            )
        return None

    def _list_until(self, step: int) -> list[int]:
        """Steps of the checkpoints up to one; the later ones have manifests."""
        steps = checkpoint_files.list_steps(self._folder)
        return [number for number in steps if number <= step]

    def _has_manifest(self, step: int) -> bool:
        return (self._folder / str(step) / checkpoint_files.MANIFEST).exists()

    def _pass_over(self, damaged: dict[int, str], instead: str) -> None:
        """Reports damaged checkpoints, and sets them aside."""
        for number, damage in damaged.items():
            checkpoint = self._folder / str(number)
            place = ""
            if not self._read_only:
                place = f", is now {checkpoint_files.set_aside(checkpoint).name}"
            warnings.warn(
                f"The checkpoint {checkpoint} is damaged{place}, and {instead}: "
                f"{damage}.",
                stacklevel=4,
            )

    def _write(self, step: int, state: Any) -> None:
        """Writes a checkpoint and removes old ones; runs in the background."""
        checkpoint = self._folder / str(step)
        try:
            on_host = jax.device_get(state)
            with atomic.folder(checkpoint) as partial:
                orbax_format.write(partial / _ITEM, on_host)
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

    def _item(self, step: int) -> Path:
        return self._folder / str(step) / _ITEM

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
