"""The command line of the data sets."""

from __future__ import annotations

import pytest

from jaxsoftras.data.__main__ import main
from tests.support.npz_files import write_folder


def test_prepare_and_info(tmp_path, capsys):
    pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    npz_root, out = write_folder(tmp_path / "npz"), tmp_path / "out"
    assert main(["prepare", "--npz", str(npz_root), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out.replace("\n", "")
    for folder, source in [(out, "prepared"), (npz_root, "npz")]:
        assert main(["info", str(folder)]) == 0
        lines = capsys.readouterr().out.splitlines()
        rows = [line.split() for line in lines]
        assert ["│", "03001627", "│", "chair"] + ["│", "2"] * 3 + ["│"] in rows
        assert f"{source} files, 6 views of 8 x 8 pixels" in lines


def test_download(tmp_path, monkeypatch, capsys):
    def unreachable(request, timeout):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    assert main(["download", "--out", str(tmp_path)], prog="jaxsoftras data") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("jaxsoftras data: Could not download https://")


@pytest.mark.parametrize(
    "command", [["info", "nowhere"], ["prepare", "--npz", "nowhere", "--out", "x"]]
)
def test_errors_are_one_line(command, tmp_path, monkeypatch, capsys):
    if command[0] == "prepare":
        pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("python -m jaxsoftras.data: ") and "nowhere" in line
    assert not list(tmp_path.iterdir())


def test_interruption_says_how_to_resume(tmp_path, monkeypatch, capsys):
    def interrupt(request, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr("urllib.request.urlopen", interrupt)
    assert main(["download", "--out", str(tmp_path)]) == 130
    assert "the same command resumes a download" in capsys.readouterr().err
