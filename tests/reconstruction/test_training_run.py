import os
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import monitor, runs, training, training_run
from tests.support import small_run
from tests.support.small_run import CABINET, error_line


def assert_same_state(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


class TestTrain:
    def test_stopped_run_resumes_bit_for_bit(self, settings, tmp_path):
        first = config.override(settings, ["optim.steps=3"])
        whole = config.override(settings, ["optim.steps=6"])
        training_run.train(first, tmp_path / "stopped", quiet=True)
        resumed = training_run.train(whole, tmp_path / "stopped", quiet=True)
        straight = training_run.train(whole, tmp_path / "straight", quiet=True)
        assert int(resumed.step) == int(straight.step) == 6
        assert_same_state(resumed, straight)

    @pytest.mark.slow
    def test_killed_run_resumes_bit_for_bit(self, cabinets, tmp_path):
        arguments = [*small_run.SMALL, f"data.root={cabinets}", "optim.steps=12"]
        arguments += ["log.checkpoint_every=3", "log.images_every=1000"]
        killed = tmp_path / "killed"
        command = [sys.executable, "train.py", "--config", str(small_run.CONFIG)]
        command += ["--workdir", str(killed), "--set", *arguments]
        process = subprocess.Popen(
            command, cwd=small_run.ROOT, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while not (killed / "checkpoints" / "3").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (killed / "checkpoints" / "12").exists()

        settings = config.load(small_run.CONFIG, arguments)
        resumed = training_run.train(settings, killed, quiet=True)
        straight = training_run.train(settings, tmp_path / "straight", quiet=True)
        assert int(resumed.step) == int(straight.step) == 12
        assert_same_state(resumed, straight)

    def test_finished_run_does_nothing(self, settings, tmp_path):
        settings = config.override(settings, ["optim.steps=2"])
        first = training_run.train(settings, tmp_path / "run", quiet=True)
        again = training_run.train(settings, tmp_path / "run", quiet=True)
        assert_same_state(first, again)

    def test_nan_stops_the_run_and_keeps_the_last_checkpoint(self, settings, tmp_path):
        settings = config.override(
            settings,
            ["optim.steps=50", "log.checkpoint_every=2", "log.keep_checkpoints=9"],
        )
        workdir = tmp_path / "run"
        good = config.override(settings, ["optim.steps=2"])
        training_run.train(good, workdir, quiet=True)

        def poisoned(self, state, batch):
            params = jax.tree.map(
                lambda x: jnp.where(state.step >= 4, jnp.nan, x), state.variables.params
            )
            state = state._replace(variables=state.variables._replace(params=params))
            return original(self, state, batch)

        original = training.Experiment.take_step
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training.Experiment, "take_step", poisoned)
            with pytest.raises(
                monitor.DivergedError, match="Step 5 gave a loss of nan"
            ):
                training_run.train(settings, workdir, quiet=True)
        with runs.Checkpoints(workdir, read_only=True) as checkpoints:
            assert checkpoints.latest() == 4

    def test_reports_to_the_terminal_and_tensorboard(self, settings, tmp_path, capsys):
        settings = config.override(settings, ["optim.steps=4", "log.images_every=2"])
        training_run.train(settings, tmp_path / "run")
        lines = capsys.readouterr().out.splitlines()
        assert any("step 4/4" in line and "loss" in line for line in lines)
        events = list((tmp_path / "run" / "tensorboard").glob("events*"))
        content = events[0].read_bytes()
        assert b"train/loss" in content and b"train/views" in content
        assert config.read(tmp_path / "run" / "config.json") == settings


class TestRefusals:
    """Exit code 2, one sentence, and no run folder."""

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("optim.lr=1", "no configuration field 'optim.lr'"),
            ("optim.steps=many", "optim.steps must be int, not 'many'"),
            ("optim.batch_size=6", "6 objects does not divide evenly among 4 devices"),
            ("data.source=web", "data.source must be one of"),
            ("data.categories=('999',)", "999"),
            ("model.channels=4,4,4,4,4", "cannot be halved 5 times"),
            ("model.image_size=32", "model.image_size is 32 px, but the train split"),
        ],
    )
    def test_settings(self, setting, message, cabinets, tmp_path, capsys):
        assert small_run.train(setting, workdir=tmp_path / "run", root=cabinets) == 2
        assert message in error_line(capsys)
        assert not (tmp_path / "run").exists()

    def test_missing_configuration(self, tmp_path, capsys):
        assert training_run.main(["--config", str(tmp_path / "x.py")]) == 2
        assert "no configuration file" in error_line(capsys)

    @pytest.mark.parametrize(
        "damage", ["folder", "file", "truncated", "shape", "dtype"]
    )
    def test_data(self, damage, cabinets, tmp_path, capsys):
        folder = tmp_path / "data"
        if damage != "folder":
            folder.mkdir()
            for path in cabinets.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
        path = folder / f"{CABINET}_train_images.npz"
        if damage == "file":
            path.unlink()
        elif damage == "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        elif damage == "shape":
            np.savez_compressed(path, np.zeros((2, 24, 3, 16, 16), np.uint8))
        elif damage == "dtype":
            np.savez_compressed(path, np.zeros((2, 24, 4, 16, 16), np.float32))
        assert small_run.train(workdir=tmp_path / "run", root=folder) == 2
        assert str(folder) in error_line(capsys)
        assert not (tmp_path / "run").exists()

    def test_run_of_another_configuration(self, trained, cabinets, capsys):
        before = (trained / "config.json").read_bytes()
        assert small_run.train("model.latent=4", workdir=trained, root=cabinets) == 2
        line = error_line(capsys)
        assert "model.latent: 8 there, 4 here" in line and "--workdir" in line
        assert (trained / "config.json").read_bytes() == before

    def test_interrupt(self, settings, tmp_path, monkeypatch, capsys):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(training_run, "train", interrupt)
        assert small_run.train(workdir=tmp_path / "run") == 130
        assert "the same command resumes the run" in error_line(capsys)
