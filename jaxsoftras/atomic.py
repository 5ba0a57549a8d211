"""Files and folders that appear whole or not at all.

Everything is written under a hidden temporary name in the folder of its destination,
hence on the same file system, and renamed when it is complete. A reader sees the old
content or the new one. Nothing is flushed to the disk on purpose: the promise covers
errors, interruptions and concurrent writers, not power failures. What a process that
was killed leaves of a folder is removed when the same folder is next written.

Symbolic links are followed, as by ``open``: the file or folder a link points to is
replaced, and the link stays.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jaxsoftras import locks

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS)
_YOUNG = 60.0  # seconds in which a new folder may not be locked yet


@contextlib.contextmanager
def file(path: str | Path) -> Iterator[Path]:
    """Writes a file under a temporary name and renames it if the block succeeds.

    After an error in the block, the old file, if any, is unchanged. A replaced file
    hands on its permissions.

    Args:
        path: destination; its folder is made if needed.

    Yields:
        The temporary path to write to. It has the suffix of ``path``, which some
        writers take the format from.

    Raises:
        OSError: the folder cannot be made or written to, or ``path`` is a folder.
    """
    with files([path]) as (partial,):
        yield partial


@contextlib.contextmanager
def files(paths: Iterable[str | Path]) -> Iterator[list[Path]]:
    """Writes files that belong together, all or none, as `file` writes one.

    They are renamed in the given order, so list a file after those that it refers to.
    If one cannot be renamed, those before it get their old content back.

    Args:
        paths: destinations; their folders are made if needed.

    Yields:
        The temporary path of each destination, in the same order.

    Raises:
        OSError: a folder cannot be made or written to, or a path is a folder.
    """
    destinations = [Path(path).resolve() for path in paths]
    partials = [_temporary_sibling(path, "partial") for path in destinations]
    for path, partial in zip(destinations, partials, strict=True):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "A folder has that name", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_writable(path, partial)
    try:
        with naming(destinations[0]):
            yield partials
        for path, partial in zip(destinations, partials, strict=True):
            if path.exists():
                shutil.copymode(path, partial)
        _replace_files(partials, destinations)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def folder(path: str | Path, *, last: str = "") -> Iterator[Path]:
    """Fills a folder under a temporary name and renames it if the block succeeds.

    An old folder at the destination is deleted only when the new one has taken its
    place; after an error in the block it is unchanged.

    A mount point cannot be renamed. An empty one is filled in place: a folder within it
    is, and its entries are then moved up one by one.

    Args:
        path: destination; its parent is made if needed.
        last: name of the entry that is moved last then, and so tells that the others
            are complete.

    Yields:
        An empty folder to fill.

    Raises:
        OSError: the parent cannot be made or written to, or ``path`` is a file, or a
            mount point that is not empty.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "A file has that name", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    in_place = path.is_dir() and not _can_be_replaced(path)
    sibling = path / path.name if in_place else path
    with _locked_folder(sibling, path) as partial:
        yield partial
        if in_place:
            for entry in sorted(
                partial.iterdir(), key=lambda entry: entry.name == last
            ):
                os.replace(entry, path / entry.name)
        else:
            _replace_folder(partial, path)


