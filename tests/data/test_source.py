"""One door to all data sets: what it opens, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import config, cores
from jaxsoftras.data import ALL_SPLITS, SPLITS, open_split
from jaxsoftras.data.npz import open_npz
from jaxsoftras.data.source import describe, open_training_set
from jaxsoftras.shapes import making
from tests.support.npz_files import COUNTS, configure, write_folder


@pytest.fixture
def npz_root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "npz")


def test_npz_files_in_memory(npz_root):
    opened = open_split(configure(npz_root, "table", "chair"), "val")
    expected = open_npz(npz_root, "val", ["table", "chair"])
    assert opened.name == "val"
    assert opened.categories == expected.categories == ("03001627", "04379243")
    views = np.array([3, 0])
    np.testing.assert_array_equal(
        opened.images("04379243", np.array([0, 2]), views),
        expected.images("04379243", np.array([0, 2]), views),
    )


@pytest.fixture
def quick(monkeypatch):
    """Replaces the making of objects."""

    def make_object(synset, number, *_):
        views = np.full((24, 4, 2, 2), number, np.uint8)
        return views, np.zeros((32, 32, 32), bool)

    monkeypatch.setattr(making, "make_object", make_object)
    monkeypatch.setattr(cores, "count_cores", lambda: 1)  # others see no patch


def test_embedded_shapes_are_made_when_absent(quick, tmp_path, capfd):
    settings = dataclasses.replace(
        configure(tmp_path / "shapes", "sofa", source="embedded"), embedded_objects=4
    )
    counts = {}
    for name in ALL_SPLITS:
        split = open_split(settings, name)
        assert split.categories == ("04256520",)
        counts[name] = split.count("04256520")
    assert counts == {"train": 2, "val": 1, "test": 1, "style": 1}
    # without a terminal there is no bar, and a data set that exists is not announced
    assert capfd.readouterr().err.count("making the embedded data set") == 1

    other = dataclasses.replace(settings, embedded_objects=5)
    with pytest.raises(FileExistsError, match="02691156: 4 in place of 5, and 12 more"):
        open_split(other, "train")


@pytest.mark.parametrize("source", ["npz", "prepared", "embedded"])
def test_unknown_split(tmp_path, source):
    with pytest.raises(
        ValueError, match="'dev': choose one of train, val, test, style"
    ):
        open_split(configure(tmp_path / "new", source=source), "dev")
    assert not (tmp_path / "new").exists()


def test_unknown_source(npz_root):
    settings = config.Data(source="zip", root=str(npz_root))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'zip': choose one of npz, prepared, embed"):
        open_split(settings, "train")


def test_describe_finds_all_splits_and_categories(npz_root):
    storage, _, splits = describe(npz_root)
    assert storage == "npz" and tuple(splits) == SPLITS
    for split in splits.values():
        assert {synset: split.count(synset) for synset in split.categories} == COUNTS


def test_describe_refuses_other_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither npz files nor a prepared"):
        describe(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for name in ("loop", "file", "nowhere"):
        with pytest.raises(FileNotFoundError, match=f"no folder .*{name}"):
            describe(tmp_path / name)


def test_missing_sources_are_noticed_before_shapes_are_made(tmp_path):
    shapes = config.Source(
        root=str(tmp_path / "shapes"), source="embedded", embedded_objects=3
    )
    sources = shapes, config.Source(root=str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match="missing"):
        open_training_set(config.Data(sources=sources))
    assert not list(tmp_path.iterdir())
