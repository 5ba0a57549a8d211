import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jaxsoftras
from jaxsoftras.viewer import view_run
from tests.support import small_run, viewed_runs

ROOT = Path(__file__).parents[2]


def refuse(capsys, *words) -> str:
    """The sentence with which the program refuses."""
    assert view_run.main([*map(str, words), "--no-compilation-cache"]) == 2
    line = small_run.error_line(capsys)
    assert line.startswith("jaxsoftras view: ")
    return line


@pytest.fixture
def sphere(tmp_path):
    jaxsoftras.save_mesh(tmp_path / "sphere.off", jaxsoftras.icosphere(1))
    return tmp_path / "sphere.off"


class TestRefusals:
    @pytest.fixture(autouse=True)
    def with_viser(self):
        viewed_runs.require_viser()

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("gone", "There is no file"),
            ("gone.obj", "There is no file"),
            ("gone.zip", "There is no model file"),
            ("text.txt", "does not have the name of a mesh file"),
            ("empty", "is not a run folder: it holds no config.json"),
            ("broken", "config.json"),
            ("text.zip", "is not a sound zip archive"),
            ("damaged.off", "cannot be read as OFF"),
            ("a\nb.obj", r"There is no file .*a\\nb\.obj"),
        ],
    )
    def test_what_cannot_be_viewed(self, name, reason, tmp_path, capsys):
        (tmp_path / "empty").mkdir()
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "config.json").write_text(json.dumps({"seed": "x"}))
        for file in ("text.txt", "text.zip", "damaged.off"):
            (tmp_path / file).write_text("OFF\n1")
        assert re.search(reason, refuse(capsys, tmp_path / name, "--port", "0"))

    def test_a_run_beside_files(self, sphere, tmp_path, capsys):
        assert "is a folder" in refuse(capsys, tmp_path, sphere)
        assert "is a folder" in refuse(capsys, sphere, tmp_path)

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["--split", "val"], "--split is of a run"),
            (["--step", "3"], "--step is of a run"),
            (["--mask", "mask.png"], "--mask is of pictures"),
        ],
    )
    def test_options_of_something_else(self, words, reason, sphere, capsys):
        line = refuse(capsys, sphere, *words, "--port", "0")
        assert reason in line and "of mesh files: leave it out" in line

    def test_a_missing_run_is_named_before_its_options(self, tmp_path, capsys):
        line = refuse(capsys, tmp_path / "gone", "--split", "val")
        assert "There is no file" in line

    def test_an_axis_of_pictures(self, tmp_path, capsys):
        (tmp_path / "model.zip").touch()
        line = refuse(capsys, tmp_path / "model.zip", "--up", "+z")
        assert "--up is of mesh files" in line

    def test_a_mask_of_no_picture(self, capsys):
        assert "there is none" in refuse(capsys, "model.zip", "--mask", "mask.png")

    def test_a_run_whose_data_are_gone(self, tmp_path, capsys):
        workdir = viewed_runs.write_run(tmp_path / "run", tmp_path / "gone")
        assert "gone" in refuse(capsys, workdir, "--port", "0")

    def test_a_taken_port(self, sphere, capsys):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            assert "--port 0" in refuse(capsys, sphere, "--port", port)

    def test_a_host_of_others(self, sphere, capsys):
        line = refuse(capsys, sphere, "--host", "192.0.2.1", "--port", 0)
        assert "--host" in line

    @pytest.mark.parametrize("port", ["65536", "-1", "x", "8.5", "\N{SUPERSCRIPT TWO}"])
    def test_no_port(self, port, sphere, capsys):
        with pytest.raises(SystemExit) as caught:
            view_run.main([str(sphere), f"--port={port}"])
        assert caught.value.code == 2
        assert "is not a port" in capsys.readouterr().err


@contextlib.contextmanager
def start(*words):
    """A viewer of its own process, once it has printed its address."""
    viewed_runs.require_viser()
    process = subprocess.Popen(
        [sys.executable, "-m", "jaxsoftras", "view", *map(str, words), "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_ends_it_at_once(sphere):
    with start(sphere) as (process, line):
        address = re.search(r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)", line)
        assert address and str(sphere) in line
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - begun < 5
        assert errors == "jaxsoftras view: the viewer has ended.\n"
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", int(address[1])))
