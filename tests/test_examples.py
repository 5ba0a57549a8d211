"""The examples, with fewer steps and smaller images: each achieves its purpose."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "examples"


def run(name, tmp_path, capsys, *arguments):
    """Runs an example and returns the text that it prints."""
    program = runpy.run_path(str(FOLDER / f"{name}.py"))
    program["main"](["--out", str(tmp_path), *arguments])
    return capsys.readouterr().out


def numbers(text, pattern):
    return [float(number) for number in re.findall(pattern, text)]


def test_render_mesh(tmp_path, capsys):
    printed = run("render_mesh", tmp_path, capsys, "--steps", "3", "--size", "24")
    assert "ms an image" in printed
    with Image.open(tmp_path / "turntable.gif") as turntable:
        assert turntable.n_frames == 3  # pyright: ignore[reportAttributeAccessIssue]
    with Image.open(tmp_path / "sweep.png") as sweep:
        assert sweep.size == (80 + 4 * 24, 24 + 4 * 24)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.stem)
def test_says_what_is_missing(path, monkeypatch):
    for name in ("optax", "PIL", "flax", "equinox", "trimesh"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(path))
    sentence = str(caught.value)
    assert re.fullmatch(
        r'This example needs (\w+): pip install "jaxsoftras\[\w+\]"( \1)?', sentence
    )


@pytest.mark.slow
def test_deform_sphere(tmp_path, capsys):
    printed = run("deform_sphere", tmp_path, capsys, "--steps", "20", "--views", "3")
    ious = numbers(printed, r"IoU ([\d.]+)")
    assert ious[-1] > ious[0] + 0.1
    assert {path.name for path in tmp_path.iterdir()} == {"deform.obj", "deform.png"}


@pytest.mark.slow  # it fits silhouettes, as the one before does
def test_recover_pose(tmp_path, capsys):
    printed = run("recover_pose", tmp_path, capsys, "--steps", "60", "--attempts", "8")
    best = printed.splitlines()[-1]
    before, after = numbers(best, r"([\d.]+) (?:degrees|after)")
    assert after < 0.5 * before
    assert (tmp_path / "pose.png").exists()


@pytest.mark.slow  # other tests fit colours; this one compiles them three times
def test_recover_colors(tmp_path, capsys):
    printed = run("recover_colors", tmp_path, capsys, "--steps", "4", "--size", "16")
    before = numbers(printed, r"PSNR ([\d.]+) dB before")
    after = numbers(printed, r"([\d.]+) dB after")
    assert len(before) == 2
    assert all(b + 1 < a for b, a in zip(before, after, strict=True))
    assert (tmp_path / "colors.png").exists()


@pytest.mark.slow  # other tests fit colours
def test_neural_texture(tmp_path, capsys):
    words = ["--steps", "15", "--size", "16", "--level", "2"]
    printed = run("neural_texture", tmp_path, capsys, *words)
    (before,) = numbers(printed, r"PSNR ([\d.]+) dB before")
    (after,) = numbers(printed, r"([\d.]+) dB after")
    assert before + 2 < after
    assert (tmp_path / "neural_texture.png").exists()


@pytest.mark.slow  # other tests fit silhouettes
def test_neural_deformation(tmp_path, capsys):
    pytest.importorskip("equinox")
    words = ["--steps", "30", "--level", "2"]
    printed = run("neural_deformation", tmp_path, capsys, *words)
    ious = numbers(printed, r"IoU ([\d.]+)")
    assert ious[-1] > ious[0] + 0.05
    assert {path.name for path in tmp_path.iterdir()} == {"neural.obj", "neural.png"}


@pytest.mark.slow
def test_the_pictures_are_those_of_the_program(tmp_path, capsys):
    assert run("make_pictures", tmp_path, capsys).startswith("Wrote 6 pictures")
    kept = sorted((FOLDER / "pictures").iterdir())
    assert [path.name for path in kept] == sorted(p.name for p in tmp_path.iterdir())
    for path in kept:
        with Image.open(path) as first, Image.open(tmp_path / path.name) as second:
            assert first.mode == second.mode and first.size == second.size
            difference = np.abs(np.asarray(first, float) - np.asarray(second, float))
        assert difference.mean() < 0.1  # of 255 levels; other devices round otherwise
