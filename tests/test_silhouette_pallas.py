"""The Pallas kernels: interpreted and lowered on a CPU, and run on a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scenes
from jax.sharding import AbstractDevice, AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import geometry
from jaxsoftras.kernels import (
    face_program,
    silhouette_reference,
    silhouette_triton,
    silhouette_xla,
)

INTERPRET = jax.default_backend() != "gpu"
HEIGHT, WIDTH = 13, 19  # no multiple of anything
FACES = 24
CUTOFF = geometry.support(1e-4)
SIGMAS = (1e-4, 3e-4, 1e-3)

pytestmark = pytest.mark.filterwarnings(
    # the filter that the kernels set is undone when the test that compiled them ends
    "ignore:The Pallas Triton backend is deprecated:DeprecationWarning"
)


def triton(faces, sigma, height=HEIGHT, width=WIDTH, interpret=INTERPRET):
    return silhouette_triton.silhouette_triton(
        faces, sigma, height=height, width=width, cutoff=CUTOFF, interpret=interpret
    )


def xla(faces, sigma, height=HEIGHT, width=WIDTH):
    return silhouette_xla.silhouette_xla(
        faces, sigma, height=height, width=width, cutoff=CUTOFF
    )


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
    return faces, sigma, scenes.random_like(len(faces), HEIGHT, WIDTH).astype("f")


def assert_equal_but_for_rounding(got, expected):
    def with_coincident_corners_added(alpha, by_faces, by_sigma):
        # rounding decides which of two edges in the same place is the nearest
        image = list(scenes.SCENES).index("coincident vertices")
        both = by_faces[image, :, :2].sum(axis=1, keepdims=True)
        return alpha, jnp.asarray(by_faces).at[image, :, :2].set(both), by_sigma

    got = with_coincident_corners_added(*got)
    expected = with_coincident_corners_added(*expected)
    for g, e in zip(got, expected, strict=True):
        assert np.isfinite(g).all()
        np.testing.assert_allclose(g, e, rtol=1e-4, atol=2e-6 * np.abs(e).max())


def assert_same_bytes(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


class TestTriton:
    # With the lower limit, faces are walked by whole blocks, and by several programs.
    @pytest.mark.parametrize("large", [100, pytest.param(1024, marks=pytest.mark.gpu)])
    def test_equals_the_work_list(self, monkeypatch, large):
        monkeypatch.setattr(face_program, "LARGE", large)
        arguments = adversarial_scenes()
        got = jax.jit(with_gradients(triton))(*arguments)
        expected = jax.jit(with_gradients(xla))(*arguments)
        assert_equal_but_for_rounding(got, expected)

    def test_derivatives_of_second_order(self):
        faces, sigma, weight = (jnp.asarray(x[:1]) for x in adversarial_scenes())
        faces = faces[:, :3]

        def product(draw):
            def loss(faces, sigma):
                return jnp.sum(draw(faces, sigma) ** 2 * weight)

            gradient = jax.grad(loss, argnums=(0, 1))
            tangents = jnp.ones_like(faces), 0.1 * sigma
            return jax.jit(lambda *x: jax.jvp(gradient, x, tangents)[1])(faces, sigma)

        reference = functools.partial(
            silhouette_reference.silhouette_reference,
            height=HEIGHT,
            width=WIDTH,
            cutoff=CUTOFF,
        )
        for got, expected in zip(product(triton), product(reference), strict=True):
            largest = np.abs(expected).max()
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * largest)

    def test_vmap_is_one_call_of_the_kernel(self):
        faces, sigma, _ = adversarial_scenes()
        vmapped = jax.vmap(lambda f: triton(f[None], sigma[:1])[0])
        text = str(jax.make_jaxpr(vmapped)(faces))
        assert text.count("pallas_call[") == 1
        assert f"f64[{len(faces)},{HEIGHT},{WIDTH}]" in text

    @pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
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
    def lowered(self, function, *arguments):
        """For a GPU, without one."""
        device = AbstractDevice("NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda")
        mesh = AbstractMesh((1,), ("devices",), abstract_device=device)
        arguments = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arguments]
        with jax.sharding.use_abstract_mesh(mesh):
            traced = jax.jit(function).trace(*arguments)
            return traced.lower(lowering_platforms=("cuda",)).as_text()

    @pytest.mark.parametrize("large", [100, 1024])
    def test_every_kernel(self, monkeypatch, recwarn, large):
        monkeypatch.setattr(face_program, "LARGE", large)
        draw = functools.partial(triton, interpret=False)
        text = self.lowered(with_gradients(draw), *adversarial_scenes())
        for kernel in ("depth", "gradient", "sum"):
            assert f"silhouette_{kernel}" in text
        assert not recwarn.list

    def test_weakly_typed_arguments(self):
        def total(scale):
            faces, sigma, _ = adversarial_scenes()
            sigma = jnp.full(len(sigma), 1.0)  # as weakly typed as a Python number
            return triton(faces * scale, sigma, interpret=False)

        assert "silhouette_depth" in self.lowered(total, np.float32(1))

    @pytest.mark.parametrize("check_vma", [True, False])
    def test_within_shard_map(self, check_vma):
        device = AbstractDevice("NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda")
        mesh = AbstractMesh(
            (3,), ("data",), axis_types=(AxisType.Auto,), abstract_device=device
        )
        split = jax.shard_map(
            with_gradients(functools.partial(triton, interpret=False)),
            mesh=mesh,
            in_specs=P("data"),
            out_specs=P("data"),
            check_vma=check_vma,
        )
        arguments = [
            jax.ShapeDtypeStruct(a.shape, a.dtype) for a in adversarial_scenes()
        ]
        with jax.sharding.use_abstract_mesh(mesh):
            lowered = (
                jax.jit(split).trace(*arguments).lower(lowering_platforms=("cuda",))
            )
        text = lowered.as_text()
        assert "silhouette_gradient" in text and "all_gather" not in text


@pytest.mark.gpu
class TestOnDevice:
    @pytest.mark.parametrize("level, size", [(3, 64), (5, 130)])
    def test_spheres(self, level, size):
        faces = jnp.asarray(scenes.sphere(4, level), jnp.float32)
        sigma = jnp.full(4, 1e-4)
        weight = jnp.asarray(scenes.random_like(4, size, size), jnp.float32)
        draw = with_gradients(functools.partial(triton, height=size, width=size))
        run = jax.jit(draw)
        got = run(faces, sigma, weight)
        reference = functools.partial(xla, height=size, width=size)
        expected = jax.jit(with_gradients(reference))(faces, sigma, weight)
        for g, e in zip(got, expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-3, atol=1e-5 * np.abs(e).max())
        assert_same_bytes(run(faces, sigma, weight), got)
        alone = run(faces[2:3], sigma[2:3], weight[2:3])
        assert_same_bytes(alone, [x[2:3] for x in got])
        singly = jax.vmap(lambda *row: [x[0] for x in draw(*(y[None] for y in row))])
        assert_same_bytes(jax.jit(singly)(faces, sigma, weight), got)
