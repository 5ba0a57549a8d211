import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data, models
from jaxsoftras.data import rig
from jaxsoftras.models import division
from jaxsoftras.reconstruction import (
    accelerators,
    data_parallel,
    objective,
    training,
)

OBJECTS, FEATURES, HIDDEN = 8, 16, 5  # 5 is not divided


def measure(variables, batch, scale) -> Any:
    """A network with the parts that devices share: moments, and a large layer."""
    inputs, wanted = batch
    params = variables.params["encoder"]
    hidden = jnp.einsum("nf,fgoi->ng", inputs, params["stages"][0])
    moments = division.average((jnp.mean(hidden, 0), jnp.mean(hidden**2, 0)))
    mean, square = division.own(moments)
    hidden = jnp.tanh((hidden - mean) * jax.lax.rsqrt(square - mean**2 + 1))
    hidden = hidden @ params["stages"][1]
    dimensions = (((1,), (0,)), ((), ()))
    hidden = division.multiply(jnp.tanh(hidden), params["large"]["kernel"], dimensions)
    error = scale * (hidden @ variables.params["decoder"] - wanted) ** 2
    loss = jnp.mean(error)
    stats = {"mean": 0.9 * variables.batch_stats["mean"] + 0.1 * moments[0]}
    return loss, (jnp.stack([loss, jnp.mean(hidden)]), stats)


def draw_variables() -> models.Variables:
    draw = np.random.default_rng(0).standard_normal
    encoder = {
        "stages": [draw((FEATURES, HIDDEN, 2, 3)), draw((HIDDEN, 8))],
        "large": {"kernel": draw((8, HIDDEN))},
    }
    params: Any = {"encoder": encoder, "decoder": draw((HIDDEN, 3)), "other": draw(2)}
    stats: Any = {"mean": np.ones(HIDDEN)}
    variables = models.Variables(params, stats)
    return jax.tree.map(jnp.float32, variables)


def differentiate(
    devices: int, model: int, images: int = OBJECTS
) -> data_parallel.Differentiated:
    mesh = accelerators.device_mesh(OBJECTS, jax.devices()[:devices], model=model)
    draw = np.random.default_rng(1).standard_normal
    batch = [jnp.float32(draw((OBJECTS, n))) for n in (FEATURES, 3)]
    variables = draw_variables()

    def compute(variables, batch, scale):
        return data_parallel.differentiate(
            measure, variables, mesh, batch, scale, images=images
        )

    return jax.jit(compute)(variables, batch, jnp.float32(0.5))


def check_equal(found: data_parallel.Differentiated) -> None:
    one = differentiate(1, 1)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(one), strict=True):
        assert float(jnp.abs(b).max()) > 0 or b.size == 2  # "other" is not used
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("devices", [2, 4])
@pytest.mark.parametrize("images", [1, OBJECTS], ids=["features", "gradients"])
@pytest.mark.parametrize("model", [1, 2, 4])
def test_devices_give_the_gradient_of_one(devices, model, images, monkeypatch):
    """Whether features of few images are sent, or gradients."""
    if model > devices:
        pytest.skip("there are fewer devices")
    monkeypatch.setattr(division, "LARGE", 8 * HIDDEN)
    found = differentiate(devices, model, images)
    divided = found.gradient["encoder"]["large"]["kernel"].sharding
    assert divided.is_fully_replicated == (model == 1)
    check_equal(found)


@pytest.mark.parametrize("alike", [True, False], ids=["one process", "several"])
@pytest.mark.parametrize("joined", [0, 2**20], ids=["two vectors", "one vector"])
def test_gradients_do_not_depend_on_what_devices_exchange(alike, joined, monkeypatch):
    monkeypatch.setattr(data_parallel, "_LARGE", 8 * HIDDEN)
    monkeypatch.setattr(data_parallel, "_JOINED", joined)
    monkeypatch.setattr(data_parallel, "_compute_alike", lambda mesh: alike)
    common = []
    spied = division._multiply_common

    def spy(*arguments):
        common.append(arguments)
        return spied(*arguments)

    monkeypatch.setattr(division, "_multiply_common", spy)
    four = differentiate(4, 1, images=3)
    assert bool(common) == alike
    check_equal(four)
    for leaf in jax.tree.leaves(four):
        first, *others = (np.asarray(part.data) for part in leaf.addressable_shards)
        for other in others:
            np.testing.assert_array_equal(other, first)


