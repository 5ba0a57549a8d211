import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras.models import layers


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda rngs: layers.linear(512, 64, rngs), 512),
        (lambda rngs: layers.conv(8, 64, kernel=5, stride=2, rngs=rngs), 200),
    ],
    ids=["linear", "conv"],
)
def test_initial_values_are_uniform_within_one_over_root_fan_in(make, fan_in):
    layer = make(nnx.Rngs(params=0))
    bound = 1 / np.sqrt(fan_in)
    for values in (np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])):
        assert 0.9 * bound < np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.2)


class TestBatchNorm:
    INPUTS = np.random.default_rng(0).normal(3, 2, size=(8, 4, 4, 6))

    def layer(self, kind):
        layer = kind(6, momentum=0.9, epsilon=1e-5, rngs=nnx.Rngs(0))
        layer.scale[...] = jnp.arange(1.0, 7.0)
        layer.bias[...] = jnp.linspace(-1, 1, 6)
        return nnx.split(layer)

    def step(self, kind, dtype):
        """Outputs, gradient of the inputs, new averages, and inference with them."""
        structure, variables = self.layer(kind)

        @jax.jit
        @functools.partial(jax.value_and_grad, has_aux=True)
        def run(inputs):
            layer = nnx.merge(structure, variables, copy=True)
            outputs = layer(inputs)
            after = nnx.state(layer)
            layer.eval()
            weight = jnp.sin(jnp.arange(outputs.size)).reshape(outputs.shape)
            return jnp.sum(weight * outputs), (outputs, after, layer(inputs))

        (_, (outputs, after, inferred)), gradient = run(jnp.asarray(self.INPUTS, dtype))
        return outputs, gradient, after, inferred

    def test_equals_flax_in_single_precision(self):
        ours = self.step(layers.BatchNorm, jnp.float32)
        theirs = self.step(nnx.BatchNorm, jnp.float32)
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)

    def test_keeps_half_precision_outside(self):
        outputs, gradient, after, inferred = self.step(layers.BatchNorm, jnp.bfloat16)
        wide = self.step(layers.BatchNorm, jnp.float32)
        assert {x.dtype for x in (outputs, gradient, inferred)} == {
            jnp.dtype(jnp.bfloat16)
        }
        assert {x.dtype for x in jax.tree.leaves(after)} == {jnp.dtype(jnp.float32)}
        # inputs up to 10, scales up to 6: three roundings to 8 bits
        for ours, exact in (outputs, wide[0]), (inferred, wide[3]):
            np.testing.assert_allclose(
                ours.astype(np.float32), exact, rtol=0.01, atol=0.1
            )
