"""Steps take the same batches wherever the images are kept."""

import dataclasses
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data.rig import Orbit
from jaxsoftras.reconstruction import feeding, training, training_run
from tests.data.test_mixture import make_split


class Echo(training.Experiment):
    """An experiment whose steps return their batches."""

    def take_step(self, state, batch):
        return state._replace(step=state.step + 1), batch


def test_both_feeds_resume_with_the_batch_of_the_step():
    """Over four devices, whatever the feed did before."""
    words = ["optim.batch_size=4", "data.views_per_object=3"]
    settings = config.override(config.Config(), words)
    experiment = Echo(settings, training.device_mesh(4))
    source = make_split(1, {"03001627": 6, "04379243": 1}, Orbit())
    feeds = []
    for where in ("host", "device", "devices"):
        data_settings = dataclasses.replace(settings.data, feeding=where)
        experiment.config = dataclasses.replace(settings, data=data_settings)
        feeds.append(feeding.make_feed(experiment, source, 3))
    # steps are donated their states: each has its own
    nothing: Any = None
    states = [training.TrainState(jnp.int32(3), nothing, nothing) for _ in feeds]
    for step in (3, 4):
        expected = data.sample_pairs(source, 4, seed=settings.seed, step=step, views=3)
        taken = [
            feed.take_step(state) for feed, state in zip(feeds, states, strict=True)
        ]
        states = [state for state, _ in taken]
        for _, batch in taken:
            jax.tree.map(np.testing.assert_array_equal, batch, expected)


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


def test_auto_takes_the_first_place_that_fits():
    chosen = [feeding._choose(n, free=80, devices=2) for n in (39, 40, 79, 80)]
    assert chosen == ["device", "devices", "devices", "host"]


class Device:
    def __init__(self, limit):
        self.limit = limit

    def memory_stats(self):
        return self.limit and {"bytes_limit": self.limit, "bytes_in_use": 2**32}


@pytest.mark.parametrize(
    ("limits", "free"), [((40, 33), 29), ((40, None), 0), ((None,), 0)]
)
def test_free_memory_is_that_of_the_fullest_device(limits, free):
    devices = [Device(limit and limit * 2**30) for limit in limits]
    mesh: Any = types.SimpleNamespace(local_devices=devices)
    assert feeding._free_memory(mesh) == free * 2**30


@pytest.mark.slow
def test_a_run_says_where_images_are(settings, tmp_path, capsys):
    settings = config.override(settings, ["optim.steps=1", "data.feeding=device"])
    training_run.train(settings, tmp_path / "run")
    assert "images on each device" in " ".join(capsys.readouterr().out.split())
