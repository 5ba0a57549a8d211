import os
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train
from jaxsoftras import config, data, losses
from jaxsoftras.reconstruction import datasets, monitor, training
from jaxsoftras.reconstruction import runs as checkpoint
from tests.support.small_run import ROOT, SMALL


@pytest.fixture
def settings(cabinets) -> config.Config:
    return config.override(config.Config(), [*SMALL, f"data.root={cabinets}"])


def make_experiment(settings, devices=1) -> training.Experiment:
    mesh = training.device_mesh(settings.optim.batch_size, jax.devices()[:devices])
    return training.Experiment(settings, 16, mesh)


def run(settings, devices=1, steps=3):
    """A few steps from the start: the metrics of each, and the last state."""
    experiment = make_experiment(settings, devices)
    split = datasets.open_split(settings.data, "train")
    batches = data.pair_batches(split, settings.optim.batch_size, seed=0)
    state, metrics = experiment.init(settings.seed), []
    for _ in range(steps):
        batch = jax.device_put(next(batches), experiment.sharded)
        state, measured = experiment.step(state, batch)
        metrics.append(jax.device_get(measured))
    return metrics, state


def leaves(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


class TestStep:
    def test_loss_is_that_of_the_original(self, settings):
        """Four renders, mean of four IoU losses, weighted means over the meshes."""
        experiment = make_experiment(settings)
        rng = np.random.default_rng(0)
        faces = experiment.network.faces
        vertices = jnp.asarray(rng.normal(0, 0.2, (3, 2, 42, 3)), jnp.float32)
        targets = rng.integers(0, 256, (3, 2, 16, 16)).astype(np.uint8)
        views = rng.integers(0, 24, (3, 2)).astype(np.int32)
        terms = experiment.view_losses(vertices, targets, views, jnp.float32(1e-4))

        expected = np.zeros(3)
        for b in range(3):
            for m in range(2):
                for v in range(2):
                    alpha = experiment.render(
                        vertices[b, m][None], views[b, v][None], jnp.float32(1e-4)
                    )[0]
                    target = targets[b, v] / np.float32(255)
                    expected[b] += (1 - losses.silhouette_iou(alpha, target)) / 4
        np.testing.assert_allclose(terms.silhouette, expected, rtol=1e-5)
        for term, loss in (
            (terms.laplacian, losses.laplacian),
            (terms.flatten, losses.flatten),
        ):
            np.testing.assert_allclose(term, loss(vertices, faces).mean(1), rtol=1e-5)
        np.testing.assert_allclose(
            experiment.total(terms),
            expected
            + 5e-3 * np.asarray(terms.laplacian)
            + 5e-4 * np.asarray(terms.flatten),
            rtol=1e-5,
        )

    def test_four_devices_equal_one(self, settings):
        metrics1, state1 = run(settings, devices=1)
        metrics4, state4 = run(settings, devices=4)
        np.testing.assert_allclose(np.array(metrics4), np.array(metrics1), rtol=1e-3)
        for a, b in zip(
            leaves(state4.variables), leaves(state1.variables), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)

    def test_batch_is_not_gathered(self, settings):
        experiment = make_experiment(settings, devices=4)
        split = datasets.open_split(settings.data, "train")
        batch = data.sample_pairs(split, 4, np.random.default_rng(0))
        batch = jax.device_put(batch, experiment.sharded)
        text = str(experiment.step.lower(experiment.init(0), batch).compile().as_text())
        assert "all-reduce" in text and "all-gather" not in text

    def test_compiles_once(self, settings, monkeypatch):
        traces, step = [], training.Experiment._step
        monkeypatch.setattr(
            training.Experiment,
            "_step",
            lambda *arguments: traces.append(None) or step(*arguments),
        )
        settings = config.override(settings, ["optim.decay_step=2"])
        experiment = make_experiment(settings)
        split = datasets.open_split(settings.data, "train")
        state, metrics = experiment.init(0), []
        for batch, _ in zip(
            data.pair_batches(split, 4, seed=0), range(4), strict=False
        ):
            batch = jax.device_put(batch, experiment.sharded)
            state, measured = experiment.step(state, batch)
            metrics.append(jax.device_get(measured))
        assert len(traces) == 1
        np.testing.assert_allclose([m.sigma for m in metrics], [1e-4, 1e-4, 3e-5, 3e-5])
        np.testing.assert_allclose(
            [m.learning_rate for m in metrics], [1e-4, 1e-4, 3e-5, 3e-5]
        )

    @pytest.mark.parametrize(
        "encoder",
        [
            pytest.param("resnet", marks=pytest.mark.slow),
            "attention",
        ],  # see test_models
    )
    def test_other_encoders_learn(self, settings, encoder):
        settings = config.override(
            settings,
            [
                f"model.encoder={encoder}",
                "model.channels=8,",
                "optim.learning_rate=3e-3",
            ],
        )
        metrics, _ = run(settings, steps=60)
        silhouette = [m.silhouette for m in metrics]
        assert np.mean(silhouette[-10:]) < 0.8 * np.mean(silhouette[:10])

    def test_batch_that_does_not_divide(self):
        with pytest.raises(ValueError, match="a multiple of 4"):
            training.device_mesh(6)


class TestRuns:
    def test_killed_run_goes_on_bit_for_bit(self, settings, cabinets, tmp_path):
        arguments = [*SMALL, f"data.root={cabinets}", "optim.steps=40"]
        arguments += ["log.checkpoint_every=10", "log.images_every=1000"]
        killed = tmp_path / "killed"
        command = [sys.executable, "train.py", "--config", "configs/softras.py"]
        command += ["--workdir", str(killed), "--set", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (killed / "checkpoints" / "10").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (killed / "checkpoints" / "40").exists()

        settings = config.load(ROOT / "configs" / "softras.py", arguments)
        resumed = train.train(settings, killed, quiet=True)
        straight = train.train(settings, tmp_path / "straight", quiet=True)
        assert int(resumed.step) == int(straight.step) == 40
        for a, b in zip(leaves(resumed), leaves(straight), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_finished_run_does_nothing(self, settings, tmp_path):
        settings = config.override(settings, ["optim.steps=2"])
        first = train.train(settings, tmp_path / "run", quiet=True)
        again = train.train(settings, tmp_path / "run", quiet=True)
        for a, b in zip(leaves(first), leaves(again), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_nan_stops_the_run_and_keeps_the_last_checkpoint(self, settings, tmp_path):
        settings = config.override(
            settings,
            ["optim.steps=50", "log.checkpoint_every=5", "log.keep_checkpoints=9"],
        )
        workdir = tmp_path / "run"
        good = config.override(settings, ["optim.steps=5"])
        train.train(good, workdir, quiet=True)

        def poisoned(self, state, batch):
            params = jax.tree.map(
                lambda x: jnp.where(state.step >= 7, jnp.nan, x), state.variables.params
            )
            state = state._replace(variables=state.variables._replace(params=params))
            return original(self, state, batch)

        original = training.Experiment._step
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training.Experiment, "_step", poisoned)
            with pytest.raises(
                monitor.DivergedError, match="Step 8 gave a loss of nan"
            ):
                train.train(settings, workdir, quiet=True)
        with checkpoint.Checkpoints(workdir) as checkpoints:
            assert checkpoints.latest() == 5

    def test_reports(self, settings, tmp_path, capsys):
        settings = config.override(settings, ["optim.steps=20", "log.images_every=10"])
        train.train(settings, tmp_path / "run")
        lines = capsys.readouterr().out.splitlines()
        assert any("step 20/20" in line and "loss" in line for line in lines)
        events = list((tmp_path / "run" / "tensorboard").glob("events*"))
        content = events[0].read_bytes()
        assert b"train/loss" in content and b"train/views" in content
        assert config.read(tmp_path / "run" / "config.json") == settings
