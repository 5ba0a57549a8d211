import types
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxsoftras.models import exchanges
from jaxsoftras.reconstruction import accelerators

AXES = ("data", "model")
IMAGES = 3


@pytest.fixture(params=[2, 4])
def mesh(request):
    """Devices along ``"model"`` alone."""
    count = request.param
    return accelerators.device_mesh(count, jax.devices()[:count], model=count)


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("axes", [AXES, ("model",)])
def test_gathers_in_the_order_of_the_devices(mesh, axes):
    array = draw(mesh.size * IMAGES, 5)
    gather = jax.shard_map(
        lambda part: exchanges.gather(part, axes),
        mesh=mesh,
        in_specs=P("model"),
        out_specs=P(),  # refused if they might differ
    )
    gathered = jax.jit(gather)(array)
    for shard in gathered.addressable_shards:
        np.testing.assert_array_equal(shard.data, array)


def test_collects_columns_of_all_images(mesh):
    features, cotangents = draw(mesh.size * IMAGES, 8), draw(mesh.size * IMAGES, 2)
    part = P("model")

    def multiply(features, cotangent):
        columns, cotangents = exchanges.collect(features, cotangent, "model")
        assert columns.shape == (mesh.size * IMAGES, 8 // mesh.size)
        return columns.T @ cotangents

    product = jax.shard_map(multiply, mesh=mesh, in_specs=part, out_specs=part)
    found = jax.jit(product)(features, cotangents)
    np.testing.assert_allclose(found, features.T @ cotangents, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("along", [0, -1])
def test_splits_and_joins_halves(along):
    array, mesh = draw(6, 4), accelerators.device_mesh(2, jax.devices()[:2], model=2)

    def split(array):
        own, other = exchanges.split(array, ["model"], along)
        return own, other, exchanges.join(own, other, ["model"])

    split = jax.shard_map(split, mesh=mesh, in_specs=P(), out_specs=P("model"))
    own, other, joined = jax.jit(split)(array)
    halves = np.split(array, 2, along)
    for device, (half, rest, whole) in enumerate(
        zip(*(each.addressable_shards for each in (own, other, joined)), strict=True)
    ):
        np.testing.assert_array_equal(half.data, halves[device])
        np.testing.assert_array_equal(rest.data, halves[1 - device])
        np.testing.assert_array_equal(whole.data, np.concatenate(halves))


def test_options_are_those_of_gpus(mesh):
    assert exchanges.compiler_options(mesh) == {}


def test_options_of_gpus_are_tried(mesh, monkeypatch):
    """GPUs need not have access to each other."""

    class GPU:
        process_index = jax.process_index()
        platform = "gpu"

    class GPUs:
        devices = np.array([[GPU() for _ in range(mesh.size)]])
        axis_names = mesh.axis_names

    class Failed:
        def __array__(self, *_, **__):
            raise jax.errors.JaxRuntimeError("an error while the program ran")

    numbers = np.arange(mesh.size)
    wrong = mesh.size - 1 - numbers
    asked = []
    answers = iter([None, [Failed()], [numbers, wrong], [numbers, numbers]])

    def jit(function, compiler_options):
        def call(array):
            asked.append(compiler_options)
            if (answer := next(answers)) is None:
                raise jax.errors.JaxRuntimeError("peer access is not supported")
            shards = [types.SimpleNamespace(data=part) for part in answer]
            return types.SimpleNamespace(addressable_shards=shards)

        return call

    monkeypatch.setattr(exchanges.jax, "shard_map", lambda function, **_: function)
    monkeypatch.setattr(exchanges.jax, "jit", jit)
    wanted = exchanges.COPY_ENGINES if mesh.size == 2 else {}
    found: Any = [exchanges.compiler_options(GPUs()) for _ in range(4)]  # pyright: ignore
    assert found == [{}, {}, {}, wanted]
    assert asked == (4 * [wanted] if wanted else [])
