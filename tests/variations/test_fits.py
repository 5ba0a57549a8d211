"""Reading of fits: which are taken, left out and refused."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxsoftras import terminal
from jaxsoftras.reconstruction import ceiling, ceiling_run, evaluation_run
from jaxsoftras.variations.fits import read_fits
from tests.support.fit_folders import (
    CHAIR,
    FACES,
    TABLE,
    VERTICES,
    make_ellipsoids,
    write_fit,
    write_fits,
)

BALL = (0.4 * VERTICES).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    return write_fits(tmp_path / "fits")


def test_meshes_of_all_categories(folder):
    fits = read_fits(folder, "train", 0.6)
    assert list(fits.categories) == [CHAIR, TABLE]
    assert fits.categories[CHAIR].numbers.tolist() == [0, 1, 2, 3, 4, 5]
    for key, count in {CHAIR: 6, TABLE: 2}.items():
        expected = make_ellipsoids(count, int(key))
        np.testing.assert_array_equal(fits.categories[key].vertices, expected)
    np.testing.assert_array_equal(fits.faces, FACES)
    assert fits.data == "checksum" and fits.complete and not fits.left_out


def test_folders_that_fit_writes(tmp_path):
    split: Any = SimpleNamespace(name="train")
    path = ceiling.locate(tmp_path / ceiling_run.FITS, split, (CHAIR, 3))
    iou, seen = np.array([0.9, 0.7, np.nan]), np.array([True, True, False])
    fit = ceiling.Fitted(BALL, np.array(0.5), iou, seen, np.array(0.1))
    ceiling.save(path, fit, "sum")
    assert not read_fits(tmp_path, "train", 0.79).complete
    (tmp_path / evaluation_run.FOLDER / "train").mkdir(parents=True)
    fits = read_fits(tmp_path, "train", 0.79)
    assert fits.complete and fits.data == "sum"
    assert fits.categories[CHAIR].numbers.tolist() == [3]
    np.testing.assert_array_equal(fits.categories[CHAIR].vertices, [BALL])


def test_numbers_are_those_of_the_files(folder):
    write_fit(folder, CHAIR, 123456, BALL)
    write_fit(folder, "a_b", 7, BALL)
    for name in ("notes.npz", f"{CHAIR}_000003.npz"):  # chair 3 has five digits
        (folder / "fits" / "train" / name).write_text("not a fit")
    fits = read_fits(folder, "train", 0.6)
    assert fits.categories[CHAIR].numbers[-1] == 123456
    assert fits.categories["a_b"].numbers.tolist() == [7]


def test_unfinished_fits_are_told_apart(folder):
    shutil.rmtree(folder / "eval")
    assert not read_fits(folder, "train", 0.6).complete


@pytest.mark.parametrize(
    ("vertices", "reason"),
    [
        (np.where(BALL > 0.3, np.nan, BALL), "has coordinates that are not finite"),
        (np.where(BALL > 0.3, np.inf, BALL), "has coordinates that are not finite"),
        (1e300 * VERTICES, "is not within the unit box"),
        (BALL * np.array([1, 1, 1e-6]), "is flat"),
        (0 * BALL, "is flat"),
    ],
)
def test_meshes_that_cannot_be_varied_are_left_out(folder, vertices, reason):
    write_fit(folder, CHAIR, 9, vertices)
    fits = read_fits(folder, "train", 0.6)
    assert fits.left_out == {f"{CHAIR}_00009.npz": reason}
    assert len(fits.categories[CHAIR].numbers) == 6


@pytest.mark.parametrize(
    ("iou", "taken"),
    [
        ([0.5, 0.7, np.nan, np.nan], True),  # the mean of two views is 0.6
        ([0.5, 0.6, np.nan, np.nan], False),
        ([np.nan] * 4, False),
        ([], False),
    ],
)
def test_poor_silhouettes_are_left_out(folder, iou, taken):
    write_fit(folder, "mug", 0, BALL, view_iou=np.array(iou))
    fits = read_fits(folder, "train", 0.6)
    assert ("mug" in fits.categories) == taken
    reasons = {} if taken else {"mug_00000.npz": "has a silhouette IoU below 0.6"}
    assert fits.left_out == reasons


def test_other_splits_are_refused_unless_asked_for(folder):
    with pytest.raises(terminal.ProgramError, match="split test, only those of train"):
        read_fits(folder, "test", 0.6)
    (folder / "fits" / "train").rename(folder / "fits" / "test")
    with pytest.raises(terminal.ProgramError, match="must not be among its training"):
        read_fits(folder, "train", 0.6)
    assert read_fits(folder, "test", 0.6).split == "test"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertices": np.zeros((162, 3), np.float32)}, "has 162 vertices and 0300.*42"),
        ({"data": np.asarray("other")}, "fitted to different data sets"),
        ({"vertices": BALL[:41]}, r"vertices \[41, 3\], which are not those of a"),
        ({"vertices": np.array(3.0)}, r"vertices \[\], which are not those of a"),
        ({"vertices": BALL[None]}, r"vertices \[1, 42, 3\]"),
        ({"vertices": BALL.astype(complex)}, "complex128 .* not floating-point"),
        ({"view_iou": np.array("good")}, "<U4, not floating-point numbers"),
        ({"view_iou": None}, "damaged"),
        (
            {"view_iou": np.full(4, 1.5)},
            "IoUs from 1.5 to 1.5, not from 0 to 1",
        ),
        ({"view_iou": np.array([0.5, -0.1, np.nan])}, "IoUs from -0.1 to 0.5, not"),
        ({"view_iou": np.array([0.5, np.inf])}, "IoUs from 0.5 to inf, not from"),
        ({"data": None}, "damaged"),
        ({"vertices": np.array([None])}, "damaged"),
    ],
)
def test_files_of_something_else_are_refused(folder, changes, message):
    write_fit(folder, CHAIR, 9, **{"vertices": BALL, **changes})
    with pytest.raises((terminal.ProgramError, ValueError), match=message):
        read_fits(folder, "train", 0.6)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4 and no more"])
def test_damaged_files_are_refused(folder, content):
    write_fit(folder, TABLE, 5, BALL).write_bytes(content)
    with pytest.raises(ValueError, match=f"{TABLE}_00005.npz is damaged"):
        read_fits(folder, "train", 0.6)


@pytest.mark.parametrize("key", ["mug\nlid", "mug\udcff"])
def test_names_that_cannot_be_printed_are_refused(folder, key):
    write_fit(folder, key, 0, BALL)
    with pytest.raises(terminal.ProgramError, match="control characters"):
        read_fits(folder, "train", 0.6)


@pytest.mark.parametrize("name", ["nothing", "a file", "fits/fits"])
def test_folders_of_something_else_are_refused(folder, name):
    (folder.parent / "a file").write_text("")
    with pytest.raises(terminal.ProgramError, match="holds no fits: name a folder"):
        read_fits(folder.parent / name, "train", 0.6)


def test_nothing_left_is_refused(folder):
    with pytest.raises(terminal.ProgramError, match="None of the 8 fits .* 0300162"):
        read_fits(folder, "train", 0.81)


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_thresholds_that_are_no_iou_are_refused(folder, least):
    with pytest.raises(ValueError, match="from 0 to 1"):
        read_fits(folder, "train", least)
