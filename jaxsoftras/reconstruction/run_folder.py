"""Run folders: whose they are, the lock on them, and their configuration.

A run folder holds ``config.json``, ``environment.jsonl`` (see
`jaxsoftras.reconstruction.provenance`), ``checkpoints/``, ``tensorboard/`` and, once
evaluated, ``eval/<split>/``. Nothing is written before it is certain that the run can
go on, except for the lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import socket
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from jaxsoftras import atomic, config, locks, terminal
from jaxsoftras.reconstruction import checkpoint_files, provenance

CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
CONFIG = "config.json"
"""File of the configuration in a run folder."""
_LOCK = ".lock"
_TRIES = 10  # to lock a file that a process before has removed meanwhile
# of a first start that failed, here and in earlier versions
_LEFTOVER = re.compile(r"\.config\.json\.partial-[0-9a-f]{8}\.json|config\.tmp")
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


class RunError(terminal.ProgramError):
    """An unusable run folder; the message says why and what to do."""


def read_config(workdir: Path) -> config.Config:
    """Reads the configuration of a run.

    Raises:
        RunError: not a run folder.
        ConfigError: a damaged configuration, or the name of one in place of a folder.
    """
    path = workdir / CONFIG
    if not path.is_file():
        config.refuse_name(workdir)
        raise RunError(f"{workdir} is not a run folder: it holds no {CONFIG}.")
    return config.read(path)


def choose_config(
    workdir: Path, file: str | Path | None, overrides: Sequence[str] = ()
) -> config.Config:
    """Finds the configuration to start or resume a run with; see `check`.

    Args:
        workdir: the run folder, which need not exist.
        file: configuration file, or its name. A run that has checkpoints adds the
            overrides of its earlier starts. None takes the configuration of the run.
        overrides: assignments such as ``optim.steps=500``.

    Raises:
        RunError: there is neither a file nor a run.
        ConfigError: see `config.load` and `config.read`.
    """
    if file is not None:
        earlier = provenance.read_overrides(workdir) if _has_begun(workdir) else []
        return config.load(file, [*earlier, *overrides])
    if not (workdir / CONFIG).is_file():
        if config.is_name(workdir):
            raise RunError(f"{workdir} is a configuration: write --config {workdir}.")
        raise RunError(
            f"{workdir} holds no run to resume; start one with --config NAME."
        )
    return config.override(read_config(workdir), overrides)


@contextlib.contextmanager
def claim(workdir: Path, option: str = "--workdir") -> Iterator[None]:
    """Locks a run folder within a scope, and makes it if needed.

    The operating system releases the lock at any end of the process. If the folder is
    empty at the end of the scope, it is removed.

    Args:
        workdir: the run folder.
        option: the program's option that names it, for error messages.

    Raises:
        RunError: another process holds the lock, or the folder is of something else.
        OSError: the folder cannot be made or written to.
    """
    _refuse_other_folders(workdir, option)
    workdir.mkdir(parents=True, exist_ok=True)
    for name in (_LOCK, CONFIG, provenance.FILE, METRICS):
        if (path := workdir / name).exists() and not path.is_file():
            raise RunError(f"{path} is not a regular file: move it away.")
    descriptor = _open_lock(workdir, option)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if [path.name for path in workdir.iterdir()] == [_LOCK]:
                (workdir / _LOCK).unlink()
                workdir.rmdir()
        os.close(descriptor)


def check(workdir: Path, settings: config.Config) -> config.Config:
    """Checks that a run folder belongs to a run, and writes nothing.

    A run without a checkpoint has nothing to lose, and may be started anew with any
    configuration.

    Args:
        workdir: the run folder.
        settings: configuration of the run.

    Returns:
        The configuration; ``init_from`` is that of the existing run.

    Raises:
        RunError: the folder holds a run of another configuration, or other files.
        ConfigError: the folder holds checkpoints, and a damaged configuration.
    """
    _refuse_other_folders(workdir)
    begun = _has_begun(workdir)
    try:
        saved = read_config(workdir)
    except (RunError, config.ConfigError):
        if begun:
            raise
        return settings
    if _same_source(saved.init_from, settings.init_from):
        settings = dataclasses.replace(settings, init_from=saved.init_from)
    conflicts = "; ".join(config.conflicts(saved, settings))
    if conflicts and begun:
        raise RunError(
            f"{workdir} holds a run of another configuration ({conflicts}); leave "
            "these fields as they are there, or choose another --workdir."
        )
    if conflicts:
        warnings.warn(
            f"The run in {workdir} has no checkpoint and starts anew, with another "
            f"configuration ({conflicts}).",
            stacklevel=2,
        )
    return settings


def record(
    workdir: Path, settings: config.Config, step: int, overrides: Sequence[str] = ()
) -> None:
    """Writes the configuration and a line on this start to a claimed run folder.

    Args:
        workdir: the run folder.
        settings: configuration of the run.
        step: number of steps taken before.
        overrides: assignments that the user made; see `choose_config`.
    """
    for path in list(workdir.iterdir()):
        if _LEFTOVER.fullmatch(path.name):
            path.unlink()
    config.save(settings, workdir / CONFIG)
    if not step:  # of attempts without a checkpoint
        (workdir / provenance.FILE).unlink(missing_ok=True)
    provenance.record_start(workdir, step=step, seed=settings.seed, overrides=overrides)


def split_source(init_from: str) -> tuple[Path, int | Literal["best"] | None]:
    """Splits ``RUN``, ``RUN:STEP`` or ``RUN:best`` into the run folder and the step."""
    run, _, step = init_from.rpartition(":")
    if run and not (Path(init_from) / CONFIG).is_file():
        if step == "best":
            return Path(run), step
        if step.isdecimal():
            return Path(run), int(step)
    return Path(init_from), None


def _same_source(saved: str, given: str) -> bool:
    """Whether two values of ``init_from`` are the same, the step if it is a number."""
    if not saved or not given:
        return False
    (there, old), (here, new) = split_source(saved), split_source(given)
    return there.resolve() == here.resolve() and new in (None, "best", old)


def _has_begun(workdir: Path) -> bool:
    """Whether a run has checkpoints, sound or damaged."""
    folder = workdir / CHECKPOINTS
    return bool(
        checkpoint_files.list_steps(folder) or checkpoint_files.list_damaged(folder)
    )


def _refuse_other_folders(workdir: Path, option: str = "--workdir") -> None:
    if not workdir.exists() or (workdir / CONFIG).is_file():
        return
    if not workdir.is_dir():
        raise RunError(f"{workdir} is not a folder; choose another {option}.")
    if _has_begun(workdir):
        raise RunError(
            f"{workdir} holds checkpoints but no {CONFIG}; put that file back, or "
            f"choose another {option}."
        )
    ours = {_LOCK, CHECKPOINTS, provenance.FILE, "lost+found"}  # the last of a disk
    if any(
        path.name not in ours and not _LEFTOVER.fullmatch(path.name)
        for path in workdir.iterdir()
    ):
        raise RunError(
            f"{workdir} exists and is not a run folder; choose another {option}."
        )


def _open_lock(workdir: Path, option: str) -> int:
    """Locks a folder; the descriptor holds the lock until it is closed."""
    path = workdir / _LOCK
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, workdir, option)
            # the process that held the lock before may have removed the file
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                holder = f"{os.getpid()} {socket.gethostname()}\n"
                with atomic.naming(path):
                    os.truncate(descriptor, 0)
                    os.write(descriptor, holder.encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise RunError(f"{workdir} cannot be locked: others make and remove {path}.")


def _lock(descriptor: int, workdir: Path, option: str) -> None:
    try:
        locks.acquire(descriptor)
    except BlockingIOError:
        holder = re.match(r"(\d+) (.+)", os.read(descriptor, 1000).decode())
        process = "another process"
        if holder:
            process = f"process {holder[1]} on {holder[2]}"
        raise RunError(
            f"{workdir} is in use: {process} writes to it; wait for its end or stop "
            f"it, or choose another {option}."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"The file system of {workdir} has no locks ({error.strerror}): take care "
            "that no other process writes to it.",
            stacklevel=5,
        )
