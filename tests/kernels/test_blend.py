"""The GPU kernels of soft images and nearest faces, against the other backends."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras.kernels import bench_inputs, shading
from jaxsoftras.kernels.pallas import channel_groups
from jaxsoftras.kernels.reference import blend as reference
from jaxsoftras.kernels.scene import Scene
from jaxsoftras.kernels.xla import blend as xla
from jaxsoftras.kernels.xla import visible as xla_visible
from tests.support import kernels as support
from tests.support.kernels import (
    INTERPRET,
    assert_close,
    assert_same_bytes,
    lowered,
    make_faces,
    make_scene,
    make_task,
    with_gradients,
)

pytestmark = support.IGNORE_DEPRECATION

KINDS = {
    "corners": {"kind": "corners", "light": True},
    "surface": {"kind": "surface", "light": True},
    "image": {"kind": "image", "light": True},
    "face, many channels": {"kind": "face", "channels": 5},
}


@pytest.fixture(params=support.NAMES)
def kernels(request) -> support.Kernels:
    return support.load(request.param)


@pytest.fixture
def draw(kernels):
    """The kernels on this machine."""
    return functools.partial(kernels.blend, interpret=INTERPRET)


class TestBlend:
    # With the limit lowered, faces are walked by many lanes, and by two programs.
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
    def test_equals_the_reference(self, monkeypatch, kernels, draw, name, large):
        monkeypatch.setattr(kernels.limits, "LARGE", large)
        inputs, lookup = make_scene(**KINDS[name])
        got, expected = (
            jax.jit(with_gradients(function, make_task(lookup)))(inputs)
            for function in (draw, reference.blend)
        )
        assert_close(
            support.add_coincident_corners(got),
            support.add_coincident_corners(expected),
        )

    # the first has the kernels of `silhouette` where there are no depths
    @pytest.mark.parametrize(
        "options, axes",
        [
            # test_silhouette has the same kernels, the test above depths
            pytest.param({}, 3, marks=pytest.mark.slow),
            pytest.param({"distance": "barycentric"}, 2, marks=pytest.mark.slow),
            pytest.param({"distance": "hard"}, 2, marks=pytest.mark.slow),
            pytest.param({"squared": False}, 3, marks=pytest.mark.slow),
        ],
    )
    def test_alpha_alone(self, draw, options, axes):
        inputs, _ = make_scene("corners")
        inputs = inputs._replace(
            face_vertices=inputs.face_vertices[..., :axes], attributes=None
        )
        got, expected = (
            jax.jit(with_gradients(function, make_task(**options)))(inputs)
            for function in (draw, xla.blend)
        )
        assert np.asarray(expected[0].total).max() > 1
        assert_close(
            support.add_coincident_corners(got),
            support.add_coincident_corners(expected),
        )

    def test_leaves_double_precision_and_nothing_to_xla(self, kernels, x64):
        inputs, lookup = make_scene("corners")
        double = jax.tree.map(lambda x: x[:1].astype(float), inputs)
        nothing = inputs._replace(
            face_vertices=inputs.face_vertices[:, :0],
            attributes=shading.Attributes(jnp.zeros((2, 0, 3, 3), jnp.float32)),
        )
        draw = functools.partial(
            kernels.blend, task=make_task(lookup), interpret=INTERPRET
        )
        programs = [str(jax.make_jaxpr(draw)(x)) for x in (inputs, double, nothing)]
        assert ["blend_total" in text for text in programs] == [True, False, False]

    def test_leaves_images_beyond_32_bits_to_xla(self, kernels):
        inputs, lookup = make_scene("corners")
        side = int((2**31 / channel_groups.LARGEST) ** 0.5)
        for pixels, expected in ((side, True), (side + 1, False)):
            wide = make_task(lookup, pixels, pixels)
            draw = functools.partial(kernels.blend, task=wide)
            assert ("blend_total" in str(jax.make_jaxpr(draw)(inputs))) == expected

    @pytest.mark.skipif(not INTERPRET, reason="XLA compiles it for minutes on a GPU")
    @pytest.mark.slow  # the rule of silhouettes, for another pair of functions
    def test_derivatives_of_second_order(self, draw):
        inputs, lookup = make_scene("corners")
        inputs = jax.tree.map(lambda x: x[:1], inputs)
        few = jnp.array([0, 6, 7, 8])
        inputs = inputs._replace(
            face_vertices=inputs.face_vertices[:, few].at[0, 1, :, 0].add(-5),
            attributes=shading.Attributes(jnp.asarray(make_faces())[:1, few]),
        )

        def product(draw):
            def loss(scene):
                blend = draw(scene, make_task(lookup))
                return jnp.sum(blend.color**2) + jnp.sum(blend.total**2)

            tangent = jax.tree.map(lambda x: 0.1 * x, inputs)
            gradient = jax.grad(loss)
            return jax.jit(lambda x, t: jax.jvp(gradient, (x,), (t,))[1])(
                inputs, tangent
            )

        # in single precision, gamma's has few digits in any implementation
        assert_close(product(draw), product(xla.blend), rtol=2e-3)

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [2, 4])
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kernels, draw, kind, count):
        if jax.device_count() < count:
            pytest.skip(f"needs {count} devices")
        if INTERPRET and kernels.name == "mosaic":
            pytest.skip("the interpreter has effects, which are not partitioned")
        inputs, lookup = make_scene("corners")
        inputs = jax.tree.map(lambda x: jnp.concatenate([x, x]), inputs)
        run = with_gradients(draw, make_task(lookup))
        mesh = jax.make_mesh((count,), ("data",), axis_types=(kind,))
        sharded = jax.device_put(inputs, NamedSharding(mesh, P("data")))
        # without `jax.set_mesh`: explicit axes are known from types alone
        compiled = jax.jit(run).lower(sharded).compile()
        got = compiled(sharded)
        assert "all-gather" not in str(compiled.as_text())
        got = jax.tree.map(np.asarray, got)
        # as many images at a time as a device has, and all of them
        for many in (len(inputs.sigma) // count, len(inputs.sigma)):
            alone = jax.jit(run)
            starts = range(0, len(inputs.sigma), many)
            rows = [slice(start, start + many) for start in starts]
            parts = [alone(jax.tree.map(operator.itemgetter(k), inputs)) for k in rows]
            expected = jax.tree.map(lambda *x: np.concatenate(x), *parts)
            if not INTERPRET:
                assert_same_bytes(got, expected)
            else:  # XLA's code for interpreted kernels depends on what is around
                assert_close(
                    support.add_coincident_corners(got),
                    support.add_coincident_corners(expected),
                )


class TestVisible:
    def test_equals_the_work_list(self, kernels):
        inputs, _ = make_scene("corners")
        # the interpreter computes a minimum in the precision of its surroundings
        with jax.enable_x64(INTERPRET and kernels.name == "triton"):
            find = functools.partial(kernels.visible, interpret=INTERPRET)
            got = jax.jit(find, static_argnums=1)(inputs, make_task())
        expected = jax.jit(xla_visible.visible, static_argnums=1)(inputs, make_task())
        assert len(np.unique(expected)) > 4
        np.testing.assert_array_equal(got, expected)


class TestLowering:
    @pytest.mark.parametrize(
        "name",
        [
            # the others' kernels are lowered within `jax.shard_map`, or interpreted
            name if name == "image" else pytest.param(name, marks=pytest.mark.slow)
            for name in KINDS
        ],
    )
    def test_every_kernel(self, recwarn, kernels, name):
        inputs, lookup = make_scene(**KINDS[name])
        text = lowered(with_gradients(kernels.blend, make_task(lookup)), inputs)
        for kernel in ("total", "color", "gradient"):
            assert f"blend_{kernel}" in text
        assert not support.unexpected(recwarn.list)

    @pytest.mark.parametrize(
        "kind", [pytest.param("corners", marks=pytest.mark.slow), "surface"]
    )
    def test_within_shard_map(self, kernels, kind):
        inputs, lookup = make_scene(kind)

        def draw(scene):
            face = kernels.visible(scene, make_task())
            return with_gradients(kernels.blend, make_task(lookup))(scene), face

        text = lowered(draw, inputs, devices=2, check_vma=True)
        assert "blend_gradient" in text and "nearest_face" in text
        assert "all_gather" not in text

    def test_vmap_is_one_call_of_the_kernels(self, kernels):
        inputs, lookup = make_scene("corners")
        inputs = jax.tree.map(lambda x: x[:, None], inputs)
        draw = functools.partial(kernels.blend, task=make_task(lookup))
        text = lowered(jax.vmap(draw), inputs)
        assert text.count(kernels.lowered_call) == 2


@pytest.mark.gpu
class TestOnDevice:
    @pytest.mark.parametrize("faces, size", [(1280, 64), (20480, 130), (320, 400)])
    def test_spheres_equal_the_work_list(self, draw, faces, size):
        vertices = jnp.asarray(bench_inputs.face_vertices(3, faces))
        colors = jnp.asarray(np.random.default_rng(0).uniform(size=vertices.shape))
        small = jnp.full(3, 1e-4, jnp.float32)
        attributes = shading.Attributes(colors.astype(jnp.float32))
        inputs = Scene(vertices, small, small, attributes)
        square = make_task(height=size, width=size)
        run = jax.jit(with_gradients(draw, square))
        got = run(inputs)
        assert_close(got, jax.jit(with_gradients(xla.blend, square))(inputs))
        assert_same_bytes(run(inputs), got)

    def test_an_image_alone_and_in_a_batch(self, draw):
        inputs, lookup = make_scene("surface")
        draw = functools.partial(draw, task=make_task(lookup))
        alone = jax.tree.map(lambda x: x[1:], inputs)
        batch = jax.jit(draw)(inputs)
        assert_same_bytes(jax.jit(draw)(alone), [x[1:] for x in batch])
        singly = jax.vmap(lambda scene: draw(jax.tree.map(lambda x: x[None], scene)))
        assert_same_bytes(jax.jit(singly)(inputs), [x[:, None] for x in batch])

    def test_order_of_fifty_thousand_faces_in_one_tile(self, draw):
        """Sums are exact: the order does not change a byte."""
        rng = np.random.default_rng(0)
        count = 50_000
        corners = rng.uniform(-0.9, 0.9, (1, count, 1, 2))
        corners = corners + rng.uniform(-0.01, 0.01, (1, count, 3, 2))
        depth = rng.uniform(2, 3, (1, count, 1, 1)) * np.ones((3, 1))
        vertices = np.concatenate([corners, depth], -1).astype(np.float32)
        values = rng.uniform(size=(1, count, 1, 3)).astype(np.float32)

        def reorder(order):
            small, large = (jnp.full(1, x, jnp.float32) for x in (1e-6, 1e-2))
            attributes = shading.Attributes(jnp.asarray(values[:, order]))
            faces = jnp.asarray(vertices[:, order])
            return Scene(faces, small, large, attributes)

        square = make_task(height=16, width=16)
        run = jax.jit(functools.partial(draw, task=square))
        order = np.arange(count)
        blend = run(reorder(order))
        assert_same_bytes(run(reorder(rng.permutation(count))), blend)
        expected = jax.jit(xla.blend, static_argnums=1)(reorder(order), square)
        assert_close(blend, expected)
