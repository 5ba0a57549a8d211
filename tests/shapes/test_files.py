"""Data sets of shapes: pictures that agree with the voxels, and files on the disk."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxsoftras.data.zbuffer import render, view_eyes
from jaxsoftras.shapes import __main__ as command
from jaxsoftras.shapes import dataset
from jaxsoftras.shapes.catalogue import make_shape
from jaxsoftras.shapes.cubes import voxel_surface
from jaxsoftras.voxels import voxelize

REAL = Path(__file__).parents[3] / "shared" / "data" / "real13"
TWO = {"03001627": 4, "04379243": 3}  # chairs and tables


def test_padding_does_not_change_the_voxels():
    vertices, faces, _ = make_shape("03636649", 1)
    plain = jax.jit(voxelize)(jnp.asarray(vertices, jnp.float32), jnp.asarray(faces))
    padded = dataset.solid_voxels(vertices, faces)
    assert len(faces) % dataset.FACES_STEP and len(vertices) < len(faces)
    np.testing.assert_array_equal(padded, plain)


def silhouette_scores(images: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """How the voxels seen in each view match the pictures.

    Returns: IoU with the picture, with it mirrored, with the next view's, and the
    fraction of the picture that the voxels cover; means over objects and some views.
    """
    scores = []
    for pictures, occupied in zip(images, voxels, strict=True):
        surface = voxel_surface(occupied)
        for k in (1, 5, 9, 14, 20):
            drawn = (
                render(*surface, view_eyes()[k], supersampling=1, closed=True)[3] > 0
            )
            mask, following = pictures[[k, (k + 1) % 24], 3] > 127
            row = [
                np.sum(drawn & other) / np.sum(drawn | other)
                for other in (mask, mask[:, ::-1], following)
            ]
            scores.append([*row, np.sum(drawn & mask) / np.sum(mask)])
    return np.mean(scores, 0)


def check_silhouettes(files: list[Path], minimum: float) -> None:
    scores = []
    for path in files:
        images = np.load(path)["arr_0"][:2]
        voxels = np.load(str(path).replace("images", "voxels"))["arr_0"][:2]
        scores.append(silhouette_scores(images, voxels))
    same, mirrored, following, covered = np.mean(scores, 0)
    assert covered > 0.97  # thin rods between lattice lines leave no voxels
    assert same > minimum
    assert same > mirrored + 0.15 and same > following + 0.05


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes") / "two"
    dataset.write_dataset(root, objects_per_category=TWO, seed=1)
    return root


def test_silhouettes_agree_with_the_voxels(small):
    check_silhouettes(sorted(small.glob("*train_images.npz")), 0.6)


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real13 data is not here")
def test_real_data_has_the_same_views_and_axes():
    check_silhouettes(sorted(REAL.glob("*_test_images.npz")), 0.7)


def test_files_follow_the_format(small):
    stems = {f"{s}_{split}" for s in TWO for split in ("train", "val", "test")}
    names = {f"{stem}_{kind}.npz" for stem in stems for kind in ("images", "voxels")}
    assert {path.name for path in small.iterdir()} == names | {dataset.DESCRIPTION}
    counts = {}
    for stem in stems:
        images = np.load(small / f"{stem}_images.npz")["arr_0"]
        voxels = np.load(small / f"{stem}_voxels.npz")["arr_0"]
        assert images.dtype == np.uint8 and images.shape[1:] == (24, 4, 64, 64)
        assert voxels.dtype == bool and voxels.shape[1:] == (32, 32, 32)
        assert len(images) == len(voxels)
        assert images.any((2, 3, 4)).all() and voxels.any((1, 2, 3)).all()
        counts[stem] = len(images)
    assert [counts[f"03001627_{s}"] for s in ("train", "val", "test")] == [2, 1, 1]
    description = json.loads((small / dataset.DESCRIPTION).read_text())
    assert description["seed"] == 1 and description["objects"] == TWO


def test_same_bytes_again_and_more_objects_keep_the_earlier_ones(small, tmp_path):
    # the pictures' bytes do not depend on the size of the set or on the order of work
    dataset.write_dataset(tmp_path / "again", objects_per_category=TWO, seed=1)
    for path in small.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    more = {"04379243": 5}
    dataset.write_dataset(tmp_path / "more", objects_per_category=more, seed=1)
    for kind in ("images", "voxels"):
        name = f"04379243_train_{kind}.npz"
        few = np.load(small / name)["arr_0"]
        many = np.load(tmp_path / "more" / name)["arr_0"]
        assert len(many) == 3
        np.testing.assert_array_equal(many[: len(few)], few)


def test_ensure_keeps_what_is_there_and_refuses_other_arguments(small, monkeypatch):
    monkeypatch.setattr(dataset, "write_dataset", None)  # would fail if called
    dataset.ensure_dataset(small, objects_per_category=TWO, seed=1)
    with pytest.raises(FileExistsError, match="another seed"):
        dataset.ensure_dataset(small, objects_per_category=TWO, seed=2)
    with pytest.raises(FileExistsError, match="another objects"):
        dataset.ensure_dataset(small, objects_per_category=3, seed=1)


@pytest.fixture
def quick(monkeypatch):
    """Replaces the making of objects, which these tests do not look at."""

    def example(synset, index, *, seed, image_size):
        return np.full((24, 4, 2, 2), seed, np.uint8), np.zeros((32, 32, 32), bool)

    monkeypatch.setattr(dataset, "_make_example", example)
    return functools.partial(dataset.write_dataset, objects_per_category=TWO)


def test_an_older_data_set_is_replaced_and_other_folders_are_not(quick, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    quick(root)
    seen = []
    quick(root, seed=7, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k + 1, 7) for k in range(7)]
    assert np.load(root / "03001627_val_images.npz")["arr_0"].max() == 7
    assert [path.name for path in tmp_path.iterdir()] == ["set"]

    (root / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="1 others added"):
        quick(root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="not an embedded data set"):
        quick(tmp_path / "other")
    with pytest.raises(FileExistsError, match="not an embedded data set"):
        quick(root / "notes.txt")
    assert (root / "notes.txt").exists() and (tmp_path / "other/thesis.tex").exists()


def test_a_failure_leaves_nothing_behind(quick, tmp_path, monkeypatch):
    def broken(synset, index, **_):
        if index == 2:
            raise OSError("no space left on device")
        return np.zeros((24, 4, 2, 2), np.uint8), np.zeros((32, 32, 32), bool)

    root = tmp_path / "set"
    quick(root, seed=7)
    monkeypatch.setattr(dataset, "_make_example", broken)
    for target in (root, tmp_path / "new"):
        with pytest.raises(OSError, match="no space left"):
            quick(target)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert np.load(root / "03001627_val_images.npz")["arr_0"].max() == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objects_per_category": 2}, "at least 3 objects"),
        ({"objects_per_category": {}}, "at least 3 objects"),
        ({"objects_per_category": {"chair": 5}}, "unknown categories chair"),
        ({"objects_per_category": 3, "seed": -1}, "must not be negative"),
        ({"objects_per_category": 3, "image_size": 0}, "must be positive"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        dataset.write_dataset(tmp_path / "set", **arguments)
    assert not list(tmp_path.iterdir())


def test_command_line(quick, tmp_path, capsys, monkeypatch):
    root = tmp_path / "set"
    assert command.main(["--out", str(root), "--objects", "3", "--seed", "4"]) == 0
    assert json.loads((root / dataset.DESCRIPTION).read_text())["seed"] == 4
    assert command.main(["--out", str(root), "--objects", "1"]) == 2
    assert "at least 3 objects" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([])
    sheet = tmp_path / "sheet.png"
    few = functools.partial(command.contact_sheet, image_size=24)
    monkeypatch.setattr(command, "contact_sheet", few)
    assert command.main(["--sheet", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.size == (8 * 24, 13 * 24)
