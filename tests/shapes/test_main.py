"""The command line of the embedded data set."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.shapes import __main__ as command
from jaxsoftras.shapes import dataset, making


def test_data_set(tmp_path, monkeypatch, capsys):
    def make_object(synset, number, seed, held_out, image_size):
        views = np.zeros((24, 4, image_size, image_size), np.uint8)
        return views, np.zeros((32, 32, 32), bool)

    monkeypatch.setattr(making, "make_object", make_object)
    root = tmp_path / "set"
    words = ["--out", str(root), "--objects", "3", "--seed", "4", "--image-size", "2"]
    words += ["--processes", "1"]
    assert command.main(words) == 0
    description = json.loads((root / dataset.DESCRIPTION).read_text())
    assert description["seed"] == 4 and description["image_size"] == 2
    assert set(description["objects"].values()) == {3}
    assert str(root) in capsys.readouterr().out


def test_errors_are_one_line(tmp_path, capsys):
    words = ["--out", str(tmp_path / "set"), "--objects", "1"]
    assert command.main(words, prog="jaxsoftras shapes") == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("jaxsoftras shapes: ") and "at least 3 objects" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sheet", "a.png", "--seed", "-1"], "must not be negative"),
        (["--sheet", "a.txt", "--out", "set"], "one of .png, .jpg, .jpeg, .webp"),
        (["--sheet", "set/a.png", "--out", "set"], "cannot be in the folder"),
    ],
)
def test_sheets_are_refused_before_anything_is_made(
    words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert command.main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line and not list(tmp_path.iterdir())


def test_nothing_to_do(capsys):
    with pytest.raises(SystemExit):
        command.main([])
    assert "give --out FOLDER, --sheet PNG or both" in capsys.readouterr().err


def test_contact_sheet(tmp_path, monkeypatch):
    sheet = tmp_path / "sheet.png"
    few = functools.partial(command.contact_sheet, image_size=24)
    monkeypatch.setattr(command, "contact_sheet", few)
    assert command.main(["--sheet", str(sheet)]) == 0
    with Image.open(sheet) as image:
        assert image.size == (8 * 24, 13 * 24)
    assert list(tmp_path.iterdir()) == [sheet]
