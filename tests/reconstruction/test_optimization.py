"""Schedules, the optimiser and the moving average, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxsoftras import config, models
from jaxsoftras.models import division, halves
from jaxsoftras.reconstruction import (
    accelerators,
    evaluation_summary,
    optimization,
    runs,
)
from tests.support import small_run
from tests.support.scores import make_scores

DEVICES = accelerators.device_mesh(1, jax.devices()[:1])


def override(*settings):
    return config.override(config.Config(), settings)


class TestSchedules:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ([], {0: 1e-4, 149_999: 1e-4, 150_000: 3e-5, 249_999: 3e-5}),
            (
                ["optim.warmup_steps=4", "optim.decay_step=10"],
                {0: 2.5e-5, 1: 5e-5, 3: 1e-4, 4: 1e-4, 9: 1e-4, 10: 3e-5},
            ),
            (
                ["optim.schedule=cosine", "optim.decay_step=20", "optim.steps=20"],
                {0: 1e-4, 10: 6.5e-5, 20: 3e-5, 30: 3e-5},
            ),
            (
                ["optim.schedule=cosine", "optim.warmup_steps=10"]
                + ["optim.decay_step=30", "optim.decay_factor=0.01"],
                {0: 1e-5, 9: 1e-4, 10: 1e-4, 20: 5.05e-5, 30: 1e-6},
            ),
        ],
    )
    def test_learning_rate(self, settings, expected):
        rate = optimization.learning_rate(override(*settings))
        got = np.array([rate(step) for step in expected], float)
        np.testing.assert_allclose(got, list(expected.values()), rtol=1e-5)

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ([], {0: 1e-4, 149_999: 1e-4, 150_000: 3e-5}),
            (["optim.schedule=cosine"], {0: 1e-4, 249_999: 1e-4}),
            (
                ["render.final_sigma=1e-6", "render.anneal_steps=100"],
                {0: 1e-4, 50: 1e-5, 100: 1e-6, 200_000: 1e-6},
            ),
            (
                ["render.final_sigma=1e-2", "render.anneal_steps=10"],
                {0: 1e-4, 5: 1e-3, 11: 1e-2},
            ),
        ],
    )
    def test_sigma(self, settings, expected):
        sigma = optimization.sigma(override(*settings))
        got = np.array([sigma(step) for step in expected], float)
        np.testing.assert_allclose(got, list(expected.values()), rtol=1e-5)

    def test_a_run_that_ends_before_its_cosine(self):
        settings = ["optim.schedule=cosine", "optim.decay_step=9"]
        optimization.check_end(override(*settings, "optim.steps=9"))
        with pytest.warns(UserWarning, match="ends at step 8, .*decay_step=9"):
            optimization.check_end(override(*settings, "optim.steps=8"))


@pytest.fixture(scope="module")
def variables():
    """One array of each kind that networks have."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    layers = {
        "linear": {"kernel": nnx.Param(draw(3, 4)), "bias": nnx.Param(draw(4))},
        "norm": {"scale": nnx.Param(draw(4)), "bias": nnx.Param(draw(4))},
        "position": nnx.Param(draw(5, 4)),
    }
    mean = {"norm": {"mean": nnx.BatchStat(draw(4))}}
    return models.Variables(nnx.State(layers), nnx.State(mean))


def update(settings, variables, gradient=None, state=None, step=0):
    optimizer = optimization.Optimizer(override(*settings), DEVICES)
    zeros = jax.tree.map(jnp.zeros_like, variables.params)
    return jax.jit(optimizer.update)(
        zeros if gradient is None else gradient,
        optimizer.init(variables) if state is None else state,
        variables,
        variables.batch_stats,
        jnp.int32(step),
    )


