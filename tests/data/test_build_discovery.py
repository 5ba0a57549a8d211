"""Meshes in folders of all sorts: names, splits, what is passed over."""

from __future__ import annotations

import errno
import json
import os
import unicodedata
from pathlib import Path

import pytest

from jaxsoftras.data.build_discovery import (
    Found,
    choose_split,
    discover,
    read_metadata,
)

HASHED = (0.7, 0.1, 0.2)


def touch(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def files(root: Path) -> list[str]:
    return [found.file for found in discover(root, HASHED).objects]


def test_names_of_all_sorts(tmp_path):
    names = [
        "my mugs/a b.obj",
        "my mugs/a  b.obj",
        "my mugs/a b.obj.stl",
        "my mugs/A B.OBJ",
        "my mugs/[red].ply",
        "tasse à café/mit Ümläuten/日本.glb",
        "03001627/1a2b/models/model_normalized.obj",
        "03001627/1a2b/models/model_normalized.gltf",
    ]
    ignored = [
        ".git/a.obj",
        "my mugs/.hidden.obj",
        "my mugs/.cache/a.obj",
        "my mugs/a b.mtl",
        "my mugs/notes.txt",
        "my mugs/a b.png",
        "my mugs/license.txt",
        "03001627/1a2b/models/model_normalized.solid.binvox",
        "03001627/1a2b/models/model_normalized.json",
        "03001627/1a2b/models/model_normalized.bin",
        "03001627/1a2b/models/model_normalized.fbx",  # the same shape once more
    ]
    found = discover(touch(tmp_path, *names, *ignored), HASHED)
    assert sorted(obj.file for obj in found.objects) == sorted(names)
    assert found.names == {
        "03001627": "chair",
        "my mugs": "my mugs",
        "tasse à café": "tasse à café",
    }
    assert not found.left_out
    chair = found.objects[0]
    assert chair.name == "1a2b/models/model_normalized"
    # the same shape in two formats does not end up in two splits
    assert chair.split == found.objects[1].split


def test_order_does_not_depend_on_the_file_system(tmp_path):
    assert files(touch(tmp_path, "b/2.obj", "a/z/1.obj", "a/1.obj", "b/10.obj")) == [
        "a/1.obj",
        "a/z/1.obj",
        "b/10.obj",
        "b/2.obj",
    ]


def test_given_splits(tmp_path):
    root = touch(
        tmp_path,
        "mug/train/a.obj",
        "mug/train/deep/a.obj",
        "mug/test/a.obj",
        "mug/style/a.obj",
        "mug/b.obj",
        "mug/more/c.obj",
        "bowl/train.obj",
        "bowl/style/a.obj",
    )
    found = discover(root, (0.0, 1.0, 0.0))
    assert found.objects[1] == Found("bowl", "style", "a", "bowl/style/a.obj")
    assert found.objects[2:] == [
        Found("mug", "style", "a", "mug/style/a.obj"),
        Found("mug", "test", "a", "mug/test/a.obj"),
        Found("mug", "train", "a", "mug/train/a.obj"),
        Found("mug", "train", "deep/a", "mug/train/deep/a.obj"),
    ]
    assert found.objects[0].split == "val"  # by its name
    assert found.left_out == [
        ("mug/b.obj", "it lies in no folder of a split"),
        ("mug/more/c.obj", "it lies in no folder of a split"),
    ]


def test_folders_that_cannot_be_listed_are_named(tmp_path, monkeypatch):
    root = touch(tmp_path, "mug/a.obj", "mug/locked/b.obj")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(root, HASHED)
    assert [obj.file for obj in found.objects] == ["mug/a.obj"]
    assert found.left_out == [("mug/locked/", "Permission denied")]


def test_pipes_are_not_waited_for(tmp_path):
    root = touch(tmp_path, "mug/a.obj")
    os.mkfifo(root / "mug" / "pipe.obj")
    found = discover(root, HASHED)
    assert [obj.file for obj in found.objects] == ["mug/a.obj"]
    assert found.left_out == [("mug/pipe.obj", "it is not a regular file")]


def test_categories_that_differ_by_case_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'Mug' and 'mug', whose files some"):
        discover(touch(tmp_path, "mug/a.obj", "Mug/a.obj"), HASHED)


def test_what_is_not_an_object_is_named(tmp_path):
    found = discover(touch(tmp_path, "a.obj", "empty/a.txt", "mug/a.obj"), HASHED)
    assert found.left_out == [
        ("a.obj", "it lies in no category's sub-folder"),
        ("empty/", "the folder has no mesh files to build from"),
    ]


UNREAD = "its format is not read: convert it to OBJ, glTF or PLY"


def test_formats_that_are_not_read_are_named(tmp_path):
    root = touch(
        tmp_path,
        "top.fbx",
        "bowl/a.step",
        "mug/1/a.obj",
        "mug/1/b.FBX",
        "mug/2/a.blend",
        "mug/3/a.usdz",
    )
    found = discover(root, HASHED)
    assert [obj.file for obj in found.objects] == ["mug/1/a.obj"]
    assert found.left_out == [
        ("bowl/a.step", UNREAD),
        ("bowl/", "the folder has no mesh files to build from"),
        ("mug/1/b.FBX", UNREAD),
        ("mug/2/a.blend", UNREAD),
        ("mug/3/a.usdz", UNREAD),
        ("top.fbx", "it lies in no category's sub-folder"),
    ]
    (root / "mug" / "1" / "a.obj").unlink()
    with pytest.raises(FileNotFoundError, match="convert others, such as bowl/a.step"):
        discover(root, HASHED)


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "elsewhere", "deep/a.obj")
    root = touch(tmp_path / "root", "bowl/a.obj")
    (root / "mug").symlink_to(tmp_path / "elsewhere")
    (root / "bowl" / "again").symlink_to(tmp_path / "elsewhere")
    (root / "bowl" / "twice").symlink_to(tmp_path / "elsewhere" / "deep")
    expected = ["bowl/a.obj", "bowl/again/deep/a.obj", "mug/deep/a.obj"]
    assert files(root) == expected


