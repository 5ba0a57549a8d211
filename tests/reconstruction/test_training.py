import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data, losses
from jaxsoftras.data import rig
from jaxsoftras.models import division
from jaxsoftras.reconstruction import accelerators, data_parallel, training


def make_experiment(settings, devices=1, model=1) -> training.Experiment:
    mesh = accelerators.device_mesh(
        settings.optim.batch_size, jax.devices()[:devices], model=model
    )
    return training.Experiment(settings, mesh)


def run(settings, devices=1, steps=3, model=1):
    """Takes a few steps from the start; returns their metrics and the last state."""
    experiment = make_experiment(settings, devices, model)
    split = data.open_split(settings.data, "train")
    batches = data.view_batches(split, settings.optim.batch_size, seed=0)
    state, metrics = experiment.init(settings.seed), []
    for _ in range(steps):
        batch = jax.device_put(next(batches), experiment.sharded)
        state, measured = experiment.step(state, batch)
        metrics.append(jax.device_get(measured))
    return metrics, state


def leaves(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


class TestStep:
    @pytest.mark.parametrize("count", [2, 3])
    def test_loss_equals_the_equation_of_the_original(self, settings, count):
        """Mean of the IoU losses of k^2 renders, weighted means over k meshes."""
        experiment = make_experiment(settings)
        rng = np.random.default_rng(0)
        faces = experiment.network.faces
        vertices = jnp.asarray(rng.normal(0, 0.2, (3, count, 42, 3)), jnp.float32)
        targets = rng.integers(0, 256, (3, count, 16, 16)).astype(np.uint8)
        views = rng.integers(0, 24, (3, count)).astype(np.int32)
        # cameras here, and numbers of views below, are the same
        cameras = rig.as_cameras(rig.OrbitViews(views, rig.SOFTRAS_RIG))
        terms = experiment.view_losses(vertices, targets, cameras, jnp.float32(1e-4))

        expected = np.zeros(3)
        for b in range(3):
            for m in range(count):
                for v in range(count):
                    view = rig.OrbitViews(views[b, v][None], rig.SOFTRAS_RIG)
                    alpha = experiment.render(
                        vertices[b, m][None], view, jnp.float32(1e-4)
                    )[0]
                    target = targets[b, v] / np.float32(255)
                    iou = losses.silhouette_iou(alpha, target)
                    expected[b] += (1 - iou) / count**2
        np.testing.assert_allclose(terms.silhouette, expected, rtol=1e-5)
        for term, loss in (
            (terms.laplacian, losses.laplacian),
            (terms.flatten, losses.flatten),
        ):
            np.testing.assert_allclose(term, loss(vertices, faces).mean(1), rtol=1e-5)
        np.testing.assert_allclose(
            experiment.total(terms),
            expected
            + 5e-3 * np.asarray(terms.laplacian)
            + 5e-4 * np.asarray(terms.flatten),
            rtol=1e-5,
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (
                "normal_consistency",
                lambda v, f, *_: losses.normal_consistency(v, f).mean(1),
            ),
            ("edge_length", lambda v, f, *_: losses.edge_length(v, f).mean(1)),
            (
                "multiscale",
                lambda v, f, rendered, target: (
                    1 - losses.multiscale_silhouette_iou(rendered, target).mean((1, 2))
                ),
            ),
        ],
    )
    def test_further_losses(self, settings, name, value):
        """Of the same meshes, with a weight; and without, none of them."""
        weighted = config.override(settings, [f"loss.{name}=0.5"])
        experiments = [make_experiment(s) for s in (settings, weighted)]
        rng = np.random.default_rng(0)
        vertices = jnp.asarray(rng.normal(0, 0.2, (3, 2, 42, 3)), jnp.float32)
        targets = rng.integers(0, 256, (3, 2, 16, 16)).astype(np.uint8)
        numbers = rng.integers(0, 24, (3, 2)).astype(np.int32)
        views = rig.OrbitViews(numbers, rig.SOFTRAS_RIG)
        without, terms = (
            e.view_losses(vertices, targets, views, jnp.float32(1e-4))
            for e in experiments
        )
        rendered = experiments[0].render(
            jnp.repeat(vertices, 2, axis=1).reshape(12, 42, 3),
            rig.OrbitViews(np.repeat(numbers[:, None], 2, 1).ravel(), rig.SOFTRAS_RIG),
            jnp.float32(1e-4),
        )
        expected = value(
            vertices,
            experiments[0].network.faces,
            rendered.reshape(3, 2, 2, 16, 16),
            targets[:, None] / np.float32(255),
        )
        assert (getattr(without, name) == 0).all() and expected.min() > 0
        np.testing.assert_allclose(getattr(terms, name), expected, rtol=1e-5)
        totals = [experiments[1].total(x) for x in (without, terms)]
        np.testing.assert_allclose(totals[1] - totals[0], 0.5 * expected, rtol=1e-4)

    @pytest.mark.parametrize(
        ("devices", "model"),
        [
            pytest.param(2, 1, marks=pytest.mark.slow),
            (2, 2),
            (4, 1),
            pytest.param(4, 2, marks=pytest.mark.slow),
            pytest.param(4, 4, marks=pytest.mark.slow),
        ],
    )
    def test_several_devices_equal_one(self, settings, devices, model, monkeypatch):
        monkeypatch.setattr(division, "LARGE", 128 * 16)  # the largest layer alone
        # experiments of its own, that no other test shares
        settings = config.override(settings, ["optim.beta2=0.998"])
        metrics1, state1 = run(settings, devices=1)
        metrics4, state4 = run(settings, devices=devices, model=model)
        shapes = [
            leaf.shape
            for leaf in jax.tree.leaves(state4)
            if not leaf.sharding.is_fully_replicated
        ]
        assert shapes == 2 * (model > 1) * [(128, 16)]  # the moments of one kernel
        np.testing.assert_allclose(np.array(metrics4), np.array(metrics1), rtol=1e-3)
        for a, b in zip(
            leaves(state4.variables), leaves(state1.variables), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
        for leaf in jax.tree.leaves(state4.variables):
            first, *others = (np.asarray(part.data) for part in leaf.addressable_shards)
            for other in others:
                np.testing.assert_array_equal(other, first)

    @pytest.mark.parametrize(
        "implementation", ["reference", pytest.param("xla", marks=pytest.mark.slow)]
    )
    def test_batch_is_not_gathered(self, settings, implementation):
        settings = config.override(
            settings, [f"render.implementation={implementation}"]
        )
        experiment = make_experiment(settings, devices=4)
        split = data.open_split(settings.data, "train")
        batch = data.sample_views(split, 4, seed=0, step=0)
        batch = jax.device_put(batch, experiment.sharded)
        text = str(experiment.step.lower(experiment.init(0), batch).compile().as_text())
        assert "all-reduce" in text
        gathered = re.findall(r"\[([0-9,]*)\]\S* all-gather\(", text)
        # of 4 objects and 2 views, features of fully connected layers alone
        assert len(gathered) == text.count(" all-gather(") > 0
        assert all(re.fullmatch("8,[0-9]+", shape) for shape in gathered)

    def test_processes_gather_nothing(self, settings, monkeypatch):
        monkeypatch.setattr(data_parallel, "_compute_alike", lambda mesh: False)
        # an experiment that no other test shares
        settings = config.override(settings, ["seed=1"])
        experiment = make_experiment(settings, devices=4)
        split = data.open_split(settings.data, "train")
        batch = data.sample_views(split, 4, seed=0, step=0)
        batch = jax.device_put(batch, experiment.sharded)
        text = str(experiment.step.lower(experiment.init(0), batch).compile().as_text())
        assert "all-reduce" in text and "all-gather" not in text

    def test_compiles_once(self, settings, monkeypatch):
        traces, step = [], training.Experiment.take_step
        monkeypatch.setattr(
            training.Experiment,
            "take_step",
            lambda *arguments: traces.append(None) or step(*arguments),
        )
        settings = config.override(settings, ["optim.decay_step=2"])
        experiment = make_experiment(settings)
        split = data.open_split(settings.data, "train")
        state, metrics = experiment.init(0), []
        for batch, _ in zip(
            data.view_batches(split, 4, seed=0), range(4), strict=False
        ):
            batch = jax.device_put(batch, experiment.sharded)
            state, measured = experiment.step(state, batch)
            metrics.append(jax.device_get(measured))
        assert len(traces) == 1
        np.testing.assert_allclose([m.sigma for m in metrics], [1e-4, 1e-4, 3e-5, 3e-5])
        np.testing.assert_allclose(
            [m.learning_rate for m in metrics], [1e-4, 1e-4, 3e-5, 3e-5]
        )

    @pytest.mark.slow  # tests/models is about single encoders
    @pytest.mark.parametrize("encoder", ["resnet", "attention"])
    def test_other_encoders_learn(self, settings, encoder):
        settings = config.override(
            settings,
            [
                f"model.encoder={encoder}",
                "model.channels=8,",
                "optim.learning_rate=3e-3",
            ],
        )
        metrics, _ = run(settings, steps=60)
        silhouette = [m.silhouette for m in metrics]
        assert np.mean(silhouette[-10:]) < 0.8 * np.mean(silhouette[:10])

    def test_devices_of_a_process_divide_layers_by_default(self):
        model = config.Devices().model
        assert accelerators.device_mesh(8, model=model).shape == {"data": 1, "model": 4}

    @pytest.mark.parametrize(
        ("processes", "count"),
        [((0, 0, 0), 3), ((0, 0, 1, 1), 2), ((0, 1, 2), 1), ((0, 0, 1), 1)],
    )
    def test_counts_the_devices_of_a_process(self, processes, count):
        devices = [types.SimpleNamespace(process_index=number) for number in processes]
        assert accelerators._count_alike(devices) == count

    def test_refuses_devices_that_do_not_divide(self):
        with pytest.raises(ValueError, match="devices.model=3 does not divide .* 4:"):
            accelerators.device_mesh(4, model=3)

    def test_refuses_a_batch_that_does_not_divide(self):
        with pytest.raises(ValueError, match="a multiple of 4"):
            accelerators.device_mesh(6)


class TestCheckImageSize:
    def test_names_field_data_set_and_sizes(self, settings):
        split = data.open_split(settings.data, "val")
        training.check_image_size(settings, split)
        settings = config.override(settings, ["model.image_size=64"])
        with pytest.raises(config.ConfigError) as caught:
            training.check_image_size(settings, split)
        for part in ("model.image_size is 64 px", "val", settings.data.root, "16 px"):
            assert part in str(caught.value)
