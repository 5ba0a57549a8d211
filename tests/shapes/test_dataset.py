"""The embedded data set: images that agree with the voxels, and its parameters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras.data.zbuffer import render, view_eyes
from jaxsoftras.shapes import dataset, making
from jaxsoftras.voxels import voxel_surface

TWO = {"03001627": 4, "04379243": 3}  # chairs and tables


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shapes") / "two"
    dataset.write_dataset(root, objects_per_category=TWO, seed=1)
    return root


def silhouette_scores(images: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Compares silhouettes of voxels and of images, averaged over objects and views.

    Returns: IoU with the image, with the mirrored image and with the next view's image,
    and the fraction of the image that the voxels cover.
    """
    scores = []
    for views, occupied in zip(images, voxels, strict=True):
        surface = voxel_surface(occupied)
        for k in (1, 5, 9, 14, 20):
            rendered = (
                render(*surface, view_eyes()[k], supersampling=1, closed=True)[3] > 0
            )
            mask, following = views[[k, (k + 1) % 24], 3] > 127
            row = [
                np.sum(rendered & other) / np.sum(rendered | other)
                for other in (mask, mask[:, ::-1], following)
            ]
            scores.append([*row, np.sum(rendered & mask) / np.sum(mask)])
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


def test_silhouettes_agree_with_the_voxels(small):
    check_silhouettes(sorted(small.glob("*train_images.npz")), 0.6)


def test_real_data_has_the_same_views_and_axes(shared):
    files = sorted((shared / "data" / "real13").glob("*_test_images.npz"))
    check_silhouettes(files, 0.7)


def test_objects_are_the_same_in_every_version(small):
    """A change of the embedded data set would make results of runs incomparable."""
    digest = hashlib.sha256()
    for path in sorted(small.glob("*.npz")):
        with np.load(path) as file:
            digest.update(path.name.encode() + file["arr_0"].tobytes())
    expected = "0c8e641f6f50f4b80d027f05799976d8a175c12873bb26c05398760b2342f331"
    assert digest.hexdigest() == expected


def test_split_of_styles_holds_other_objects(small):
    with np.load(small / "03001627_style_images.npz") as file:
        images = file["arr_0"]
    views, _ = making.make_object("03001627", 0, 1, True, 64)
    np.testing.assert_array_equal(images, views[None])


def test_description_states_the_parameters(small):
    assert json.loads((small / dataset.DESCRIPTION).read_text()) == {
        "format": "jaxsoftras embedded shapes",
        "version": 2,
        "seed": 1,
        "image_size": 64,
        "objects": TWO,
    }


def test_same_bytes_from_any_number_of_processes(small, tmp_path):
    dataset.write_dataset(
        tmp_path / "again", objects_per_category=TWO, seed=1, processes=2
    )
    for path in small.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_larger_data_set_contains_the_smaller_one(small, tmp_path):
    more = {"04379243": 5}
    dataset.write_dataset(tmp_path / "more", objects_per_category=more, seed=1)
    for kind in ("images", "voxels"):
        name = f"04379243_train_{kind}.npz"
        few = np.load(small / name)["arr_0"]
        many = np.load(tmp_path / "more" / name)["arr_0"]
        assert len(many) == 3
        np.testing.assert_array_equal(many[: len(few)], few)


def test_ensure_keeps_an_equal_data_set_and_refuses_another(small, monkeypatch):
    monkeypatch.setattr(dataset, "write_dataset", None)  # would fail if called
    dataset.ensure_dataset(small, objects_per_category=TWO, seed=1)
    with pytest.raises(FileExistsError, match=r"\(seed: 1 in place of 2\); remove"):
        dataset.ensure_dataset(small, objects_per_category=TWO, seed=2)
    count = TWO["04379243"]
    more = rf"objects of 04379243: {count} in place of 9, and 1 more such\)"
    with pytest.raises(FileExistsError, match=more):
        dataset.ensure_dataset(small, objects_per_category={"04379243": 9}, seed=1)


def test_renderer_of_jax_is_named_and_draws_the_same(small, tmp_path, monkeypatch):
    root = tmp_path / "jax"
    arguments = {"objects_per_category": {"04379243": 3}, "seed": 1, "image_size": 8}
    dataset.write_dataset(root, **arguments, renderer="jax", processes=1)
    assert json.loads((root / dataset.DESCRIPTION).read_text())["renderer"] == "jax"
    dataset.write_dataset(tmp_path / "numpy", **arguments)
    for path in root.glob("*.npz"):
        expected = np.load(tmp_path / "numpy" / path.name)["arr_0"]
        np.testing.assert_allclose(np.load(path)["arr_0"], expected, atol=16)
    monkeypatch.setattr(dataset, "write_dataset", None)  # would fail if called
    dataset.ensure_dataset(root, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objects_per_category": 2}, "at least 3 objects"),
        ({"objects_per_category": {}}, "at least 3 objects"),
        ({"objects_per_category": {"chair": 5}}, "Unknown categories chair"),
        ({"objects_per_category": 3, "seed": -1}, "must not be negative"),
        ({"objects_per_category": 3, "image_size": 0}, "from 1 to 8192, not 0"),
        ({"objects_per_category": 3, "image_size": 10**30}, "from 1 to 8192"),
        ({"objects_per_category": 3, "renderer": "gpu"}, "must be one of numpy, jax"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        dataset.write_dataset(tmp_path / "set", **arguments)
    assert not list(tmp_path.iterdir())
