"""What the tests of both pairs of Pallas kernels for silhouettes share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractDevice, AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from jaxsoftras import geometry
from jaxsoftras.kernels.reference import silhouette as silhouette_reference
from jaxsoftras.kernels.xla import silhouette as silhouette_xla
from tests.support import scenes

HEIGHT, WIDTH = 13, 19  # no multiple of anything
FACES = 24
CUTOFF = geometry.support(1e-4)
SIGMAS = (1e-4, 3e-4, 1e-3)


def xla(faces, sigma, height=HEIGHT, width=WIDTH):
    return silhouette_xla.silhouette_xla(
        faces, sigma, height=height, width=width, cutoff=CUTOFF
    )


def reference(faces, sigma):
    return silhouette_reference.silhouette_reference(
        faces, sigma, height=HEIGHT, width=WIDTH, cutoff=CUTOFF
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


def assert_products_equal(draw):
    """Forward over reverse, against `reference`."""
    faces, sigma, weight = (jnp.asarray(x[:1]) for x in adversarial_scenes())
    faces = faces[:, :3]

    def product(draw):
        def loss(faces, sigma):
            return jnp.sum(draw(faces, sigma) ** 2 * weight)

        gradient = jax.grad(loss, argnums=(0, 1))
        tangents = jnp.ones_like(faces), 0.1 * sigma
        return jax.jit(lambda *x: jax.jvp(gradient, x, tangents)[1])(faces, sigma)

    for got, expected in zip(product(draw), product(reference), strict=True):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * largest)


def assert_spheres_equal(draw, level, size):
    """Against `xla`, in a second run, alone and under `jax.vmap`."""
    faces = jnp.asarray(scenes.sphere(4, level), jnp.float32)
    sigma = jnp.full(4, 1e-4)
    weight = jnp.asarray(scenes.random_like(4, size, size), jnp.float32)
    draw = with_gradients(functools.partial(draw, height=size, width=size))
    run = jax.jit(draw)
    got = run(faces, sigma, weight)
    expected = functools.partial(xla, height=size, width=size)
    expected = jax.jit(with_gradients(expected))(faces, sigma, weight)
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-3, atol=1e-5 * np.abs(e).max())
    assert_same_bytes(run(faces, sigma, weight), got)
    alone = run(faces[2:3], sigma[2:3], weight[2:3])
    assert_same_bytes(alone, [x[2:3] for x in got])
    singly = jax.vmap(lambda *row: [x[0] for x in draw(*(y[None] for y in row))])
    assert_same_bytes(jax.jit(singly)(faces, sigma, weight), got)


def lowered(function, *arguments, devices=1, **shard_map):
    """The program for GPUs, without one; with arguments of `jax.shard_map`, split."""
    device = AbstractDevice("NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda")
    mesh = AbstractMesh(
        (devices,), ("data",), axis_types=(AxisType.Auto,), abstract_device=device
    )
    if shard_map:
        function = jax.shard_map(
            function, mesh=mesh, in_specs=P("data"), out_specs=P("data"), **shard_map
        )
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments
    )
    with jax.sharding.use_abstract_mesh(mesh):
        traced = jax.jit(function).trace(*arguments)
        return traced.lower(lowering_platforms=("cuda",)).as_text()
