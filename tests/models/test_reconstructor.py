import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras import config, models

SMALL: dict = {
    "image_size": 16,
    "channels": (4, 8, 8),
    "hidden": (16,),
    "latent": 8,
    "decoder_hidden": (16,),
    "template_level": 1,
}


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


# every encoder and decoder once, with either pooling and with symmetry
VARIANTS: dict[str, dict] = {
    "baseline": {},
    "resnet": {"encoder": "resnet"},
    "attention": {"encoder": "attention"},
    "large": {"encoder": "large", "decoder": "multilevel", "pooling": "mean"},
    "convnext": {
        "encoder": "convnext",
        "decoder": "flow",
        "pooling": "grid2",
        "flow_cells": (2, 4),
        "symmetric": True,
    },
}


def test_variants_are_complete():
    assert {v.get("encoder", "baseline") for v in VARIANTS.values()} == set(
        models.ENCODERS
    )
    assert {v.get("decoder", "softras") for v in VARIANTS.values()} == set(
        models.DECODERS
    )


class TestSizes:
    def parameters(self, **settings):
        network = models.Network(config.Model(**settings))
        return jax.eval_shape(network.init, jax.random.key(0)).params

    def stated(self, model) -> set[int]:
        """Numbers of parameters that a docstring names."""
        text = " ".join((model.__doc__ or "").split())
        found = re.findall(r"([\d,]+) parameters", text)
        return {int(number.replace(",", "")) for number in found}

    def test_baseline_has_the_parameters_of_the_original(self):
        params = self.parameters()
        assert count(params["encoder"]) == 19_384_384
        assert count(params["decoder"]) == 6_577_033
        assert count(params) == 25_961_417

    def test_large_has_the_parameters_of_the_original(self):
        assert count(self.parameters(encoder="large")) == 26_473_993

    @pytest.mark.parametrize("encoder", models.ENCODERS)
    def test_encoders_are_within_a_fifth(self, encoder):
        params = self.parameters(encoder=encoder)
        assert abs(count(params) / 25_961_417 - 1) < 0.2
        assert count(params["encoder"]) in self.stated(models.ENCODERS[encoder])

    @pytest.mark.parametrize("decoder", models.DECODERS)
    def test_decoders_are_within_a_fifth(self, decoder):
        size = count(self.parameters(decoder=decoder)["decoder"])
        assert abs(size / 6_577_033 - 1) < 0.2
        assert size in self.stated(models.DECODERS[decoder])

    @pytest.mark.parametrize(("pooling", "cells"), [("grid2", 4), ("mean", 1)])
    def test_pooling_reduces_the_first_layer(self, pooling, cells):
        kernel = self.parameters(pooling=pooling)["encoder"]["head"]["layers"][0]
        assert kernel["kernel"].shape == (256 * cells, 1024)

    def test_symmetry_predicts_half_of_the_vertices(self):
        bias = self.parameters(symmetric=True)["decoder"]["bias"]["kernel"]
        assert bias.shape == (2048, 3 * (642 + 32) / 2)  # 32 on the plane


def test_older_parameters_are_the_same():
    """Structure and values, on which checkpoints and seeds rely."""
    network = models.Network(config.Model(**SMALL))
    params = network.init(jax.random.key(3)).params
    found = {
        ".".join(map(str, path)): float(jnp.sum(leaf[...]))
        for path, leaf in nnx.to_flat_state(params)
    }
    assert [name for name in found if name.startswith("decoder")] == [
        "decoder.bias.bias",
        "decoder.bias.kernel",
        "decoder.body.layers.0.bias",
        "decoder.body.layers.0.kernel",
        "decoder.centroid.bias",
        "decoder.centroid.kernel",
    ]
    # sums of commit 8c6d337
    assert found["encoder.stages.0.layers.0.kernel"] == pytest.approx(-1.9991962, 1e-5)
    assert found["decoder.body.layers.0.kernel"] == pytest.approx(-5.1846685, 1e-5)
    assert found["decoder.bias.bias"] == pytest.approx(-0.4048419, 1e-5)


@functools.cache
def small_network(variant):
    """A network, its variables, and its inference, jitted."""
    network = models.Network(config.Model(**SMALL, **VARIANTS[variant]))
    variables = jax.jit(network.init)(jax.random.key(0))
    return network, variables, jax.jit(network.infer)


