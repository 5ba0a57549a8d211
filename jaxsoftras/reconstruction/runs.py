"""Run folders: the configuration, and checkpoints that are complete or absent.

A run folder holds ``config.json``, ``checkpoints/<step>/``, ``tensorboard/`` and, once
evaluated, ``eval/<split>/``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import orbax.checkpoint as ocp

from jaxsoftras import config

State = TypeVar("State")


class RunError(RuntimeError):
    """A run folder cannot be used; the message says why and what to do."""


def open_run(workdir: Path, settings: config.Config) -> None:
    """Makes a run folder, or checks that an existing one belongs to the same run.

    Args:
        workdir: the folder.
        settings: configuration of the run.

    Raises:
        RunError: the folder holds a run of another configuration, or other files.
    """
    path = workdir / "config.json"
    if path.is_file():
        conflicts = config.conflicts(config.read(path), settings)
        if conflicts:
            raise RunError(
                f"{workdir} holds a run of another configuration "
                f"({'; '.join(conflicts)}); choose another --workdir."
            )
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise RunError(
            f"{workdir} exists and is not a run folder; choose another --workdir."
        )
    workdir.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    config.save(settings, fresh)
    fresh.replace(path)


def read_config(workdir: Path) -> config.Config:
    """The configuration of a run.

    Raises:
        RunError: not a run folder.
    """
    path = workdir / "config.json"
    if not path.is_file():
        raise RunError(f"{workdir} is not a run folder: it holds no config.json.")
    return config.read(path)


class Checkpoints:
    """The checkpoints of a run, each written to the side and then renamed.

    Use as a context manager: leaving it waits until all is written.
    """

    def __init__(self, workdir: Path, keep: int = 3):
        """Opens the checkpoints of a run folder, keeping the newest ones."""
        # orbax, which logs through absl, reports every save at length
        logging.getLogger("absl").setLevel(logging.ERROR)
        self._folder = workdir / "checkpoints"
        self._manager = ocp.CheckpointManager(
            self._folder.absolute(),
            options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True),
        )

    def latest(self) -> int | None:
        """Step of the newest checkpoint, if any."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Starts to write a checkpoint in the background; one that exists stays."""
        if step != self.latest():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, like: State, step: int | None = None) -> State:
        """Reads a checkpoint.

        Args:
            like: a state of the same structure, abstract or not; shardings are kept.
            step: which one; the newest if None.

        Returns:
            The state.

        Raises:
            RunError: there is no such checkpoint, or it is damaged.
        """
        step = self.latest() if step is None else step
        if step is None or step not in self._manager.all_steps():
            wanted = "checkpoint" if step is None else f"checkpoint of step {step}"
            raise RunError(
                f"There is no {wanted} in {self._folder}; run train.py first."
            )
        try:
            restored = self._manager.restore(step, args=ocp.args.StandardRestore(like))
        except Exception as error:
            folder = self._folder / str(step)
            raise RunError(
                f"The checkpoint {folder} is damaged or of another version "
                f"({str(error).splitlines()[0]}); remove that folder to go on from an "
                "earlier one."
            ) from error
        return cast(State, restored)

    def __enter__(self) -> Checkpoints:
        """Nothing to do: the checkpoints are open."""
        return self

    def __exit__(self, *_) -> None:
        """Waits until all is written, also when the run has failed."""
        self._manager.wait_until_finished()
        self._manager.close()


def abstract(state: State, sharding: jax.sharding.Sharding) -> State:
    """Shapes, dtypes and a sharding in place of the arrays of a state."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), state
    )
