"""Steps take the same batches wherever the images are kept."""

import jax
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.reconstruction import feeding, training, training_run


def run(settings, steps=2):
    devices = training.device_mesh(settings.optim.batch_size)
    experiment = training.Experiment(settings, devices)
    source = data.open_training_set(settings.data)
    feed = feeding.make_feed(experiment, source, 0)
    state, metrics = experiment.init(settings.seed), []
    for _ in range(steps):
        state, measured = feed.take_step(state)
        metrics.append(jax.device_get(measured))
    return feed, np.array(metrics)


@pytest.mark.slow  # test_resident compares the batches
@pytest.mark.parametrize("where", ["device", "devices"])
def test_device_and_host_give_the_same_steps(settings, where):
    """Over four devices, each of which gathers its own images."""
    _, expected = run(config.override(settings, ["data.feeding=host"]))
    feed, got = run(config.override(settings, [f"data.feeding={where}"]))
    assert isinstance(feed, feeding.ResidentFeed)
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_auto_takes_the_first_place_that_fits(monkeypatch):
    devices = np.array(["a", "b"], object)
    monkeypatch.setattr(feeding, "_free_memory", {"a": 100, "b": 80}.__getitem__)
    chosen = [feeding._choose(n, devices) for n in (39, 40, 79, 80)]
    assert chosen == ["device", "devices", "devices", "host"]
    monkeypatch.undo()
    cpus = np.array(jax.devices("cpu"))
    if cpus[0].memory_stats() is None:
        assert feeding._choose(1, cpus) == "host"


@pytest.mark.slow
def test_a_run_says_where_images_are(settings, tmp_path, capsys):
    settings = config.override(settings, ["optim.steps=1", "data.feeding=device"])
    training_run.train(settings, tmp_path / "run")
    assert "images on each device" in " ".join(capsys.readouterr().out.split())
