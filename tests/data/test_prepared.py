"""Prepared data sets: the same interface and values as npz files, read from disk."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import sys
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsoftras.data import Split, description, open_split, sample_views, view_batches
from tests.support.npz_files import (
    COUNTS,
    VIEWS,
    configure,
    write_category,
    write_folder,
)

prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)

PART = "multi_view_shapes-val_03001627.array_record-00000-of-00001"


def open_prepared(root: Path, name: str, *categories: str) -> Split:
    return open_split(configure(root, *categories, source="prepared"), name)


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> tuple[Path, Path]:
    """An npz folder, and the data set prepared from it."""
    folder = tmp_path_factory.mktemp("prepared")
    npz_root = write_folder(folder / "npz")
    prepared.prepare(npz_root, folder / "out")
    return npz_root, folder / "out"


@pytest.fixture
def copy(roots, tmp_path) -> Path:
    """A prepared data set that may be damaged."""
    return Path(shutil.copytree(roots[1], tmp_path / "copy"))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_both_sources_give_identical_arrays(roots, name):
    a = open_split(configure(roots[0], *COUNTS), name)
    b = open_prepared(roots[1], name, *COUNTS)
    assert (a.name, a.categories) == (b.name, b.categories)
    assert (a.num_views, a.image_size) == (b.num_views, b.image_size)
    for synset in a.categories:
        count = a.count(synset)
        assert b.count(synset) == count
        objects = np.repeat(np.arange(count)[::-1], VIEWS)
        views = np.tile(np.arange(VIEWS), count)
        for left, right in [
            (a.images(synset, objects, views), b.images(synset, objects, views)),
            (a.voxels(synset, objects), b.voxels(synset, objects)),
        ]:
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)


def test_both_sources_give_identical_batches(roots):
    """Read by one thread or several at once."""
    npz = open_split(configure(roots[0], "table", "chair"), "train")
    split = open_prepared(roots[1], "train", "table", "chair")
    batches = view_batches(split, 16, seed=0, threads=4)
    for step in range(20):
        expected = sample_views(npz, 16, seed=0, step=step)
        jax.tree.map(np.testing.assert_array_equal, next(batches), expected)
    batches.close()


def test_only_requested_views_are_decoded(roots, monkeypatch):
    split = open_prepared(roots[1], "train", "chair")
    decoded = []

    def decompress(code):
        decoded.append(code)
        return zlib.decompress(code)

    monkeypatch.setattr(
        prepared, "zlib", type("zlib", (), {"decompress": staticmethod(decompress)})
    )
    split.images("03001627", np.array([0, 0]), np.array([1, 4]))
    assert len(decoded) == 2


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed"
)
def test_neither_tensorflow_nor_network_nor_noise(roots, tmp_path, monkeypatch, capfd):
    def connect(*arguments):
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    steps = []
    prepared.prepare(
        roots[0],
        tmp_path / "out",
        progress=lambda done, total: steps.append((done, total)),
    )
    open_prepared(tmp_path / "out", "train", "chair")
    total = 3 * sum(COUNTS.values())
    assert steps == [(done + 1, total) for done in range(total)]
    assert "tensorflow" not in sys.modules
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["multi_view_shapes"]


def test_training_set_without_voxels(tmp_path):
    (tmp_path / "npz").mkdir()
    write_category(tmp_path / "npz", "03001627", "train")
    (tmp_path / "npz" / "03001627_train_voxels.npz").unlink()
    prepared.prepare(tmp_path / "npz", tmp_path / "out")
    split = open_prepared(tmp_path / "out", "train", "chair")
    assert split.images("03001627", np.array([1]), np.array([0])).shape == (1, 4, 8, 8)
    with pytest.raises(FileNotFoundError, match="prepared without voxels"):
        split.voxels("03001627", np.array([0]))


def test_failure_leaves_nothing_and_can_be_repeated(tmp_path, roots):
    npz_root = Path(shutil.copytree(roots[0], tmp_path / "npz"))
    path = npz_root / "04379243_test_images.npz"
    sound = path.read_bytes()
    garbled = bytearray(sound)
    garbled[len(sound) // 2] ^= 0xFF
    path.write_bytes(bytes(garbled))
    for _ in range(2):
        with pytest.raises(ValueError, match="04379243_test_images.npz is damaged"):
            prepared.prepare(npz_root, tmp_path / "out")
        assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    path.write_bytes(sound)
    prepared.prepare(npz_root, tmp_path / "out")
    assert open_prepared(tmp_path / "out", "test", "table").count("04379243")


def test_sizes_that_differ_between_splits(tmp_path):
    write_category(tmp_path, "03001627", "train")
    larger = np.zeros((2, VIEWS, 4, 16, 16), np.uint8)
    write_category(tmp_path, "03001627", "val", images=larger)
    with pytest.raises(ValueError, match="mixes sizes"):
        prepared.prepare(tmp_path, tmp_path / "out")


def test_category_too_large_to_sort_without_tensorflow(roots, tmp_path, monkeypatch):
    shuffle = pytest.importorskip("tensorflow_datasets.core.shuffle")
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 0)
    with pytest.raises(ValueError, match="exceeds the 1 GB"):
        prepared.prepare(roots[0], tmp_path / "out")


def test_errors_of_the_disk_are_told(tmp_path):
    name = 60 * "\N{CJK UNIFIED IDEOGRAPH-8336}"
    for key in ("images", "voxels"):
        shape = (1, VIEWS, 4, 8, 8) if key == "images" else (1, 32, 32, 32)
        dtype = np.uint8 if key == "images" else np.bool_
        np.savez(tmp_path / f"{name}_test_{key}.npz", np.zeros(shape, dtype))
    about = {"format": description.FORMAT, "version": description.VERSION}
    about |= {"categories": {name: name}, "objects": {name: {"test": [{"name": "a"}]}}}
    (tmp_path / description.FILE).write_text(json.dumps(about))
    with pytest.raises(OSError, match="out could not be written: .*name too long"):
        prepared.prepare(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_existing_data_set_is_not_overwritten(roots):
    with pytest.raises(FileExistsError, match="delete it"):
        prepared.prepare(*roots)


def test_two_data_sets_in_one_folder(copy):
    other = copy / "shapenet_core" / "1.0.0"
    shutil.copytree(copy / "multi_view_shapes" / "1.0.0", other)
    with pytest.raises(ValueError, match="multi_view_shapes and shapenet_core: keep"):
        open_prepared(copy, "train")


def test_objects_are_not_in_memory_together(roots, tmp_path, monkeypatch):
    def load(file):
        raise AssertionError("an array was read as a whole")

    monkeypatch.setattr("jaxsoftras.data.npz._ArrayFile.load", load)
    prepared.prepare(roots[0], tmp_path / "out")


def test_folder_that_is_not_prepared(roots):
    with pytest.raises(FileNotFoundError, match="is not a prepared data set"):
        open_prepared(roots[0], "train")


def test_other_version(copy):
    folder = copy / "multi_view_shapes"
    (folder / "1.0.0").rename(folder / "0.9.0")
    with pytest.raises(ValueError, match="prepared in format 0.9.0; .* reads 1.0.0"):
        open_prepared(copy, "train")


def test_missing_category(roots):
    with pytest.raises(FileNotFoundError, match="no part train_02828884 .*chair 0300"):
        open_prepared(roots[1], "train")


def test_unknown_split(roots):
    with pytest.raises(ValueError, match="Unknown split 'dev'"):
        open_prepared(roots[1], "dev")


def test_missing_file(copy):
    (copy / "multi_view_shapes" / "1.0.0" / PART).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks its file .*{PART}"):
        open_prepared(copy, "val", "chair")


@pytest.mark.parametrize(
    "name", [PART, "dataset_info.json", "features.json", "metadata.json"]
)
def test_truncated_file(copy, name):
    path = copy / "multi_view_shapes" / "1.0.0" / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged .*: prepare the data set again"):
        open_prepared(copy, "val", "chair")


@pytest.mark.parametrize(
    ("key", "message"),
    [("num_views", "6 views, not 7"), ("image_size", "cannot reshape .* size 256 .*")],
)
def test_metadata_that_do_not_fit_the_examples(copy, key, message):
    path = copy / "multi_view_shapes" / "1.0.0" / "metadata.json"
    content = json.loads(path.read_text())
    content[key] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"damaged .{message}.: prepare the data set"):
        split = open_prepared(copy, "val", "chair")
        split.images("03001627", np.array([0]), np.array([0]))


def test_garbled_view(roots, monkeypatch):
    split = open_prepared(roots[1], "val", "chair")
    monkeypatch.setattr(
        prepared.PreparedCategory,
        "example",
        lambda self, number: prepared.Example([b"garbled"] * VIEWS, b"garbled"),
    )
    for read in (
        lambda: split.images("03001627", np.array([0]), np.array([0])),
        lambda: split.voxels("03001627", np.array([0])),
    ):
        with pytest.raises(ValueError, match="damaged .*: prepare the data set again"):
            read()


@pytest.mark.parametrize("package", ["tensorflow_datasets", "array_record"])
def test_missing_package(roots, monkeypatch, package):
    for module in ("prepared", "prepared_builder", "tfds_packages"):
        monkeypatch.delitem(sys.modules, f"jaxsoftras.data.{module}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        open_prepared(roots[1], "train")
