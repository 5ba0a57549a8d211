"""Writing of data sets: formats, splits, and folders that are whole or untouched."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data import ALL_SPLITS, SPLITS, writing
from jaxsoftras.data.split import STYLE
from jaxsoftras.shapes import dataset, making

OBJECTS = {"04379243": 3, "03001627": 4}


def make_object(synset, number, seed, image_size, held_out):
    """An object whose first pixel and voxels tell its number."""
    views = np.zeros((24, 4, 2, 2), np.uint8)
    views[0, 0, 0, 0] = number + 1
    grid = np.zeros((32, 32, 32), bool)
    grid[: number + 1] = True
    return views, grid


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Replaces the making of objects; so few are made in this process."""
    monkeypatch.setattr(making, "make_object", make_object)


def write(root: Path, objects=OBJECTS, *, version=1, **options):
    dataset.write_dataset(root, objects_per_category=objects, seed=version, **options)


def read_version(root: Path) -> int:
    return json.loads((root / dataset.DESCRIPTION).read_text())["seed"]


def test_files_follow_the_format(tmp_path):
    seen = []
    write(tmp_path / "set", progress=lambda *numbers: seen.append(numbers))
    assert seen == [(done, 9) for done in range(1, 10)]  # two of them of other styles
    expected = {dataset.DESCRIPTION}
    for synset, count in OBJECTS.items():
        for split in ALL_SPLITS:
            chosen = [
                number + 1
                for number in range(count)
                if writing.assign_split(number) == split
            ]
            if split == STYLE:
                chosen = [1]  # as many as in test
            stem = f"{synset}_{split}"
            expected |= {f"{stem}_images.npz", f"{stem}_voxels.npz"}
            images = np.load(tmp_path / "set" / f"{stem}_images.npz")["arr_0"]
            voxels = np.load(tmp_path / "set" / f"{stem}_voxels.npz")["arr_0"]
            assert images.dtype == np.uint8 and voxels.dtype == bool
            assert images.shape == (len(chosen), 24, 4, 2, 2)
            assert images[:, 0, 0, 0, 0].tolist() == chosen
            assert voxels[:, :, 0, 0].sum(1).tolist() == chosen
    assert {path.name for path in (tmp_path / "set").iterdir()} == expected
    description = json.loads((tmp_path / "set" / dataset.DESCRIPTION).read_text())
    assert description["objects"] == {"03001627": 4, "04379243": 3}


def test_integers_of_numpy_are_described(tmp_path):
    seed: Any = np.int64(5)
    write(tmp_path / "set", np.int64(3), version=seed, image_size=np.int32(2))
    description = json.loads((tmp_path / "set" / dataset.DESCRIPTION).read_text())
    assert description["seed"] == 5 and description["image_size"] == 2
    assert set(description["objects"].values()) == {3}


def test_splits_grow_together():
    splits = [writing.assign_split(number) for number in range(100)]
    assert set(splits[:3]) == set(SPLITS)
    assert [splits.count(name) for name in SPLITS] == [70, 10, 20]


def test_own_data_set_is_replaced(tmp_path):
    root = tmp_path / "set"
    root.mkdir()  # an empty folder is no obstacle
    for version in (1, 2):
        write(root, version=version)
        assert read_version(root) == version
        assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("set", "0 files missing and 1 others added"),
        ("other", "not a data set with a valid embedded.json"),
        ("set/notes.txt", "not a data set with a valid embedded.json"),
    ],
)
def test_other_content_is_not_replaced(tmp_path, target, message):
    write(tmp_path / "set")
    (tmp_path / "other").mkdir()
    for folder in ("set", "other"):
        (tmp_path / folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=message):
        write(tmp_path / target, version=2)
    assert read_version(tmp_path / "set") == 1
    for folder in ("set", "other"):
        assert (tmp_path / folder / "notes.txt").read_text() == "mine"


def test_missing_files_are_noticed(tmp_path):
    write(tmp_path / "set")
    (tmp_path / "set" / "03001627_val_voxels.npz").unlink()
    with pytest.raises(FileExistsError, match="1 files missing and 0 others"):
        writing.read_description(tmp_path / "set", dataset.DESCRIPTION, 2, ALL_SPLITS)


def test_other_versions_are_named(tmp_path):
    write(tmp_path / "set")
    path = tmp_path / "set" / dataset.DESCRIPTION
    content = {**json.loads(path.read_text()), "version": 1}
    path.write_text(json.dumps(content))
    for style in path.parent.glob("*_style_*"):  # which version 1 had not
        style.unlink()
    with pytest.raises(FileExistsError, match="of version 1, .* not of version 2"):
        write(tmp_path / "set")


@pytest.mark.parametrize("name", ["set", "new"])
def test_failure_leaves_nothing_behind(tmp_path, name, monkeypatch):
    write(tmp_path / "set")

    def fail_late(synset, number, *rest):
        if (synset, number) == ("04379243", 1):
            raise OSError("no space left on device")
        return make_object(synset, number, *rest)

    monkeypatch.setattr(making, "make_object", fail_late)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / name, version=2)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert read_version(tmp_path / "set") == 1


def test_no_more_objects_are_made_when_a_file_cannot_be_written(tmp_path):
    (tmp_path / "b_train_voxels.npz").mkdir()
    made = []

    def make():
        for number in range(5000):
            made.append(number)
            time.sleep(0.001)  # the thread of b fails at its first object
            yield writing.Example(*make_object("", 0, 0, 2, False))

    places = [("a", "train"), *[("b", "train")] * 4999]
    with pytest.raises(IsADirectoryError):
        writing.write_in_order(tmp_path, places, make())
    assert len(made) < 5000


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({}, "at least 3 objects"),
        ({"03001627": 2}, "at least 3 objects"),
        ({"03001627": 10**9}, "more than 1048576 objects, not 1000000000"),
        ({"chair": 4}, "Unknown categories chair"),
    ],
)
def test_bad_objects_are_refused(tmp_path, objects, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "set", objects)
    assert not list(tmp_path.iterdir())
