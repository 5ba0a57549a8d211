"""The file of trials that processes share, and locks that end with their process."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import (
    BaseJournalBackend,
    JournalFileBackend,
    JournalFileOpenLock,
)

from jaxsoftras import atomic, locks

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}
_WAIT = 0.01  # seconds between two looks at a lock


class Lock:
    """A lock on a file that one of several processes holds, until it ends at most."""

    def __init__(self, path: Path):
        """Makes a lock that is not held.

        Args:
            path: the file, which is made when it is needed.
        """
        self._path = path

    @contextlib.contextmanager
    def hold(self) -> Iterator[bool]:
        """Holds the lock within a scope, once nobody else does.

        Yields:
            Whether the lock is held; False, with a warning, where the file system has
            no locks.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield self._wait(descriptor)
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Whether a process holds the lock; where nobody can know, True."""
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            locks.acquire(descriptor)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)

    def _wait(self, descriptor: int) -> bool:
        while True:
            try:
                locks.acquire(descriptor)
                return True
            except BlockingIOError:
                time.sleep(_WAIT)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                warnings.warn(
                    f"The file system of {self._path.parent} has no locks "
                    f"({error.strerror}): let one process alone search there.",
                    stacklevel=4,
                )
                return False


class Journal(BaseJournalBackend):
    """Optuna's journal file, which stays readable when a process is killed.

    Optuna's own lock outlives a process that is killed while it writes by half a
    minute, and a torn line keeps everybody from reading what is written after it.
    """

    def __init__(self, path: Path):
        """Opens a journal; it is made if it does not exist."""
        self._path = path
        self._inner = path.with_name(f".{path.name}.optuna")  # and ".lock"
        self._lock = Lock(path.with_name(f".{path.name}.lock"))
        self._file = JournalFileBackend(
            str(path), JournalFileOpenLock(str(self._inner))
        )

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Reads entries; see optuna."""
        return self._file.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends entries; see optuna."""
        with self._lock.hold() as held, atomic.naming(self._path):
            if held:  # whoever else left these has been killed
                Path(f"{self._inner}.lock").unlink(missing_ok=True)
                _remove_torn_line(self._path)
            self._file.append_logs(logs)


def _remove_torn_line(path: Path) -> None:
    """Cuts off what follows the last line break of a file."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        if not end:
            return
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
