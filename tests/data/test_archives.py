"""Archives that are damaged or malicious."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from jaxsoftras.data.archives import unpack

TEXT = b"a text that is long enough to be damaged " * 50


def archive(folder: Path, members: list[tuple[str, bytes]]) -> Path:
    path = folder / "a.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", 8) as file:
        warnings.simplefilter("ignore")  # about names that occur twice
        for name, content in members:
            file.writestr(name, content)
    return path


def refuse(path: Path, message: str, **options) -> None:
    target = path.parent / "out" / "set"
    with pytest.raises(ValueError, match=message) as caught:
        unpack(path, target, **options)
    assert "\n" not in str(caught.value)
    files = {file.name for file in path.parent.rglob("*") if file.is_file()}
    assert files == {"a.zip"}


@pytest.fixture(autouse=True)
def out(tmp_path) -> None:
    (tmp_path / "out").mkdir()


def test_unpacks_what_is_wanted(tmp_path):
    names = ["set/a.txt", "set/b/c.txt", "set/d.bin", "other/a.txt"]
    path = archive(tmp_path, [(name, TEXT) for name in names])
    steps = []
    target = tmp_path / "out" / "set"
    unpack(path, target, wanted=r".*\.txt", progress=lambda *step: steps.append(step))
    found = {str(f.relative_to(target)) for f in target.rglob("*") if f.is_file()}
    assert found == {"a.txt", "b/c.txt"}
    assert (target / "b" / "c.txt").read_bytes() == TEXT
    assert steps[-1] == (2 * len(TEXT), 2 * len(TEXT))


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "set/../../evil", "set\\..\\evil"]
)
def test_paths_that_lead_out(tmp_path, name):
    refuse(archive(tmp_path, [("set/a", TEXT), (name, TEXT)]), "an unsafe path")


def test_link(tmp_path):
    path = archive(tmp_path, [("set/a", TEXT)])
    link = zipfile.ZipInfo("set/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    refuse(path, "unsafe path: set/link")


def test_one_name_twice(tmp_path):
    refuse(archive(tmp_path, [("set/a", TEXT), ("set/a", b"")]), "set/a 2 times")


def test_too_large(tmp_path):
    path = archive(tmp_path, [("set/a", bytes(10**6))])
    refuse(path, "declares 0.0 GB for set/a; such files have 0.0 GB", most=10**5)


def test_more_than_declared(tmp_path):
    path = archive(tmp_path, [("set/a", TEXT)])
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24  # uncompressed size in the directory
    path.write_bytes(content[:place] + struct.pack("<I", 7) + content[place + 4 :])
    refuse(path, "not a sound zip archive")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated(tmp_path, kept):
    path = archive(tmp_path, [("set/a", TEXT)])
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    refuse(path, "not a sound zip archive .*: fetch it again")


def test_damaged(tmp_path):
    path = archive(tmp_path, [("set/a", TEXT)])
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF
    path.write_bytes(content)
    refuse(path, "not a sound zip archive")


@pytest.mark.parametrize(("place", "value"), [(8, 1), (10, 12)])  # encrypted; bzip2
def test_method(tmp_path, place, value):
    path = archive(tmp_path, [("set/a", TEXT)])
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + place] = value
    path.write_bytes(content)
    refuse(path, "holds set/a encrypted, or not as deflate does")


def test_no_folder_and_no_file(tmp_path):
    refuse(archive(tmp_path, [("other/a", TEXT)]), "holds no folder set")
    with pytest.raises(FileNotFoundError, match="There is no file .*b.zip"):
        unpack(tmp_path / "b.zip", tmp_path / "out" / "set")


def test_nested_archives_stay_packed(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("../evil", b"")
    path = archive(tmp_path, [("set/inner.zip", inner.getvalue())])
    unpack(path, tmp_path / "out" / "set")
    assert sorted(f.name for f in tmp_path.rglob("*") if f.is_file()) == [
        "a.zip",
        "inner.zip",
    ]
