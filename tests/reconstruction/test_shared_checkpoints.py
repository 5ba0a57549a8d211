import jax
import numpy as np
import pytest

from jaxsoftras.models import division
from jaxsoftras.reconstruction import accelerators, runs
from jaxsoftras.reconstruction.shared_checkpoints import SharedCheckpoints


@pytest.mark.parametrize("devices", [1, 4])
def test_restores_to_another_arrangement_of_devices(devices, tmp_path, monkeypatch):
    monkeypatch.setattr(division, "LARGE", 64)
    rng = np.random.default_rng(0)
    state = {
        "mu": rng.normal(size=(16, 8)).astype(np.float32),
        "bias": rng.normal(size=8).astype(np.float32),
    }
    before = accelerators.device_mesh(4, jax.devices()[:4], model=2)
    after = accelerators.device_mesh(4, jax.devices()[:devices], model=devices)
    with SharedCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(3, jax.device_put(state, division.place(state, before)))
    with SharedCheckpoints(tmp_path) as checkpoints:
        assert checkpoints.newest() == checkpoints.latest() == 3
        wanted = jax.device_put(state, division.place(state, after))
        restored = checkpoints.restore(runs.abstract(wanted), 3)
    for name, values in state.items():
        np.testing.assert_array_equal(restored[name], values)
        assert restored[name].sharding == wanted[name].sharding
    assert restored["mu"].is_fully_replicated == (devices == 1)