@functools.cache
def trained(variant):
    """Gradient of the parameters, vertices and new averages of one step."""
    network, variables, _ = small_network(variant)
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


@pytest.mark.parametrize("variant", VARIANTS)
class TestNetwork:
    def test_shapes_and_bounds(self, variant):
        _, variables, infer = small_network(variant)
        for vertices in (infer(variables, IMAGES), trained(variant)[1]):
            assert vertices.shape == (4, 42, 3) and vertices.dtype == jnp.float32
            assert float(jnp.max(jnp.abs(vertices))) < 0.5

    def test_every_parameter_matters(self, variant):
        for path, leaf in nnx.to_flat_state(trained(variant)[0]):
            assert np.all(np.isfinite(leaf[...])), path
            # a shift before a batch normalisation has no effect, nor one of all keys
            cancelled = "bias" in path and "encoder" in path
            assert cancelled or float(jnp.max(jnp.abs(leaf[...]))) > 0, path

    def test_training_moves_the_averages(self, variant):
        variables, stats = small_network(variant)[1], trained(variant)[2]
        before, after = jax.tree.leaves(variables.batch_stats), jax.tree.leaves(stats)
        assert all(bool(jnp.any(a != b)) for a, b in zip(after, before, strict=True))
        assert bool(before) == (variant != "convnext")  # which normalises each pixel

    def test_inference_treats_each_image_alone(self, variant):
        _, variables, infer = small_network(variant)
        mixed = np.concatenate([IMAGES[:1], 0.5 * IMAGES[1:]])
        np.testing.assert_allclose(
            infer(variables, mixed)[0],
            infer(variables, IMAGES)[0],
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("precision", ["default", "bfloat16", "float32"])
def test_inference_is_the_decoder_of_the_encoder(precision):
    network = models.Network(config.Model(precision=precision, **SMALL))
    variables = network.init(jax.random.key(0))

    @jax.jit
    def run(images):
        codes = network.encode(variables, images)
        vertices = network.decode(variables, codes)
        return codes, vertices, network.infer(variables, images)

    codes, vertices, expected = run(IMAGES)
    assert codes.shape == (4, SMALL["latent"])
    assert codes.dtype == vertices.dtype == jnp.float32
    np.testing.assert_allclose(vertices, expected, rtol=1e-5, atol=1e-6)


def test_to_network_input():
    images = np.arange(2 * 4 * 3 * 3, dtype=np.uint8).reshape(2, 4, 3, 3)
    got = models.to_network_input(jnp.asarray(images))
    assert got.shape == (2, 3, 3, 4)
    np.testing.assert_allclose(got[1, 2, 0, 3], images[1, 3, 2, 0] / 255)


class TestPrecision:
    def lower(self, precision, encoder: Any = "baseline"):
        settings = config.Model(encoder=encoder, precision=precision, **SMALL)
        network = models.Network(settings)
        variables = jax.eval_shape(network.init, jax.random.key(0))
        text = jax.jit(network.train).lower(variables, IMAGES).as_text()
        operations = [
            line
            for line in text.splitlines()
            if "stablehlo.convolution" in line or "stablehlo.dot_general" in line
        ]
        return network, [x for x in operations if "convolution" in x], operations

    @pytest.mark.parametrize("encoder", list(models.ENCODERS))
    def test_bfloat16_is_that_of_the_convolutions(self, encoder):
        _, convolutions, operations = self.lower("bfloat16", encoder)
        assert len(convolutions) >= 3
        for line in operations:
            assert ("bf16>" in line) == (line in convolutions), line

    def test_bfloat16_changes_little(self):
        network = self.lower("bfloat16")[0]
        _, variables, infer = small_network("baseline")
        vertices = network.infer(variables, jnp.asarray(IMAGES))
        assert vertices.dtype == jnp.float32
        assert 0 < np.abs(vertices - infer(variables, IMAGES)).max() < 2e-3

    @pytest.mark.parametrize(
        ("precision", "rounded"), [("float32", False), ("default", True)]
    )
    def test_of_products(self, precision, rounded):
        _, _, operations = self.lower(precision)
        for line in operations:
            assert ("HIGHEST" not in line) == rounded, line
