"""The command line of ShapeNet's forms."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from jaxsoftras import terminal
from jaxsoftras.data import download, reporting
from jaxsoftras.data.__main__ import main
from tests.support import shapenet_files as files

softras = pytest.importorskip("jaxsoftras.data.shapenet_softras", exc_type=ImportError)


def run(*words: str | Path) -> int:
    return main(["shapenet", *map(str, words)])


def test_softras_is_fetched_and_the_archive_deleted(tmp_path, monkeypatch, capsys):
    md5 = files.write_archive(tmp_path / "a.zip", files.softras_members())
    fetched = []

    def fetch(archive: Path, progress: object) -> None:
        fetched.append(archive)
        archive.parent.mkdir(parents=True)
        shutil.copy(tmp_path / "a.zip", archive)

    monkeypatch.setattr(download, "fetch", fetch)
    defaults = softras.ShapenetSoftras.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "md5", md5)
    out = tmp_path / "out"
    assert run("softras", "--out", out) == 0
    printed = capsys.readouterr()
    assert "allow research" in printed.out and "forbid to pass it on" in printed.out
    steps = [line.partition(":")[0] for line in printed.err.splitlines()]
    assert steps == ["Checking", "Unpacking", "Converting"]
    assert [path.name for path in out.iterdir()] == ["shapenet_softras"]
    assert run("softras", "--out", out) == 2
    assert "exists already: delete it" in capsys.readouterr().err
    assert len(fetched) == 1  # nothing is fetched for nothing
    assert main(["info", str(out)]) == 0
    assert "prepared files, 24 views of 64 x 64 pixels" in capsys.readouterr().out


def test_core(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reporting, "_ROWS", 0)
    out = tmp_path / "out"
    folder = files.make_core(tmp_path / "in", 2)
    words = ["--meshes", folder, "--out", out, "--jobs", "1", "--voxels", "mesh"]
    assert run("core", *words) == 0
    printed = capsys.readouterr().out
    assert "left out" in printed and "built, but" not in printed
    assert "see metadata.json" in printed
    assert [path.name for path in out.iterdir()] == ["shapenet_core"]


@pytest.mark.parametrize(
    ("form", "option", "message"),
    [
        ("softras", "--archive", "There is no file nowhere. Download https://nyc3"),
        ("renderings", "--images", "nowhere has no lists .* Download https://s3.eu"),
        ("core", "--meshes", "There is no folder nowhere. Register at https://shap"),
    ],
)
def test_missing_files(form, option, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(form, option, "nowhere", "--out", "out") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not list(tmp_path.iterdir())


def test_alike_notes_are_summed_up(capsys):
    rows = [(f"{n}.obj", "no voxels") for n in range(9)]
    rows.insert(3, ("x.obj", "no normals"))
    reporting.print_files(terminal.make_console(), "built, but", "note", rows)
    shown = capsys.readouterr().out
    assert "0.obj and 8 more" in shown and "x.obj" in shown and "1.obj" not in shown
