"""A list, kept in a folder, of the files that programs wrote there.

A program that writes its results again removes those of before that are no longer among
them, and nothing else: a file counts as written by a program while its checksum is that
in the list. Programs that write to one folder wait for each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from jaxsoftras import atomic, locks

FILE = "files.json"
"""The list: checksums by name of the file."""

_PATIENCE = 60.0  # seconds to wait for another program that writes to a folder


def digest(path: Path) -> str:
    """BLAKE2b checksum of a file, in hexadecimal."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def replace(folder: Path, new: Path) -> list[str]:
    """Replaces the files that programs wrote to a folder, all or none.

    Args:
        folder: the folder, made if needed. Files that no program wrote, or that were
            changed since, stay, unless a new one has their name.
        new: folder of the new files, which are moved; see `atomic.workspace`.

    Returns:
        Names of the files that were removed.

    Raises:
        OSError: a file cannot be written, and the folder is as before; or one of those
            before cannot be removed.
    """
    with _locked(folder):
        names = sorted(path.name for path in new.iterdir())
        before = _read(folder)
        written = {name: digest(new / name) for name in names}
        paths = [folder / name for name in (*names, FILE)]
        with atomic.files(paths) as (*parts, list_):
            for name, part in zip(names, parts, strict=True):
                shutil.move(new / name, part)
            # those to be removed, too, lest they be forgotten if the process ends here
            _write(before | written, list_)
        removed = _remove(folder, before, names)
        with atomic.file(folder / FILE) as partial:
            _write(written, partial)
        return removed


@contextlib.contextmanager
def add(folder: Path, name: str) -> Iterator[Path]:
    """Writes a file as `atomic.file` does, and adds it to the list.

    Args:
        folder: the folder, made if needed.
        name: name of the file.

    Yields:
        The temporary path to write to.
    """
    paths = [folder / name, folder / FILE]
    with _locked(folder), atomic.files(paths) as (partial, list_):
        yield partial
        _write(_read(folder) | {name: digest(partial)}, list_)


def find_others(folder: Path) -> list[str]:
    """Names of the files in a folder that no program wrote, or that were changed since.

    Hidden files and sub-folders are passed over.
    """
    listed = _read(folder)
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.name != FILE
        and not _is_written(path, listed)
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Makes other programs wait that write to a folder, where there are locks.

    It goes on after `_PATIENCE` seconds, lest a stopped program stop all others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        end = time.monotonic() + _PATIENCE
        # a file system without locks, or Windows, where no folder can be opened
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            while not _acquire(descriptor) and time.monotonic() < end:
                time.sleep(0.02)
        yield


def _acquire(descriptor: int) -> bool:
    try:
        locks.acquire(descriptor)
    except BlockingIOError:
        return False
    return True


def _is_written(path: Path, listed: Mapping[str, str]) -> bool:
    # what is not listed is not read: it may be of any size
    return path.name in listed and listed[path.name] == digest(path)


def _remove(folder: Path, before: Mapping[str, str], names: list[str]) -> list[str]:
    """Removes the unchanged files of a list, but those of some names."""
    # a file system may take two names for one
    kept = [(folder / name).stat() for name in names]
    places = {(found.st_dev, found.st_ino) for found in kept}
    removed = []
    for name in sorted(set(before) - set(names)):
        path = folder / name
        # methods of `Path` fail for a name that is too long
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        if not _is_written(path, before):
            continue
        found = path.stat()
        if (found.st_dev, found.st_ino) not in places:
            path.unlink()
            removed.append(name)
    return removed


def _read(folder: Path) -> dict[str, str]:
    """Reads the list; empty if there is none, or it is damaged."""
    try:
        content = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: text for name, text in content.items() if _is_entry(name, text)}


def _is_entry(name: str, checksum: object) -> bool:
    """Whether an entry is of a file in the folder itself."""
    plain = name == Path(name).name and "\0" not in name and name != FILE
    return plain and not name.startswith(".") and isinstance(checksum, str)


def _write(listed: Mapping[str, str], path: Path) -> None:
    path.write_text(json.dumps(listed, indent=1) + "\n", encoding="ascii")
