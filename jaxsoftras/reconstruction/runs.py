"""Run folders: the configuration, complete checkpoints, and the trained network.

A run folder holds ``config.json``, ``checkpoints/<step>/``, ``tensorboard/`` and, once
evaluated, ``eval/<split>/``.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxsoftras import config, models, terminal

State = TypeVar("State")

_READS_IN_FLIGHT = 0.5  # how long they may take to end after one has failed, seconds


class RunError(terminal.ProgramError):
    """An unusable run folder; the message says why and what to do."""


class Trained(NamedTuple):
    """A trained network, as `load` restores it.

    Attributes:
        config: configuration of the run.
        network: encoder and decoder, as pure functions of their variables.
        variables: parameters and batch statistics, on the default device.
        step: number of training steps taken.
    """

    config: config.Config
    network: models.Network
    variables: models.Variables
    step: int


def open_run(workdir: Path, settings: config.Config) -> None:
    """Makes a run folder, or checks that an existing one belongs to the same run.

    Args:
        workdir: the run folder.
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
    config.save(settings, path)


def read_config(workdir: Path) -> config.Config:
    """Reads the configuration of a run.

    Raises:
        RunError: not a run folder.
        ConfigError: a damaged configuration.
    """
    path = workdir / "config.json"
    if not path.is_file():
        raise RunError(f"{workdir} is not a run folder: it holds no config.json.")
    return config.read(path)


def load(workdir: str | Path, step: int | None = None) -> Trained:
    """Restores the network of a run, without its optimiser and its data set.

    Args:
        workdir: the run folder; nothing in it changes.
        step: step of the checkpoint; the newest if None.

    Raises:
        RunError: not a run folder, no such checkpoint, or a damaged one.
        ConfigError: a damaged configuration.
    """
    settings = read_config(Path(workdir))
    network = models.Network(settings.model)
    like = abstract(
        jax.eval_shape(network.init, jax.random.key(0)),
        jax.sharding.SingleDeviceSharding(jax.local_devices()[0]),
    )
    with Checkpoints(Path(workdir), read_only=True) as checkpoints:
        step = checkpoints.find(step)
        variables = checkpoints.restore_field("variables", like, step)
    # uncommitted: the arrays may be used together with arrays on any device
    variables = jax.tree.map(jnp.asarray, jax.device_get(variables))
    return Trained(settings, network, variables, step)


@contextlib.contextmanager
def _quiet_orbax() -> Iterator[None]:
    """Silences Orbax within a scope, except for the errors that it raises.

    Its warnings go to the logger of absl. When one of many reads fails, Orbax closes
    its event loop, and each read still in flight then fails in a thread, which Python
    reports through `sys.unraisablehook`.
    """
    logger, hook = logging.getLogger("absl"), sys.unraisablehook
    level = logger.level

    def report(unraisable: sys.UnraisableHookArgs) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            hook(unraisable)

    logger.setLevel(logging.ERROR)
    sys.unraisablehook = report
    try:
        yield
    except Exception:
        time.sleep(_READS_IN_FLIGHT)
        raise
    finally:
        logger.setLevel(level)
        sys.unraisablehook = hook


