"""Data sets of pictures with masks and cameras, sound and broken."""

from __future__ import annotations

import errno
import json
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from scipy.spatial.transform import Rotation

from jaxsoftras import config, data
from jaxsoftras.camera import project
from jaxsoftras.data import (
    picture_cameras,
    picture_crops,
    picture_files,
    picture_objects,
)
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.pictures import import_pictures
from jaxsoftras.data.pictures_writing import Report
from tests.support import picture_folders as pictures

SIZE = 32
KEEP = Options(size=SIZE, keep_frame=True)  # needs no carving


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


def take(root: Path, options: Options = KEEP) -> tuple[Report, data.Split | None]:
    report = import_pictures(root, root.parent / "set", options)
    settings = config.Data(root=str(root.parent / "set"))
    return report, data.open_split(settings, "train") if report.objects else None


@pytest.fixture(scope="module")
def eggs(tmp_path_factory) -> Path:
    """Two objects, with six and with four pictures."""
    root = tmp_path_factory.mktemp("pictures") / "in"
    pictures.write_object(root / "egg" / "train" / "a")
    pictures.write_object(root / "egg" / "train" / "b", 4)
    return root


@pytest.fixture
def egg(eggs, tmp_path) -> Path:
    """A copy of one object, which may be damaged: the folder of its pictures."""
    return shutil.copytree(eggs / "egg/train/a", tmp_path / "in/egg/train/a")


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


def damage_camera(**change: object):
    def damage(folder: Path) -> None:
        entries = json.loads((folder / "cameras.json").read_text())["pictures"]
        entries["0.png"].update(change)
        pictures.write_cameras(folder, entries)

    return damage


def damage_mask(value: float, shape: tuple[int, int] = (40, 48)):
    def damage(folder: Path) -> None:
        mask = np.full(shape, value, np.uint8)
        Image.fromarray(mask).save(folder / "0_mask.png")

    return damage


def truncate(folder: Path) -> None:
    path = folder / "0.png"
    path.write_bytes(path.read_bytes()[:-40])


def break_link(folder: Path) -> None:
    (folder / "0.png").unlink()
    (folder / "0.png").symlink_to(folder / "nowhere.png")


def drop_camera(folder: Path) -> None:
    entries = json.loads((folder / "cameras.json").read_text())["pictures"]
    del entries["0.png"]
    pictures.write_cameras(folder, entries)


def save_as(mode: str, suffix: str, **options):
    """Saves the first picture in another way, with its mask beside it."""

    def change(folder: Path) -> None:
        with Image.open(folder / "0.png") as image:
            image.getchannel("A").save(folder / "0_mask.png")
            if mode == "I;16":
                red = np.asarray(image)[..., 0].astype(np.uint16)
                other = Image.fromarray(red * 257)
            else:
                other = image.convert("RGB").convert(mode)
        (folder / "0.png").unlink()
        later = [Image.new(mode, other.size)] if "save_all" in options else []
        other.save(folder / f"0{suffix}", append_images=later, **options)
        entries = json.loads((folder / "cameras.json").read_text())["pictures"]
        entries[f"0{suffix}"] = entries.pop("0.png")
        pictures.write_cameras(folder, entries)

    return change


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


def make_opaque(folder: Path) -> None:
    Image.new("RGB", (48, 40)).save(folder / "0.png")


