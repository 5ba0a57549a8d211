"""No data file is ever unpickled: a payload in each kind of file is not executed."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.data import (
    SPLITS,
    build_pool,
    colmap,
    description,
    picture_cameras,
    writing,
)
from jaxsoftras.data.build_discovery import read_metadata
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.camera_files import read_cameras
from jaxsoftras.data.npz import open_npz
from jaxsoftras.meshfile import imagefile
from jaxsoftras.meshfile.formats import FORMATS
from tests.support.npz_files import write_category, write_folder


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


@pytest.fixture
def payload(tmp_path):
    folder = tmp_path / "executed"
    yield Payload(folder)
    assert not folder.exists()


def test_the_payload_works(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed")))
    assert (tmp_path / "executed").is_dir()


def _open_val(path: Path) -> None:
    write_category(path.parent, "03001627", "val")
    other = path.with_name(f"03001627_val_{path.stem}.npz")
    other.write_bytes(path.read_bytes())
    open_npz(path.parent, "val", ["chair"]).voxels("03001627", np.array([0]))


def _read_embedded(path: Path) -> None:
    writing.read_description(path.parent, path.name, 2)


def _read_kept(path: Path) -> None:
    build_pool.read_example(build_pool.Task(path, path, Options()))


def _read_colmap(path: Path) -> None:
    colmap.read_entries(path.parent)


READERS: dict[str, Callable[[Path], object]] = {
    "images.npz": _open_val,
    "voxels.npz": _open_val,
    "cameras.npz": lambda path: read_cameras(path, 1, 1, 8),
    "kept.npz": _read_kept,
    "dataset.json": lambda path: description.read(path.parent),
    "embedded.json": _read_embedded,
    "cameras.json": picture_cameras.read_entries,
    "metadata.json": read_metadata,
    "cameras.txt": _read_colmap,
    "picture.png": imagefile.read,
    **{f"mesh.{suffix}": jaxsoftras.load_mesh for suffix in FORMATS},
}


@pytest.mark.parametrize("name", READERS)
def test_whole_files(name, payload, tmp_path):
    path = tmp_path / "files" / name
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(payload))
    with pytest.raises((ValueError, OSError)) as caught:
        READERS[name](path)
    assert "allow_pickle" not in str(caught.value)  # no advice to unpickle it


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith("npz")])
def test_arrays_of_objects(name, payload, tmp_path):
    path = tmp_path / "files" / name
    path.parent.mkdir()
    names = ["counts", "K", "R", "t"] if name == "cameras.npz" else ["images"]
    arrays: dict[str, Any] = dict.fromkeys(names, np.array([payload], object))
    np.savez(path, **arrays)
    with pytest.raises(ValueError) as caught:
        READERS[name](path)
    assert "allow_pickle" not in str(caught.value)


def test_prepared_files(payload, tmp_path):
    prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    prepared.prepare(write_folder(tmp_path / "npz"), tmp_path / "set")
    paths = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert len(paths) > 3 * len(SPLITS)
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(pickle.dumps(payload))
        with contextlib.suppress(ValueError, OSError):  # features.json is not read
            opened = prepared.open_prepared(tmp_path / "set", "val", ["chair"])
            opened.images("03001627", np.zeros(1, int), np.zeros(1, int))
        path.write_bytes(content)


def test_kept_outcomes(payload, tmp_path):
    task = build_pool.Task(tmp_path / "a.obj", tmp_path / "kept", Options())
    task.kept.with_suffix(".json").write_bytes(pickle.dumps(payload))
    assert build_pool.find_outcome(task) is None
