"""The command line of variations."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.data import description
from jaxsoftras.variations import vary_run
from tests.support.fit_folders import CHAIR, VERTICES, write_fit, write_fits


@pytest.fixture
def folder(tmp_path):
    return write_fits(tmp_path / "fits")


def run(folder, *words) -> int:
    quick = ("--objects", "2", "--image-size", "8", "--processes", "1")
    return vary_run.main([str(folder), *quick, *map(str, words)])


def test_data_set_and_sheet(folder, tmp_path, capsys):
    root, sheet = tmp_path / "set", tmp_path / "sheet.png"
    assert run(folder, "--out", root, "--sheet", sheet, "--seed", 3) == 0
    captured = capsys.readouterr()
    assert str(root) in captured.out and str(sheet) in captured.out
    about = description.read(root)
    assert about and about.content["made_by"]["seed"] == 3
    with Image.open(sheet) as image:
        assert image.size == (8 * 96, 2 * 96)
        assert len(np.unique(np.asarray(image))) > 20  # not all white


def test_what_is_left_out_is_told(folder, tmp_path, capsys):
    for key, number in ((CHAIR, 6), (CHAIR, 7), ("mug", 0)):
        low = np.full(4, 0.3, np.float32)
        write_fit(folder, key, number, np.float32(0.4) * VERTICES, view_iou=low)
    write_fit(folder, CHAIR, 8, np.float32(9) * VERTICES)
    shutil.rmtree(folder / "eval")
    assert run(folder, "--out", tmp_path / "set") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "Not all objects were fitted: jaxsoftras fit goes on with the others.",
        "Left out of 12 fits: 03001627_00006.npz (and 2 more) has a silhouette IoU "
        "below 0.6.",
        "Left out of 12 fits: 03001627_00008.npz is not within the unit box.",
        "No fit is left of mug, which the data set lacks.",
    ]
    about = description.read(tmp_path / "set")
    assert about and len(about.content["made_by"]["left_out"]) == 4


def test_other_splits_need_an_option_and_are_told(folder, tmp_path, capsys):
    for part in ("fits", "eval"):
        (folder / part / "train").rename(folder / part / "test")
    assert run(folder, "--out", tmp_path / "set") == 2
    assert "only those of test" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert run(folder, "--out", tmp_path / "set", "--split", "test") == 0
    assert "of the split test: no network" in capsys.readouterr().err


def test_errors_are_one_line(tmp_path, capsys):
    assert run(tmp_path / "nothing", "--out", tmp_path / "set") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("jaxsoftras vary: ") and "holds no fits" in line


def test_nothing_to_do(folder, capsys):
    with pytest.raises(SystemExit):
        run(folder)
    assert "give --out FOLDER, --sheet PNG or both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "-1"], "must not be negative"),
        (["--sheet", "sheet"], "one of .png, .jpg, .jpeg, .webp, not sheet."),
        (["--sheet", "sheet.txt"], "one of .png, .jpg, .jpeg, .webp, not sheet.txt."),
        (["--sheet", "sheet.png", "--out", "sheet.png"], "cannot be in the folder"),
        (["--sheet", "set/a/sheet.png"], "cannot be in the folder of the data set"),
    ],
)
def test_sheets_are_refused_before_anything_is_made(
    folder, words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(folder, "--out", "set", "--sheet", "sheet.png", *words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["fits"]
