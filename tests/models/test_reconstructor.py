import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras import config, models

SMALL = {
    "image_size": 16,
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
        network = models.Network(config.Model(encoder=encoder))
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
    """A network, its variables, and its inference, jitted."""
    network = models.Network(config.Model(encoder=encoder, **SMALL))
    variables = jax.jit(network.init)(jax.random.key(0))
    return network, variables, jax.jit(network.infer)


@functools.cache
def trained(encoder):
    """Gradient of the parameters, vertices and new averages of one step."""
    network, variables, _ = small_network(encoder)
    weight = jax.random.normal(jax.random.key(2), (4, 42, 3))

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def run(params):
        found, stats = network.train(
            variables._replace(params=params), jnp.asarray(IMAGES)
        )
        return jnp.sum(weight * found.vertices), (found.vertices, stats)

    gradient, (vertices, stats) = run(variables.params)
    return gradient, vertices, stats


IMAGES = np.random.default_rng(0).uniform(size=(4, 16, 16, 4)).astype(np.float32)


@pytest.mark.parametrize("encoder", models.ENCODERS)
class TestNetwork:
    def test_shapes_and_bounds(self, encoder):
        _, variables, infer = small_network(encoder)
        for vertices in (infer(variables, IMAGES), trained(encoder)[1]):
            assert vertices.shape == (4, 42, 3) and vertices.dtype == jnp.float32
            assert float(jnp.max(jnp.abs(vertices))) < 0.5

    def test_every_parameter_matters(self, encoder):
        for path, leaf in nnx.to_flat_state(trained(encoder)[0]):
            assert np.all(np.isfinite(leaf[...])), path
            # a shift before a batch normalisation has no effect, nor one of all keys
            cancelled = "bias" in path and "encoder" in path
            assert cancelled or float(jnp.max(jnp.abs(leaf[...]))) > 0, path

    def test_training_moves_the_averages(self, encoder):
        variables, stats = small_network(encoder)[1], trained(encoder)[2]
        before, after = jax.tree.leaves(variables.batch_stats), jax.tree.leaves(stats)
        assert all(bool(jnp.any(a != b)) for a, b in zip(after, before, strict=True))

    def test_inference_treats_each_image_alone(self, encoder):
        _, variables, infer = small_network(encoder)
        mixed = np.concatenate([IMAGES[:1], 0.5 * IMAGES[1:]])
        np.testing.assert_allclose(
            infer(variables, mixed)[0],
            infer(variables, IMAGES)[0],
            rtol=1e-5,
            atol=1e-6,
        )


def test_to_network_input():
    images = np.arange(2 * 4 * 3 * 3, dtype=np.uint8).reshape(2, 4, 3, 3)
    got = models.to_network_input(jnp.asarray(images))
    assert got.shape == (2, 3, 3, 4)
    np.testing.assert_allclose(got[1, 2, 0, 3], images[1, 3, 2, 0] / 255)
