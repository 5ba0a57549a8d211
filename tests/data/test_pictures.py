"""Data sets of pictures with masks and cameras: geometry, layout, and the command."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from jaxsoftras import config, data
from jaxsoftras.camera import project
from jaxsoftras.data import (
    description,
    picture_cameras,
    picture_crops,
    picture_files,
    picture_objects,
)
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.pictures import import_pictures
from tests.support import picture_folders as pictures
from tests.support.picture_folders import KEEP, SIZE, take


def surface() -> np.ndarray:
    """Points all over the ellipsoid, world space of its cameras."""
    points = np.random.default_rng(0).normal(size=(20000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return pictures.CENTER + points * pictures.RADII


def extent(split: data.Split, key: str, points: np.ndarray, view: int) -> np.ndarray:
    """Left, right, top and bottom of points and of the object in an image, pixels."""
    where = np.zeros(1, int), np.full(1, view)
    x, y, _ = np.moveaxis(
        np.asarray(project(split.cameras(key, *where), points)[0]), 1, 0
    )
    columns, rows = (x + 1) * SIZE / 2, (1 - y) * SIZE / 2
    mask = split.images(key, *where)[0, 3] >= 128
    spans = [np.flatnonzero(mask.any(axis))[[0, -1]] + [0, 1] for axis in (0, 1)]
    return np.array(
        [(columns.min(), columns.max(), rows.min(), rows.max()), np.ravel(spans)]
    )


class TestGeometry:
    def test_objects_are_moved_into_the_unit_box(self, eggs):
        report, split = take(eggs, Options(size=SIZE))
        assert split is not None
        assert not report.left_out and not report.notes
        assert split.view_counts("egg").tolist() == [6, 4]
        longest = 2 * pictures.RADII.max()
        for view in range(6):
            points = (surface() - pictures.CENTER) / longest
            expected, found = extent(split, "egg", points, view)
            # the visual hull is larger than the object
            np.testing.assert_allclose(found, expected, atol=1.5)
        color = split.images("egg", np.zeros(1, int), np.zeros(1, int))[0, :, 16, 16]
        assert color.tolist() == [200, 100, 0, 255]

    def test_cameras_fit_the_cropped_pictures(self, eggs):
        report, split = take(eggs)
        assert split is not None
        assert [file for file, _ in report.notes] == ["egg/train/a", "egg/train/b"]
        assert "leaves the unit box" in report.notes[0][1]
        for view in range(6):
            expected, found = extent(split, "egg", surface(), view)
            np.testing.assert_allclose(found, expected, atol=0.8)
            # the longer side, with a margin of a tenth on each side
            sides = found[1] - found[0], found[3] - found[2]
            assert max(sides) == pytest.approx(SIZE / 1.2, abs=1)

    def test_names_are_without_the_split(self, eggs):
        take(eggs)
        about = description.read(eggs.parent / "set")
        assert about and about.objects["egg"]["train"][0]["name"] == "a"

    def test_what_a_killed_import_left_is_removed(self, eggs):
        leftover = eggs.parent / ".set.partial-0123"
        leftover.mkdir()
        take(eggs)
        assert not leftover.exists()

    @pytest.mark.parametrize("radial", [0.4, -0.4])
    def test_distortion_and_skew_are_taken_out(self, radial, egg):
        view = pictures.pose(30, 20)
        skewed = pictures.INTRINSICS + 8.0 * np.eye(3, k=1) * [[1], [0], [0]]
        covered = pictures.mask(*view, intrinsics=skewed, radial=radial)
        pictures.save_rgba(egg / "0.png", covered)
        entry = pictures.entry(*view, distortion=[radial, 0, 0, 0])
        pictures.write_cameras(egg, {"0.png": {**entry, "K": skewed.tolist()}})
        _, split = take(egg.parents[2])
        assert split is not None
        expected, found = extent(split, "egg", surface(), 0)
        np.testing.assert_allclose(found, expected, atol=1.0)

    def test_angles(self):
        entry = {"distance": 3, "elevation": 0, "azimuth": 90, "fov": 90}
        camera = picture_cameras.parse(entry, (40, 20))
        np.testing.assert_allclose(
            camera.intrinsics, [[10, 0, 19.5], [0, 10, 9.5], [0, 0, 1]], atol=1e-5
        )
        # from (3, 0, 0), -x is forward, -y down, and hence -z right
        np.testing.assert_allclose(
            camera.rotation, [[0, 0, -1], [0, -1, 0], [-1, 0, 0]], atol=1e-6
        )
        np.testing.assert_allclose(camera.translation, [0, 0, 3], atol=1e-6)

    def test_crops_keep_the_mean(self):
        image = np.random.default_rng(0).random((9, 7, 4)).astype(np.float32)
        square = picture_crops.Square(-2.0, -1.5, 12.0)
        small = picture_crops.crop(
            picture_crops.Picture(image, np.eye(3)), square, 5
        ).image
        np.testing.assert_allclose(
            small.sum((0, 1)) * (12 / 5) ** 2, image.sum((0, 1)), rtol=1e-5
        )


class TestLayout:
    def test_jobs_are_checked(self, eggs, tmp_path):
        with pytest.raises(ValueError, match="at least one process, not 0"):
            import_pictures(eggs, tmp_path / "set", KEEP, jobs=0)

    @pytest.mark.parametrize("shares", [(0.5, 2.0, np.nan), (1.0, 1.0, 0.0)])
    def test_shares_are_checked(self, shares, eggs, tmp_path):
        with pytest.raises(ValueError, match="add up to 1"):
            import_pictures(eggs, tmp_path / "set", KEEP, fractions=shares)

    @pytest.mark.parametrize(
        "place", ["masks/0.png", "mask/0.png", "masks/0.jpg.png", "0_mask.png"]
    )
    def test_masks_beside_pictures(self, place, tmp_path):
        """With colours in the mask, of which the brightest is the object."""
        covered = pictures.mask(*pictures.pose(0, 0))
        Image.new("RGB", covered.shape[::-1], "white").save(tmp_path / "0.jpg")
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(covered.astype(np.uint8)).save(path)  # 0 and 1
        image = picture_files.read_picture(tmp_path / "0.jpg", tmp_path)
        np.testing.assert_array_equal(image, np.repeat(covered[..., None], 4, -1))

    def test_colmap_and_a_folder_of_images(self, egg):
        entries = json.loads((egg / "cameras.json").read_text())["pictures"]
        (egg / "cameras.json").unlink()
        (egg / "images").mkdir()
        (egg / "sparse").mkdir()
        lines = []
        for number, (name, entry) in enumerate(entries.items()):
            (egg / name).rename(egg / "images" / name)
            x, y, z, w = Rotation.from_matrix(entry["R"]).as_quat()
            words = [number, w, x, y, z, *entry["t"], 1, name]
            lines += [" ".join(map(str, words)), ""]
        (egg / "sparse" / "images.txt").write_text("\n".join(lines))
        (egg / "sparse" / "cameras.txt").write_text("1 PINHOLE 48 40 70 66 25.5 18.5")
        report, split = take(egg.parents[2])
        assert split is not None and not report.left_out
        expected, found = extent(split, "egg", surface(), 1)
        np.testing.assert_allclose(found, expected, atol=0.8)

    def test_one_camera_file_names_of_any_kind_and_splits_by_hash(self, egg):
        """Accents that the file system writes otherwise than the camera file."""
        root = egg.parents[2]
        name = "tasse à café"
        folder = root / "Öl [bold]" / unicodedata.normalize("NFD", name)
        shutil.copytree(egg, folder)
        entries = json.loads((folder / "cameras.json").read_text())["pictures"]
        (folder / "cameras.json").unlink()
        shutil.rmtree(root / "egg")
        pictures.write_cameras(
            root, {f"Öl [bold]/{name}/{file}": e for file, e in entries.items()}
        )
        report = import_pictures(root, root.parent / "set", KEEP)
        [taken] = report.objects
        assert not report.left_out and len(taken.files) == 6
        settings = config.Data(root=str(root.parent / "set"))
        split = data.open_split(settings, taken.source.split)
        assert split.names == {"Öl [bold]": "Öl [bold]"}


_take_object = picture_objects.take_object


def _die(root, source, *more) -> picture_objects.Outcome:
    """Kills the process for one of the objects, as a system without memory does."""
    if source.folder.name == "c":
        os._exit(1)
    return _take_object(root, source, *more)


@pytest.mark.slow
def test_processes_play_no_part_in_the_result(eggs, tmp_path, monkeypatch):
    root = shutil.copytree(eggs, tmp_path / "in")
    import_pictures(root, tmp_path / "alone", KEEP)
    shutil.copytree(root / "egg/train/a", root / "egg/train/c")
    monkeypatch.setattr(picture_objects, "take_object", _die)
    report = import_pictures(root, tmp_path / "set", KEEP, jobs=2)
    reason = "its process died, perhaps for lack of memory"
    assert report.left_out == [("egg/train/c", reason)]
    for path in (tmp_path / "alone").glob("*.npz"):
        assert (tmp_path / "set" / path.name).read_bytes() == path.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in", "alone", "set"}


def test_command(eggs, tmp_path, capsys):
    words = ["pictures", "--images", str(eggs), "--out", str(tmp_path / "set")]
    words += ["--jobs", "1"]
    for _ in range(2):  # the second time in place of the first
        assert main([*words, "--size", "16", "--keep-frame"]) == 0
    shown = capsys.readouterr().out
    assert "10 pictures of 2 objects" in shown
    assert "4 to 6" in shown and "leaves the unit box" in shown
    assert "Without an object: val, test." in shown
    assert main(["show", str(tmp_path / "set")]) == 0
    shown = capsys.readouterr().out
    assert "Cameras: one for each picture." in shown
    # images that fill up are none
    assert "Nowhere: silhouette touches the border; silhouette is empty" in shown
    assert "up to 6 views of 16 x 16 pixels" in shown
    assert "Not all objects have voxels: train." in shown
