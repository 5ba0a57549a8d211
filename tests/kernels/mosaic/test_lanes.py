"""Operations of lanes: interpreted ones, on which other tests rely, and scalar code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

if jax.__version_info__ < (0, 11):
    pytest.skip("needs Mosaic GPU as of jax 0.11", allow_module_level=True)
lanes = pytest.importorskip(
    "jaxsoftras.kernels.mosaic.lanes",
    reason="this jax has no Mosaic GPU",
    exc_type=ImportError,
)
from jaxsoftras.kernels.mosaic import call as mosaic_call  # noqa: E402
from jaxsoftras.kernels.mosaic import fixed_point  # noqa: E402
from jaxsoftras.kernels.mosaic.lanes_interpreted import INTERPRETED  # noqa: E402


class TestInterpretedLanes:
    @pytest.fixture
    def operands(self):
        rng = np.random.default_rng(0)
        place = rng.integers(0, 3, 128)
        mask = rng.uniform(size=128) < 0.9
        return place, rng.uniform(1, 5, 128).astype(np.float32), mask

    def test_atomic_min(self, operands):
        place, values, mask = operands
        least = np.full(3, np.inf, np.float32)
        bits = least.view(np.uint32).copy()
        for k, value in zip(place[mask], values[mask], strict=True):
            least[k] = min(least[k], value)
        INTERPRETED.atomic_min(bits, place, jnp.asarray(values), mask)
        np.testing.assert_array_equal(bits.view(np.float32), least)

    def test_atomic_min_key(self, operands):
        place, values, mask = operands
        values = np.round(values)  # so that numbers decide
        number = np.random.default_rng(1).integers(0, 99, 128)
        words = np.full((3, 2), 0xFFFFFFFF, np.uint32)
        least = {}
        for k, *key in zip(place[mask], values[mask], number[mask], strict=True):
            least[k] = min(least.get(k, key), key)
        INTERPRETED.atomic_min_key(
            words, place, jnp.asarray(values), jnp.asarray(number), mask
        )
        for k, (value, low) in least.items():
            assert words[k, 1].view(np.float32) == value and words[k, 0] == low

    def test_additions_carry(self):
        rng = np.random.default_rng(1)
        values = np.round(rng.uniform(-(2.0**15), 2.0**15, 128) * 2.0**40)
        values = values.astype(np.float32)
        place = rng.integers(0, 3, 128)
        mask = rng.uniform(size=128) < 0.9
        words = np.array([[0xFFFFFFFF, 5], [0, 0], [0xFFFF, 1]], np.uint32)
        totals = [int(low) + (int(high) << 32) for low, high in words]
        for k, value, counts in zip(place, values, mask, strict=True):
            totals[k] += int(value) if counts else 0
        INTERPRETED.add(words, *map(jnp.asarray, (place, values, mask)))
        got = [int(low) + (int(high.view(np.int32)) << 32) for low, high in words]
        assert got == totals and min(totals) < 0 < max(totals)
        floats = fixed_point.to_float32(jnp.asarray(words), 0.5)
        np.testing.assert_allclose(floats, np.array(totals) * 0.5, rtol=1e-6)


@pytest.mark.parametrize("faces", [1, 1280, 20480, 2**20])
def test_no_sum_over_faces_overflows(faces):
    largest = faces * 104 / fixed_point.choose_depth_quantum(faces)
    assert 2**60 < largest < 2**63


def _operations(x, y):
    """One of everything that scalar code is written for."""
    whole = x.astype(jnp.int32)
    other = jnp.maximum(jnp.abs(y.astype(jnp.int32)), 1)
    size = jnp.abs(x) + 0.1
    return [
        *(x + y, x - y, x * y, x / y, 1 / y, -x, jnp.abs(x), jnp.sign(x)),
        *(jnp.maximum(x, y), jnp.minimum(x, y), jnp.clip(x, -1, 1), jnp.floor(x)),
        *(jnp.exp(x), jnp.log(size), jnp.log1p(size), jax.nn.sigmoid(x)),
        *(jnp.sqrt(size), jnp.square(x), size**-3, x * y - y * x),
        *(jnp.where((x < y) & ~(x <= -y), x, y), jnp.where((x > y) | (y >= 0), x, y)),
        *(jnp.where((x == y) ^ (x != -y), x, y), (x > 0).astype(jnp.float32)),
        *(whole + other, whole - other, whole * other, whole // other),
        *(lax.rem(whole, other), jnp.mod(whole, other), -whole, jnp.abs(whole)),
        *(jnp.maximum(whole, other), jnp.minimum(whole, other)),
        *(jnp.where(whole < other, 1.0, 2.0), (whole != 0).astype(jnp.int32)),
    ]


@pytest.mark.gpu
def test_scalar_code():
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(2, 128)) * 3, jnp.float32)
    count = len(_operations(*inputs))

    def body(inputs_ref, outputs_ref):
        lane = lanes.GPU.lane_id()
        x, y = (lanes.GPU.load(inputs_ref.at[k], lane) for k in range(2))
        outputs = lanes.GPU.map_elementwise(_operations, x, y)
        outputs = [output.astype(jnp.float32) for output in outputs]
        lanes.GPU.store(outputs_ref, lane, outputs, lane >= 0)

    (got,) = mosaic_call.call(
        body,
        inputs,
        outputs=[(count, 128)],
        grid=(1, 1),
        interpret=False,
        name="operations",
    )
    for ours, theirs in zip(got, _operations(*inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=3e-6, atol=1e-6)
