"""What follows the steps sees the state of its step, and does not stop the others."""

import concurrent.futures
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.reconstruction import (
    accelerators,
    event_format,
    gallery,
    loop,
    monitor,
    runs,
    training,
    training_run,
)
from tests.support import small_run
from tests.support.small_run import error_line

EVERY_TWO = ["log.images_every=2", "log.checkpoint_every=2"]


def test_images_and_checkpoints_are_of_their_steps(settings, tmp_path, monkeypatch):
    """And the steps after them go on while an image is drawn."""
    settings = config.override(settings, [*EVERY_TWO, "optim.steps=8"])
    shown, written, later = {}, [], threading.Event()
    record, draw = monitor.Monitor.record, gallery.training_views

    def notice(self, step, metrics):
        record(self, step, metrics)
        if step == 6:
            later.set()

    def draw_late(*arguments):
        assert threading.current_thread() is not threading.main_thread()
        assert later.wait(60)
        return draw(*arguments)

    def encode(step, name, pixels):
        assert threading.current_thread() is not threading.main_thread()
        if name == "train/views":
            shown[step] = pixels
        return f"{name} {step}".encode()

    def keep(self, record):
        assert threading.current_thread() is threading.main_thread()
        written.append(record)

    monkeypatch.setattr(monitor.Monitor, "record", notice)
    monkeypatch.setattr(gallery, "training_views", draw_late)
    monkeypatch.setattr(event_format, "encode_image", encode)
    monkeypatch.setattr(monitor.Monitor, "event", keep)
    settings = config.override(settings, ["log.keep_checkpoints=9"])
    training_run.train(settings, tmp_path / "run", quiet=True)
    assert sorted(shown) == [2, 4, 6, 8]
    for step in shown:
        event = event_format.make_record(f"train/views {step}".encode())
        assert written.count(event) == 1
    split = data.open_training_set(settings.data)
    one = training.Experiment(settings, accelerators.device_mesh(1, jax.devices()[:1]))
    for step in (2, 6):
        variables = runs.load(tmp_path / "run", step).variables
        batch = data.sample_views(split, 4, seed=settings.seed, step=step - 1)
        batch = jax.device_put(batch, one.sharded)
        np.testing.assert_array_equal(shown[step], draw(one, variables, batch, step))


def test_an_error_beside_the_training_ends_it(cabinets, tmp_path, monkeypatch, capfd):
    def fail(*_):
        raise OSError(5, "Input/output error", "images")

    monkeypatch.setattr(gallery, "training_views", fail)
    words = [*EVERY_TWO, "optim.steps=9999", "log.metrics_every=9999"]
    assert small_run.train(*words, workdir=tmp_path / "a", root=cabinets) == 2
    assert "Input/output error" in error_line(capfd)


@pytest.mark.parametrize("devices", [1, 4])
def test_a_copy_outlives_the_state(devices):
    mesh = accelerators.device_mesh(devices, jax.devices()[:devices])
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    state = jax.device_put({"a": jnp.arange(3.0), "step": jnp.int32(4)}, whole)
    advance = jax.jit(
        lambda x: jax.tree.map(lambda y: y + 1, x),
        donate_argnums=0,
        out_shardings=whole,
    )
    copied = loop.copy_state(state)
    state = advance(state)
    assert copied["a"].tolist() == [0, 1, 2] and int(copied["step"]) == 4
    assert copied["a"].sharding.is_equivalent_to(whole, 1)
    assert state["a"].tolist() == [1, 2, 3]


def test_threads_use_arrays_of_several_devices():
    """JAX lists their shards twice, or in part, if two threads make it do so."""
    mesh = accelerators.device_mesh(4, jax.devices()[:4])
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    make = jax.jit(lambda x: [x + k for k in range(20)], out_shardings=replicated)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            for number in range(60):
                arrays = make(jnp.full(8, float(number)))
                loop.list_shards(arrays)
                start = threading.Barrier(2)

                def count(arrays=arrays, start=start):
                    start.wait()
                    return [len(array.addressable_shards) for array in arrays]

                both = [threads.submit(count) for _ in range(2)]
                assert [each.result() for each in both] == 2 * [20 * [4]]
    finally:
        sys.setswitchinterval(interval)
