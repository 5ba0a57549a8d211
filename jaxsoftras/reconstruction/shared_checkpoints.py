"""Checkpoints of a run of several processes.

The first process reads and writes them; only it needs to see the run folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import numpy as np

from jaxsoftras import config, models
from jaxsoftras.reconstruction import processes, runs

State = TypeVar("State")


class SharedCheckpoints:
    """As `runs.Checkpoints`, for use by all processes at the same time.

    Attributes:
        own: the checkpoints themselves in the first process; None in the others.
    """

    def __init__(self, workdir: Path, keep: int = 3):
        """Opens the checkpoints of a run folder, which the first process has claimed.

        Args:
            workdir: the run folder.
            keep: number of checkpoints to keep, the newest ones.
        """
        self.own = runs.Checkpoints(workdir, keep) if processes.is_first() else None

    def latest(self) -> int | None:
        """Step of the newest checkpoint, verified or not, if there is one."""
        return processes.on_first(lambda: self.own and self.own.latest())

    def newest(self) -> int | None:
        """Step of the newest sound checkpoint; see `runs.Checkpoints.newest`."""
        return processes.on_first(lambda: self.own and self.own.newest())

    def best(self) -> int | None:
        """Step of the best sound checkpoint; see `runs.Checkpoints.best`."""
        return processes.on_first(lambda: self.own and self.own.best())

    def restore(self, like: State, step: int) -> State:
        """Restores a state; see `runs.Checkpoints.restore`."""
        return spread(self.own.read(like, step) if self.own else None, like)

    def save(self, step: int, state: Any) -> None:
        """Starts to write a checkpoint; see `runs.Checkpoints.save`."""
        if processes.count() > 1:
            state = processes.fetch(state)
        if self.own:
            self.own.save(step, state)

    def check(self) -> None:
        """Reports an error of writing in the background, without waiting."""
        if self.own:
            self.own.check()

    def __enter__(self) -> SharedCheckpoints:
        """Returns the checkpoints, which are open already."""
        return self

    def __exit__(self, *error) -> None:
        """Waits until all checkpoints are written; see `runs.Checkpoints`."""
        if self.own:
            self.own.__exit__(*error)


class Loaded(NamedTuple):
    """A checkpoint of a run, as `load` reads it.

    Attributes:
        config: configuration of the run.
        step: number of training steps taken.
        variables: parameters and batch statistics; None but in the first process.
    """

    config: config.Config
    step: int
    variables: models.Variables | None


def load(workdir: Path, step: int | Literal["best"] | None = None) -> Loaded:
    """Loads a network without its optimiser; see `runs.load`."""
    values = None

    def read() -> tuple[config.Config, int]:
        nonlocal values
        trained = runs.load(workdir, step)
        values = jax.device_get(trained.variables)
        return trained.config, trained.step

    return Loaded(*processes.on_first(read), values)


def load_initial(
    settings: config.Config, like: models.Variables
) -> tuple[models.Variables, str]:
    """Loads the variables that a new run begins with; see `runs.load_initial`.

    Args:
        settings: configuration of the new run, with ``init_from``.
        like: variables of its network, on the devices.
    """
    values = None

    def read() -> str:
        nonlocal values
        variables, source = runs.load_initial(settings)
        values = jax.device_get(variables)
        return source

    source = processes.on_first(read)
    return spread(values, runs.abstract(like)), source


def spread(values: State | None, like: State) -> State:
    """Puts arrays of the first process on the devices of all.

    Args:
        values: the arrays; None in other processes.
        like: shapes, dtypes and shardings; see `runs.abstract`.
    """
    known: Any = values
    if values is None:
        known = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), like)
    shardings = jax.tree.map(lambda x: x.sharding, like)
    return processes.place(processes.share(known), shardings)
