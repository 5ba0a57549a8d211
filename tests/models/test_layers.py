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