class TestKindsOfFiles:
    """One of six pictures is of another kind, and the object is as it was."""

    @pytest.mark.parametrize(
        ("change", "color", "notes"),
        [
            (save_as("I;16", ".png"), [200] * 3, 0),
            (save_as("CMYK", ".jpg", quality=95), [200, 100, 0], 0),
            (save_as("P", ".png"), [200, 100, 0], 0),
            (save_as("P", ".gif", save_all=True), [200, 100, 0], 0),
            (save_as("RGB", ".webp", save_all=True, lossless=True), [200, 100, 0], 0),
            (save_as("RGB", ".png", save_all=True), [200, 100, 0], 0),
            (save_as("RGB", ".jpg", quality=95, exif=exif(3)), [200, 100, 0], 1),
        ],
    )
    def test_pictures(self, change, color, notes, egg):
        change(egg)
        report, split = take(egg.parents[2])
        assert not report.left_out and split is not None
        image = split.images("egg", np.zeros(1, int), np.zeros(1, int))[0]
        # a palette has steps of 51 and a JPEG few more than those of its quality
        np.testing.assert_allclose(image[:3, 16, 16].astype(int), color, atol=27)
        assert image[3, 16, 16] == 255
        turned = [note for _, note in report.notes if "orientation tag" in note]
        assert len(turned) == notes

    def test_masks_of_16_bits_and_marks_of_byte_order(self, egg):
        covered = np.uint16(65535 * pictures.mask(*pictures.pose(0, 20)))
        Image.fromarray(covered).save(egg / "0_mask.png")
        text = (egg / "cameras.json").read_text()
        (egg / "cameras.json").write_text(text, encoding="utf-8-sig")
        report, split = take(egg.parents[2])
        assert not report.left_out and split is not None


