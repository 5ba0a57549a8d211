"""Triton's kernels for pictures: interpreted and lowered on a CPU, run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxsoftras.kernels import shading
from jaxsoftras.kernels.triton import blend as blend_triton
from jaxsoftras.kernels.triton import faces as face_program
from jaxsoftras.kernels.triton import visible as visible_triton
from jaxsoftras.kernels.xla import blend as blend_xla
from jaxsoftras.kernels.xla import visible as visible_xla
from tests.support import pallas_pictures
from tests.support.pallas_pictures import (
    KINDS,
    assert_close,
    faces,
    scene,
    task,
    with_gradients,
)
from tests.support.pallas_silhouettes import lowered

INTERPRET = jax.default_backend() != "gpu"
draw_pallas = functools.partial(blend_triton.blend_triton, interpret=INTERPRET)

pytestmark = pytest.mark.filterwarnings(
    # the filter that the kernels set is undone when the test that compiled them ends
    "ignore:The Pallas Triton backend is deprecated:DeprecationWarning"
)


class TestBlend:
    # With the limit lowered, faces are walked by whole blocks, and by two programs.
    @pytest.mark.parametrize(
        "name, large",
        [
            ("surface", 40),  # its light is mixed as the others' colours are
            pytest.param("corners", 40, marks=pytest.mark.slow),
            pytest.param("image", 40, marks=pytest.mark.slow),
            pytest.param("face, many channels", 40, marks=pytest.mark.slow),
            *(pytest.param(name, 1024, marks=pytest.mark.gpu) for name in KINDS),
        ],
    )
    def test_equals_the_reference(self, monkeypatch, name, large):
        monkeypatch.setattr(face_program, "LARGE", large)
        pallas_pictures.assert_equals_the_reference(draw_pallas, name)

    def test_leaves_to_xla_what_has_no_kernel(self, x64):
        pallas_pictures.assert_leaves_to_xla(draw_pallas, "pallas_call")

    @pytest.mark.skipif(not INTERPRET, reason="XLA compiles it for minutes on a GPU")
    @pytest.mark.slow  # the rule is that of silhouettes, for another pair of functions
    def test_derivatives_of_second_order(self):
        inputs, lookup = scene("corners")
        inputs = jax.tree.map(lambda x: x[:1], inputs)
        few = jnp.array([0, 6, 7, 8])
        inputs = inputs._replace(
            face_vertices=inputs.face_vertices[:, few].at[0, 1, :, 0].add(-5),
            attributes=shading.Attributes(jnp.asarray(faces())[:1, few]),
        )

        def product(draw):
            def loss(scene):
                blend = draw(scene, task(lookup))
                return jnp.sum(blend.color**2) + jnp.sum(blend.total**2)

            tangent = jax.tree.map(lambda x: 0.1 * x, inputs)
            gradient = jax.grad(loss)
            return jax.jit(lambda x, t: jax.jvp(gradient, (x,), (t,))[1])(
                inputs, tangent
            )

        # in single precision, gamma's has few digits in any implementation
        assert_close(product(draw_pallas), product(blend_xla.blend_xla), rtol=2e-3)

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [2, 4])
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kind, count):
        pallas_pictures.assert_devices_draw_their_own_images(draw_pallas, kind, count)


class TestVisible:
    def test_equals_the_work_list(self):
        inputs, _ = scene("corners")
        # the interpreter computes a minimum in the precision of its surroundings
        with jax.enable_x64(INTERPRET):
            got = visible_triton.visible_triton(inputs, task(), interpret=INTERPRET)
        expected = visible_xla.visible_xla(inputs, task())
        assert len(np.unique(expected)) > 4
        np.testing.assert_array_equal(got, expected)


class TestLowering:
    @pytest.mark.parametrize("name", KINDS)
    def test_every_kernel(self, recwarn, name):
        inputs, lookup = scene(**KINDS[name])
        draw = functools.partial(blend_triton.blend_triton, interpret=False)
        text = lowered(with_gradients(draw, task(lookup)), inputs)
        for kernel in ("total", "color", "gradient"):
            assert f"blend_{kernel}" in text
        assert not recwarn.list

    def test_within_shard_map(self):
        inputs, lookup = scene("corners")

        def draw(scene):
            face = visible_triton.visible_triton(scene, task())
            return with_gradients(blend_triton.blend_triton, task(lookup))(scene), face

        text = lowered(draw, inputs, devices=2, check_vma=True)
        assert "blend_gradient" in text and "nearest_face" in text
        assert "all_gather" not in text

    def test_vmap_is_one_call_of_the_kernels(self):
        inputs, lookup = scene("corners")
        inputs = jax.tree.map(lambda x: x[:, None], inputs)
        draw = functools.partial(blend_triton.blend_triton, task=task(lookup))
        text = lowered(jax.vmap(draw), inputs)
        assert text.count("custom_call @__gpu$xla.gpu.triton") == 2


@pytest.mark.gpu
class TestOnDevice:
    @pytest.mark.parametrize("faces, size", [(1280, 64), (20480, 130)])
    def test_spheres(self, faces, size):
        pallas_pictures.assert_spheres_equal(draw_pallas, faces, size)

    def test_an_image_alone_and_in_a_batch(self):
        pallas_pictures.assert_an_image_alone_is_as_in_a_batch(draw_pallas)

    def test_fifty_thousand_faces_in_one_tile(self):
        pallas_pictures.assert_order_of_faces_is_of_no_consequence(draw_pallas)