def test_devices_of_a_process_compute_alike():
    assert data_parallel._compute_alike(accelerators.device_mesh(4, jax.devices()[:4]))


@pytest.mark.parametrize("devices", [1, 4])
def test_gradients_have_the_type_of_the_parameters(devices):
    """Where numbers without a type of their own have double precision, too."""
    mesh = accelerators.device_mesh(OBJECTS, jax.devices()[:devices])
    variables = draw_variables()
    batch = [jnp.zeros((OBJECTS, n), jnp.float32) for n in (FEATURES, 3)]
    with jax.enable_x64(True):
        found = jax.eval_shape(
            lambda *arguments: data_parallel.differentiate(
                measure, variables, mesh, *arguments, images=OBJECTS
            ),
            batch,
            jnp.float32(0.5),
        )
    assert {leaf.dtype.name for leaf in jax.tree.leaves(found)} == {"float32"}


def test_gradient_of_one_device_is_that_of_jax():
    variables, found = draw_variables(), differentiate(1, 1)
    draw = np.random.default_rng(1).standard_normal
    batch = [jnp.float32(draw((OBJECTS, n))) for n in (FEATURES, 3)]

    def loss(params):
        return measure(variables._replace(params=params), batch, jnp.float32(0.5))[0]

    expected = jax.grad(loss)(variables.params)
    for a, b in zip(
        jax.tree.leaves(found.gradient), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    squares = sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(expected))
    np.testing.assert_allclose(found.norm, squares**0.5, rtol=1e-5)


@pytest.mark.parametrize("encoder", ["baseline", "resnet", "attention", "convnext"])
def test_layers_behind_the_stages_sum_their_gradients(encoder):
    settings = config.Model(encoder=encoder)
    shapes = models.Network(settings).shapes.params
    summed = {
        jax.tree_util.keystr(path[:-1], simple=True, separator="/")
        for path, leaf in jax.tree.leaves_with_path(shapes)
        if data_parallel._is_summed_in_layer(path, leaf.shape, 256)
    }
    body = {"decoder/bias/kernel", *(f"decoder/body/layers/{k}/kernel" for k in (0, 1))}
    assert summed == body | {f"encoder/head/layers/{k}/kernel" for k in (0, 1, 2)}


def test_many_images_are_more_than_two_gradients():
    path = tuple(map(jax.tree_util.DictKey, ("encoder", "head", "layers", 1, "kernel")))
    assert data_parallel._is_summed_in_layer(path, (1024, 1024), 1024)
    assert not data_parallel._is_summed_in_layer(path, (1024, 1024), 1025)


@pytest.mark.parametrize(
    ("count", "exchange", "layers"),
    [(2, "collective_permute", 7), (4, "all_gather", 6)],
)
def test_step_sums_what_is_not_large(count, exchange, layers):
    settings = config.Config(
        model=config.Model(image_size=32, channels=(4, 8, 8)),
        optim=config.Optim(batch_size=count),
    )
    devices = accelerators.device_mesh(count, jax.devices()[:count], model=1)
    experiment = training.Experiment(settings, devices)
    state = jax.eval_shape(experiment.init, 0)
    cameras = rig.OrbitViews(np.zeros((count, 2), np.int32), rig.SOFTRAS_RIG)
    batch = data.ViewBatch(np.zeros((count, 2, 4, 32, 32), np.uint8), cameras)
    program = experiment.step.lower(state, batch).as_text()

    sums = [
        math.prod(map(int, shape.split("x")))
        for shape in re.findall(
            r'"stablehlo.all_reduce".*?}\) : \(tensor<([0-9x]+)xf32>\)', program, re.S
        )
    ]
    sizes = [leaf.size for leaf in jax.tree.leaves(state.variables.params)]
    large = [
        leaf.size
        for path, leaf in jax.tree.leaves_with_path(state.variables.params)
        if data_parallel._is_summed_in_layer(path, leaf.shape, 2 * count)
    ]
    assert len(large) == layers
    # two for each batch normalisation, and the vector with the metrics of the step
    assert len(sums) == 7
    metrics = 1 + len(objective.Losses._fields)
    assert max(sums) == sum(sizes) - sum(large) + metrics + 1
    assert program.count(f'"stablehlo.{exchange}"') == 2 * len(large)