class TestOptimizer:
    def test_state_is_that_of_adam_by_default(self, variables):
        """For checkpoints of earlier versions."""
        state = optimization.Optimizer(config.Config(), DEVICES).init(variables)
        expected = optax.adam(lambda _: 1e-4).init(variables.params)
        assert jax.tree.structure(state) == jax.tree.structure(expected)

    def test_weight_decay_is_for_kernels(self, variables):
        settings = ["optim.weight_decay=0.1", "optim.learning_rate=0.5"]
        after, _ = update(settings, variables)
        kinds = set()
        for (path, new), (_, old) in zip(
            nnx.to_flat_state(after.params),
            nnx.to_flat_state(variables.params),
            strict=True,
        ):
            factor = 0.95 if path[-1] == "kernel" else 1
            np.testing.assert_allclose(new[...], factor * old[...], rtol=1e-6)
            kinds.add(path[-1])
        assert kinds == {"kernel", "bias", "scale", "position"}

    @pytest.mark.parametrize(("clip", "norm"), [(2, 2), (20, 10)])
    def test_gradients_are_clipped(self, variables, clip, norm):
        gradient = variables.params
        gradient = jax.tree.map(lambda g: 10 * g / optax.tree.norm(gradient), gradient)
        _, state = update([f"optim.clip_norm={clip}"], variables, gradient)
        moment = optax.tree.get(state, "mu")
        np.testing.assert_allclose(optax.tree.norm(moment), 0.1 * norm, rtol=1e-5)

    def test_average(self, variables):
        """By hand, of what the same steps without it give."""
        gradient = variables.params
        plain, averaged = (variables, None), (variables, None)
        expected = jax.tree.leaves(variables)
        for step in range(4):
            plain = update(
                ["optim.learning_rate=1"], *with_state(plain, gradient, step)
            )
            averaged = update(
                ["optim.learning_rate=1", "optim.ema=0.2"],
                *with_state(averaged, gradient, step),
            )
            decay = min(0.2, (1 + step) / (10 + step))
            expected = [
                decay * a + (1 - decay) * v
                for a, v in zip(expected, jax.tree.leaves(plain[0]), strict=True)
            ]
        variables, state = averaged
        assert isinstance(state, optimization.Averaged)
        for got, other in zip(jax.tree.leaves(state.average), expected, strict=True):
            np.testing.assert_allclose(got, other, rtol=1e-5, atol=1e-6)
        for got, other in zip(
            *map(jax.tree.leaves, (variables, plain[0])), strict=True
        ):
            np.testing.assert_array_equal(got, other)

    def test_halves_are_updated_as_the_whole(self, variables, monkeypatch):
        kernel = jnp.arange(24, dtype=jnp.float32).reshape(6, 4)
        monkeypatch.setattr(division, "LARGE", kernel.size)
        layer = {"kernel": nnx.Param(kernel), "bias": nnx.Param(kernel[0])}
        variables = variables._replace(params=nnx.State({"linear": layer}))
        settings = override(
            *("optim.weight_decay=0.1", "optim.ema=0.2", "optim.clip_norm=1"),
            "optim.learning_rate=0.5",
        )
        mesh = accelerators.device_mesh(2, jax.devices()[:2], model=2)
        taken = []
        for devices in (DEVICES, mesh):
            optimizer = optimization.Optimizer(settings, devices)

            def take_steps(variables, optimizer=optimizer, devices=devices):
                gradient = variables.params
                split = halves.split((variables, optimizer.init(variables)), devices)
                leaves = jax.tree.leaves(split, is_leaf=halves.is_halved)
                # the kernel, and its average
                halved = sum(map(halves.is_halved, leaves))
                assert halved == (2 if devices.size == 2 else 0)
                for step in range(3):
                    split = optimizer.update(
                        gradient,
                        split[1],
                        split[0],
                        variables.batch_stats,
                        jnp.int32(step),
                    )
                return halves.join(split, devices)

            taken.append(jax.jit(take_steps)(variables))
        for one, two in zip(*map(jax.tree.leaves, taken), strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-7)


def with_state(taken, gradient, step):
    variables, state = taken
    return variables, gradient, state, step


def test_a_run_is_evaluated_with_its_average(cabinets, tmp_path):
    """Resumed between, with all other options that change a step."""
    words = [
        "optim.ema=0.5",
        "optim.schedule=cosine",
        "optim.warmup_steps=1",
        "optim.decay_step=2",
        "optim.weight_decay=0.1",
        "optim.clip_norm=1",
        "augment.mirror=True",
        "augment.scale=0.1",
        "augment.color.hue=180",
        "render.final_sigma=1e-5",
        "data.views_per_object=3",
        "loss.multiscale=0.1",
    ]
    for steps in (2, 3):
        words = [*words, f"optim.steps={steps}"]
        assert small_run.train(*words, workdir=tmp_path / "run", root=cabinets) == 0
    trained = runs.load(tmp_path / "run")
    like = jax.eval_shape(trained.network.init, jax.random.key(0))
    with runs.Checkpoints(tmp_path / "run", read_only=True) as checkpoints:
        latest = checkpoints.restore_field("variables", like)
        average = checkpoints.restore_field("opt_state.average", like)
    difference = 0
    for got, saved, other in zip(
        *map(jax.tree.leaves, (trained.variables, average, latest)), strict=True
    ):
        np.testing.assert_array_equal(got, saved)
        difference += np.abs(saved - other).sum()
    assert difference > 0
    notes = evaluation_summary.list_gaps(
        make_scores({"a": 2}, iou=0.5), trained.config.optim.ema
    )
    assert list(notes) == [
        "Scores of the moving average of the parameters (optim.ema=0.5)."
    ]
