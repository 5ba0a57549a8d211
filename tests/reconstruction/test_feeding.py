"""Steps take the same batches wherever the images are kept."""

import dataclasses
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data import resident
from jaxsoftras.data.rig import Orbit
from jaxsoftras.models import division, halves
from jaxsoftras.reconstruction import (
    accelerators,
    feeding,
    kept_programs,
    runs,
    training,
    training_run,
)
from tests.data.test_mixture import make_split
from tests.support import small_run
from tests.support.compilations import compilations


class Echo(training.Experiment):
    """An experiment whose steps keep their batches, in place of a network."""

    def take_step(self, state, batch):
        nothing = training.Metrics(*jnp.zeros(len(training.Metrics._fields)))
        return state._replace(step=state.step + 1, variables=batch), nothing


class Doubling(training.Experiment):
    """An experiment whose steps double a kernel in halves, in place of a network."""

    def take_step(self, state, batch):
        variables: Any = state.variables
        assert halves.is_halved(variables["kernel"])
        nothing = training.Metrics(*jnp.zeros(len(training.Metrics._fields)))
        doubled: Any = jax.tree.map(lambda half: 2 * half, variables)
        return state._replace(step=state.step + 1, variables=doubled), nothing


@pytest.mark.parametrize(
    ("where", "stride"), [("host", 1), ("device", 1), ("device", 2)]
)
def test_two_devices_have_kernels_in_halves(where, stride, monkeypatch):
    """Split before the steps, and joined after them."""
    monkeypatch.setattr(division, "LARGE", 24)
    monkeypatch.setattr(feeding, "_choose_stride", lambda *_: stride)
    words = ["optim.batch_size=2", f"data.feeding={where}"]
    settings = config.override(config.Config(), words)
    mesh = accelerators.device_mesh(2, jax.devices()[:2], model=2)
    experiment = Doubling(settings, mesh)
    experiment.config = settings
    whole: Any = experiment.replicated
    experiment.placement = whole
    source = make_split(1, {"03001627": 6}, Orbit())
    feed = feeding.make_feed(experiment, source, 0)
    kernel = np.arange(24, dtype=np.float32).reshape(6, 4)
    variables: Any = {"kernel": kernel}
    state = training.TrainState(jnp.int32(0), variables, ())
    state = jax.device_put(state, experiment.replicated)
    feed.prepare(runs.abstract(state, experiment.replicated))
    for _ in range(2):
        state, _ = feed.take_steps(state, 2)
    variables = state.variables
    for shard in variables["kernel"].addressable_shards:
        np.testing.assert_array_equal(shard.data, 2**4 * kernel)


def test_all_feeds_resume_with_the_batch_of_the_step():
    """Over four devices, whatever the feed did before."""
    words = ["optim.batch_size=4", "data.views_per_object=3"]
    settings = config.override(config.Config(), words)
    experiment = Echo(settings, accelerators.device_mesh(4))
    whole: Any = experiment.replicated
    # of batches in place of networks
    experiment.placement = whole
    experiment.step = jax.jit(experiment.take_step, out_shardings=(whole, whole))
    source = make_split(1, {"03001627": 6, "04379243": 1}, Orbit())
    first: Any = data.sample_views(source, 4, seed=settings.seed, step=0, views=3)
    nothing: Any = None
    for where in ("host", "device", "devices"):
        data_settings = dataclasses.replace(settings.data, feeding=where)
        experiment.config = dataclasses.replace(settings, data=data_settings)
        feed = feeding.make_feed(experiment, source, 3)
        state = training.TrainState(jnp.int32(3), first, nothing)
        state = jax.device_put(state, experiment.replicated)
        feed.prepare(runs.abstract(state, experiment.replicated))
        for count in (1, 2):
            state, _ = feed.take_steps(state, count)
            last = int(state.step) - 1
            expected = data.sample_views(
                source, 4, seed=settings.seed, step=last, views=3
            )
            jax.tree.map(np.testing.assert_array_equal, state.variables, expected)


def test_a_feed_shares_its_images_with_another_configuration(monkeypatch):
    """Which draws by its own seed, and reads nothing."""
    source = make_split(1, {"03001627": 6, "04379243": 1}, Orbit())
    feed = None
    for seed in (0, 5):
        words = ["optim.batch_size=4", "data.feeding=devices", f"seed={seed}"]
        settings = config.override(config.Config(), words)
        experiment = Echo(settings, accelerators.device_mesh(4))
        experiment.config = settings
        whole: Any = experiment.replicated
        experiment.placement = whole
        if feed is None:
            feed = feeding.make_feed(experiment, source, 0)
        else:
            monkeypatch.setattr(resident, "read_images", None)
            feed = feed.share(experiment)
        assert isinstance(feed, feeding.ResidentFeed)
        expected: Any = data.sample_views(source, 4, seed=seed, step=0)
        nothing: Any = None
        state = training.TrainState(jnp.int32(0), expected, nothing)
        state = jax.device_put(state, experiment.replicated)
        feed.prepare(runs.abstract(state, experiment.replicated))
        state, _ = feed.take_steps(state, 1)
        jax.tree.map(np.testing.assert_array_equal, state.variables, expected)


