"""Locks on open files that end with the process, on any system."""

from __future__ import annotations

import errno
import os

_FAR = 2**30  # on Windows nobody can read a byte that is locked: one that is not there


def acquire(descriptor: int) -> None:
    """Locks an open file for this descriptor, without waiting.

    The operating system releases the lock when the descriptor is closed, or at the end
    of the process.

    Args:
        descriptor: of a file or, but for Windows, a folder.

    Raises:
        BlockingIOError: another descriptor, of this process or another one, has it.
        OSError: the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        _acquire_on_windows(descriptor)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _acquire_on_windows(descriptor: int) -> None:
    import msvcrt

    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(  # pyright: ignore[reportAttributeAccessIssue]
            descriptor,
            msvcrt.LK_NBLCK,  # pyright: ignore[reportAttributeAccessIssue]
            1,
        )
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(error.errno, error.strerror) from None
        raise
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)
