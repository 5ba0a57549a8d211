"""Downloads from a local server."""

from __future__ import annotations

import hashlib
import http.server
import io
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxsoftras.data.download import download

CONTENT = bytes(range(256)) * 400


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


SOUND = archive(**{"mesh_reconstruction/a_train_images.npz": CONTENT})


class Server:
    """Sends a body and records the requested ranges."""

    def __init__(self) -> None:
        self.body = SOUND
        self.ranges: list[str | None] = []
        self.understands_ranges = True
        self.breaks_off_after: int | None = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers["Range"]
                outer.ranges.append(asked)
                start = 0
                if asked and outer.understands_ranges:
                    start = int(asked.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(outer.body):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                body = outer.body[start:]
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: outer.breaks_off_after])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/data.zip"

    def fetch(self, out: Path, md5: str | None = None, progress=None) -> Path:
        md5 = md5 or hashlib.md5(self.body).hexdigest()
        return download(out, url=self.url, md5=md5, progress=progress)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_download_and_unpack(server, tmp_path):
    steps = []
    folder = server.fetch(
        tmp_path / "new", progress=lambda done, total: steps.append((done, total))
    )
    assert folder == tmp_path / "new" / "mesh_reconstruction"
    assert (folder / "a_train_images.npz").read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["mesh_reconstruction"]
    assert steps[-1] == (len(SOUND), len(SOUND))
    assert server.fetch(tmp_path / "new") == folder
    assert server.ranges == [None]  # the second call fetches nothing


@pytest.mark.parametrize("understands_ranges", [True, False])
def test_resume(server, tmp_path, understands_ranges):
    server.understands_ranges = understands_ranges
    server.breaks_off_after = 50_000
    with pytest.raises(ConnectionError, match="try again to resume"):
        server.fetch(tmp_path)
    assert names(tmp_path) == ["mesh_reconstruction.zip.part"]
    server.breaks_off_after = None
    assert (server.fetch(tmp_path) / "a_train_images.npz").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=50000-"]


def test_resume_when_only_unpacking_is_left(server, tmp_path):
    (tmp_path / "mesh_reconstruction.zip.part").write_bytes(SOUND)
    assert (server.fetch(tmp_path) / "a_train_images.npz").read_bytes() == CONTENT


def test_wrong_checksum(server, tmp_path):
    with pytest.raises(ValueError, match="MD5 checksum .*, not 123; it was deleted"):
        server.fetch(tmp_path, md5="123")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["../evil", "/evil", "mesh_reconstruction/../../evil"])
def test_unsafe_paths(server, tmp_path, name):
    server.body = archive(**{"mesh_reconstruction/a": b"", name: b"evil"})
    with pytest.raises(ValueError, match="unsafe path"):
        server.fetch(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert "mesh_reconstruction" not in names(tmp_path / "out")


def test_unsafe_link(server, tmp_path):
    link = zipfile.ZipInfo("mesh_reconstruction/link")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(link, "/etc")
    server.body = buffer.getvalue()
    with pytest.raises(ValueError, match="unsafe path"):
        server.fetch(tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"<html>", "not a sound zip archive"), (archive(other=b""), "holds no folder")],
)
def test_other_contents(server, tmp_path, body, message):
    server.body = body
    with pytest.raises(ValueError, match=message):
        server.fetch(tmp_path)
    assert names(tmp_path) == ["mesh_reconstruction.zip.part"]


def test_too_little_space(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="0.0 GB of free space"):
        server.fetch(tmp_path)
    assert names(tmp_path) == []


def test_no_server(tmp_path):
    with pytest.raises(ConnectionError, match="Could not download .*refused"):
        download(tmp_path, url="http://127.0.0.1:1/data.zip")
    assert names(tmp_path) == []


def test_other_folders_of_the_archive_are_left_out(server, tmp_path):
    server.body = archive(
        **{"mesh_reconstruction/sub/a": b"a", "__MACOSX/mesh_reconstruction/b": b"b"}
    )
    folder = server.fetch(tmp_path)
    assert names(tmp_path) == ["mesh_reconstruction"]
    assert names(folder) == ["sub"] and (folder / "sub" / "a").read_bytes() == b"a"
