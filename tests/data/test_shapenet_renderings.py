"""The builder of the PNG renderings."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import extras
from jaxsoftras.data import description, open_split
from jaxsoftras.meshfile import imagefile
from tests.support import shapenet_files as files
from tests.support.builders import check_builder
from tests.support.npz_files import configure

renderings = pytest.importorskip(
    "jaxsoftras.data.shapenet_renderings", exc_type=ImportError
)

CHAIR, TABLE = files.CHAIR, files.TABLE
LISTS = {
    f"train_{CHAIR}": ["u1a", "2b.c-d", "absent"],
    f"val_{CHAIR}": ["v1"],
    f"test_{TABLE}": ["t1"],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("renderings") / "NMR_Dataset"
    files.write_lists(folder, LISTS)
    for name, ids in LISTS.items():
        for number, identity in enumerate(ids):
            if identity != "absent":
                images = files.make_images(len(name) + number)[0]
                files.write_renderings(folder / name.split("_")[1] / identity, images)
    return folder


@pytest.fixture(scope="module")
def built(root, tmp_path_factory) -> tuple[Path, list[tuple[str, str]]]:
    out = tmp_path_factory.mktemp("built") / "out"
    counts = {f"train_{CHAIR}": 2, f"val_{CHAIR}": 1, f"test_{TABLE}": 1}
    builder = check_builder(renderings.ShapenetRenderings, out, counts, images=root)
    return out, builder.left_out


@pytest.fixture
def folder(root, tmp_path) -> Path:
    """An object that may be damaged."""
    return Path(shutil.copytree(root / CHAIR / "v1", tmp_path / "v1"))


def test_images(built):
    for name, count in {f"train_{CHAIR}": 2, f"test_{TABLE}": 1}.items():
        split, key = name.split("_")
        data = open_split(configure(built[0], source="prepared"), split)
        assert not data.has_voxels(key)
        for number in range(count):
            found = data.images(key, np.full(24, number), np.arange(24))
            expected = files.make_images(len(name) + number)[0]
            np.testing.assert_array_equal(found, expected)


def test_names_and_what_was_left_out(built):
    from jaxsoftras.data.prepared import inspect_prepared

    about, _ = inspect_prepared(built[0])
    assert about is not None and about == description.parse(about.content, "here")
    assert about.objects[CHAIR]["train"] == [{"name": "u1a"}, {"name": "2b.c-d"}]
    [(place, reason)] = built[1]
    assert place == f"{CHAIR}/absent" and reason == "There is no file cameras.npz"
    assert about.content["made_by"]["left_out"] == [[place, reason]]


def test_pictures_follow_their_cameras(folder):
    before = renderings.read_object(folder)
    cameras = files.make_cameras()
    for kind in ("world_mat", "camera_mat"):
        third, fifth = (files.make_cameras()[f"{kind}_{i}"] for i in (3, 5))
        cameras |= {f"{kind}_3": fifth, f"{kind}_5": third}
    np.savez(folder / "cameras.npz", **cameras)
    after = renderings.read_object(folder)
    np.testing.assert_array_equal(after[[3, 5]], before[[5, 3]])
    np.testing.assert_array_equal(after[6:], before[6:])


def png(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:
    def edit(code: bytes) -> bytes:
        return imagefile.encode_png(change(imagefile.decode(io.BytesIO(code))))

    return edit


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("image/0007.png", None, "0007.png"),
        ("mask/0023.png", None, "0023.png"),
        (
            "image/0007.png",
            lambda code: code[:40],
            "0007.png cannot be read as an image",
        ),
        ("image/0007.png", lambda code: b"", "0007.png cannot be read as an image"),
        ("image/0007.png", png(lambda a: a[:32]), "has 64 x 32 pixels, not 64 x 64"),
        (
            "image/0007.png",
            png(lambda a: np.dstack([a, 0.5 + 0 * a[..., :1]])),
            "64 x 64 pixels with transparency, not 64 x 64 without",
        ),
        ("image/0007.png", png(np.zeros_like), "a background that is not white"),
        ("mask/0007.png", png(np.zeros_like), "mask/0007.png is empty"),
        ("mask/0007.png", png(lambda a: a * [1, 1, 0]), "mask/0007.png is not grey"),
    ],
)
def test_broken_pictures(folder, name, edit, message):
    path = folder / name
    if edit is None:
        path.unlink()
    else:
        path.write_bytes(edit(path.read_bytes()))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        renderings.read_object(folder)


@pytest.mark.parametrize("top", [1, 200])
def test_masks_are_scaled_to_their_maximum(folder, top):
    before = renderings.read_object(folder)
    for path in (folder / "mask").iterdir():
        mask = (imagefile.read(path) > 0) * (top / 255)
        path.write_bytes(imagefile.encode_png(mask))
    after = renderings.read_object(folder)
    np.testing.assert_array_equal(after[:, 3] > 0, before[:, 3] > 0)
    assert set(np.unique(after[:, 3])) == {0, 255}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "has no lists .*Download https://s3.* name its folder"),
        ({f"train_{CHAIR}": ["../../etc"]}, "names '../../etc', which is no ID"),
        ({f"train_{CHAIR}": ["/etc"]}, "names '/etc', which is no ID"),
        ({f"train_{CHAIR}": ["é"]}, "which is no ID"),
        ({f"train_{CHAIR}": ["a", "a"]}, "names an object twice"),
        ({f"train_{CHAIR}": ["a"], f"test_{CHAIR}": ["a"]}, "an object twice, or one"),
        ({"train_chairs": ["a"]}, "does not lie in the folder of a synset"),
        ({f"train_{CHAIR}": ["a"]}, "None of 1 objects of .*03001627/a: There is no"),
    ],
)
def test_wrong_lists(tmp_path, lists, message):
    from jaxsoftras.data.prepared_builder import write

    (tmp_path / "in").mkdir()
    files.write_lists(tmp_path / "in", lists)
    out = tmp_path / "out"
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        write(renderings.ShapenetRenderings, out, images=tmp_path / "in")
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_without_pillow_nothing_is_written(root, tmp_path, monkeypatch):
    from jaxsoftras.data import prepared_builder

    monkeypatch.setitem(sys.modules, "PIL", None)
    out = tmp_path / "out"
    with pytest.raises(extras.MissingExtraError, match="^Install Pillow to read image"):
        prepared_builder.write(renderings.ShapenetRenderings, out, images=root)
    assert not out.exists()