def test_links_to_folders_that_they_lie_in_are_not_followed(tmp_path):
    touch(tmp_path / "elsewhere", "deep/a.obj")
    root = touch(tmp_path / "root", "bowl/a.obj", "cup/a.obj")
    (root / "all").symlink_to(root)
    (root / "bowl" / "up").symlink_to("..")
    (root / "mug").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deep" / "loop").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(root)  # by way of the link mug
    found = discover(root, HASHED)
    expected = ["bowl/a.obj", "cup/a.obj", "mug/deep/a.obj"]
    assert [obj.file for obj in found.objects] == expected
    places = ["all/", "bowl/up/", "mug/round/", "mug/deep/loop/"]
    reason = "the link leads to a folder that it lies in"
    assert found.left_out == [(place, reason) for place in places]


def test_names_that_are_no_text(tmp_path):
    touch(tmp_path, "mug/b.obj")
    with open(os.fsencode(tmp_path / "mug") + b"/\xff.obj", "w"):
        pass
    found = discover(tmp_path, HASHED)
    assert [obj.file for obj in found.objects] == ["mug/b.obj"]
    assert found.left_out == [("'mug/\\udcff.obj'", "its name is not text in UTF-8")]


def test_shares_of_the_splits():
    splits = [choose_split(f"chair {n}", HASHED) for n in range(2000)]
    assert 1330 < splits.count("train") < 1470 and 150 < splits.count("val") < 250
    # an object keeps its split when the share of another one grows
    moved = [choose_split(f"chair {n}", (0.7, 0.2, 0.1)) for n in range(2000)]
    pairs = set(zip(splits, moved, strict=True))
    assert pairs == {("train",) * 2, ("val",) * 2, ("test",) * 2, ("test", "val")}
    assert {choose_split(f"{n}", (0, 0, 1)) for n in range(99)} == {"test"}


def test_splits_do_not_depend_on_how_letters_are_written():
    for name in (f"tasse à {n}" for n in range(50)):
        other = unicodedata.normalize("NFD", name)
        assert choose_split(name, HASHED) == choose_split(other, HASHED)


def test_synset_and_name_side_by_side(tmp_path):
    found = discover(touch(tmp_path, "03001627/a.obj", "chair/a.obj"), HASHED)
    assert found.names == {"03001627": "03001627", "chair": "chair"}


@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.5, 0.6, 0.1), (1.1, -0.1, 0), (float("nan"), 0, 1)]
)
def test_shares_are_checked(tmp_path, shares):
    with pytest.raises(ValueError, match="three numbers that add up to 1"):
        discover(tmp_path, shares)


def test_folders_without_meshes(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        discover(tmp_path / "nowhere", HASHED)
    with pytest.raises(FileNotFoundError, match="one sub-folder for each category"):
        discover(touch(tmp_path, "a.obj", "mug/a.txt"), HASHED)


def test_metadata(tmp_path):
    path = tmp_path / "about.json"
    entry = {"file": "mug/a.obj", "license": "CC0-1.0", "faces": 3, "offset": [0]}
    path.write_text(json.dumps([entry]))
    expected = {"mug/a.obj": {"file": "mug/a.obj", "license": "CC0-1.0"}}
    assert read_metadata(path) == expected
    for text in (
        "{",
        "3",
        '{"a": 1}',
        '[{"license": "x"}]',
        "[" * 100_000,
        '[{"file": 1}]',
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match="must be a JSON list"):
            read_metadata(path)
