import errno
import json
import os
import shutil
import signal
from unittest.mock import ANY

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rich.console

from jaxsoftras import config, data
from jaxsoftras.reconstruction import (
    feeding,
    monitor,
    records,
    run_folder,
    runs,
    training,
    training_run,
)
from tests.support import small_run
from tests.support.folders import read_files
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

    def test_finished_run_does_nothing(self, settings, tmp_path):
        settings = config.override(settings, ["optim.steps=2"])
        first = training_run.train(settings, tmp_path / "run", quiet=True)
        again = training_run.train(settings, tmp_path / "run", quiet=True)
        assert_same_state(first, again)
        shorter = config.override(settings, ["optim.steps=1"])
        again = training_run.train(shorter, tmp_path / "run", quiet=True)
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
                monitor.DivergedError, match=r"Step 5 gave .* nan.*diverged_step_5.npz"
            ):
                training_run.train(settings, workdir, quiet=True)
        split = data.open_split(settings.data, "train")
        expected = data.sample_views(split, 4, seed=0, step=4)
        with np.load(workdir / "diverged_step_5.npz") as saved:
            np.testing.assert_array_equal(saved["images"], expected.images)
            second = CABINET, saved["object"], saved["views"][:, 1]
            np.testing.assert_array_equal(saved["images"][:, 1], split.images(*second))
            assert set(saved["category"]) == {CABINET} and saved["step"] == 5
            cameras = split.cameras(*second)
            for name in ("position", "focal_length"):
                wanted = getattr(cameras, name)
                np.testing.assert_allclose(
                    saved[f"cameras.{name}"][:, 1], wanted, atol=1e-6
                )
        with runs.Checkpoints(workdir, read_only=True) as checkpoints:
            assert checkpoints.latest() == 4

    def test_a_signal_ends_the_run_with_a_checkpoint(
        self, cabinets, tmp_path, monkeypatch, capfd
    ):
        record = monitor.Monitor.record

        def record_and_stop(self, step, metrics):
            record(self, step, metrics)
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        words = ["optim.steps=12", "log.metrics_every=2"]
        with monkeypatch.context() as patch:
            patch.setattr(monitor.Monitor, "record", record_and_stop)
            assert small_run.train(*words, workdir=tmp_path / "a", root=cabinets) == 143
        with runs.Checkpoints(tmp_path / "a", read_only=True) as checkpoints:
            step = checkpoints.latest()
        # chunks of at most two steps, of which two are under way
        assert step in range(3, 9)
        assert capfd.readouterr().err == (
            f"train.py: stopped by SIGTERM with a checkpoint at step {step}; the same "
            "command resumes the run.\n"
        )
        assert small_run.train(*words, workdir=tmp_path / "a", root=cabinets) == 0
        assert capfd.readouterr().err == ""
        lines = (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [2, 4, 6, 8, 10, 12]

    def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(
        self, cabinets, tmp_path, monkeypatch, capfd
    ):
        add = records.EventFile.add_scalars

        def add_until_full(self, step, values):
            if step == 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            add(self, step, values)

        monkeypatch.setattr(records.EventFile, "add_scalars", add_until_full)
        words = ["optim.steps=5", "log.metrics_every=2", "log.checkpoint_every=2"]
        assert small_run.train(*words, workdir=tmp_path / "a", root=cabinets) == 2
        assert "train.py: the disk is full" in error_line(capfd)
        with runs.Checkpoints(tmp_path / "a", read_only=True) as checkpoints:
            assert checkpoints.latest() == 2

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError("Unable to allocate 24 TiB"),
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 24 TiB\nmore"),
        ],
    )
    def test_memory_that_does_not_suffice(
        self, error, cabinets, tmp_path, monkeypatch, capsys
    ):
        def fail(*_):
            raise error

        monkeypatch.setattr(feeding, "make_feed", fail)
        assert small_run.train(workdir=tmp_path / "run", root=cabinets) == 2
        line = error_line(capsys)
        assert "24 TiB): lower optim.batch_size" in line and "more" not in line

    def test_a_run_outlives_the_reader_of_its_output(
        self, settings, tmp_path, monkeypatch, capsys
    ):
        def close(self, *_, **__):
            if not self.quiet:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        settings = config.override(settings, ["optim.steps=2"])
        monkeypatch.setattr(rich.console.Console, "print", close)
        state = training_run.train(settings, tmp_path / "a")
        assert int(state.step) == 2
        assert "it goes on in metrics.jsonl" in error_line(capsys)

    def test_reports_to_the_terminal_and_tensorboard(self, settings, tmp_path, capsys):
        settings = config.override(settings, ["optim.steps=4", "log.images_every=2"])
        training_run.train(settings, tmp_path / "run")
        lines = capsys.readouterr().out.splitlines()
        assert any("step 4/4" in line and "loss" in line for line in lines)
        events = list((tmp_path / "run" / "tensorboard").glob("events*"))
        content = events[0].read_bytes()
        for name in (b"train/loss", b"train/views", b"train/meshes"):
            assert name in content
        assert config.read(tmp_path / "run" / "config.json") == settings


