"""Mosaic GPU's kernels for pictures: interpreted and lowered on a CPU, run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType

from jaxsoftras.kernels.pallas import channel_groups
from jaxsoftras.kernels.xla import blend as blend_xla
from jaxsoftras.kernels.xla import visible as visible_xla
from tests.support import pallas_pictures
from tests.support.pallas_pictures import KINDS, scene, task, with_gradients
from tests.support.pallas_silhouettes import lowered

if jax.__version_info__ < (0, 11):
    pytest.skip("needs Mosaic GPU as of jax 0.11", allow_module_level=True)
blend_mosaic = pytest.importorskip(
    "jaxsoftras.kernels.mosaic.blend",
    reason="this jax has no Mosaic GPU",
    exc_type=ImportError,
)
from jaxsoftras.kernels.mosaic import call as mosaic_call  # noqa: E402
from jaxsoftras.kernels.mosaic import lanes as mosaic_lanes  # noqa: E402
from jaxsoftras.kernels.mosaic import lanes_interpreted as mosaic_lanes_interpreted  # noqa: E402
from jaxsoftras.kernels.mosaic import visible as visible_mosaic  # noqa: E402
from jaxsoftras.kernels.mosaic import walk as mosaic_walk  # noqa: E402

INTERPRET = jax.default_backend() != "gpu"
draw_mosaic = functools.partial(blend_mosaic.blend_mosaic, interpret=INTERPRET)
compiled = functools.partial(blend_mosaic.blend_mosaic, interpret=False)
look = functools.partial(visible_mosaic.visible_mosaic, task=task())


class TestBlend:
    # With the lower limit, some faces are walked by whole warps, and by two programs.
    @pytest.mark.parametrize(
        "name, large",
        [
            ("surface", 40),
            pytest.param("corners", 40, marks=pytest.mark.slow),
            pytest.param("image", 40, marks=pytest.mark.slow),
            pytest.param("face, many channels", 40, marks=pytest.mark.slow),
            *(pytest.param(name, 1024, marks=pytest.mark.gpu) for name in KINDS),
        ],
    )
    def test_equals_the_reference(self, monkeypatch, name, large):
        monkeypatch.setattr(mosaic_walk, "LARGE", large)
        pallas_pictures.assert_equals_the_reference(draw_mosaic, name)

    def test_alpha_alone(self):
        inputs, _ = scene("corners")
        inputs = inputs._replace(attributes=None)
        got, expected = (
            jax.jit(with_gradients(draw, task()))(inputs)
            for draw in (draw_mosaic, blend_xla.blend_xla)
        )
        added = pallas_pictures.coincident_corners_added
        pallas_pictures.assert_close(added(got), added(expected))

    def test_leaves_to_xla_what_has_no_kernel(self, x64):
        pallas_pictures.assert_leaves_to_xla(draw_mosaic, "blend_total")

    def test_leaves_to_xla_what_integers_do_not_count(self):
        inputs, lookup = scene("corners")
        side = int((2**31 / channel_groups.LARGEST) ** 0.5)
        for pixels, kernels in ((side, True), (side + 1, False)):
            wide = task(lookup, pixels, pixels)
            text = str(jax.make_jaxpr(functools.partial(compiled, task=wide))(inputs))
            assert ("blend_total" in text) == kernels


class TestVisible:
    def test_equals_the_work_list(self):
        inputs, _ = scene("corners")
        got = look(inputs, interpret=INTERPRET)
        expected = visible_xla.visible_xla(inputs, task())
        assert len(np.unique(expected)) > 4
        np.testing.assert_array_equal(got, expected)


class TestInterpretedLanes:
    """What the kernels do to memory, on which the tests above rely."""

    @pytest.fixture
    def some(self):
        rng = np.random.default_rng(0)
        place = rng.integers(0, 3, 128)
        mask = rng.uniform(size=128) < 0.9
        return place, rng.uniform(1, 5, 128).astype(np.float32), mask

    def test_lower(self, some):
        place, values, mask = some
        least = np.full(3, np.inf, np.float32)
        bits = least.view(np.uint32).copy()
        for k, value in zip(place[mask], values[mask], strict=True):
            least[k] = min(least[k], value)
        mosaic_lanes_interpreted.lower(bits, place, jnp.asarray(values), mask)
        np.testing.assert_array_equal(bits.view(np.float32), least)

    def test_lower_key(self, some):
        place, values, mask = some
        values = np.round(values)  # so that numbers decide
        number = np.random.default_rng(1).integers(0, 99, 128)
        words = np.full((3, 2), 0xFFFFFFFF, np.uint32)
        least = {}
        for k, *key in zip(place[mask], values[mask], number[mask], strict=True):
            least[k] = min(least.get(k, key), key)
        mosaic_lanes_interpreted.lower_key(
            words, place, jnp.asarray(values), jnp.asarray(number), mask
        )
        for k, (value, low) in least.items():
            assert words[k, 1].view(np.float32) == value and words[k, 0] == low


class TestLowering:
    @pytest.mark.parametrize("name", KINDS)
    def test_every_kernel(self, recwarn, name):
        inputs, lookup = scene(**KINDS[name])
        text = lowered(with_gradients(compiled, task(lookup)), inputs)
        for kernel in ("total", "color", "gradient"):
            assert f"blend_{kernel}" in text
        assert not recwarn.list

    def test_within_shard_map(self):
        inputs, lookup = scene("surface")

        def draw(scene):
            return with_gradients(compiled, task(lookup))(scene), look(scene)

        text = lowered(draw, inputs, devices=2, check_vma=True)
        assert "blend_gradient" in text and "nearest_face" in text
        assert "all_gather" not in text

    def test_vmap_is_one_call_of_the_kernels(self):
        inputs, lookup = scene("corners")
        inputs = jax.tree.map(lambda x: x[:, None], inputs)
        text = lowered(jax.vmap(functools.partial(compiled, task=task(lookup))), inputs)
        assert text.count("mosaic_gpu_v2") == 2


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
class TestOnDevice:
    def test_scalar_code(self):
        rng = np.random.default_rng(0)
        inputs = jnp.asarray(rng.normal(size=(2, 128)) * 3, jnp.float32)
        count = len(_operations(*inputs))

        def body(inputs_ref, outputs_ref):
            lane = mosaic_lanes.number()
            x, y = (mosaic_lanes.load(inputs_ref.at[k], lane) for k in range(2))
            outputs = mosaic_lanes.each(_operations, x, y)
            outputs = [output.astype(jnp.float32) for output in outputs]
            mosaic_lanes.store(outputs_ref, lane, outputs, lane >= 0)

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

    @pytest.mark.parametrize("faces, size", [(1280, 64), (20480, 130), (320, 400)])
    def test_spheres(self, faces, size):
        pallas_pictures.assert_spheres_equal(draw_mosaic, faces, size)

    def test_an_image_alone_and_in_a_batch(self):
        pallas_pictures.assert_an_image_alone_is_as_in_a_batch(draw_mosaic)

    def test_fifty_thousand_faces_in_one_tile(self):
        pallas_pictures.assert_order_of_faces_is_of_no_consequence(draw_mosaic)

    @pytest.mark.parametrize("count", [2, 4])
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kind, count):
        pallas_pictures.assert_devices_draw_their_own_images(draw_mosaic, kind, count)
