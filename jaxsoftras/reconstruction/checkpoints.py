"""Checkpoints of a run: written by Orbax in the background, verified when read.

`jaxsoftras.reconstruction.checkpoint_files` has the folders, and what makes them whole.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import functools
import os
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import atomic
from jaxsoftras.reconstruction import checkpoint_files, orbax_format, provenance
from jaxsoftras.reconstruction.run_folder import CHECKPOINTS, RunError

State = TypeVar("State")

_ITEM = "default"  # name of Orbax's folder, also in earlier versions
# errors of a disk, which Orbax reports within long texts of its own
_DISK_ERRORS = {os.strerror(errno.ENOSPC): "the disk is full"} | {
    os.strerror(code): os.strerror(code)
    for code in (
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
    )
}


class Checkpoints:
    """Checkpoints of a run, each of which is complete or absent.

    Use as a context manager, which waits at the end until all are written.
    """

    def __init__(self, workdir: Path, keep: int = 3, *, read_only: bool = False):
        """Opens the checkpoints of a run folder.

        Args:
            workdir: the run folder.
            keep: number of checkpoints to keep, the newest ones.
            read_only: whether to leave the folder untouched. Otherwise the caller has
                claimed it; see `run_folder.claim`.
        """
        self._folder = workdir / CHECKPOINTS
        self._keep = keep
        self._read_only = read_only
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoints")
        self._writing: concurrent.futures.Future[None] | None = None
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
        damaged: dict[int, str] = {}
        while steps := set(checkpoint_files.list_steps(self._folder)) - set(damaged):
            step = max(steps)
            damage = self._find_damage(step)
            if damage is None:
                self._pass_over(damaged, step)
                return step
            if (self._folder / str(step)).exists():  # not removed by a training run
                damaged[step] = damage
        aside = checkpoint_files.list_damaged(self._folder)
        if damaged or aside:
            names = [f"{step} ({damaged[step]})" for step in sorted(damaged)] + aside
            raise RunError(
                f"{self._folder} holds damaged checkpoints only: {', '.join(names)}; "
                "put back a sound one, or remove them to begin at step 0."
            )
        return None

    def find(self, step: int | None = None) -> int:
        """Step of a sound checkpoint.

        Args:
            step: the wanted step; see `newest` if None.

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
            state: a pytree of arrays, copied to the host before this returns.

        Raises:
            RunError: the checkpoint before could not be written.
        """
        self.wait()
        if step not in checkpoint_files.list_steps(self._folder):
            # copies, for on a CPU the next step writes to the memory of its state
            copied = jax.tree.map(np.array, jax.device_get(state))
            self._writing = self._thread.submit(self._write, step, copied)

    def check(self) -> None:
        """Reports an error of writing in the background, without waiting.

        Raises:
            RunError: the checkpoint could not be written; the others are intact.
        """
        if self._writing is not None and self._writing.done():
            self.wait()

    def wait(self) -> None:
        """Waits until the last checkpoint is written.

        Raises:
            RunError: see `check`.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

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
        self._check_fit(step, saved, like)
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
        self._check_fit(step, saved.get(last, {}), like)
        group[last] = like
        with self._explaining(step):
            values = orbax_format.read(self._item(step), wanted)
        return _place(functools.reduce(dict.__getitem__, name.split("."), values), like)

    def _find_damage(self, step: int) -> str | None:
        """Phrase about a damaged checkpoint; warns of one that cannot be verified."""
        checkpoint = self._folder / str(step)
        if (checkpoint / checkpoint_files.MANIFEST).exists():
            return checkpoint_files.find_damage(checkpoint)
        try:
            item = self._item(step)
            orbax_format.read(item, orbax_format.read_structure(item))
        except Exception:
            return "it has no checksums, and cannot be read"
        warnings.warn(
            f"The checkpoint {checkpoint} has no checksums, as in earlier versions, "
            "and is read without verification.",
            stacklevel=3,
        )
        return None

    def _pass_over(self, damaged: dict[int, str], step: int) -> None:
        """Reports damaged checkpoints, and sets them aside."""
        for number, damage in damaged.items():
            checkpoint = self._folder / str(number)
            place = ""
            if not self._read_only:
                place = f", is now {checkpoint_files.set_aside(checkpoint).name}"
            warnings.warn(
                f"The checkpoint {checkpoint} is damaged{place}, and that of step "
                f"{step} is used: {damage}.",
                stacklevel=3,
            )

    def _write(self, step: int, state: Any) -> None:
        """Writes a checkpoint and removes old ones; runs in the background."""
        checkpoint = self._folder / str(step)
        try:
            with atomic.folder(checkpoint) as partial:
                orbax_format.write(partial / _ITEM, state)
                checkpoint_files.seal(partial, provenance.list_versions())
            checkpoint_files.flush(self._folder)
            for old in checkpoint_files.list_steps(self._folder)[: -self._keep]:
                checkpoint_files.remove(self._folder / str(old))
        except Exception as error:
            raise RunError(
                f"The checkpoint {checkpoint} could not be written: {_explain(error)}; "
                "those before it are intact."
            ) from error

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
            raise RunError(
                f"The checkpoint {checkpoint} cannot be read: {_explain(error)}"
                f"{_compare_versions(checkpoint)}."
            ) from error

    def _check_fit(self, step: int, saved: Any, like: Any) -> None:
        """Raises RunError if a saved state has other leaves, shapes or dtypes."""
        there, here = _list_leaves(saved), _list_leaves(orbax_format.describe(like))
        names = there.keys() | here.keys()
        differ = sorted(name for name in names if there.get(name) != here.get(name))
        if differ:
            name, checkpoint = differ[0], self._folder / str(step)
            more = f", and {len(differ) - 1} more" if len(differ) > 1 else ""
            raise RunError(
                f"The checkpoint {checkpoint} is sound but of another network, "
                f"optimiser or version: {name} is {there.get(name, 'absent')} there "
                f"and {here.get(name, 'absent')} here{more}"
                f"{_compare_versions(checkpoint)}."
            )

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


