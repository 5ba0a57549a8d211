from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, models
from jaxsoftras.models import division
from jaxsoftras.reconstruction import accelerators, data_parallel

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
    hidden = division.multiply(jnp.tanh(hidden), params["large"], dimensions)
    error = scale * (hidden @ variables.params["decoder"] - wanted) ** 2
    loss = jnp.mean(error)
    stats = {"mean": 0.9 * variables.batch_stats["mean"] + 0.1 * moments[0]}
    return loss, (jnp.stack([loss, jnp.mean(hidden)]), stats)


def draw_variables() -> models.Variables:
    draw = np.random.default_rng(0).standard_normal
    encoder = {
        "stages": [draw((FEATURES, HIDDEN, 2, 3)), draw((HIDDEN, 8))],
        "large": draw((8, HIDDEN)),
    }
    params: Any = {"encoder": encoder, "decoder": draw((HIDDEN, 3)), "other": draw(2)}
    stats: Any = {"mean": np.ones(HIDDEN)}
    variables = models.Variables(params, stats)
    return jax.tree.map(jnp.float32, variables)


def differentiate(devices: int, model: int) -> data_parallel.Differentiated:
    mesh = accelerators.device_mesh(OBJECTS, jax.devices()[:devices], model=model)
    draw = np.random.default_rng(1).standard_normal
    batch = [jnp.float32(draw((OBJECTS, n))) for n in (FEATURES, 3)]
    variables = draw_variables()
    placement = division.place(variables, mesh)
    placed = jax.device_put(variables, placement)

    def compute(variables, batch, scale):
        return data_parallel.differentiate(measure, variables, placement, batch, scale)

    return jax.jit(compute)(placed, batch, jnp.float32(0.5))


@pytest.mark.parametrize("model", [1, 2, 4])
def test_devices_give_the_gradient_of_one(model, monkeypatch):
    monkeypatch.setattr(division, "LARGE", 8 * HIDDEN)
    one, four = differentiate(1, 1), differentiate(4, model)
    divided = four.gradient["encoder"]["large"].sharding
    assert divided.is_fully_replicated == (model == 1)
    for a, b in zip(jax.tree.leaves(four), jax.tree.leaves(one), strict=True):
        assert float(jnp.abs(b).max()) > 0 or b.size == 2  # "other" is not used
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("devices", [1, 4])
def test_gradients_have_the_type_of_the_parameters(devices):
    """Where numbers without a type of their own have double precision, too."""
    mesh = accelerators.device_mesh(OBJECTS, jax.devices()[:devices])
    variables, placement = draw_variables(), division.place(draw_variables(), mesh)
    batch = [jnp.zeros((OBJECTS, n), jnp.float32) for n in (FEATURES, 3)]
    with jax.enable_x64(True):
        found = jax.eval_shape(
            lambda *arguments: data_parallel.differentiate(
                measure, variables, placement, *arguments
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
def test_gradients_travel_by_stage(encoder):
    settings = config.Model(encoder=encoder, image_size=32, channels=(4, 8, 8))
    paths = [
        path
        for path, _ in jax.tree.leaves_with_path(models.Network(settings).shapes.params)
    ]
    groups = data_parallel._group_by_stage(paths)
    assert sorted(sum(groups, [])) == list(range(len(paths)))
    names = [
        {
            "/".join(str(entry.key) for entry in paths[k][:3] if hasattr(entry, "key"))
            for k in group
        }
        for group in groups
    ]
    assert names[1:] == [{"encoder/stages/1"}, {"encoder/stages/0"}]
    assert {"encoder/stages/2", "encoder/head/layers", "decoder/bias/kernel"} < names[0]
