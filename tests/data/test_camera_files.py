"""Cameras in the description and in files, sound and not."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import config, data, from_opencv, project
from jaxsoftras.data import camera_files, rig
from jaxsoftras.data.camera_files import CameraArrays
from tests.support.npz_files import COUNTS, SIDE, VIEWS, configure, write_folder

ORBIT = {
    "kind": "orbit",
    "distance": 2.0,
    "elevation": 10.0,
    "azimuth_step": 60.0,
    "half_fov": 20.0,
    "views": VIEWS,
    "handedness": "right",
}
CHAIR = "03001627"


def describe(root: Path, camera: object, **more: object) -> None:
    """Writes the description of the files of `write_folder`."""
    splits = ("train", "val", "test")
    content = {
        "format": "jaxsoftras data set",
        "version": 1,
        "categories": {key: f"name {key}" for key in COUNTS},
        "camera": camera,
        "objects": {
            key: dict.fromkeys(splits, [{"name": "x"}] * count)
            for key, count in COUNTS.items()
        },
    }
    (root / "dataset.json").write_text(json.dumps({**content, **more}))


def make_arrays(objects: int = COUNTS[CHAIR]) -> CameraArrays:
    """Cameras at different distances, the first object with two pictures."""
    lead = objects, VIEWS
    counts = np.full(objects, VIEWS)
    counts[0] = 2
    intrinsics = np.zeros((*lead, 3, 3))
    intrinsics[..., :, :] = [[9.0, 0, 4.5], [0, 8.0, 3.5], [0, 0, 1]]
    translation = np.zeros((*lead, 3))
    translation[..., 2] = 2 + np.arange(objects * VIEWS).reshape(lead)
    rotation = np.broadcast_to(np.eye(3), (*lead, 3, 3))
    return CameraArrays(counts, intrinsics, rotation, translation)


class TestOrbit:
    def test_the_description_states_the_rig(self, tmp_path):
        root = write_folder(tmp_path / "npz")
        describe(root, ORBIT)
        split = data.open_split(configure(root), "val")
        views = np.array([0, 5])
        found = split.cameras(CHAIR, np.array([0, 1]), views)
        orbit = rig.Orbit(2.0, 10.0, 60.0, 20.0, "right")
        expected = rig.as_cameras(rig.OrbitViews(views, orbit))
        np.testing.assert_array_equal(found.axes, expected.axes)
        np.testing.assert_array_equal(found.position, expected.position)
        assert split.view_counts(CHAIR).tolist() == [VIEWS] * COUNTS[CHAIR]

    def test_prepared_data_keep_it(self, tmp_path):
        prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
        root = write_folder(tmp_path / "npz")
        describe(root, ORBIT)
        prepared.prepare(root, tmp_path / "out")
        split = data.open_split(configure(tmp_path / "out", source="prepared"), "val")
        zero = np.zeros(1, int)
        viewpoints = split.viewpoints(CHAIR, zero, zero)
        assert isinstance(viewpoints, rig.OrbitViews)
        assert viewpoints.orbit.handedness == "right"
        assert split.has_voxels(CHAIR)

    def test_data_without_description_have_the_configured_rig(self, tmp_path):
        root = write_folder(tmp_path / "npz")
        settings = config.Data(root=str(root), distance=3.0, categories=("chair",))
        split = data.open_split(settings, "val")
        zero = np.zeros(1, int)
        viewpoints = split.viewpoints(CHAIR, zero, zero)
        assert isinstance(viewpoints, rig.OrbitViews)
        assert viewpoints.orbit == rig.Orbit(distance=3.0)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"kind": "stereo"}, "is of kind 'stereo'"),
            ({"distance": float("nan")}, '"distance" .* must be a number, not nan'),
            ({"elevation": None}, '"elevation" .* must be a number, not None'),
            ({"half_fov": 95.0}, "a half_fov between 0 and 90"),
            ({"handedness": "both"}, 'the handedness "left" or "right"'),
            ({"views": 5}, "speaks of 5 views, but the files hold 6"),
        ],
    )
    def test_wrong_descriptions(self, change, message, tmp_path):
        root = write_folder(tmp_path / "npz")
        describe(root, {**ORBIT, **change})
        with pytest.raises(ValueError, match=message):
            data.open_split(configure(root), "val")

    def test_a_configuration_that_says_otherwise(self, tmp_path):
        root = write_folder(tmp_path / "npz")
        describe(root, ORBIT)
        settings = config.Data(root=str(root), elevation=25.0)
        with pytest.raises(ValueError, match="data.elevation is 25.0, but .* 10.0"):
            data.open_split(settings, "val")


class TestPerPicture:
    def test_cameras_are_those_of_opencv(self, tmp_path):
        root = write_folder(tmp_path / "npz")
        describe(root, camera_files.PER_PICTURE)
        arrays = make_arrays()
        camera_files.write_cameras(root / f"{CHAIR}_val_cameras.npz", arrays)
        split = data.open_split(configure(root, CHAIR), "val")
        assert split.view_counts(CHAIR).tolist() == [2, VIEWS]
        where = np.array([0, 1]), np.array([1, 5])
        points = np.array([[0.1, 0.2, 0.3], [-0.4, 0.2, 0.0]])
        expected = from_opencv(arrays.K[where], arrays.R[where], arrays.t[where], SIDE)
        np.testing.assert_allclose(
            project(split.cameras(CHAIR, *where), points),
            project(expected, points),
            rtol=1e-6,
        )
        with pytest.raises(IndexError, match="no view 2: numbers go from 0 to 1"):
            split.cameras(CHAIR, np.array([0]), np.array([2]))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"t": np.zeros((2, VIEWS, 2))}, r"holds t as float64 \[2, 6, 2\]"),
            ({"counts": np.ones(2)}, "holds counts as float64"),
            ({"counts": np.array([0, 1])}, "an object without pictures"),
            ({"counts": np.array([7, 1])}, "or with too many"),
            ({"t": np.full((2, VIEWS, 3), np.nan)}, "a camera that is none: .*finite"),
            ({"R": np.full((2, VIEWS, 3, 3), 2.0)}, "a camera that is none"),
            ({"K": np.full((2, VIEWS, 3, 3), np.eye(3) + np.eye(3, k=1))}, "skew"),
        ],
    )
    def test_wrong_arrays(self, change, message, tmp_path):
        path = tmp_path / "x_cameras.npz"
        camera_files.write_cameras(path, make_arrays()._replace(**change))
        with pytest.raises(ValueError, match=message) as caught:
            camera_files.read_cameras(path, 2, VIEWS, SIDE)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize("damage", ["missing", "truncated", "pickled", "lacking"])
    def test_damaged_files(self, damage, tmp_path):
        path = tmp_path / "x_cameras.npz"
        arrays = make_arrays()._asdict()
        if damage == "pickled":
            arrays["K"] = np.array([{}, 1], object)
        elif damage == "lacking":
            del arrays["R"]
        if damage != "missing":
            np.savez(path, **arrays)
        if damage == "truncated":
            path.write_bytes(path.read_bytes()[:-100])
        kind = FileNotFoundError if damage == "missing" else ValueError
        with pytest.raises(kind, match="x_cameras.npz"):
            camera_files.read_cameras(path, 2, VIEWS, SIDE)

    def test_headers_that_claim_any_size(self, tmp_path):
        path, header = tmp_path / "x_cameras.npz", io.BytesIO()
        fields = {"descr": "<i8", "fortran_order": False, "shape": (10**15,)}
        np.lib.format.write_array_header_1_0(header, fields)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("counts.npy", header.getvalue())
        with pytest.raises(ValueError, match="x_cameras.npz needs more memory"):
            camera_files.read_cameras(path, 2, VIEWS, SIDE)

    def test_are_not_prepared(self, tmp_path):
        prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
        root = write_folder(tmp_path / "npz")
        describe(root, camera_files.PER_PICTURE)
        with pytest.raises(ValueError, match="train on the npz files as they are"):
            prepared.prepare(root, tmp_path / "out")


def test_voxels_may_be_left_out_where_the_description_says_so(tmp_path):
    root = write_folder(tmp_path / "npz")
    for path in root.glob("*_voxels.npz"):
        path.unlink()
    describe(root, ORBIT)
    with pytest.raises(FileNotFoundError, match="voxels.npz"):
        data.open_split(configure(root), "val")
    describe(root, ORBIT, voxels=False)
    split = data.open_split(configure(root), "val")
    assert not split.has_voxels(CHAIR)
    prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    prepared.prepare(root, tmp_path / "out")
    split = prepared.open_prepared(tmp_path / "out", "val")
    assert not split.has_voxels(CHAIR)