def abstract(state: State, sharding: jax.sharding.Sharding | None = None) -> State:
    """Replaces the arrays of a state by their shapes, dtypes and shardings.

    Args:
        state: a pytree of arrays of JAX.
        sharding: a sharding for all of them, in place of their own.
    """
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(
            x.shape, x.dtype, sharding=sharding or x.sharding
        ),
        state,
    )


def _place(values: State, like: State) -> State:
    """Puts arrays on the devices of a sharding, or uncommitted on the default one."""

    def place(value: np.ndarray, wanted: jax.ShapeDtypeStruct) -> jax.Array:
        if wanted.sharding is None:
            return jnp.asarray(value)
        return jax.device_put(value, wanted.sharding)

    return jax.tree.map(place, values, like)


def _list_leaves(tree: Any) -> dict[str, str]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): (
            f"{np.dtype(x.dtype).name}{list(x.shape)}"
        )
        for path, x in leaves
    }


def _compare_versions(checkpoint: Path) -> str:
    """Names the packages that have other versions than wrote a checkpoint."""
    there, here = checkpoint_files.read_versions(checkpoint), provenance.list_versions()
    differ = [
        f"{name} {version} there, {here.get(name, 'none')} here"
        for name, version in there.items()
        if version != here.get(name)
    ]
    return f" ({'; '.join(differ)})" if differ else ""


def _explain(error: BaseException) -> str:
    """Reason of a failure: the disk's, if it is in the text, or else the text."""
    text = f"{error} {error.__cause__ or error.__context__ or ''}"
    for name, reason in _DISK_ERRORS.items():
        if name.lower() in text.lower():
            return reason
    return textwrap.shorten(str(error) or type(error).__name__, 200)
