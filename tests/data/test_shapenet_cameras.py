"""Cameras of the PNG renderings."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data.shapenet_cameras import order_views
from tests.support.shapenet_files import SIDE, VIEWS, make_cameras


def order(tmp_path: Path, cameras: dict[str, Any]) -> list[int]:
    np.savez(tmp_path / "cameras.npz", **cameras)
    return order_views(tmp_path / "cameras.npz", VIEWS, SIDE).tolist()


def test_published_matrices_are_view_0():
    cameras = make_cameras()
    world = [[0, 0, -1, 0], [0.5, -0.86602539, 0, 0]]
    world += [[-0.86602539, -0.49999997, 0, 2.73199987], [0, 0, 0, 1]]
    np.testing.assert_allclose(cameras["world_mat_0"], world, atol=1e-6)
    camera = np.diag([3.7320509, 3.7320509, 1, 1])
    np.testing.assert_allclose(cameras["camera_mat_0"], camera, atol=1e-6)


def test_views_of_the_rig(tmp_path):
    cameras = make_cameras()
    assert order(tmp_path, cameras) == list(range(VIEWS))
    slight = {name: m + 1e-4 * (m != 0) for name, m in cameras.items()}
    assert order(tmp_path, slight) == list(range(VIEWS))
    rows = {name: m[:3] for name, m in cameras.items()}
    identity = {f"scale_mat_{view}": np.eye(4) for view in range(VIEWS)}
    assert order(tmp_path, rows | identity) == list(range(VIEWS))


def test_pictures_in_another_order(tmp_path):
    cameras = make_cameras()
    mixed = np.random.default_rng(0).permutation(VIEWS)
    shuffled = {
        f"{kind}_{picture}": cameras[f"{kind}_{view}"]
        for kind in ("world_mat", "camera_mat")
        for picture, view in enumerate(mixed)
    }
    assert order(tmp_path, shuffled) == np.argsort(mixed).tolist()


def turned(name: str) -> np.ndarray:
    cosine, sine = np.cos(0.1), np.sin(0.1)
    turn = np.eye(4)
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    return make_cameras()[name] @ turn


@pytest.mark.parametrize(
    ("name", "matrix", "message"),
    [
        ("world_mat_3", None, "has no world_mat_3"),
        ("camera_mat_23", None, "has no camera_mat_23"),
        ("world_mat_3", np.full((4, 4), np.nan), "a world_mat_3 that is not finite"),
        (
            "world_mat_3",
            np.zeros((4, 4)),
            "a camera of picture 3 that is inf pixels off",
        ),
        ("world_mat_3", np.eye(4, dtype=int), r"int64 \[4, 4\] as world_mat_3"),
        ("world_mat_3", np.eye(5), r"float64 \[5, 5\] as world_mat_3"),
        ("world_mat_3", make_cameras()["world_mat_4"], "two pictures with the same"),
        ("world_mat_3", turned("world_mat_3"), "of picture 3 that is .* pixels off"),
        ("camera_mat_3", np.diag([4.0, 4, 1, 1]), "of picture 3 that is .* pixels off"),
        ("scale_mat_3", np.diag([2.0, 2, 2, 1]), "a scale_mat_3 that is not the iden"),
        ("camera_mat_3", np.array([{}]), "damaged or not an npz file"),
        ("world_mat_3", np.zeros(10**5), "damaged or not .*larger than a matrix"),
    ],
)
def test_other_cameras(tmp_path, name, matrix, message):
    cameras = {**make_cameras(), name: matrix}
    with pytest.raises(ValueError, match=message) as caught:
        order(tmp_path, {key: m for key, m in cameras.items() if m is not None})
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "cameras.npz"
    with pytest.raises(FileNotFoundError, match="no file .*cameras.npz"):
        order_views(path, VIEWS, SIDE)
    for content in (b"", b"<html>"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cameras.npz is damaged"):
            order_views(path, VIEWS, SIDE)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("world_mat_0.npy", "a")
    with pytest.raises(ValueError, match="cameras.npz is damaged"):
        order_views(path, VIEWS, SIDE)
