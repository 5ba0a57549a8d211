"""Downloads the ShapeNet renderings of the original Soft Rasterizer work."""

from __future__ import annotations

import contextlib
import hashlib
import http
import http.client
import shutil
import stat
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

URL = "https://nyc3.digitaloceanspaces.com/publicdata1/mesh_reconstruction_dataset.zip"
MD5 = "cde0353519427992c1183232ebff74e8"
FOLDER = "mesh_reconstruction"
"""The only folder at the top of the archive; it holds the npz files."""

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60


def download(
    out: str | Path,
    *,
    url: str = URL,
    md5: str = MD5,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Fetches, checks and unpacks the archive.

    An interrupted download is resumed by the next call. The data appear complete or not
    at all; if they are there already, nothing is fetched.

    Args:
        out: folder to unpack into, made if needed.
        url: address of the zip archive, which holds the folder `FOLDER`.
        md5: checksum of the archive.
        progress: called with the bytes fetched so far and their total number (0 if the
            server does not tell).

    Returns:
        The folder of npz files, for `jaxsoftras.data.npz.open_npz`.

    Raises:
        ConnectionError: the server cannot be reached, refuses, or breaks off.
        OSError: not enough free space.
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
            f"What {url} sent has the MD5 checksum {found}, not {md5}; it was deleted: "
            "try again."
        )
    _unpack(archive, target)
    archive.unlink()
    return target


def _fetch(
    url: str, path: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Appends to a partly fetched file what is missing, as far as the server allows."""
    done = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url)
    if done:
        request.add_header("Range", f"bytes={done}-")
    with _explain(url):
        try:
            response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return  # all of it is here
                raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0  # the server sends it from the start
        length = int(response.headers.get("Content-Length", 0))
        total = done + length
        _check_space(path.parent, length)
        with path.open("ab" if done else "wb") as file:
            while True:
                with _explain(url):
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
def _explain(url: str) -> Iterator[None]:
    """Turns the many errors of a download into one."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(
            f"Could not download {url} ({error}): try again to resume, or fetch and "
            "unpack it by other means."
        ) from error


def _unpack(archive: Path, target: Path) -> None:
    """Unpacks next to the target, then renames."""
    try:
        with zipfile.ZipFile(archive) as contents:
            for member in contents.infolist():
                path = PurePosixPath(member.filename)
                link = stat.S_ISLNK(member.external_attr >> 16)
                if path.is_absolute() or ".." in path.parts or link:
                    raise ValueError(f"{archive} holds an unsafe path: {path}.")
            _check_space(target.parent, sum(m.file_size for m in contents.infolist()))
            with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
                contents.extractall(temporary)
                unpacked = Path(temporary) / target.name
                if not unpacked.is_dir():
                    raise ValueError(f"{archive} holds no folder {target.name}.")
                unpacked.rename(target)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} is not a sound zip archive ({error}).") from error


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder} has {free / 1e9:.1f} GB of free space, but {needed / 1e9:.1f} "
            "GB are needed."
        )
