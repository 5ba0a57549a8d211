"""Looking at data sets: what is found, printed and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.data import description, show, source
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.show_sheet import over_white, spell
from tests.support.npz_files import write_folder

MUG, CHAIR = "[red] mug", "03001627"


def draw(number: int) -> np.ndarray:
    """Two views ``[2, 4, 8, 8]`` of a square, which lies within the image."""
    views = np.zeros((2, 4, 8, 8), np.uint8)
    color = np.array([10 * number, 20, 30, 200], np.uint8)
    views[:, :, 2:5, 3:6] = color[:, None, None]
    return views


def spoil(views: np.ndarray, how: str) -> np.ndarray:
    match how:
        case "border":
            views[0, 3, 0, 4] = 128
        case "empty":
            views[1] = 0
        case "full":
            views[0, 3] = 255
        case "bright":
            views[:, 1, 3, 3] = 201
    return views


def write(folder: Path, key: str, split: str, views: list, grids: list) -> None:
    np.savez_compressed(folder / f"{key}_{split}_images.npz", np.stack(views))
    np.savez(folder / f"{key}_{split}_voxels.npz", np.stack(grids))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "my set"
    folder.mkdir()
    some, none = np.arange(64).reshape(4, 4, 4) > 9, np.zeros((4, 4, 4), bool)
    checks = ["border", "empty", "full", "bright"]
    mugs = [draw(1), draw(2), *(spoil(draw(n), c) for n, c in enumerate(checks, 3))]
    write(folder, MUG, "train", mugs, [none, ~none] + [some] * 4)
    write(folder, CHAIR, "train", [draw(7), draw(8), draw(7)], [some] * 3)
    write(folder, MUG, "style", [draw(2), draw(9)], [some] * 2)
    licences = [{"license": "CC0-1.0"}] * 2 + [{}] * 4
    objects = {
        MUG: {
            "train": [{"name": f"[bold]{n}", **m} for n, m in enumerate(licences)],
            "style": [{"name": "\u00e9"}, {"name": "b\nc"}],
        },
        CHAIR: {"train": [{"name": str(n)} for n in range(3)]},
    }
    content = {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": {MUG: MUG, CHAIR: "chair"},
        "objects": objects,
    }
    (folder / description.FILE).write_text(json.dumps(content))
    return folder


def test_findings(root):
    seen = []
    findings = show.survey(
        source.describe(root),
        progress=lambda *counts: seen.append(counts),
        visit=lambda split, key, number, images: seen.append(images.shape),
    )
    assert seen[-2:] == [(2, 4, 8, 8), (11, 11)]
    found = {c: (f.images, f.objects, f.examples) for c, f in findings.items()}
    name = f"{MUG}/train/[bold]"
    assert found == {
        "border": (1, 1, [f"{name}2"]),
        "empty": (1, 1, [f"{name}3"]),
        "full": (1, 1, [f"{name}4"]),
        "bright": (2, 1, [f"{name}5"]),
        "no cells": (0, 1, [f"{name}0"]),
        "all cells": (0, 1, [f"{name}1"]),
        "leaked": (0, 1, [f"{MUG}/style/\u00e9 = {name}1"]),
        "repeated": (0, 1, ["chair/train/2 = chair/train/0"]),
    }


def test_summary(root):
    summary = show.summarize(source.describe(root))
    assert summary.names == {CHAIR: "chair", MUG: MUG}
    assert summary.counts == {"train": {CHAIR: 3, MUG: 6}, "style": {MUG: 2}}
    assert summary.sizes == [(2, 8)] and summary.without_voxels == []
    assert summary.licences == {"": 9, "CC0-1.0": 2}
    assert "azimuth -15 k" in summary.cameras and "assumed" in summary.cameras


def test_command(root, tmp_path, capsys):
    sheet = tmp_path / "new" / "sheet.png"
    words = ["show", str(root), "--out", str(sheet), "--objects", "2", "--views", "1"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "Looking: 11 in all" in shown.err
    assert "silhouette touches the border" in shown.out and "[bold]2" in shown.out
    assert "Licences: not stated 9, CC0-1.0 2." in shown.out
    assert "The contact sheet is in" in shown.out
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    # 2 rows of 2 objects, each pixel 6 pixels wide
    assert pixels.shape == (34 + 2 * (48 + 11 + 16), 150 + 2 * (48 + 8), 3)
    # red 70, coverage 200: over white
    middle = np.all(pixels == [70 + 55, 20 + 55, 30 + 55], axis=-1)
    assert middle.sum() == 18 * 18
    assert (pixels[36:109, :150] < 100).any()  # the name of the category


def test_json_and_other_splits(root, tmp_path, capsys):
    words = ["show", str(root), "--json", "--out", str(tmp_path / "a.png")]
    assert main([*words, "--split", "style", "--inverted"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["findings"]["leaked"]["objects"] == 1
    assert content["counts"]["style"] == {MUG: 2}
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (150 + 2 * (2 * 48 + 8), 34 + 48 + 11 + 16)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "sheet.pdf"], "is one of .png"),
        (["--split", "val"], "has no split 'val', but train, style."),
        (["--out", "a.png", "--views", "0"], "at least one object and one view"),
    ],
)
def test_refusals(words, message, root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", str(root), *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_names_are_spelt_in_ascii():
    assert spell("Tasse \u00e0\n caf\u00e9 \u676f [red]") == "Tasse a cafe ? [red]"


def test_inverted_files_show_the_true_colour():
    color = np.array([[[90]], [[0]], [[50]]], np.uint8)  # coverage 100
    plain = np.concatenate([color, np.full((1, 1, 1), 100, np.uint8)])
    assert over_white(plain).tolist() == [[[245, 155, 205]]]
    # what the original download holds of the same image
    stored = np.concatenate([255 - (color + 155), plain[3:]])
    assert over_white(stored, inverted=True).tolist() == [[[245, 155, 205]]]


def test_prepared_files_are_read_object_by_object(tmp_path):
    prepared = pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    npz = write_folder(tmp_path / "npz")
    prepared.prepare(npz, tmp_path / "out")
    streams = [
        list(source.describe(folder).splits["val"].stream(CHAIR))
        for folder in (npz, tmp_path / "out")
    ]
    assert len(streams[0]) == 2
    for (images, grid), (other_images, other_grid) in zip(*streams, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(grid, other_grid)
