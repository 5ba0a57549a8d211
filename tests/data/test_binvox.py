"""Binvox files: reading, their frame and axes, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import save_mesh
from jaxsoftras.data import binvox, soups
from jaxsoftras.data.build_object import Options, find_frame, make_object
from tests.support.mesh_folders import CORNERS, wedge
from tests.support.shapenet_files import pack_binvox, write_binvox

HEADER = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n"
CUBE = bytes([1, 1, 0, 7])
OPTIONS = Options(views=1, size=16, binvox=True)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.sum(a & b) / np.sum(a | b)


def test_indices_run_along_y_then_z_then_x(tmp_path):
    path = tmp_path / "a.binvox"
    path.write_bytes(HEADER + bytes([0, 3, 1, 1, 0, 2, 1, 1, 0, 1]))  # cells 3 and 6
    found = np.argwhere(binvox.read(path).occupied)  # x, y, z
    assert found.tolist() == [[0, 1, 1], [1, 0, 1]]


@pytest.mark.parametrize(
    ("resolution", "up", "front"),
    [(128, "+Y", "-Z"), (64, "+Y", "+X"), (64, "-Z", "+Y")],
)
def test_agrees_with_the_voxelizer(tmp_path, resolution, up, front):
    mesh = wedge(2.0)
    path = tmp_path / "a.binvox"
    write_binvox(path, mesh, resolution)
    model, frame = binvox.read(path), find_frame(mesh, up, front)
    found = binvox.to_model_frame(model, frame)
    points = ((mesh.vertices - frame.center) / frame.extent) @ frame.axes.T
    expected = soups.voxelize(points, mesh.faces)
    assert iou(found, expected) > 0.93
    for other in (found[::-1], found[:, ::-1], found[..., ::-1]):
        assert iou(other, expected) < 0.8
    assert iou(found.swapaxes(0, 1), expected) < 0.8


def test_surface_is_filled(tmp_path):
    grid = np.ones((64, 64, 64), bool)
    grid[1:-1, 1:-1, 1:-1] = False
    path = tmp_path / "a.binvox"
    path.write_bytes(pack_binvox(grid, np.full(3, -0.5), 1.0))
    frame = binvox.Frame(np.zeros(3), 1.0, np.eye(3), np.full(3, -0.5), np.full(3, 0.5))
    assert binvox.to_model_frame(binvox.read(path), frame).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a binvox file of version 1"),
        (b"#binvox 2" + HEADER[9:] + CUBE, "not a binvox file of version 1"),
        (HEADER[:-5] + CUBE, "not a binvox file of version 1"),
        (
            HEADER.replace(b"2 2 2", b"2 2 3") + CUBE,
            "must be a cube, and has dim 2 2 3",
        ),
        (HEADER.replace(b"2 2 2", b"-2 -2 -2") + CUBE, "must be a cube"),
        (
            HEADER.replace(b"2 2 2", b"2000 " * 3) + CUBE,
            "1 to 1024 cells a side, not 2",
        ),
        (HEADER.replace(b"2 2 2", b"9" * 400 + b" ") + CUBE, "must be a cube"),
        (HEADER.replace(b"scale 1\n", b"") + CUBE, "has no scale"),
        (HEADER.replace(b"scale 1", b"scale 0") + CUBE, "its scale is 0"),
        (HEADER.replace(b"scale 1", b"scale nan") + CUBE, "its scale is 'nan'"),
        (HEADER.replace(b"0 0 0", b"0 0 x") + CUBE, "its translate is '0 0 x'"),
        (HEADER + CUBE[:3], "its runs describe"),
        (HEADER + CUBE[:2], "its runs describe 1 cells, not 2"),
        (HEADER + CUBE + b"\0\1", "its runs describe 9 cells"),
        (HEADER + b"\1\xff" * 100, "its runs describe 2295 cells"),
        (HEADER + bytes([2, 1, 0, 7]), "8 cells, not .* of 0 or 1"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "a.binvox"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        binvox.read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


class TestObjects:
    @pytest.fixture
    def path(self, tmp_path) -> Path:
        save_mesh(tmp_path / "model.obj", wedge(2.0))
        return tmp_path / "model.obj"

    @pytest.mark.parametrize("kind", [".solid", "", ".surface"])
    def test_voxels_come_from_the_file(self, path, kind):
        mesh = wedge(2.0)
        write_binvox(path.with_suffix(f"{kind}.binvox"), mesh, 64)
        expected = binvox.to_model_frame(
            binvox.read(path.with_suffix(f"{kind}.binvox")),
            find_frame(mesh, OPTIONS.up, OPTIONS.front),
        )
        example, notes = make_object(path, OPTIONS)
        assert not notes
        np.testing.assert_array_equal(example.voxels, expected)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "made from the mesh: there is no binvox file"),
            (b"", "from the mesh: model.binvox: is damaged or not a binvox"),
            (HEADER + bytes([0, 8]), "model.binvox: no cell is occupied"),
            (HEADER + CUBE, "model.binvox: its cells are larger"),
        ],
    )
    def test_others_are_made_from_the_mesh(self, path, content, message):
        if content is not None:
            path.with_suffix(".binvox").write_bytes(content)
        example, [note] = make_object(path, OPTIONS)
        assert message in note
        expected, _ = make_object(path, Options(views=1, size=16))
        np.testing.assert_array_equal(example.voxels, expected.voxels)

    def test_file_of_another_mesh(self, path):
        write_binvox(path.with_suffix(".binvox"), wedge(2.3), 64)
        _, [note] = make_object(path, OPTIONS)
        assert "its bounds and those of the mesh differ by" in note
        assert np.ptp(CORNERS, 0).max() == 4  # longest side, of which 0.3 is too much
