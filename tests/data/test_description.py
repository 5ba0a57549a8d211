"""Data sets that describe themselves: categories of any name, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data import description
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.categories import sort_keys
from jaxsoftras.data.npz import open_npz
from jaxsoftras.data.split import select_categories

NAMES = {"tasse à café": "tasse à café", "03001627": "chair", "[b]bowl+1": "bowl"}
COUNTS = {"train": [2, 1, 3], "val": [1, 0, 0], "test": [0, 1, 1]}


def describe(**changes: Any) -> dict[str, Any]:
    objects = {
        key: {
            split: [{"name": f"{key} {n}"} for n in range(counts[row])]
            for split, counts in COUNTS.items()
        }
        for row, key in enumerate(NAMES)
    }
    content = {"format": "jaxsoftras data set", "version": 1, "categories": NAMES}
    return {**content, "objects": objects, **changes}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    (folder / "dataset.json").write_text(json.dumps(describe()))
    for split, counts in COUNTS.items():
        for number, (key, count) in enumerate(zip(NAMES, counts, strict=True)):
            if count:
                images = np.full((count, 2, 4, 8, 8), number, np.uint8)
                np.savez(folder / f"{key}_{split}_images.npz", images)
                np.savez(
                    folder / f"{key}_{split}_voxels.npz",
                    np.zeros((count, 32, 32, 32), bool),
                )
    return folder


def test_order_is_that_of_the_tables_then_by_name():
    assert sort_keys(NAMES) == ("03001627", "[b]bowl+1", "tasse à café")


def test_categories_of_any_name(root):
    split = open_npz(root, "train")
    assert split.categories == ("03001627", "[b]bowl+1", "tasse à café")
    assert split.names == NAMES
    assert [split.count(key) for key in split.categories] == [1, 3, 2]
    image = split.images("[b]bowl+1", np.array([2]), np.array([1]))
    assert np.all(image == 2)
    # a category without objects in a split is not part of it
    assert open_npz(root, "val").categories == ("tasse à café",)
    assert open_npz(root, "test", ["bowl", "chair"]).categories == (
        "03001627",
        "[b]bowl+1",
    )
    with pytest.raises(FileNotFoundError, match=r"bowl \[b\]bowl\+1 missing"):
        open_npz(root, "val", ["bowl"])
    with pytest.raises(ValueError, match="Unknown category 'sofa': .* tasse à café"):
        open_npz(root, "train", ["sofa"])


def test_prepared_and_listed(root, tmp_path, capsys):
    prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    prepared.prepare(root, tmp_path / "out")
    split = prepared.open_prepared(tmp_path / "out", "train", ["bowl"])
    assert split.names == {"[b]bowl+1": "bowl"} and split.count("[b]bowl+1") == 3
    for folder in (root, tmp_path / "out"):
        assert main(["info", str(folder)]) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert "│ [b]bowl+1 │ bowl │ 3 │ 0 │ 1 │".split() in rows


def test_a_key_comes_before_a_name():
    names = {"03001627": "chair", "chair": "armchair", "stool": "stool"}
    chosen = select_categories(["chair", "stool"], list(names), "{}", Path(), names)
    assert chosen == ("chair", "stool")


def test_files_and_description_must_agree(root, tmp_path, capsys):
    content = describe()
    content["objects"]["03001627"]["train"].append({"name": "another"})
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    for path in root.glob("*.npz"):
        (tmp_path / path.name).symlink_to(path)
    with pytest.raises(ValueError, match="lists 2 objects of '03001627' .* holds 1"):
        open_npz(tmp_path, "train")
    (tmp_path / "dataset.json").write_text(json.dumps(describe()))
    (tmp_path / "[b]bowl+1_train_images.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"bowl\+1_train_images.npz"):
        open_npz(tmp_path, "train", ["bowl"])
    for path in tmp_path.glob("*.npz"):
        path.unlink()
    assert main(["show", str(tmp_path)]) == 2
    assert "There is no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, '"format" must be'),
        ({"version": 2}, "version 2; .* reads 1"),
        ({"categories": {}}, 'lacks "categories"'),
        ({"categories": {"../up": "up"}}, "without slashes"),
        ({"categories": {"up": ".."}}, "do not begin with a dot"),
        ({"categories": {"a": 201 * "b"}}, "category of 201 bytes, 'bbb"),
        ({"categories": {"a": "a", "b": "a"}}, "two categories of one name"),
        ({"objects": {"sofa": {}}}, 'lacks "objects"'),
        ({"objects": {"03001627": {"dev": []}}}, 'lacks "objects"'),
        ({"objects": {"03001627": {"val": ["a"]}}}, 'lacks "objects"'),
        ({"objects": {"03001627": {"val": [{"name": 5}]}}}, 'lacks "objects"'),
    ],
)
def test_descriptions_are_checked(tmp_path, changes, message):
    (tmp_path / "dataset.json").write_text(json.dumps(describe(**changes)))
    with pytest.raises(ValueError, match=message):
        description.read(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_damaged_descriptions(tmp_path, text):
    (tmp_path / "dataset.json").write_bytes(text)
    with pytest.raises(ValueError, match="is not (valid JSON|text in UTF-8)"):
        description.read(tmp_path)
    assert description.read(tmp_path / "nowhere") is None


def test_other_resolutions_of_voxels_are_refused_by_name(tmp_path):
    prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)

    np.savez(tmp_path / "03001627_val_images.npz", np.zeros((1, 2, 4, 8, 8), np.uint8))
    np.savez(tmp_path / "03001627_val_voxels.npz", np.zeros((1, 16, 16, 16), bool))
    assert open_npz(tmp_path, "val", ["chair"]).voxels(
        "03001627", np.array([0])
    ).shape == (1, 16, 16, 16)
    with pytest.raises(ValueError, match=r"\[16, 16, 16\]; \[32, 32, 32\] are needed"):
        prepared.prepare(tmp_path, tmp_path / "out")
