import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.models import division, halves
from jaxsoftras.reconstruction import accelerators


@pytest.fixture(autouse=True)
def small_kernels(monkeypatch):
    monkeypatch.setattr(division, "LARGE", 24)


@pytest.fixture
def state():
    kernel = np.arange(24, dtype=np.float32).reshape(6, 4)
    return {"params": {"kernel": kernel, "bias": kernel[0]}, "mu": {"kernel": kernel}}


def device_mesh(devices=2, model=2):
    return accelerators.device_mesh(devices, jax.devices()[:devices], model=model)


@pytest.mark.parametrize("devices", [2, 4])
def test_each_device_has_its_own_half_first(state, devices):
    mesh = device_mesh(devices)
    split = jax.jit(lambda state: halves.split(state, mesh))(state)
    kernel = split["params"]["kernel"]
    assert halves.is_halved(kernel) and kernel.shape == (6, 4)
    wanted = np.split(state["params"]["kernel"], 2)
    for number, (own, other) in enumerate(
        zip(kernel.own.addressable_shards, kernel.other.addressable_shards, strict=True)
    ):
        np.testing.assert_array_equal(own.data, wanted[number % 2])
        np.testing.assert_array_equal(other.data, wanted[1 - number % 2])
    np.testing.assert_array_equal(
        halves.keep_own(split)["params"]["kernel"], state["params"]["kernel"]
    )
    np.testing.assert_array_equal(split["params"]["bias"], state["params"]["bias"])
    assert not halves.is_halved(split["mu"]["kernel"])  # each device has its own alone


def test_joins_what_is_split(state):
    mesh = device_mesh()

    @jax.jit
    def split_twice(state):
        return halves.join(halves.split(halves.split(state, mesh), mesh), mesh)

    joined = split_twice(state)
    assert jax.tree.structure(joined) == jax.tree.structure(state)
    assert joined["params"]["kernel"].sharding.is_fully_replicated
    for found, wanted in zip(*map(jax.tree.leaves, (joined, state)), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("devices", "model"), [(1, 1), (2, 1), (4, 4)])
def test_only_two_devices_have_halves(state, devices, model):
    assert halves.split(state, device_mesh(devices, model)) is state


@pytest.mark.parametrize("axes", [{"model"}, {"data", "model"}])
def test_layers_have_the_whole_kernel(state, axes):
    """With its own half first where `division.multiply` is told so by its type."""
    mesh, kernel = device_mesh(4), state["params"]["kernel"]

    def whole(parameters):
        marked = jax.tree.map(lambda array: division.vary(array, axes), parameters)
        return halves.make_whole(marked)["kernel"][None, None]

    @jax.jit
    def collect(parameters):
        parameters = halves.split(parameters, mesh)
        out = jax.sharding.PartitionSpec(*sorted(axes), None)
        return jax.shard_map(
            whole, mesh=mesh, in_specs=(halves.place(parameters),), out_specs=out
        )(parameters)

    found = collect(state["params"])
    turned = jnp.roll(kernel, 3, axis=0) if axes == {"model"} else kernel
    for k, shard in enumerate(found.addressable_shards):
        np.testing.assert_array_equal(shard.data[0, 0], turned if k % 2 else kernel)
