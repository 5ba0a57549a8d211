"""Npz files: values, selection of categories, and errors."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras.data import CATEGORIES
from jaxsoftras.data.npz import open_npz
from tests.support.npz_files import (
    SIDE,
    VIEWS,
    read_category,
    write_category,
    write_folder,
)


@pytest.fixture
def npz_root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "npz")


@pytest.mark.parametrize("save", [np.savez_compressed, np.savez])
def test_npz_gives_the_values_of_the_files(tmp_path, save):
    write_category(tmp_path, "03001627", "val", save=save)
    images, voxels = read_category(tmp_path, "03001627", "val")
    split = open_npz(tmp_path, "val", ["chair"])
    assert split.categories == ("03001627",)
    assert (split.name, split.num_views, split.image_size) == ("val", VIEWS, SIDE)
    assert split.count("03001627") == 2
    objects, views = np.array([1, 0, 1]), np.array([5, 0, 3])
    found = split.images("03001627", objects, views)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images[objects, views])
    found = split.voxels("03001627", np.array([1, 1, 0]))
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, voxels[[1, 1, 0]])


def test_fortran_order_is_understood(tmp_path):
    images = np.asfortranarray(
        np.random.default_rng(0).integers(0, 256, (2, VIEWS, 4, SIDE, SIDE), np.uint8)
    )
    write_category(tmp_path, "03001627", "train", images=images, save=np.savez)
    split = open_npz(tmp_path, "train", ["chair"])
    found = split.images("03001627", np.array([1]), np.array([2]))
    np.testing.assert_array_equal(found[0], images[1, 2])


def test_categories_come_in_the_published_order(npz_root):
    split = open_npz(npz_root, "train", ["table", "02691156", "chair"])
    assert split.categories == ("02691156", "03001627", "04379243")


def test_training_set_without_voxels(npz_root):
    (npz_root / "03001627_train_voxels.npz").unlink()
    split = open_npz(npz_root, "train", ["chair"])
    assert split.images("03001627", np.array([0]), np.array([0])).shape == (1, 4, 8, 8)
    with pytest.raises(FileNotFoundError, match="03001627_train_voxels.npz"):
        split.voxels("03001627", np.array([0]))


@pytest.mark.parametrize(
    ("objects", "views", "message"),
    [
        ([0, 2], [0, 0], "no object 2: numbers go from 0 to 1"),
        ([-1], [0], "no object -1"),
        ([0], [VIEWS], "no view 6: numbers go from 0 to 5"),
    ],
)
def test_numbers_out_of_range(npz_root, objects, views, message):
    split = open_npz(npz_root, "val", ["chair"])
    with pytest.raises(IndexError, match=message):
        split.images("03001627", objects, views)


def test_category_that_was_not_opened(npz_root):
    split = open_npz(npz_root, "val", ["chair"])
    with pytest.raises(KeyError, match="not opened; the split has chair 03001627"):
        split.count("04379243")


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        open_npz(tmp_path / "nowhere", "train")


def test_missing_category_is_named_with_the_available_ones(npz_root):
    with pytest.raises(FileNotFoundError) as error:
        open_npz(npz_root, "train")
    message = str(error.value)
    assert "no 02828884_train_images.npz (bench 02828884, cabinet 02933112" in message
    assert message.endswith(
        "data.categories: airplane 02691156, chair 03001627, table 04379243."
    )


def test_folder_without_the_split(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no \*_val_images.npz"):
        open_npz(tmp_path, "val")


def test_missing_voxels_of_an_evaluation_split(npz_root):
    (npz_root / "03001627_val_voxels.npz").unlink()
    with pytest.raises(FileNotFoundError, match="no file .*03001627_val_voxels.npz"):
        open_npz(npz_root, "val", ["chair"])


@pytest.mark.parametrize(
    ("split", "categories", "message"),
    [
        ("valid", None, "Unknown split 'valid': choose one of train, val, test"),
        ("val", ["chair", "stool"], "Unknown category 'stool'"),
        ("val", [], "list of at least one"),
        ("val", "chair", "list of at least one"),
    ],
)
def test_wrong_selection(npz_root, split, categories, message):
    with pytest.raises(ValueError, match=message):
        open_npz(npz_root, split, categories)


@pytest.mark.parametrize("kind", ["images", "voxels"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "garbled"])
def test_damaged_file(npz_root, kind, damage):
    path = npz_root / f"03001627_val_{kind}.npz"
    content = path.read_bytes()
    garbled = bytearray(content)
    for place in range(len(content) // 3, 2 * len(content) // 3):
        garbled[place] ^= 0xFF
    path.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "text": b"<html>Not found</html>",
            "garbled": bytes(garbled),
        }[damage]
    )
    with pytest.raises(ValueError, match=f"03001627_val_{kind}.npz is damaged"):
        open_npz(npz_root, "val", ["chair"]).voxels("03001627", np.array([0]))


def test_damaged_offset_within_the_archive(npz_root):
    path = npz_root / "03001627_val_images.npz"
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\5\6") + 16  # where the list of members begins
    content[start : start + 4] = (len(content) + 1000).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="03001627_val_images.npz is damaged"):
        open_npz(npz_root, "val", ["chair"])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 6, 4, 8, 8), np.float32),
            r"holds float32 .*, not uint8 \[\*, \*",
        ),
        (np.zeros((2, 6, 3, 8, 8), np.uint8), r"\[2, 6, 3, 8, 8\], not uint8 \[\*, \*"),
        (np.zeros((2, 4, 8, 8), np.uint8), r"\[2, 4, 8, 8\], not"),
        (np.zeros((2, 6, 4, 8, 9), np.uint8), "9 x 8 pixels; they must be square"),
        (np.zeros((0, 6, 4, 8, 8), np.uint8), "is empty"),
        (np.zeros((3, 6, 4, 8, 8), np.uint8), "holds 2 objects but .* holds 3"),
    ],
)
def test_wrong_images(tmp_path, images, message):
    write_category(tmp_path, "03001627", "val", images=images)
    with pytest.raises(ValueError, match=message):
        open_npz(tmp_path, "val", ["chair"])


def test_wrong_voxels(tmp_path):
    write_category(tmp_path, "03001627", "val", voxels=np.zeros((2, 32, 32, 16), bool))
    with pytest.raises(ValueError, match="must be cubes"):
        open_npz(tmp_path, "val", ["chair"])


def test_pickled_array(tmp_path):
    write_category(tmp_path, "03001627", "val", images=np.array([{}]))
    with pytest.raises(ValueError, match="holds object"):
        open_npz(tmp_path, "val", ["chair"])


@pytest.mark.parametrize("shape", [(10**9, 6, 4, 8, 8), (1, 6, 4, 8, 8)])
def test_headers_that_lie_about_the_size(npz_root, shape):
    header = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    with zipfile.ZipFile(npz_root / "03001627_val_images.npz", "w") as archive:
        archive.writestr("arr_0.npy", header.getvalue() + bytes(2 * 6 * 4 * 64))
    with pytest.raises(ValueError, match=r"damaged .*speaks of \d+ bytes, and it has"):
        open_npz(npz_root, "val", ["chair"])


def test_voxels_of_another_number_of_objects(npz_root):
    write_category(npz_root, "03001627", "val", voxels=np.zeros((3, 32, 32, 32), bool))
    with pytest.raises(ValueError, match="holds 3 objects but .*images.npz holds 2"):
        open_npz(npz_root, "val", ["chair"])


def test_streams_equal_what_is_loaded(tmp_path):
    """Also of images in Fortran order, which do not lie one after another."""
    images = np.random.default_rng(0).integers(0, 256, (2, VIEWS, 4, 8, 8), np.uint8)
    voxels = np.arange(2 * 32**3).reshape(2, 32, 32, 32) % 3 == 0
    for order in (np.ascontiguousarray, np.asfortranarray):
        write_category(
            tmp_path, "03001627", "val", images=order(images), voxels=order(voxels)
        )
        split = open_npz(tmp_path, "val", ["chair"])
        found = [np.stack(part) for part in zip(*split.stream("03001627"), strict=True)]
        np.testing.assert_array_equal(found[0], images)
        np.testing.assert_array_equal(found[1], voxels)


@pytest.mark.parametrize("count", [0, 2])
def test_number_of_arrays(npz_root, count):
    path = npz_root / "03001627_val_images.npz"
    if count:
        np.savez(path, *[np.zeros((2, 6, 4, 8, 8), np.uint8)] * count)
    else:
        zipfile.ZipFile(path, "w").close()
    with pytest.raises(ValueError, match=f"holds {count} arrays; one was expected"):
        open_npz(npz_root, "val", ["chair"])


def test_categories_of_different_sizes(tmp_path):
    write_category(tmp_path, "03001627", "train")
    larger = np.zeros((3, VIEWS, 4, 16, 16), np.uint8)
    write_category(tmp_path, "04379243", "train", images=larger)
    with pytest.raises(ValueError, match="6 views of 8 pixels in chair, but .*table"):
        open_npz(tmp_path, "train", ["chair", "table"])


def test_real_objects(shared):
    train = [86, 9, 94, 52, 66, 8, 41, 8, 51, 29, 56, 5, 24]
    counts = {"val": [5, 1, 6, 3, 4, 1, 3, 1, 3, 2, 4, 1, 1], "train": train}
    counts["test"] = [16, 2, 18, 10, 12, 2, 8, 2, 10, 6, 11, 1, 4]
    for name, expected in counts.items():
        split = open_npz(shared / "data" / "real13", name)
        assert split.categories == tuple(CATEGORIES)
        assert [split.count(synset) for synset in split.categories] == expected
        assert (split.num_views, split.image_size) == (24, 64)
    images = split.images("03001627", np.arange(12), np.zeros(12, int))
    assert 0.02 < (images[:, 3] > 127).mean() < 0.5
    assert 0.005 < split.voxels("03001627", np.arange(12)).mean() < 0.5
