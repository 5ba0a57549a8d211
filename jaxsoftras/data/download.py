"""Downloads the ShapeNet renderings of the original Soft Rasterizer work.

The archive has about 3 GB, so an interrupted download must be resumable. Pooch, the
usual library for such files, starts again from the beginning; hence the code here.
"""

from __future__ import annotations

import contextlib
import hashlib
import http
import http.client
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jaxsoftras import atomic
from jaxsoftras.terminal import Progress

URL = "https://nyc3.digitaloceanspaces.com/publicdata1/mesh_reconstruction_dataset.zip"
"""Address of the archive."""

MD5 = "cde0353519427992c1183232ebff74e8"
"""Checksum of the archive."""

FOLDER = "mesh_reconstruction"
"""Folder of the npz files within the archive."""

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60


def download(
    out: str | Path,
    *,
    url: str = URL,
    md5: str = MD5,
    progress: Progress | None = None,
) -> Path:
    """Fetches, checks and unpacks the archive.

    The next call resumes an interrupted download. The folder of npz files appears
    complete or not at all; if it exists already, nothing is fetched.

    Args:
        out: folder to unpack into, made if needed.
        url: address of the zip archive, which holds the folder `FOLDER`.
        md5: checksum of the archive.
        progress: called with the numbers of bytes fetched and to fetch (0 if the server
            does not state it).

    Returns:
        The folder of npz files, the root for `jaxsoftras.data.open_split`.

    Raises:
        ConnectionError: the server cannot be reached, refuses, or breaks off.
        OSError: not enough free space, or a folder that cannot be written to.
        ValueError: a wrong checksum, or an archive with unexpected contents.
    """
    out = Path(out)
    target = out / FOLDER
    if target.exists():
        return target
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{FOLDER}.zip.part"
    _fetch(url, archive, progress)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        archive.unlink()
        raise ValueError(
            f"The file from {url} has the MD5 checksum {found}, not {md5}; it was "
            "deleted: try again."
        )
    _unpack(archive, target)
    archive.unlink()
    return target


def _fetch(url: str, path: Path, progress: Progress | None = None) -> None:
    """Fetches the missing end of a file, or all of it if the server cannot resume."""
    done = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url)
    if done:
        request.add_header("Range", f"bytes={done}-")
    with _explain_errors(url):
        try:
            response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return  # the file is complete
                raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0  # the server starts from the beginning
        length = int(response.headers.get("Content-Length", 0))
        total = done + length
        _check_space(path.parent, length)
        with path.open("ab" if done else "wb") as file:
            while True:
                with _explain_errors(url):
                    chunk = response.read(_CHUNK)
                    if not chunk and length and done < total:
                        raise http.client.IncompleteRead(b"", total - done)
                if not chunk:
                    return
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total if length else 0)


@contextlib.contextmanager
def _explain_errors(url: str) -> Iterator[None]:
    """Turns the many errors of a download into one."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(
            f"Could not download {url} ({error}): try again to resume, or fetch and "
            "unpack it by other means."
        ) from error


def _unpack(archive: Path, target: Path) -> None:
    """Unpacks the folder in the archive that has the target's name."""
    try:
        with zipfile.ZipFile(archive) as contents:
            for member in contents.infolist():
                path = PurePosixPath(member.filename)
                link = stat.S_ISLNK(member.external_attr >> 16)
                if path.is_absolute() or ".." in path.parts or link:
                    raise ValueError(f"{archive} holds an unsafe path: {path}.")
            prefix = f"{target.name}/"
            members = [
                member
                for member in contents.infolist()
                if member.filename.startswith(prefix) and member.filename != prefix
            ]
            if not members:
                raise ValueError(f"{archive} holds no folder {target.name}.")
            _check_space(target.parent, sum(member.file_size for member in members))
            with atomic.folder(target) as folder:
                for member in members:
                    member.filename = member.filename.removeprefix(prefix)
                    contents.extract(member, folder)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} is not a sound zip archive ({error}).") from error


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder} has {free / 1e9:.1f} GB of free space, but {needed / 1e9:.1f} "
            "GB are needed."
        )
