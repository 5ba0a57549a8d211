"""The builder of the archive of Soft Rasterizer."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data import description, download
from tests.support import shapenet_files as files
from tests.support.builders import check_builder
from tests.support.npz_files import configure

softras = pytest.importorskip("jaxsoftras.data.shapenet_softras", exc_type=ImportError)

STEM = f"mesh_reconstruction/{files.CHAIR}_train"


@pytest.fixture(scope="module")
def members() -> dict[str, bytes]:
    return files.softras_members()


@pytest.fixture(scope="module")
def built(members, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("softras")
    md5 = files.write_archive(folder / "a.zip", members)
    counts = {
        f"{split}_{synset}": count
        for synset, splits in files.COUNTS.items()
        for split, count in splits.items()
    }
    out = folder / "out"
    check_builder(
        softras.ShapenetSoftras, out, counts, archive=folder / "a.zip", md5=md5
    )
    return out


def write(*arguments: Any, **more: Any) -> None:
    from jaxsoftras.data import prepared_builder

    prepared_builder.write(*arguments, **more)


def open_built(root: Path, split: str) -> Any:
    from jaxsoftras.data import open_split

    return open_split(configure(root, source="prepared"), split)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_colors_are_not_inverted(built, split):
    data = open_built(built, split)
    keys = [key for key, counts in files.COUNTS.items() if split in counts]
    assert data.categories == tuple(keys)
    for key in keys:
        count = files.COUNTS[key][split]
        expected = files.make_images(int(key) + len(split), count)
        objects, views = np.divmod(np.arange(count * files.VIEWS), files.VIEWS)
        found = data.images(key, objects, views)
        np.testing.assert_array_equal(found, expected.reshape(found.shape))
        rng = np.random.default_rng(int(key) + len(split))
        voxels = rng.random((count, 32, 32, 32)) < 0.5
        np.testing.assert_array_equal(data.voxels(key, np.arange(count)), voxels)


def test_description(built):
    from jaxsoftras.data.prepared import inspect_prepared

    about, _ = inspect_prepared(built)
    assert about is not None
    assert about.categories == {files.CHAIR: "chair", files.TABLE: "table"}
    assert about.content["made_by"]["source"] == download.URL
    assert about.content["camera"]["azimuth_step"] == -15
    assert description.parse(about.content, "here") == about


def refuse(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    archive, out = tmp_path / "a.zip", tmp_path / "out"
    md5 = files.write_archive(archive, members)
    with pytest.raises(ValueError, match=message) as caught:
        write(softras.ShapenetSoftras, out, archive=archive, md5=md5)
    assert "\n" not in str(caught.value) and str(archive) in str(caught.value)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a.zip"}


def pickled() -> bytes:
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("something was unpickled",))

    array = np.empty((1,), object)
    array[0] = Bomb()
    return files.pack_npz(array, lambda file, a: np.savez(file, a, allow_pickle=True))


IMAGES = np.zeros((1, 24, 4, 64, 64), np.uint8)
PAIR = IMAGES.repeat(2, 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images", pickled(), r"holds object \[1\], not uint8"),
        ("images", pickle.dumps([1]), "images.npz is damaged or not an npz"),
        ("images", files.pack_npz(IMAGES)[:-50], "images.npz is damaged"),
        ("images", files.pack_npz(IMAGES.astype(float)), "holds float64 .* not uint8"),
        ("images", files.pack_npz(IMAGES[0]), r"holds uint8 \[24, 4, 64, 64\], not"),
        ("images", files.pack_npz(IMAGES[..., 1:]), "must be square"),
        ("images", files.pack_npz(PAIR[:, 1:]), "holds 23 views of 64 pixels; those"),
        ("images", files.pack_npz(IMAGES), "holds 2 objects but .*images.npz holds 1"),
        ("images", None, "_voxels.npz has no .*_train_images.npz beside"),
        ("voxels", None, "_images.npz has no .*_train_voxels.npz beside"),
        ("voxels", files.pack_npz(np.zeros((2, 16, 16, 16), bool)), "32.* are needed"),
        ("voxels", files.pack_npz(np.zeros((2, 32, 32, 32))), "float64 .*, not bool"),
    ],
)
def test_broken_files(tmp_path, members, name, content, message):
    wrong = {**members, f"{STEM}_{name}.npz": content}
    refuse(tmp_path, {k: v for k, v in wrong.items() if v is not None}, message)


def test_damage_that_only_the_checksum_finds(tmp_path, members):
    content = bytearray(files.pack_npz(PAIR, np.savez))
    content[-1000] ^= 0xFF
    wrong = {**members, f"{STEM}_images.npz": bytes(content)}
    refuse(tmp_path, wrong, "images.npz is damaged .*CRC")


def test_path_that_leads_out(tmp_path, members):
    refuse(tmp_path, {**members, "mesh_reconstruction/../../evil": b""}, "unsafe path")


def test_declared_size(tmp_path, members, monkeypatch):
    monkeypatch.setattr("jaxsoftras.data.shapenet_softras._MOST_BYTES", 1000)
    refuse(tmp_path, members, "declares 0.0 GB for .*npz; such files have 0.0 GB")


def test_other_checksum(tmp_path, members):
    files.write_archive(tmp_path / "a.zip", members)
    with pytest.raises(
        ValueError, match="MD5 checksum .*, not cde03535.*Download http"
    ):
        write(softras.ShapenetSoftras, tmp_path / "out", archive=tmp_path / "a.zip")


def test_missing_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*Download https://nyc3"):
        write(softras.ShapenetSoftras, tmp_path / "out", archive=tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


def test_colors_that_are_not_stored_as_assumed(tmp_path, members):
    stored = np.full_like(PAIR, 9)
    stored[:, :, 0] = 200
    wrong = {**members, f"{STEM}_images.npz": files.pack_npz(stored)}
    md5 = files.write_archive(tmp_path / "a.zip", wrong)
    with pytest.warns(UserWarning, match=f"196608 colours of train/{files.CHAIR} exc"):
        write(
            softras.ShapenetSoftras,
            tmp_path / "out",
            archive=tmp_path / "a.zip",
            md5=md5,
        )
