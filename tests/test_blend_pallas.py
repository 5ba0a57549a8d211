"""Pallas kernels for colour: interpreted and lowered on a CPU, and run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from pallas_silhouettes import assert_same_bytes, lowered

from jaxsoftras import geometry
from jaxsoftras.kernels import (
    bench_inputs,
    blend_reference,
    blend_triton,
    blend_xla,
    blending,
    face_program,
    pairs,
    shading,
    visible_triton,
)

INTERPRET = jax.default_backend() != "gpu"
HEIGHT, WIDTH = 9, 13  # no multiple of anything
FLAT = 4  # number of a face without area, of which two corners coincide
RULES = pairs.Rules(cutoff=geometry.support(1e-4))

pytestmark = pytest.mark.filterwarnings(
    # the filter that the kernels set is undone when the test that compiled them ends
    "ignore:The Pallas Triton backend is deprecated:DeprecationWarning"
)


def faces():
    """``[2, 9, 3, 3]``: overlapping faces, and all that can be wrong with a face."""
    rng = np.random.default_rng(0)
    some = np.concatenate(
        [rng.uniform(-0.8, 0.8, (2, 9, 3, 2)), rng.uniform(2, 2.02, (2, 9, 3, 1))], -1
    )
    some[:, 1] = some[:, 0]  # coincident
    some[:, 2, 0] = np.nan
    some[:, 3, 2, 2] = -1  # behind the camera
    some[:, FLAT, 2] = some[:, FLAT, 1]  # without area
    some[:, 5, 0, 2] = 0.5  # partly nearer than near
    some[0, 6, :, 0] += 5  # off-screen
    some[1, 6, :, :2] *= 60  # huge
    return some.astype(np.float32)


def scene(kind, channels=3, light=False):
    """A `Scene` with colours of a kind, and how to look them up."""
    rng = np.random.default_rng(1)
    images, count = faces().shape[:2]

    def random(*shape):
        return jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)

    values = texels = None
    lookup = shading.Lookup()
    if kind == "surface":
        lookup = shading.Lookup("surface", (2, 2))
        texels = random(images, count * 4, channels)
    elif kind == "image":
        lookup = shading.Lookup("image", (5, 4), "repeat")
        values, texels = random(images, count, 3, 2), random(1, 20, channels)
    else:
        values = random(images, count, {"corners": 3, "face": 1}[kind], channels)
    lit = random(images, count, 3, 2 * channels) if light else None
    # rounding decides which of the corners in the same place a pixel is nearest to
    values, lit = (
        x if x is None or x.shape[2] < 3 else x.at[:, FLAT, 2].set(x[:, FLAT, 1])
        for x in (values, lit)
    )
    return blending.Scene(
        jnp.asarray(faces()),
        jnp.asarray([1e-3, 3e-4], jnp.float32),
        jnp.asarray([1e-3, 1e-4], jnp.float32),
        shading.Attributes(values, texels, lit),
    ), lookup


def task(lookup=None, height=HEIGHT, width=WIDTH):
    return blending.Task(height, width, RULES, lookup or shading.Lookup())


draw_pallas = functools.partial(blend_triton.blend_triton, interpret=INTERPRET)


def with_gradients(draw, task):
    """Of a scene: the picture, and the gradient of a weighing of it."""

    def run(scene):
        blend, pullback = jax.vjp(lambda scene: draw(scene, task), scene)
        rng = np.random.default_rng(2)
        weights = jax.tree.map(
            # spread over devices as the picture is
            lambda x: jnp.ones_like(x) * rng.normal(size=x.shape).astype(np.float32),
            blend,
        )
        return blend, pullback(weights)[0]

    return run


def coincident_corners_added(result):
    """Rounding decides which of two edges in the same place is the nearest."""
    blend, gradient = result

    def add(x):
        if x.ndim < 4:
            return x
        return x.at[:, FLAT, 1].add(x[:, FLAT, 2]).at[:, FLAT, 2].set(0)

    return blend, jax.tree.map(add, gradient)


def assert_close(got, expected, rtol=1e-4):
    """Each array within a part of its largest number."""
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert np.isfinite(g).all()
        covered = np.abs(e) < 1e30  # the logit of no face is the lowest number
        np.testing.assert_array_equal(g[~covered], e[~covered])
        largest = np.abs(e[covered]).max(initial=0)
        np.testing.assert_allclose(g[covered], e[covered], rtol=0, atol=rtol * largest)


KINDS = {
    "corners": {"kind": "corners", "light": True},
    "surface": {"kind": "surface", "light": True},
    "image": {"kind": "image", "light": True},
    "face, many channels": {"kind": "face", "channels": 5},
}


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
        inputs, lookup = scene(**KINDS[name])
        got = jax.jit(with_gradients(draw_pallas, task(lookup)))(inputs)
        reference = with_gradients(blend_reference.blend_reference, task(lookup))
        expected = jax.jit(reference)(inputs)
        assert_close(coincident_corners_added(got), coincident_corners_added(expected))

    def test_leaves_to_xla_what_has_no_kernel(self, x64):
        inputs, lookup = scene("corners")
        double = jax.tree.map(lambda x: x[:1].astype(float), inputs)
        draw = functools.partial(draw_pallas, task=task(lookup))
        assert "pallas_call" in str(jax.make_jaxpr(draw)(inputs))
        assert "pallas_call" not in str(jax.make_jaxpr(draw)(double))
        nothing = inputs._replace(
            face_vertices=inputs.face_vertices[:, :0],
            attributes=shading.Attributes(jnp.zeros((2, 0, 3, 3), jnp.float32)),
        )
        assert "pallas_call" not in str(jax.make_jaxpr(draw)(nothing))

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

    @pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kind):
        inputs, lookup = scene("corners")
        run = with_gradients(draw_pallas, task(lookup))
        mesh = jax.make_mesh((2,), ("data",), axis_types=(kind,))
        spread = jax.device_put(inputs, NamedSharding(mesh, P("data")))
        with jax.set_mesh(mesh):
            compiled = jax.jit(run).lower(spread).compile()
            got = compiled(spread)
        assert "all-gather" not in str(compiled.as_text())
        assert_same_bytes(*map(jax.tree.leaves, (got, jax.jit(run)(inputs))))


class TestVisible:
    def test_equals_the_work_list(self):
        inputs, _ = scene("corners")
        # the interpreter computes a minimum in the precision of its surroundings
        with jax.enable_x64(INTERPRET):
            got = visible_triton.visible_triton(inputs, task(), interpret=INTERPRET)
        expected = blend_xla.visible_xla(inputs, task())
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
        vertices = jnp.asarray(bench_inputs.face_vertices(3, faces))
        colors = jnp.asarray(np.random.default_rng(0).uniform(size=vertices.shape))
        small = jnp.full(3, 1e-4, jnp.float32)
        attributes = shading.Attributes(colors.astype(jnp.float32))
        inputs = blending.Scene(vertices, small, small, attributes)
        square = task(height=size, width=size)
        run = jax.jit(with_gradients(draw_pallas, square))
        got = run(inputs)
        reference = jax.jit(with_gradients(blend_xla.blend_xla, square))
        assert_close(got, reference(inputs))
        assert_same_bytes(*map(jax.tree.leaves, (run(inputs), got)))

    def test_an_image_alone_and_in_a_batch(self):
        inputs, lookup = scene("surface")

        def draw(scene):
            return draw_pallas(scene, task(lookup))

        alone = jax.tree.map(lambda x: x[1:], inputs)
        batch = jax.jit(draw)(inputs)
        assert_same_bytes(jax.jit(draw)(alone), [x[1:] for x in batch])
        singly = jax.vmap(lambda scene: draw(jax.tree.map(lambda x: x[None], scene)))
        assert_same_bytes(
            jax.tree.leaves(jax.jit(singly)(inputs)), [x[:, None] for x in batch]
        )

    def test_fifty_thousand_faces_in_one_tile(self):
        rng = np.random.default_rng(0)
        count = 50_000
        corners = rng.uniform(-0.9, 0.9, (1, count, 1, 2))
        corners = corners + rng.uniform(-0.01, 0.01, (1, count, 3, 2))
        depth = rng.uniform(2, 3, (1, count, 1, 1)) * np.ones((3, 1))
        vertices = np.concatenate([corners, depth], -1).astype(np.float32)
        values = rng.uniform(size=(1, count, 1, 3)).astype(np.float32)

        def of(order):
            small, large = (jnp.full(1, x, jnp.float32) for x in (1e-6, 1e-2))
            attributes = shading.Attributes(jnp.asarray(values[:, order]))
            faces = jnp.asarray(vertices[:, order])
            return blending.Scene(faces, small, large, attributes)

        square = task(height=16, width=16)
        run = jax.jit(functools.partial(draw_pallas, task=square))
        order = np.arange(count)
        blend = run(of(order))
        # sums are exact, so that not even a byte depends on the order
        assert_same_bytes(run(of(rng.permutation(count))), blend)
        assert_close(
            blend, jax.jit(blend_xla.blend_xla, static_argnums=1)(of(order), square)
        )