class TestResuming:
    """By the program, with fewer words than the run was started with."""

    def resume(self, workdir, *words):
        return training_run.main(["--workdir", str(workdir), *words])

    def test_by_the_folder_alone(self, trained, tmp_path, capsys):
        workdir = shutil.copytree(trained, tmp_path / "run [red]\n")
        assert self.resume(workdir, "--set", "optim.steps=4") == 0
        assert r"run [red]\n: step 3 to 4" in capsys.readouterr().out
        assert self.resume(workdir) == 0
        assert "no steps are left after step 4" in capsys.readouterr().out
        assert run_folder.read_config(workdir).optim.steps == 4
        assert sorted(path.name for path in (workdir / "checkpoints").iterdir()) == [
            "3",
            "4",
        ]

    def test_by_the_file_without_its_overrides(self, trained, tmp_path):
        workdir = shutil.copytree(trained, tmp_path / "run")
        before = (workdir / "config.json").read_bytes()
        assert self.resume(workdir, "--config", str(small_run.CONFIG)) == 0
        assert (workdir / "config.json").read_bytes() == before

    def test_uses_the_checkpoint_before_a_damaged_one(self, settings, tmp_path):
        whole = config.override(settings, ["optim.steps=4", "log.checkpoint_every=2"])
        workdir = tmp_path / "run"
        state = training_run.train(whole, workdir, quiet=True)
        (workdir / "checkpoints" / "4" / "default" / "_METADATA").unlink()
        with pytest.warns(UserWarning, match="4 is damaged, is now damaged-4"):
            again = training_run.train(whole, workdir, quiet=True)
        assert_same_state(state, again)

    def test_what_does_not_fit_changes_nothing(self, trained, tmp_path, capsys):
        workdir = shutil.copytree(trained, tmp_path / "run")
        (workdir / "config.json").write_bytes(
            (trained / "config.json")
            .read_bytes()
            .replace(b'"latent": 8', b'"latent": 4')
        )
        before = read_files(workdir)
        assert self.resume(workdir, "--set", "optim.steps=9") == 2
        line = error_line(capsys)
        assert "3 is sound but of another network" in line and "float32[8, 16]" in line
        assert read_files(workdir) == {**before, workdir / ".lock": ANY}

    def test_needs_a_run_or_a_file(self, tmp_path, capsys):
        assert self.resume(tmp_path / "run") == 2
        assert "start one with --config" in error_line(capsys)
        with pytest.raises(SystemExit):
            training_run.main([])
        assert "--workdir of a run to resume" in capsys.readouterr().err


class TestInitFrom:
    def start(self, workdir, root, source, *settings):
        words = [*small_run.SMALL, f"data.root={root}", "optim.steps=1", *settings]
        return training_run.main(
            ["--config", str(small_run.CONFIG), "--workdir", str(workdir)]
            + ["--init-from", str(source), "--set", *words]
        )

    def test_begins_with_the_network_of_a_run(
        self, trained, cabinets, settings, tmp_path, monkeypatch
    ):
        workdir = tmp_path / "run"
        seen = []
        make_feed = feeding.make_feed

        def spy(experiment, split, start):
            feed = make_feed(experiment, split, start)
            take_steps = feed.take_steps

            def first(state, count):
                seen.append(jax.tree.map(np.array, state))
                return take_steps(state, count)

            monkeypatch.setattr(feed, "take_steps", first)
            return feed

        monkeypatch.setattr(feeding, "make_feed", spy)
        more = "optim.learning_rate=1e-5", "model.precision=float32"
        assert self.start(workdir, cabinets, trained, *more) == 0
        (state,) = seen
        assert_same_state(state.variables, runs.load(trained).variables)
        assert int(state.step) == 0
        assert not any(np.any(x) for x in jax.tree.leaves(state.opt_state))
        saved = run_folder.read_config(workdir)
        assert saved.init_from == f"{trained.resolve()}:3"
        # the same command again resumes, and so does the folder alone
        assert self.start(workdir, cabinets, trained, *more) == 0
        assert training_run.main(["--workdir", str(workdir)]) == 0
        assert run_folder.read_config(workdir) == saved and len(seen) == 1

    @pytest.mark.parametrize(
        ("source", "setting", "message"),
        [
            ("{}", "model.latent=4", "does not fit (model.latent: 8 there, 4 here)"),
            ("{}:2", "seed=0", "no checkpoint of step 2"),
            ("{}:best", "seed=0", "has a score; choose another one"),
            ("{}x", "seed=0", "is not a run folder"),
        ],
    )
    def test_refusals(
        self, source, setting, message, trained, cabinets, tmp_path, capsys
    ):
        source = source.format(trained)
        assert self.start(tmp_path / "run", cabinets, source, setting) == 2
        assert message in error_line(capsys)
        assert not (tmp_path / "run").exists()


class TestRefusals:
    """Exit code 2, one sentence, and no run folder."""

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("optim.lr=1", "no configuration field 'optim.lr'"),
            ("optim.steps=many", "optim.steps must be int, not 'many'"),
            ("optim.steps=2147483648", "steps must be from 1 to 2147483647"),
            ("optim.decay_step=2147483648", "must be from 0 to 2147483647"),
            ("seed=2147483648", "seed must be from 0 to 2147483647"),
            ("seed=-1", "seed must be from 0 to 2147483647"),
            ("data.distance=50", "The cameras of the train split do not agree"),
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

    def test_no_device(self, cabinets, tmp_path, monkeypatch, capsys):
        def fail(*_):
            raise RuntimeError("Unable to initialize backend 'moon'\nmore")

        monkeypatch.setattr(jax, "devices", fail)
        monkeypatch.setattr(jax, "default_backend", fail)
        assert small_run.train(workdir=tmp_path / "run", root=cabinets) == 2
        assert "no device of the kind that JAX_PLATFORMS names" in error_line(capsys)

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