class Checkpoints:
    """Checkpoints of a run, each written to the side and then renamed.

    Use as a context manager, which waits at the end until all are written.
    """

    def __init__(self, workdir: Path, keep: int = 3, *, read_only: bool = False):
        """Opens the checkpoints of a run folder.

        Args:
            workdir: the run folder.
            keep: number of checkpoints to keep, the newest ones.
            read_only: whether to leave the folder untouched.
        """
        self._folder = workdir / "checkpoints"
        with _quiet_orbax():
            options = (
                ocp.CheckpointManagerOptions(read_only=True)
                if read_only
                else ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
            )
            self._manager = ocp.CheckpointManager(
                self._folder.absolute(),
                options=options,
                item_handlers=ocp.PyTreeCheckpointHandler(),
            )

    def latest(self) -> int | None:
        """Step of the newest checkpoint, if there is one."""
        return self._manager.latest_step()

    def find(self, step: int | None = None) -> int:
        """Step of an existing checkpoint.

        Args:
            step: the wanted step; that of the newest checkpoint if None.

        Raises:
            RunError: there is no such checkpoint.
        """
        found = self.latest() if step is None else step
        if found is None or found not in self._manager.all_steps():
            wanted = "checkpoint" if step is None else f"checkpoint of step {step}"
            raise RunError(f"There is no {wanted} in {self._folder}; train first.")
        return found

    def save(self, step: int, state: Any) -> None:
        """Starts to write a checkpoint in the background, unless it exists."""
        if step != self.latest():
            with _quiet_orbax():
                self._manager.save(step, args=ocp.args.PyTreeSave(state))

    def check(self) -> None:
        """Raises the error of a checkpoint that could not be written, if one did."""
        self._manager.check_for_errors()

    def restore(self, like: State, step: int | None = None) -> State:
        """Restores a state.

        Args:
            like: a state of the same structure whose leaves have shapes, dtypes and
                shardings; see `abstract`.
            step: step of the checkpoint; the newest if None.

        Raises:
            RunError: there is no such checkpoint, it is damaged, or its structure or
                shapes are others.
        """
        step = self.find(step)
        with self._reporting_damage(step):
            _check_shapes(self._read_metadata(step), like)
            return self._restore(like, step)

    def restore_field(self, name: str, like: State, step: int | None = None) -> State:
        """Restores one field of a state and reads no other.

        Args:
            name: name of the field.
            like: see `restore`, but of the field alone.
            step: step of the checkpoint; the newest if None.

        Raises:
            RunError: see `restore`.
        """
        step = self.find(step)
        with self._reporting_damage(step):
            saved = self._read_metadata(step)
            _check_shapes(saved[name], like)
            skipped = jax.tree.map(lambda _: ocp.PLACEHOLDER, saved)
            return self._restore({**skipped, name: like}, step)[name]

    def _read_metadata(self, step: int) -> Any:
        """Reads the saved state's structure, with shapes in place of arrays."""
        with _quiet_orbax():
            metadata = self._manager.item_metadata(step)
        if metadata is None:
            raise ValueError("it has no metadata")
        return metadata.tree

    def _restore(self, like: State, step: int) -> State:
        arguments = ocp.args.PyTreeRestore(
            like, restore_args=ocp.checkpoint_utils.construct_restore_args(like)
        )
        with _quiet_orbax():
            return cast(State, self._manager.restore(step, args=arguments))

    @contextlib.contextmanager
    def _reporting_damage(self, step: int) -> Iterator[None]:
        """Turns any error of reading a checkpoint into one clear sentence."""
        try:
            yield
        except Exception as error:
            reason = textwrap.shorten(str(error) or type(error).__name__, 200)
            raise RunError(
                f"The checkpoint {self._folder / str(step)} is damaged or of another "
                f"version ({reason}); remove that folder to use an earlier one."
            ) from error

    def __enter__(self) -> Checkpoints:
        """Returns the checkpoints, which are open already."""
        return self

    def __exit__(self, *_) -> None:
        """Waits until all checkpoints are written, also when the run has failed."""
        with _quiet_orbax():
            self._manager.wait_until_finished()
            self._manager.close()


def _check_shapes(saved: Any, like: Any) -> None:
    """Raises ValueError if a saved state has other leaves or shapes than wanted."""

    def list_shapes(tree: Any) -> dict[str, tuple[int, ...]]:
        leaves, _ = jax.tree.flatten_with_path(tree)
        return {jax.tree_util.keystr(path): tuple(x.shape) for path, x in leaves}

    there, here = list_shapes(saved), list_shapes(ocp.tree.serialize_tree(like))
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            raise ValueError(
                f"{name} is {there.get(name, 'absent')} there and "
                f"{here.get(name, 'absent')} here"
            )


def abstract(state: State, sharding: jax.sharding.Sharding) -> State:
    """Replaces the arrays of a state by their shapes, dtypes and a sharding."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), state
    )