class TestBroken:
    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            (damage_camera(t=[0, 0, float("nan")]), "t of its camera is not finite"),
            (damage_camera(K=[[70, 0], [0, 70]]), r"K .* the shape \[3, 3\]"),
            (damage_camera(R="north"), "R of its camera must consist of numbers"),
            (damage_camera(t=["1", "2", "3"]), "t of its camera must consist of num"),
            (damage_camera(t=[True, False, True]), "t of its camera must consist of"),
            (damage_camera(t=[10**400, 0, 1]), "t of its camera must consist of numb"),
            (damage_camera(t=[[1], [2, 3]]), "t of its camera must consist of number"),
            (damage_camera(R=np.diag([1, 1, 1.1]).tolist()), "its camera is none"),
            (damage_camera(R=np.diag([1, 1, -1]).tolist()), "its camera is none"),
            (damage_camera(distortion=[1, 2, 3]), "its camera is none"),
            (damage_camera(size=[40, 48]), "for 40 x 48 pixels, and it has 48 x 40"),
            (damage_camera(fov=40), "needs K, R and t, or distance"),
            (damage_camera(roll=40), "unknown field 'roll'"),
            (damage_mask(0), "its mask is empty"),
            (damage_mask(255), "its mask is full"),
            (damage_mask(255, (4, 4)), "its mask has 4 x 4 pixels, and it has 48 x 40"),
            (lambda f: (f / "0_mask.png").touch(), "its mask cannot be read"),
            (truncate, "truncated"),
            (lambda f: (f / "0.png").write_bytes(b""), "damaged or of an unknown"),
            (break_link, "No such file"),
            (make_opaque, "it has no mask"),
            (drop_camera, "there is no camera for it"),
        ],
    )
    def test_pictures_are_left_out(self, damage, reason, egg):
        damage(egg)
        report, split = take(egg.parents[2])
        [(file, why)] = report.left_out
        assert file == "egg/train/a/0.png"
        pytest.raises(ValueError, _raise, why).match(reason)
        assert split is not None and split.view_counts("egg").tolist() == [5]

    def test_names_that_are_no_text_are_listed(self, egg):
        os.rename(egg / "0.png", bytes(egg) + b"/\xff.png")
        report, split = take(egg.parents[2])
        assert ("'\\udcff.png'", "its name is not valid Unicode") in report.left_out
        assert split is not None and split.view_counts("egg").tolist() == [5]

    def test_what_is_no_picture_is_listed(self, egg):
        os.mkfifo(egg / "pipe.png")  # which would be waited for
        (egg / "photo.HEIC").touch()
        (egg / "notes.txt").touch()
        report, _ = take(egg.parents[2])
        assert report.left_out == [
            ("egg/train/a/photo.HEIC", ".heic is not read; convert it to PNG or JPEG"),
            ("egg/train/a/pipe.png", "it is not a regular file"),
        ]

    def test_any_error_is_contained(self, egg, monkeypatch):
        def fail(*_):
            raise RuntimeError("odd")

        monkeypatch.setattr(picture_files, "read_picture", fail)
        report, _ = take(egg.parents[2])
        assert ("egg/train/a/0.png", "RuntimeError: odd") in report.left_out

    def test_cameras_without_pictures_are_listed(self, egg):
        (egg / "3.png").unlink()
        report, split = take(egg.parents[2])
        assert report.left_out == [("egg/train/a/3.png", "a camera without a picture")]
        assert split is not None and split.view_counts("egg").tolist() == [5]

    def test_pictures_in_no_objects_folder_are_listed(self, egg):
        for place in ("0.png", "egg/0.png", "egg/train/0.png"):
            shutil.copy(egg / "0.png", egg.parents[2] / place)
        report, _ = take(egg.parents[2])
        assert report.left_out == [
            (place, "it lies in no object's folder")
            for place in ("0.png", "egg/0.png", "egg/train/0.png")
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("{", "not valid JSON"), ("[]", 'must be an object {"pictures"')],
    )
    def test_objects_are_left_out(self, text, reason, egg):
        shutil.copytree(egg, egg.with_name("b"))
        (egg / "cameras.json").write_text(text)
        (egg.parent / "empty").mkdir()
        report, split = take(egg.parents[2])
        reasons = dict(report.left_out)
        assert reason in reasons["egg/train/a"]
        assert reasons["egg/train/empty"] == "there is no picture in it"
        assert split is not None and split.count("egg") == 1

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "not valid JSON"),
            ('{"pictures": []}', 'must be an object {"pictures"'),
            ('{"pictures": {}, "pictures": {}}', 'must be an object {"pictures"'),
            ('{"pictures": {"0.png": 1, "0.png": 2}}', "it names 0.png twice"),
            ('{"pictures": {"0.png": 1, "./0.png": 2}}', "it names ./0.png twice"),
        ],
    )
    def test_camera_files(self, text, reason, tmp_path):
        path = tmp_path / picture_cameras.FILE
        path.write_text(text)
        with pytest.raises(ValueError, match=reason):
            picture_cameras.read_entries(path)

    def test_cut_off_and_single_pictures_are_noted(self, egg):
        for path in egg.glob("[1-5].png"):
            path.unlink()
        covered = pictures.mask(*pictures.pose(0, 20))
        covered[:, :3] = covered[:, 20:23]
        pictures.save_rgba(egg / "0.png", covered)
        drop = json.loads((egg / "cameras.json").read_text())["pictures"]
        pictures.write_cameras(egg, {"0.png": drop["0.png"]})
        report, _ = take(egg.parents[2])
        notes = [note for _, note in report.notes]
        assert "the object is cut off by the border" in notes
        assert "it has a single picture" in notes

    def test_nothing_usable_writes_nothing(self, egg, capsys):
        root, out = egg.parents[2], egg.parents[3] / "set"
        (egg / "cameras.json").write_text("{")
        words = ["pictures", "--images", str(root), "--out", str(out), "--jobs", "1"]
        assert main(words) == 1
        shown = capsys.readouterr().out
        assert (
            "No picture could be used; 1 left out" in shown and "egg/train/a" in shown
        )
        assert not out.exists()

    def test_errors_of_the_disk_leave_nothing_behind(self, egg, monkeypatch):
        def fill(path, **arrays):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        monkeypatch.setattr(np, "savez_compressed", fill)
        with pytest.raises(OSError, match="No space left"):
            take(egg.parents[2])
        assert [path.name for path in egg.parents[3].iterdir()] == ["in"]

    def test_other_folders_are_not_replaced(self, egg):
        out = egg.parents[3] / "set"
        out.mkdir()
        (out / "thesis.txt").touch()
        with pytest.raises(FileExistsError, match="such as thesis.txt"):
            import_pictures(egg.parents[2], out)
        with pytest.raises(FileNotFoundError, match="no pictures in folders"):
            import_pictures(egg, out.with_name("new"))


def _raise(message: str) -> None:
    raise ValueError(message)


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
