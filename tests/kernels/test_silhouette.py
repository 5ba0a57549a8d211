"""The GPU kernels of silhouettes, against the other backends."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import conorm
from jaxsoftras.kernels.reference import blend as reference
from jaxsoftras.kernels.scene import Scene
from jaxsoftras.kernels.xla import blend as xla
from tests.support import kernels as support
from tests.support import scenes
from tests.support.kernels import INTERPRET, assert_same_bytes, lowered

pytestmark = support.IGNORE_DEPRECATION

HEIGHT, WIDTH = 13, 19  # no multiple of anything
FACES = 24
SIGMAS = (1e-4, 3e-4, 1e-3)
KERNELS = ("silhouette_depth", "silhouette_gradient")


@pytest.fixture(params=support.NAMES)
def kernels(request) -> support.Kernels:
    return support.load(request.param)


def as_silhouette(blend):
    """A function of faces ``[B, F, 3, 2]`` and sigma ``[B]`` from one of scenes."""

    def draw(faces, sigma, height=HEIGHT, width=WIDTH):
        task = support.make_task(height=height, width=width)
        total = blend(Scene(faces, sigma, jnp.ones_like(sigma)), task).total
        return conorm.aggregate(conorm.Conorm(), total)

    return draw


@pytest.fixture
def draw(kernels):
    """The kernels on this machine."""
    return as_silhouette(functools.partial(kernels.blend, interpret=INTERPRET))


@pytest.fixture
def compiled(kernels):
    """The kernels for a GPU."""
    return as_silhouette(kernels.blend)


def with_gradients(draw):
    def run(faces, sigma, weight):
        alpha, pullback = jax.vjp(draw, faces, sigma)
        return alpha, *pullback(weight)

    return run


def adversarial_scenes():
    """``[B, FACES, 3, 2]``: all scenes, filled up with faces that are not finite."""
    rng = np.random.default_rng(0)
    crowd = rng.uniform(-0.1, 0.1, (FACES, 3, 2))  # all in one place
    everywhere = rng.uniform(-1.2, 1.2, (FACES, 3, 2))
    images = []
    for faces in (*map(np.array, scenes.SCENES.values()), crowd, everywhere):
        filler = np.full((FACES - len(faces), 3, 2), np.nan)
        filler[::2, :2] = 0.1
        images.append(np.concatenate([faces, filler]))
    faces = np.stack(images).astype(np.float32)
    sigma = np.resize(np.array(SIGMAS, np.float32), len(faces))
    weight = scenes.random_like(len(faces), HEIGHT, WIDTH).astype(np.float32)
    return jnp.asarray(faces), jnp.asarray(sigma), jnp.asarray(weight)


def assert_equal_but_for_rounding(got, expected):
    def add_coincident_corners(alpha, by_faces, by_sigma):
        # rounding decides which of two edges in the same place is the nearest
        image = list(scenes.SCENES).index("coincident vertices")
        both = by_faces[image, :, :2].sum(axis=1, keepdims=True)
        return alpha, jnp.asarray(by_faces).at[image, :, :2].set(both), by_sigma

    got, expected = add_coincident_corners(*got), add_coincident_corners(*expected)
    for g, e in zip(got, expected, strict=True):
        assert np.isfinite(g).all()
        np.testing.assert_allclose(g, e, rtol=1e-4, atol=2e-6 * np.abs(e).max())


def assert_products_equal(draw):
    """Forward over reverse, against the reference."""
    faces, sigma, weight = (x[:1] for x in adversarial_scenes())
    faces = faces[:, :3]

    def product(draw):
        def loss(faces, sigma):
            return jnp.sum(draw(faces, sigma) ** 2 * weight)

        gradient = jax.grad(loss, argnums=(0, 1))
        tangents = jnp.ones_like(faces), 0.1 * sigma
        return jax.jit(lambda *x: jax.jvp(gradient, x, tangents)[1])(faces, sigma)

    expected = product(as_silhouette(reference.blend))
    for got, e in zip(product(draw), expected, strict=True):
        np.testing.assert_allclose(got, e, rtol=1e-4, atol=1e-4 * np.abs(e).max())


class TestSilhouette:
    # With the limit lowered, faces are walked by many lanes, and by several programs.
    @pytest.mark.parametrize("large", [100, pytest.param(1024, marks=pytest.mark.gpu)])
    def test_equals_the_work_list(self, monkeypatch, kernels, draw, large):
        monkeypatch.setattr(kernels.limits, "LARGE", large)
        arguments = adversarial_scenes()
        got = jax.jit(with_gradients(draw))(*arguments)
        expected = jax.jit(with_gradients(as_silhouette(xla.blend)))(*arguments)
        assert_equal_but_for_rounding(got, expected)

    def test_deep_inside_of_many_faces(self, draw):
        triangle = np.array([[-0.9, -0.9], [0.9, -0.9], [0.1, 0.9]], np.float32)
        faces = jnp.asarray(np.broadcast_to(triangle, (1, 40, 3, 2)))
        sigma = jnp.full(1, 1e-7)
        alpha, expected = (
            jax.jit(functools.partial(each, height=4, width=4))(faces, sigma)
            for each in (draw, as_silhouette(xla.blend))
        )
        assert alpha.max() == 1
        np.testing.assert_allclose(alpha, expected, atol=1e-6)

    @pytest.mark.slow  # the work list's derivatives, which are tested with it
    def test_derivatives_of_second_order(self, kernels, draw):
        if INTERPRET and kernels.name == "mosaic":
            pytest.skip("the interpreter has effects, which are not partitioned")
        assert_products_equal(draw)

    @pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
    @pytest.mark.slow  # the composition tests shard other kernels the same way
    @pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
    def test_several_devices_draw_their_own_images(self, kernels, draw, kind):
        if INTERPRET and kernels.name == "mosaic":
            pytest.skip("the interpreter has effects, which are not partitioned")
        count = 2 * (jax.device_count() // 2)
        arguments = [
            jnp.asarray(np.resize(x, (count, *x.shape[1:])))
            for x in adversarial_scenes()
        ]
        mesh = jax.make_mesh((count,), ("data",), axis_types=(kind,))
        sharded = [jax.device_put(x, NamedSharding(mesh, P("data"))) for x in arguments]
        with jax.set_mesh(mesh):
            program = jax.jit(with_gradients(draw)).lower(*sharded).compile()
            got = program(*sharded)
        assert "all-gather" not in str(program.as_text())
        assert {len(x.addressable_shards[0].data) for x in got} == {1}
        assert_same_bytes(got, jax.jit(with_gradients(draw))(*arguments))

    @pytest.mark.parametrize("shape", [(0, 3, 3, 2), (2, 0, 3, 2)])
    def test_nothing_to_draw(self, draw, shape):
        alpha = jax.jit(draw)(jnp.zeros(shape), jnp.ones(shape[0]))
        assert alpha.shape == (shape[0], HEIGHT, WIDTH) and not alpha.any()

    def test_leaves_double_precision_to_xla(self, draw, x64):
        faces, sigma, _ = (x[:1].astype(float) for x in adversarial_scenes())
        expected = jax.jit(as_silhouette(xla.blend))(faces, sigma)
        np.testing.assert_array_equal(jax.jit(draw)(faces, sigma), expected)


class TestLowering:
    @pytest.mark.parametrize("large", [100, 1024])
    def test_every_kernel(self, monkeypatch, recwarn, kernels, compiled, large):
        monkeypatch.setattr(kernels.limits, "LARGE", large)
        text = lowered(with_gradients(compiled), *adversarial_scenes())
        assert all(kernel in text for kernel in KERNELS)
        assert not support.unexpected(recwarn.list)

    def test_vmap_is_one_call_of_the_kernel(self, kernels, compiled):
        faces, sigma, _ = adversarial_scenes()
        once, vmapped = (
            lowered(draw, faces, sigma)
            for draw in (compiled, jax.vmap(lambda f, s: compiled(f[None], s[None])[0]))
        )
        calls = kernels.lowered_call
        assert vmapped.count(calls) == once.count(calls) > 0

    def test_weakly_typed_arguments(self, compiled):
        def total(scale):
            faces, sigma, _ = adversarial_scenes()
            sigma = jnp.full(len(sigma), 1.0)  # as weakly typed as a Python number
            return compiled(faces * scale, sigma)

        assert "silhouette_depth" in lowered(total, np.float32(1))

    @pytest.mark.parametrize("check_vma", [True, False])
    def test_within_shard_map(self, compiled, check_vma):
        draw = with_gradients(compiled)
        text = lowered(draw, *adversarial_scenes(), devices=3, check_vma=check_vma)
        assert "silhouette_gradient" in text and "all_gather" not in text


@pytest.mark.gpu
class TestOnDevice:
    @pytest.mark.parametrize("level, size", [(3, 64), (5, 130)])
    def test_spheres(self, draw, level, size):
        """Equal the work list; the same bytes again, alone and under `jax.vmap`."""
        faces = jnp.asarray(scenes.sphere(4, level), jnp.float32)
        sigma = jnp.full(4, 1e-4)
        weight = jnp.asarray(scenes.random_like(4, size, size), jnp.float32)
        function, expected = (
            with_gradients(functools.partial(d, height=size, width=size))
            for d in (draw, as_silhouette(xla.blend))
        )
        run = jax.jit(function)
        got = run(faces, sigma, weight)
        for g, e in zip(got, jax.jit(expected)(faces, sigma, weight), strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-3, atol=1e-5 * np.abs(e).max())
        assert_same_bytes(run(faces, sigma, weight), got)
        alone = run(faces[2:3], sigma[2:3], weight[2:3])
        assert_same_bytes(alone, tuple(x[2:3] for x in got))
        singly = jax.vmap(
            lambda *row: tuple(x[0] for x in function(*(y[None] for y in row)))
        )
        assert_same_bytes(jax.jit(singly)(faces, sigma, weight), got)

    def test_derivatives_of_second_order(self, draw):
        assert_products_equal(draw)

    def test_same_image_in_a_larger_batch(self, draw):
        arguments = adversarial_scenes()
        run = jax.jit(with_gradients(draw))
        alone = run(*(x[1:2] for x in arguments))
        assert_same_bytes(alone, tuple(x[1:2] for x in run(*arguments)))
