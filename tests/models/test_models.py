import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras import config, mesh, models

SMALL = {
    "channels": (4, 8, 8),
    "hidden": (16,),
    "latent": 8,
    "decoder_hidden": (16,),
    "template_level": 1,
}


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


class TestSizes:
    def parameters(self, encoder):
        network = models.Network(config.Model(encoder=encoder), 64)
        return jax.eval_shape(network.init, jax.random.key(0)).params

    def test_baseline_has_the_parameters_of_the_original(self):
        params = self.parameters("baseline")
        assert count(params["encoder"]) == 19_384_384
        assert count(params["decoder"]) == 6_577_033
        assert count(params) == 25_961_417

    @pytest.mark.parametrize("encoder", ["resnet", "attention"])
    def test_others_are_within_a_fifth(self, encoder):
        params = self.parameters(encoder)
        assert abs(count(params) / 25_961_417 - 1) < 0.2
        stated = f"{count(params['encoder']):,} parameters"
        assert stated in " ".join((models.ENCODERS[encoder].__doc__ or "").split())


@functools.cache
def small_network(encoder):
    """A network, its variables, and its two jitted functions."""
    network = models.Network(config.Model(encoder=encoder, **SMALL), 16)
    variables = jax.jit(network.init)(jax.random.key(0))
    return network, variables, jax.jit(network.train), jax.jit(network.infer)


@pytest.mark.parametrize("encoder", models.ENCODERS)
class TestNetwork:
    IMAGES = np.random.default_rng(0).uniform(size=(4, 16, 16, 4)).astype(np.float32)

    def test_shapes_and_bounds(self, encoder):
        _, variables, train, infer = small_network(encoder)
        for vertices in (
            train(variables, self.IMAGES)[0],
            infer(variables, self.IMAGES),
        ):
            assert vertices.shape == (4, 42, 3) and vertices.dtype == jnp.float32
            assert float(jnp.max(jnp.abs(vertices))) < 0.5

    def test_every_parameter_matters(self, encoder):
        network, variables, _, _ = small_network(encoder)
        weight = jax.random.normal(jax.random.key(2), (4, 42, 3))

        @jax.jit
        @jax.grad
        def gradient(params):
            images = jnp.asarray(self.IMAGES)
            vertices, _ = network.train(variables._replace(params=params), images)
            return jnp.sum(weight * vertices)

        for path, leaf in nnx.to_flat_state(gradient(variables.params)):
            assert np.all(np.isfinite(leaf[...])), path
            # a shift before a batch normalisation has no effect, nor one of all keys
            cancelled = "bias" in path and "encoder" in path
            assert cancelled or float(jnp.max(jnp.abs(leaf[...]))) > 0, path

    def test_training_moves_the_averages(self, encoder):
        _, variables, train, _ = small_network(encoder)
        _, stats = train(variables, self.IMAGES)
        before, after = jax.tree.leaves(variables.batch_stats), jax.tree.leaves(stats)
        assert all(bool(jnp.any(a != b)) for a, b in zip(after, before, strict=True))

    def test_inference_treats_each_image_alone(self, encoder):
        _, variables, _, infer = small_network(encoder)
        mixed = np.concatenate([self.IMAGES[:1], 0.5 * self.IMAGES[1:]])
        np.testing.assert_allclose(
            infer(variables, mixed)[0],
            infer(variables, self.IMAGES)[0],
            rtol=1e-5,
            atol=1e-6,
        )


class TestInitialisation:
    def test_is_uniform_within_one_over_root_fan_in(self):
        body = models.Decoder(1, 512, (64,), rngs=nnx.Rngs(params=0)).body
        layer = nnx.to_pure_dict(nnx.state(body))["layers"][0]
        for name in ("kernel", "bias"):
            values = np.asarray(layer[name])
            bound = 1 / np.sqrt(512)
            assert 0.9 * bound < np.abs(values).max() <= bound
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.2)


class TestDeform:
    SPHERE = 0.5 * np.asarray(mesh.icosphere(2).vertices)

    def test_zero_gives_the_template(self, x64):
        got = models.deform(self.SPHERE, jnp.zeros((162, 3)), jnp.zeros(3))
        np.testing.assert_allclose(got, self.SPHERE, atol=1e-12)

    def test_stays_within_the_cube_and_on_its_side_of_the_centroid(self):
        bias = 5 * jax.random.normal(jax.random.key(0), (4, 162, 3))
        centroid = jnp.tanh(jax.random.normal(jax.random.key(1), (4, 3)))
        got = models.deform(self.SPHERE, bias, centroid)
        assert float(jnp.max(jnp.abs(got))) <= 1
        side = np.sign(self.SPHERE) * np.asarray(got - centroid[:, None])
        assert side.min() >= -1e-6

    def test_by_hand(self, x64):
        template = np.array([[0.2, -0.5, 0.0]])
        got = models.deform(
            template, jnp.full((1, 3), np.log(2.0)), jnp.array([0.1, 0.4, -0.3])
        )
        # odds of 1/4 and 1 double to 1/2 and 2: 1/3 and 2/3
        expected = [1 / 3 * 0.9 + 0.1, -2 / 3 * 1.4 + 0.4, -0.3]
        np.testing.assert_allclose(got[0], expected)

    def test_gradient_is_finite_where_the_template_is_zero(self):
        gradient = jax.grad(
            lambda b: jnp.sum(models.deform(self.SPHERE, b, jnp.zeros(3)) ** 2)
        )(jnp.zeros((162, 3)))
        assert np.all(np.isfinite(gradient))
        assert np.all(np.asarray(gradient)[self.SPHERE == 0] == 0)


def test_images_that_cannot_be_halved():
    with pytest.raises(ValueError, match="multiple of 8"):
        models.Network(config.Model(**SMALL), 20)


def test_to_network_input():
    images = np.arange(2 * 4 * 3 * 3, dtype=np.uint8).reshape(2, 4, 3, 3)
    got = models.to_network_input(jnp.asarray(images))
    assert got.shape == (2, 3, 3, 4)
    np.testing.assert_allclose(got[1, 2, 0, 3], images[1, 3, 2, 0] / 255)
