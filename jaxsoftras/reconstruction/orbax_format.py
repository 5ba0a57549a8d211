"""Orbax's format of a state: a folder that is written and read without its log."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import numpy as np

State = TypeVar("State")

SKIP = ...
"""In place of an array that is not to be read: `orbax.checkpoint.PLACEHOLDER`."""

_READS_IN_FLIGHT = 0.5  # how long they may take to end after one has failed, seconds
_lock = threading.Lock()
_within = 0  # scopes of all threads
_before = (logging.NOTSET, sys.unraisablehook)


def write(folder: Path, state: Any) -> None:
    """Writes a pytree of NumPy arrays to a new folder."""
    ocp = _import_orbax()
    with _quiet(), _plain(folder.parent) as parent:
        checkpointer = _make_checkpointer()
        checkpointer.save(parent / folder.name, args=ocp.args.PyTreeSave(state))


def read_structure(folder: Path) -> Any:
    """Reads the structure of a saved state, with shapes and dtypes for arrays."""
    ocp = _import_orbax()
    with _quiet(), _plain(folder) as path:
        return ocp.PyTreeCheckpointHandler().metadata(cast(Any, path)).tree


def read(folder: Path, like: State) -> State:
    """Reads a state as NumPy arrays, whatever devices it was saved from.

    Args:
        folder: what `write` has written.
        like: state of the same structure; its arrays may be `SKIP`.
    """
    ocp = _import_orbax()
    restore = ocp.RestoreArgs(restore_type=np.ndarray)
    arguments = ocp.args.PyTreeRestore(
        like, restore_args=jax.tree.map(lambda _: restore, like)
    )
    with _quiet(), _plain(folder) as path:
        checkpointer = _make_checkpointer()
        return cast(State, checkpointer.restore(path, args=arguments))


def _make_checkpointer() -> Any:
    """Makes a checkpointer for this process, which waits for no other one."""
    ocp = _import_orbax()
    alone = ocp.options.MultiprocessingOptions()
    if jax.distributed.is_initialized():
        this = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(
            primary_host=this,
            active_processes={this},
            barrier_sync_key_prefix=f"process-{this}",
        )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def describe(state: Any) -> Any:
    """Arranges a state as `read_structure` does."""
    return _import_orbax().tree.serialize_tree(state)


def _import_orbax() -> Any:
    import orbax.checkpoint  # takes a second, in the thread that saves

    return orbax.checkpoint


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """Yields a path to a folder that Orbax can work with.

    Orbax takes brackets for a pattern, and encodes names as UTF-8 in any locale. Such
    a folder is reached by a symbolic link in the folder for temporary files.
    """
    folder = folder.absolute()
    # on Windows a path begins with a drive such as C:
    if re.fullmatch(r"([A-Z]:)?[\w/. -]*", folder.as_posix(), re.ASCII):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="jaxsoftras-") as place:
        link = Path(place) / "folder"
        link.symlink_to(folder, target_is_directory=True)
        yield link


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences Orbax within a scope, except for the errors that it raises.

    Its warnings go to the logger of absl. When one of many reads fails, Orbax closes
    its event loop, and each read still in flight then fails in a thread, which Python
    reports through `sys.unraisablehook`.
    """
    _enter()
    try:
        yield
    except Exception:
        time.sleep(_READS_IN_FLIGHT)
        raise
    finally:
        _leave()


def _enter() -> None:
    global _within, _before
    with _lock:
        _within += 1
        if _within == 1:
            logger = logging.getLogger("absl")
            _before = logger.level, sys.unraisablehook
            logger.setLevel(logging.ERROR)
            sys.unraisablehook = _report


def _leave() -> None:
    global _within
    with _lock:
        _within -= 1
        if _within == 0:
            level, sys.unraisablehook = _before
            logging.getLogger("absl").setLevel(level)


def _report(unraisable: sys.UnraisableHookArgs) -> None:
    if str(unraisable.exc_value) != "Event loop is closed":
        _before[1](unraisable)
