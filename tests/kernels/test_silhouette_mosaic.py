"""The kernels for Mosaic GPU: interpreted and lowered on a CPU, and run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.pallas_silhouettes import (
    CUTOFF,
    HEIGHT,
    WIDTH,
    adversarial_scenes,
    assert_equal_but_for_rounding,
    assert_products_equal,
    assert_same_bytes,
    assert_spheres_equal,
    lowered,
    with_gradients,
    xla,
)

if jax.__version_info__ < (0, 11):
    pytest.skip("needs Mosaic GPU as of jax 0.11", allow_module_level=True)
silhouette_mosaic = pytest.importorskip(
    "jaxsoftras.kernels.mosaic.silhouette",
    reason="this jax has no Mosaic GPU",
    exc_type=ImportError,
)
from jaxsoftras.kernels.mosaic import fixed_point as mosaic_fixed_point  # noqa: E402
from jaxsoftras.kernels.mosaic import lanes_interpreted as mosaic_lanes_interpreted  # noqa: E402
from jaxsoftras.kernels.mosaic import walk as mosaic_walk  # noqa: E402

INTERPRET = jax.default_backend() != "gpu"
KERNELS = ("silhouette_depth", "silhouette_gradient", "sum_over_faces")


def mosaic(faces, sigma, height=HEIGHT, width=WIDTH, interpret=INTERPRET):
    return silhouette_mosaic.silhouette_mosaic(
        faces, sigma, height=height, width=width, cutoff=CUTOFF, interpret=interpret
    )


compiled = functools.partial(mosaic, interpret=False)


class TestMosaic:
    # With the lower limit, some faces are walked by whole warps, and by two programs.
    @pytest.mark.parametrize("large", [100, pytest.param(1024, marks=pytest.mark.gpu)])
    def test_equals_the_work_list(self, monkeypatch, large):
        monkeypatch.setattr(mosaic_walk, "LARGE", large)
        arguments = adversarial_scenes()
        got = jax.jit(with_gradients(mosaic))(*arguments)
        expected = jax.jit(with_gradients(xla))(*arguments)
        assert_equal_but_for_rounding(got, expected)

    def test_deep_inside_of_many_faces(self):
        triangle = np.array([[-0.9, -0.9], [0.9, -0.9], [0.1, 0.9]], np.float32)
        faces = np.broadcast_to(triangle, (1, 40, 3, 2))
        alpha = mosaic(jnp.asarray(faces), jnp.full(1, 1e-7), height=4, width=4)
        expected = xla(jnp.asarray(faces), jnp.full(1, 1e-7), height=4, width=4)
        assert alpha.max() == 1
        np.testing.assert_allclose(alpha, expected, atol=1e-6)

    @pytest.mark.parametrize("shape", [(0, 3, 3, 2), (2, 0, 3, 2)])
    def test_nothing_to_draw(self, shape):
        alpha = mosaic(jnp.zeros(shape), jnp.ones(shape[0]))
        assert alpha.shape == (shape[0], HEIGHT, WIDTH) and not alpha.any()

    def test_leaves_double_precision_to_xla(self, x64):
        faces, sigma, _ = (x[:1].astype(float) for x in adversarial_scenes())
        np.testing.assert_array_equal(mosaic(faces, sigma), xla(faces, sigma))


class TestFixedPoint:
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
        mosaic_lanes_interpreted.add(words, place, jnp.asarray(values), mask)
        got = [int(low) + (int(high.view(np.int32)) << 32) for low, high in words]
        assert got == totals and min(totals) < 0 < max(totals)
        floats = mosaic_fixed_point.floats(jnp.asarray(words), 0.5)
        np.testing.assert_allclose(floats, np.array(totals) * 0.5, rtol=1e-6)

    @pytest.mark.parametrize("faces", [1, 1280, 20480, 2**20])
    def test_no_sum_over_faces_overflows(self, faces):
        largest = faces * 104 / mosaic_fixed_point.depth_unit(faces)
        assert 2**60 < largest < 2**63


class TestLowering:
    def test_every_kernel(self, recwarn):
        text = lowered(with_gradients(compiled), *adversarial_scenes())
        assert all(kernel in text for kernel in KERNELS)
        assert not recwarn.list

    def test_vmap_is_one_call_of_the_kernel(self):
        faces, sigma, _ = adversarial_scenes()
        once, vmapped = (
            lowered(draw, faces, sigma)
            for draw in (compiled, jax.vmap(lambda f, s: compiled(f[None], s[None])[0]))
        )
        calls = "mosaic_gpu_v2"
        assert vmapped.count(calls) == once.count(calls) > 0

    def test_weakly_typed_arguments(self):
        def total(scale):
            faces, sigma, _ = adversarial_scenes()
            sigma = jnp.full(len(sigma), 1.0)  # as weakly typed as a Python number
            return compiled(faces * scale, sigma)

        assert "silhouette_depth" in lowered(total, np.float32(1))

    @pytest.mark.parametrize("check_vma", [True, False])
    def test_within_shard_map(self, check_vma):
        arguments = adversarial_scenes()
        draw = with_gradients(compiled)
        text = lowered(draw, *arguments, devices=3, check_vma=check_vma)
        assert "silhouette_gradient" in text and "all_gather" not in text


@pytest.mark.gpu
class TestOnDevice:
    def test_derivatives_of_second_order(self):
        assert_products_equal(mosaic)

    @pytest.mark.parametrize("level, size", [(3, 64), (5, 130)])
    def test_spheres(self, level, size):
        assert_spheres_equal(mosaic, level, size)

    def test_same_image_in_a_larger_batch(self):
        arguments = adversarial_scenes()
        run = jax.jit(with_gradients(mosaic))
        alone = run(*(x[1:2] for x in arguments))
        assert_same_bytes(alone, [x[1:2] for x in run(*arguments)])
