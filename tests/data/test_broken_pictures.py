"""Pictures of other kinds, and broken ones, with masks and cameras."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from jaxsoftras.data import (
    picture_cameras,
    picture_files,
)
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.pictures import import_pictures
from tests.support import picture_folders as pictures
from tests.support.picture_folders import take


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
