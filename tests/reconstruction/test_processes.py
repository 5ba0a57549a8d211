import json
import re
import signal
import socket
import time

import jax
import numpy as np
import pytest

from jaxsoftras.reconstruction import (
    accelerators,
    evaluation_run,
    run_folder,
    runs,
    training_run,
)
from tests.support import kill_and_resume, process_pair, small_run

PROGRAM = ("-m", "tests.support.pair_program")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def words(cabinets):
    settings = "--set", *small_run.SMALL, f"data.root={cabinets}"
    return "--config", str(small_run.CONFIG), *settings


class TestJoin:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--processes", "2"], "belong together"),
            (
                ["--coordinator", "a:1", "--processes", "2", "--process", "2"],
                "--process must be from 0 to 1, not 2.",
            ),
            (
                ["--coordinator", "a", "--processes", "2", "--process", "1"],
                "--coordinator is not HOST:PORT: a.",
            ),
        ],
    )
    def test_refuses(self, words, sentence, tmp_path, capsys):
        words = ["--workdir", str(tmp_path), *words]
        assert training_run.main(words) == 2
        assert sentence in small_run.error_line(capsys)

    def test_names_a_port_that_is_taken(self, tmp_path, capsys):
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            port = taken.getsockname()[1]
            words = ["--workdir", str(tmp_path), *process_pair.options(0, port)]
            assert training_run.main(words) == 2
        assert f"Port {port} cannot be opened" in small_run.error_line(capsys)

    def test_says_how_to_start_where_there_is_no_cluster(
        self, tmp_path, capsys, monkeypatch
    ):
        def initialize(**_):
            raise ValueError("coordinator_address should be defined.")

        monkeypatch.setattr(jax.distributed, "initialize", initialize)
        words = ["--workdir", str(tmp_path), "--distributed"]
        assert training_run.main(words) == 2
        line = small_run.error_line(capsys)
        assert "set --coordinator HOST:PORT --processes N --process I" in line


class TestTwoProcesses:
    def test_share_what_they_know(self, tmp_path):
        for ended in process_pair.finish(process_pair.start(*PROGRAM, str(tmp_path))):
            assert ended.code == 0, ended.err

    @pytest.mark.parametrize("fail", [0, 1])
    def test_an_error_of_one_ends_the_other(self, fail, tmp_path):
        words = *PROGRAM, str(tmp_path), "--fail", str(fail)
        ended = process_pair.finish(process_pair.start(*words))
        assert [end.code for end in ended] == [2, 2]
        assert ended[fail].err.splitlines()[-1] == "pair: the disk is on fire."
        other = ended[1 - fail].err.splitlines()[-1]
        assert f"ended by an error in process {fail}: the disk is on fire." in other


@pytest.mark.slow
class TestTraining:
    """Two processes with one device each, against one process with two devices."""

    def run_pair(self, program, workdir, *words, seconds=300):
        started = process_pair.start(program, "--workdir", str(workdir), *words)
        return process_pair.finish(started, seconds)

    def test_equals_one_process(self, folder, words, monkeypatch):
        more = "optim.steps=6", "log.metrics_every=2", "log.images_every=4"
        for ended in self.run_pair("train.py", folder / "pair", *words, *more):
            assert ended.code == 0, ended.err
        assert "step" not in ended.out, "the second process has printed"
        two = jax.devices()[:2]
        monkeypatch.setattr(accelerators, "find_devices", lambda: two)
        settings = run_folder.read_config(folder / "pair")
        training_run.train(settings, folder / "alone", quiet=True)

        pair, alone = (
            kill_and_resume.read_metrics(folder / name) for name in ("pair", "alone")
        )
        assert [line["step"] for line in pair] == [2, 4, 6]
        for ours, wanted in zip(pair, alone, strict=True):
            np.testing.assert_allclose(
                list(ours.values()), list(wanted.values()), rtol=1e-4
            )
        ours, wanted = (runs.load(folder / name) for name in ("pair", "alone"))
        for a, b in zip(
            jax.tree.leaves(ours.variables),
            jax.tree.leaves(wanted.variables),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)
        files = {path.name for path in (folder / "pair" / "tensorboard").iterdir()}
        assert len(files) == 1, "two processes have recorded"

    def test_a_signal_to_one_stops_both_after_the_same_step(self, folder, words):
        started = process_pair.start(
            "train.py",
            *("--workdir", str(folder / "pair"), *words),
            *("optim.steps=100000", "log.metrics_every=1"),
        )
        lines = (folder / "pair" / "metrics.jsonl").read_text
        while started[1].poll() is None and lines().count("\n") < 8:
            time.sleep(0.1)
        started[1].send_signal(signal.SIGTERM)
        ended = process_pair.finish(started)
        assert [end.code for end in ended] == [143, 143], ended
        steps = {
            int(step)
            for end in ended
            for step in re.findall(r"checkpoint at step (\d+)", end.err)
        }
        with runs.Checkpoints(folder / "pair", read_only=True) as checkpoints:
            assert {checkpoints.latest()} == steps

    def test_evaluation_equals_one_process(self, folder):
        for ended in self.run_pair("eval.py", folder / "pair", "--split", "val"):
            assert ended.code == 0, ended.err
        path = folder / "pair" / "eval" / "val" / "metrics.json"
        ours = json.loads(path.read_text())
        wanted = evaluation_run.evaluate(folder / "pair", "val")
        assert ours["mean_iou"] == pytest.approx(wanted["mean_iou"], abs=1e-4)
        assert ours["mean_loss"] == pytest.approx(wanted["mean_loss"], abs=1e-4)
