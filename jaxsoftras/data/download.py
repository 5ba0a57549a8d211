"""Downloads the ShapeNet renderings of the original Soft Rasterizer work.

The archive has about 3 GB, so an interrupted download must be resumable. Pooch, the
usual library for such files, starts again from the beginning; hence the code here.
"""

from __future__ import annotations

import contextlib
import hashlib
import http
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from jaxsoftras.data import archives
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
    archive = out / f"{FOLDER}.zip.part"
    fetch(archive, url=url, md5=md5, progress=progress)
    archives.unpack(archive, target)
    archive.unlink()
    return target


def fetch(
    archive: Path,
    *,
    url: str = URL,
    md5: str = MD5,
    progress: Progress | None = None,
) -> None:
    """Fetches and checks the archive; the next call resumes an interrupted download.

    Args:
        archive: where to put it; its folder is made if needed.
        url: address of the archive.
        md5: checksum of the archive.
        progress: as for `download`.

    Raises:
        ConnectionError: the server cannot be reached, refuses, or breaks off.
        OSError: not enough free space, or a folder that cannot be written to.
        ValueError: a wrong checksum; the file has been deleted.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    _fetch(url, archive, progress)
    found = find_md5(archive)
    if found != md5:
        archive.unlink()
        raise ValueError(
            f"The file from {url} has the MD5 checksum {found}, not {md5}; it was "
            "deleted: try again."
        )


def find_md5(path: Path, progress: Progress | None = None) -> str:
    """Computes the MD5 checksum of a file, in hexadecimal digits.

    Args:
        path: the file.
        progress: called with the numbers of bytes read and to read.

    Example:
        >>> import pathlib, tempfile
        >>> from jaxsoftras.data import download
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "a")
        >>> _ = path.write_text("text")
        >>> download.find_md5(path)
        '1cb251ec0d568de6a929b520c4aed8d1'
        >>> folder.cleanup()
    """
    total, done = path.stat().st_size, 0
    sums = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sums.update(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
    return sums.hexdigest()


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
        archives.check_space(path.parent, length)
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
