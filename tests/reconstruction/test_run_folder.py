import fcntl
import json
import os
import socket
import subprocess
import sys

import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import provenance, run_folder
from jaxsoftras.reconstruction.run_folder import RunError
from tests.support.folders import read_files

SETTINGS = config.Config()


def override(*assignments):
    return config.override(SETTINGS, assignments)


def start(workdir, settings=SETTINGS, step=0, overrides=()):
    """Does what a training run does before its first step."""
    with run_folder.claim(workdir):
        settings = run_folder.check(workdir, settings)
        run_folder.record(workdir, settings, step, overrides)


def add_checkpoint(workdir, name="5"):
    (workdir / "checkpoints" / name).mkdir(parents=True)


@pytest.fixture
def workdir(tmp_path):
    """The folder of a run with a checkpoint."""
    start(tmp_path / "run")
    add_checkpoint(tmp_path / "run")
    return tmp_path / "run"


class TestClaim:
    def test_refuses_a_second_process(self, workdir):
        code = (
            "import fcntl, sys\n"
            "file = open(sys.argv[1], 'w')\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print(4711, 'node7', file=file, flush=True)\n"
            "print(flush=True)\n"
            "sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, workdir / ".lock"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            before = read_files(workdir)
            with pytest.raises(RunError, match="in use: process 4711 on node7 writes"):
                start(workdir)
            assert read_files(workdir) == before
            other.kill()
        start(workdir)  # the lock ends with the process

    def test_names_this_process(self, workdir):
        with run_folder.claim(workdir):
            text = f"process {os.getpid()} on {socket.gethostname()} writes to it"
            with pytest.raises(RunError, match=text):
                start(workdir)
        start(workdir)

    def test_removes_the_folder_of_a_start_that_failed(self, tmp_path):
        with pytest.raises(MemoryError):
            with run_folder.claim(tmp_path / "run"):
                raise MemoryError
        assert not list(tmp_path.iterdir())

    def test_lock_of_a_removed_folder(self, tmp_path, monkeypatch):
        """The process before removed the file that this one has opened."""
        flock = fcntl.flock

        def remove_first(descriptor, flags):
            monkeypatch.setattr(fcntl, "flock", flock)
            (tmp_path / ".lock").unlink()
            flock(descriptor, flags)

        monkeypatch.setattr(fcntl, "flock", remove_first)
        with run_folder.claim(tmp_path):
            with pytest.raises(RunError, match="in use"):
                start(tmp_path)

    def test_file_system_without_locks(self, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError(run_folder.errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", fail)
        with pytest.warns(UserWarning, match="has no locks"):
            start(tmp_path / "run")

    def test_refuses_a_folder_of_other_files(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("precious")
        with pytest.raises(RunError, match="not a run folder"):
            start(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_refuses_a_file(self, tmp_path):
        (tmp_path / "run").touch()
        with pytest.raises(RunError, match="is not a folder"):
            start(tmp_path / "run")

    @pytest.mark.parametrize("name", [".lock", "environment.jsonl", "metrics.jsonl"])
    @pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
    def test_refuses_what_is_not_a_file(self, name, make, workdir):
        (workdir / name).unlink(missing_ok=True)
        make(workdir / name)
        with pytest.raises(RunError, match=f"{name} is not a regular file"):
            start(workdir)

    def test_refuses_checkpoints_without_a_configuration(self, workdir):
        (workdir / "config.json").unlink()
        before = read_files(workdir)
        with pytest.raises(RunError, match="holds checkpoints but no config.json"):
            start(workdir)
        assert read_files(workdir) == before

    @pytest.mark.parametrize(
        "name",
        [".lock", "config.tmp", ".config.json.partial-01234567.json", "config.json"],
    )
    def test_leftovers_of_a_first_start_do_not_lock(self, name, tmp_path):
        (tmp_path / name).touch()  # empty, as a full disk leaves it
        (tmp_path / "checkpoints" / ".5.partial-01234567").mkdir(parents=True)
        start(tmp_path)
        assert run_folder.read_config(tmp_path) == SETTINGS
        assert {path.name for path in tmp_path.iterdir()} == {
            ".lock",
            "checkpoints",
            "config.json",
            "environment.jsonl",
        }


class TestCheck:
    def test_length_and_reporting_may_change(self, workdir):
        changed = override("optim.steps=9", "log.metrics_every=1")
        start(workdir, changed, step=5)
        assert run_folder.read_config(workdir) == changed

    @pytest.mark.parametrize("checkpoint", ["5", "damaged-5"])
    def test_refuses_another_configuration(self, checkpoint, tmp_path):
        start(tmp_path)
        add_checkpoint(tmp_path, checkpoint)
        before = read_files(tmp_path)
        with pytest.raises(RunError, match="model.latent: 512 there, 4 here") as caught:
            start(tmp_path, override("model.latent=4"))
        assert "--workdir" in str(caught.value)
        before[tmp_path / ".lock"] = (tmp_path / ".lock").read_bytes()
        assert read_files(tmp_path) == before

    def test_a_run_without_a_checkpoint_starts_anew(self, tmp_path):
        start(tmp_path, overrides=["seed=0"])
        smaller = override("optim.batch_size=8")
        with pytest.warns(UserWarning, match="starts anew, .* 8 here"):
            start(tmp_path, smaller)
        assert run_folder.read_config(tmp_path) == smaller
        assert provenance.read_overrides(tmp_path) == []

    def test_refuses_a_damaged_configuration(self, workdir):
        (workdir / "config.json").write_text("{")
        with pytest.raises(config.ConfigError, match="is damaged"):
            start(workdir)


class TestChooseConfig:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "a [b].py"
        path.write_text(
            "from jaxsoftras.config import *\n"
            "def get_config(): return Config(optim=Optim(batch_size=4, steps=50))"
        )
        return path

    def test_of_the_run(self, workdir):
        assert run_folder.choose_config(workdir, None) == SETTINGS
        changed = run_folder.choose_config(workdir, None, ["optim.steps=7"])
        assert changed == override("optim.steps=7")

    def test_needs_a_run_or_a_file(self, tmp_path):
        with pytest.raises(RunError, match="no run to resume; start one with --config"):
            run_folder.choose_config(tmp_path / "run", None)

    def test_keeps_the_overrides_of_earlier_starts(self, file, tmp_path):
        workdir = tmp_path / "run"
        first = ["optim.batch_size=8", "optim.steps=70"]
        start(workdir, run_folder.choose_config(workdir, file, first), 0, first)
        # without a checkpoint there is nothing to resume
        assert run_folder.choose_config(workdir, file).optim.batch_size == 4
        add_checkpoint(workdir)
        second = ["optim.steps=90"]
        settings = run_folder.choose_config(workdir, file, second)
        assert settings.optim == config.Optim(batch_size=8, steps=90)
        start(workdir, settings, 5, second)
        settings = run_folder.choose_config(workdir, file)
        assert settings.optim == config.Optim(batch_size=8, steps=90)
        with pytest.raises(RunError, match="batch_size: 8 there, 16 here"):
            again = ["optim.batch_size=16"]
            start(workdir, run_folder.choose_config(workdir, file, again), 5, again)


class TestSource:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("runs/a", ("runs/a", None)),
            ("runs/a:30", ("runs/a", 30)),
            ("runs/a:b", ("runs/a:b", None)),
            ("runs/a:best", ("runs/a", "best")),
            ("C:30:7", ("C:30", 7)),
        ],
    )
    def test_run_and_step(self, text, wanted):
        run, step = run_folder.split_source(text)
        assert (str(run), step) == wanted

    def test_a_run_whose_name_looks_like_a_step(self, tmp_path):
        start(tmp_path / "a:30")
        text = str(tmp_path / "a:30")
        assert run_folder.split_source(text) == (tmp_path / "a:30", None)
        assert run_folder.split_source(text + ":5") == (tmp_path / "a:30", 5)

    def test_may_be_given_again_without_the_step(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        settings = override(f"init_from={tmp_path}/a:30")
        start(tmp_path / "run", settings)
        add_checkpoint(tmp_path / "run")
        for given in ("a", "a:30", "a:best"):
            checked = run_folder.check(tmp_path / "run", override(f"init_from={given}"))
            assert checked == settings
        with pytest.raises(RunError, match="init_from: .*a:30' there, 'a:40' here"):
            run_folder.check(tmp_path / "run", override("init_from=a:40"))


class TestProvenance:
    def test_a_line_for_each_start(self, workdir):
        start(workdir, override("seed=0"), step=5, overrides=["optim.steps=9"])
        lines = (workdir / "environment.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        assert [entry["step"] for entry in entries] == [0, 5]
        last = entries[-1]
        assert last["set"] == ["optim.steps=9"] and last["seed"] == 0
        assert last["command"] == sys.argv and last["pid"] == os.getpid()
        assert {"jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"} < set(
            last["versions"]
        )
        assert last["versions"]["python"] == sys.version.split()[0]
        assert last["devices"].startswith("4 ")

    def test_survives_a_torn_line(self, workdir):
        with (workdir / "environment.jsonl").open("a") as file:
            file.write('{"set": ["optim.st')
        start(workdir, step=5, overrides=["seed=0"])
        assert provenance.read_overrides(workdir) == ["seed=0"]