@contextlib.contextmanager
def workspace(path: str | Path) -> Iterator[Path]:
    """Makes a hidden folder beside a destination, and deletes it at the end.

    It is for files that the destination is made from.

    Args:
        path: the destination; its parent is made if needed.

    Yields:
        An empty folder on the same disk.

    Raises:
        OSError: the parent cannot be made or written to.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    with _locked_folder(path, path) as partial:
        yield partial


@contextlib.contextmanager
def _locked_folder(sibling: Path, path: Path) -> Iterator[Path]:
    """Makes a hidden folder beside a path, for a destination that errors name.

    Its lock tells other processes that it is no leftover.
    """
    partial, new = (_temporary_sibling(sibling, word) for word in ("partial", "new"))
    _check_writable(path, partial)
    new.mkdir()
    descriptor = lock(new)
    try:
        os.rename(new, partial)  # a leftover, to others, unless it is locked
        with naming(path):
            yield partial
    finally:
        for rest in (new, partial):
            shutil.rmtree(rest, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Names a file in errors of the disk that name none, within a scope.

    Those of writing to an open file do not.

    Args:
        path: the file or folder.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _DISK_ERRORS:
            error.filename = str(path)
        raise


def remove_leftovers(path: Path) -> None:
    """Removes what dead processes left when they wrote a folder.

    If one died between moving the old folder aside and renaming the new one, the old
    one is put back.

    Args:
        path: the folder that they wrote.
    """
    for purpose in ("replaced", "partial", "new"):
        pattern = f".{glob.escape(path.name)}.{purpose}-*"
        for leftover in [*path.parent.glob(pattern), *path.glob(pattern)]:
            if purpose == "new" and _is_young(leftover):
                continue
            descriptor = lock(leftover) if leftover.is_dir() else None
            if descriptor is None:  # somebody else holds the lock
                continue
            if purpose == "replaced" and not path.exists():
                os.replace(leftover, path)
            else:
                shutil.rmtree(leftover, ignore_errors=True)
            os.close(descriptor)


def _is_young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _YOUNG
    except FileNotFoundError:
        return True


def list_names(path: Path) -> set[str]:
    """Lists the entries of a folder that somebody put there.

    That excludes what dead processes left, which is removed, and the ``lost+found`` of
    a mounted disk.

    Args:
        path: the folder.
    """
    remove_leftovers(path)
    return {entry.name for entry in path.iterdir()} - {"lost+found"}


def lock(path: Path) -> int | None:
    """Locks a folder for the life of the process, or until the descriptor is closed.

    Returns:
        The descriptor; None if another process holds the lock, or where there are no
        locks.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)  # fails on Windows
    except OSError:
        return None
    try:
        locks.acquire(descriptor)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _can_be_replaced(path: Path) -> bool:
    """Whether an existing folder can be replaced by another.

    Raises:
        OSError: it can neither be replaced nor be filled in place.
    """
    if list_names(path):
        if path.is_mount():
            raise OSError(
                errno.EBUSY,
                "A mount point can be replaced if it is empty; choose a folder in it",
                str(path),
            )
        return True
    trial = _temporary_sibling(path, "partial")
    try:
        trial.mkdir()
        os.replace(trial, path)  # an empty folder by another
    except OSError:
        with contextlib.suppress(OSError):
            trial.rmdir()
        return False
    return True


def _temporary_sibling(path: Path, purpose: str) -> Path:
    """A hidden path in the same folder that no other thread or process uses."""
    return path.with_name(f".{path.name}.{purpose}-{secrets.token_hex(4)}{path.suffix}")


def _check_writable(path: Path, partial: Path) -> None:
    """Fails before the work and not after it, in the name of the destination."""
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace_files(partials: Sequence[Path], destinations: Sequence[Path]) -> None:
    """Renames all files; takes back the renames so far if one fails."""
    replaced = []
    backups = {}
    try:
        for path in destinations[:-1]:  # nothing can fail after the last one
            if path.exists():
                backups[path] = _temporary_sibling(path, "replaced")
                shutil.copy2(path, backups[path])
        for partial, path in zip(partials, destinations, strict=True):
            os.replace(partial, path)
            replaced.append(path)
    except BaseException:
        for path in replaced:
            if path in backups:
                os.replace(backups[path], path)
            else:
                path.unlink()
        raise
    finally:
        for backup in backups.values():
            backup.unlink(missing_ok=True)


def _replace_folder(complete: Path, path: Path) -> None:
    """Renames a folder; moves a folder that is in its way aside, then deletes it."""
    try:
        os.replace(complete, path)
        return
    except OSError:
        if not path.is_dir():
            raise
    replaced, descriptor = _temporary_sibling(path, "replaced"), lock(path)
    try:
        os.replace(path, replaced)
        try:
            os.replace(complete, path)
        except OSError:
            os.replace(replaced, path)
            raise
        _delete(replaced, path)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _delete(replaced: Path, path: Path) -> None:
    """Deletes the folder that another took the place of."""
    try:
        shutil.rmtree(replaced)
    except OSError as error:
        warnings.warn(
            f"{path} is complete, but the folder that it replaces could not be deleted "
            f"and is left at {replaced}: {error}",
            stacklevel=5,
        )