def prepare(settings):
    experiment = training.Experiment(
        settings, accelerators.device_mesh(settings.optim.batch_size)
    )
    source = data.open_training_set(settings.data)
    feed = feeding.make_feed(experiment, source, 0)
    state = experiment.init(settings.seed)
    feed.prepare(runs.abstract(state, experiment.replicated))
    return experiment, feed


@pytest.fixture(scope="module")
def resident_feed(cabinets):
    settings = config.override(
        config.Config(),
        [*small_run.SMALL, f"data.root={cabinets}", "data.feeding=devices"],
    )
    return prepare(settings)


def take(prepared, counts):
    """Takes steps from the start; returns state and metrics on the host."""
    experiment, feed = prepared
    state, metrics = experiment.init(0), []
    for count in counts:
        state, measured = feed.take_steps(state, count)
        metrics += feeding.read(measured, count)
    return jax.device_get(state), np.array(metrics)


class TestResidentFeed:
    """Over four devices, each of which gathers its own images."""

    @pytest.mark.parametrize("counts", [(5,), (2, 3)])
    def test_bits_do_not_depend_on_the_chunks(self, resident_feed, counts):
        single = take(resident_feed, [1] * 5)
        chunks = take(resident_feed, counts)
        jax.tree.map(np.testing.assert_array_equal, chunks, single)
        assert len(np.unique(chunks[1][:, 0])) == 5

    def test_steps_by_strides_are_the_same(self, resident_feed, monkeypatch):
        """A stride is left to GPUs; whether its steps are the same is not."""
        experiment, feed = resident_feed
        monkeypatch.setattr(feeding, "_choose_stride", lambda *_: 2)
        strides = feed.share(experiment)
        strides.prepare(runs.abstract(experiment.init(0), experiment.replicated))
        state, metrics = take((experiment, strides), [4])
        expected_state, expected = take(resident_feed, [4])
        np.testing.assert_allclose(metrics, expected, rtol=1e-5)
        assert state.step == expected_state.step == 4
        with pytest.raises(ValueError, match="3 steps are no multiple of 2"):
            strides.take_steps(experiment.init(0), 3)

    def test_preparing_compiles_all(self, resident_feed):
        experiment, feed = resident_feed
        state = experiment.init(0)
        assert compilations(lambda: feed.take_steps(state, 2)[0]) == 0

    @pytest.mark.slow  # test_resident compares the batches
    def test_equals_the_host(self, resident_feed, settings):
        host = prepare(config.override(settings, ["data.feeding=host"]))
        _, expected = take(host, [1, 2])
        _, got = take(resident_feed, [3])
        np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "start", "expected"),
    [
        ([], 0, 100),
        (["optim.steps=12340"], 0, 20),
        (["log.images_every=7", "log.validate_every=0"], 0, 1),
        (["optim.steps=24", "log.images_every=16", "log.checkpoint_every=8"], 0, 8),
        ([], 5004, 4),
        (["model.image_size=256"], 0, 5),  # of 6 at most
        (["model.image_size=512", "optim.batch_size=128"], 0, 1),
    ],
)
def test_strides_of_a_gpu_lead_to_all_that_is_due(words, start, expected):
    settings = config.override(config.Config(), words)
    for platform, stride in (("cpu", 1), ("tpu", 1), ("gpu", expected)):
        device = types.SimpleNamespace(platform=platform)
        devices = types.SimpleNamespace(devices=np.array([[device]]))
        experiment: Any = types.SimpleNamespace(config=settings, devices=devices)
        assert feeding._choose_stride(experiment, start) == stride


@pytest.mark.parametrize("changed", ["stride", "options"])
def test_a_kept_program_is_of_its_stride_and_options(monkeypatch, changed):
    """Which differ by the step that a run resumes at, and by host."""
    keys = []
    monkeypatch.setattr(kept_programs, "compile", lambda *facts: keys.append(facts[-1]))
    words = ["optim.batch_size=4", "data.feeding=device"]
    settings = config.override(config.Config(), words)
    source = make_split(1, {"03001627": 6}, Orbit())
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    state: Any = None
    for stride, options in ((1, {}), (1, {}), (5, {"xla_an_option": "1"})):
        if changed == "stride":
            monkeypatch.setattr(feeding, "_choose_stride", lambda *_, n=stride: n)
        else:
            experiment.step_options = options
        feeding.make_feed(experiment, source, 0).prepare(state)
    first, again, other = keys
    assert first == again != other


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
