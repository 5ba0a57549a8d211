"""Unpacks zip archives from elsewhere, which may be damaged or malicious."""

from __future__ import annotations

import collections
import contextlib
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jaxsoftras import atomic
from jaxsoftras.terminal import Progress

_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # a bit of a member's flags


def unpack(
    archive: Path,
    target: Path,
    *,
    wanted: str = ".*",
    most: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Unpacks the folder in a zip archive that has the target's name.

    The target appears complete or not at all, and nothing is written elsewhere.

    Args:
        archive: the file.
        target: the folder to make.
        wanted: regular expression of the paths within the folder that are unpacked.
        most: largest size of a file, bytes.
        progress: called with the numbers of bytes unpacked and to unpack.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: not enough free space.
        ValueError: the archive is damaged, has no such folder, or holds what no sound
            archive holds: a path that leads out of it, a link, one name twice, a file
            that is encrypted or declares to be larger than ``most``.

    Example:
        >>> import pathlib, tempfile, zipfile
        >>> from jaxsoftras.data import archives
        >>> folder = tempfile.TemporaryDirectory()
        >>> root = pathlib.Path(folder.name)
        >>> with zipfile.ZipFile(root / "a.zip", "w") as file:
        ...     file.writestr("set/a.txt", "text")
        >>> archives.unpack(root / "a.zip", root / "set")
        >>> (root / "set" / "a.txt").read_text()
        'text'
        >>> folder.cleanup()
    """
    if not archive.is_file():
        raise FileNotFoundError(f"There is no file {archive}.")
    prefix = f"{target.name}/"
    with _explain_damage(archive), zipfile.ZipFile(archive) as contents:
        _check_names(archive, contents)
        members = {
            name: member
            for member in contents.infolist()
            if not member.is_dir()
            and member.filename.startswith(prefix)
            and re.fullmatch(wanted, name := member.filename.removeprefix(prefix))
        }
        if not members:
            raise ValueError(f"{archive} holds no folder {target.name} with files.")
        for member in members.values():
            _check_member(archive, member, most)
        total = sum(member.file_size for member in members.values())
        check_space(target.parent, total)
        done = 0
        with atomic.folder(target) as folder:
            for name, member in members.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with contents.open(member) as source, path.open("xb") as file:
                    while chunk := source.read(_CHUNK):
                        file.write(chunk)
                        done += len(chunk)
                        if progress:
                            progress(done, total)


def check_space(folder: Path, needed: int) -> None:
    """Raises OSError unless a folder's disk has so many bytes of free space."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder} has {free / 1e9:.1f} GB of free space, but {needed / 1e9:.1f} "
            "GB are needed."
        )


def _check_names(archive: Path, contents: zipfile.ZipFile) -> None:
    counts = collections.Counter(contents.namelist())
    for member in contents.infolist():
        path = PurePosixPath(member.filename)
        link = stat.S_ISLNK(member.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in str(path) or link:
            raise ValueError(f"{archive} holds an unsafe path: {path}.")
        if counts[member.filename] > 1:
            raise ValueError(
                f"{archive} holds {path} {counts[member.filename]} times, and cannot "
                "say which is right."
            )


def _check_member(archive: Path, member: zipfile.ZipInfo, most: int | None) -> None:
    name, size = member.filename, member.file_size
    if most is not None and size > most:
        raise ValueError(
            f"{archive} declares {size / 1e9:.1f} GB for {name}; such files have "
            f"{most / 1e9:.1f} GB at most."
        )
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise ValueError(f"{archive} holds {name} encrypted, or not as deflate does.")


@contextlib.contextmanager
def _explain_damage(archive: Path) -> Iterator[None]:
    """Turns the errors of zipfile for damaged files into one."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(
            f"{archive} is not a sound zip archive ({error}): fetch it again."
        ) from error
