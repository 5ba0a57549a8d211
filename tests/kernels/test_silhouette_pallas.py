"""The Pallas kernels: interpreted and lowered on a CPU, and run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras.kernels.triton import faces as face_program
from jaxsoftras.kernels.triton import silhouette as silhouette_triton
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

INTERPRET = jax.default_backend() != "gpu"

pytestmark = pytest.mark.filterwarnings(
    # the filter that the kernels set is undone when the test that compiled them ends
    "ignore:The Pallas Triton backend is deprecated:DeprecationWarning"
)


def triton(faces, sigma, height=HEIGHT, width=WIDTH, interpret=INTERPRET):
    return silhouette_triton.silhouette_triton(
        faces, sigma, height=height, width=width, cutoff=CUTOFF, interpret=interpret
    )


class TestTriton:
    # With the lower limit, faces are walked by whole blocks, and by several programs.
    @pytest.mark.parametrize("large", [100, pytest.param(1024, marks=pytest.mark.gpu)])
    def test_equals_the_work_list(self, monkeypatch, large):
        monkeypatch.setattr(face_program, "LARGE", large)
        arguments = adversarial_scenes()
        got = jax.jit(with_gradients(triton))(*arguments)
        expected = jax.jit(with_gradients(xla))(*arguments)
        assert_equal_but_for_rounding(got, expected)

    @pytest.mark.slow  # they are those of the work list, which are tested there
    def test_derivatives_of_second_order(self):
        assert_products_equal(triton)

    def test_vmap_is_one_call_of_the_kernel(self):
        faces, sigma, _ = adversarial_scenes()
        vmapped = jax.vmap(lambda f: triton(f[None], sigma[:1])[0])
        text = str(jax.make_jaxpr(vmapped)(faces))
        assert text.count("pallas_call[") == 1
        assert f"f64[{len(faces)},{HEIGHT},{WIDTH}]" in text

    @pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
    @pytest.mark.slow  # tests of composition spread other kernels by the same means
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kind):
        count = 2 * (jax.device_count() // 2)
        arguments = [np.resize(x, (count, *x.shape[1:])) for x in adversarial_scenes()]
        arguments = [jnp.asarray(x) for x in arguments]
        mesh = jax.make_mesh((count,), ("data",), axis_types=(kind,))
        split = [jax.device_put(x, NamedSharding(mesh, P("data"))) for x in arguments]
        with jax.set_mesh(mesh):
            compiled = jax.jit(with_gradients(triton)).lower(*split).compile()
            got = compiled(*split)
        assert "all-gather" not in str(compiled.as_text())
        assert {len(x.addressable_shards[0].data) for x in got} == {1}
        assert_same_bytes(got, jax.jit(with_gradients(triton))(*arguments))

    @pytest.mark.parametrize("shape", [(0, 3, 3, 2), (2, 0, 3, 2)])
    def test_nothing_to_draw(self, shape):
        alpha = triton(jnp.zeros(shape), jnp.ones(shape[0]))
        assert alpha.shape == (shape[0], HEIGHT, WIDTH) and not alpha.any()

    def test_leaves_double_precision_to_xla(self, x64):
        faces, sigma, _ = (x[:1].astype(float) for x in adversarial_scenes())
        np.testing.assert_array_equal(triton(faces, sigma), xla(faces, sigma))


class TestLowering:
    @pytest.mark.parametrize("large", [100, 1024])
    def test_every_kernel(self, monkeypatch, recwarn, large):
        monkeypatch.setattr(face_program, "LARGE", large)
        draw = functools.partial(triton, interpret=False)
        text = lowered(with_gradients(draw), *adversarial_scenes())
        for kernel in ("silhouette_depth", "silhouette_gradient", "sum_over_faces"):
            assert kernel in text
        assert not recwarn.list

    def test_weakly_typed_arguments(self):
        def total(scale):
            faces, sigma, _ = adversarial_scenes()
            sigma = jnp.full(len(sigma), 1.0)  # as weakly typed as a Python number
            return triton(faces * scale, sigma, interpret=False)

        assert "silhouette_depth" in lowered(total, np.float32(1))

    @pytest.mark.parametrize("check_vma", [True, False])
    def test_within_shard_map(self, check_vma):
        draw = with_gradients(functools.partial(triton, interpret=False))
        arguments = adversarial_scenes()
        text = lowered(draw, *arguments, devices=3, check_vma=check_vma)
        assert "silhouette_gradient" in text and "all_gather" not in text


@pytest.mark.gpu
class TestOnDevice:
    @pytest.mark.parametrize("level, size", [(3, 64), (5, 130)])
    def test_spheres(self, level, size):
        assert_spheres_equal(triton, level, size)
