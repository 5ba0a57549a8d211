"""Faces far larger than the image: single precision against double."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.rasterization import large_faces

SIZES = [3e3, 1e5, 1e7]


def directions(rng):
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    return along, np.array([-along[1], along[0]])


def half_plane(rng, size):
    u, v = directions(rng)
    c = rng.uniform(-0.5, 0.5) * v
    return c - size * u, c + size * u, c + size * v


def wedge(rng, size):
    u, v = directions(rng)
    angle = rng.uniform(0.2, 2.8)
    c = rng.uniform(-0.5, 0.5, 2)
    return c, c + size * u, c + size * (np.cos(angle) * u + np.sin(angle) * v)


def strip(rng, size):
    u, v = directions(rng)
    c, width = rng.uniform(-0.5, 0.5) * v, rng.uniform(0.05, 0.8) * v
    return c - 0.7 * u + width, c - 0.7 * u - width, c + size * u


def needle(rng, size):
    u, v = directions(rng)
    c, width = rng.uniform(-0.5, 0.5) * v, rng.uniform(0.05, 0.8) * v
    return c - size * u, c + size * u, c + width + rng.uniform(-0.9, 0.9) * size * u


KINDS = [half_plane, wedge, strip, needle]


def draw_faces(kind, size, count=6):
    rng = np.random.default_rng(int(size))
    rows = []
    for _ in range(count):
        xy = np.array(kind(rng, size))[rng.permutation(3)]
        rows.append(np.concatenate([xy, rng.uniform(1, 3, (3, 1))], axis=-1))
    return np.array(rows, np.float32)[:, None]


@functools.partial(jax.jit, static_argnames="large")
def images(faces, colors, large):
    """Colour and alpha, in the precision of the faces."""
    if large:
        near = large_faces.bring_near(faces, perspective=True)
        faces = near.corners
        colors = jnp.where(
            near.far[..., None, None], near.weights @ colors, colors
        ).astype(faces.dtype)
    return jaxsoftras.rasterize(
        faces, colors, 16, sigma=1e-4, implementation="reference"
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_double_precision(kind, size, x64):
    faces = draw_faces(kind, size)
    colors = np.random.default_rng(0).uniform(size=(6, 1, 3, 3))
    expected = images(jnp.asarray(faces, jnp.float64), colors, False)
    got = images(jnp.asarray(faces), jnp.asarray(colors, jnp.float32), True)
    error = np.abs(got - expected)
    assert error[..., 3].max() < 0.03
    # where alpha ends, a rounding decides whether there is a colour
    assert np.mean(error[..., :3] < 0.03) > 0.99
    if size > 1e4:
        plain = images(jnp.asarray(faces), jnp.asarray(colors, jnp.float32), False)
        assert np.abs(plain - expected).max() > 0.1


@pytest.mark.parametrize(
    "kind", [pytest.param(half_plane, marks=pytest.mark.slow), wedge]
)
def test_gradients_equal_double_precision(kind, x64):
    faces = draw_faces(kind, 1e6, 2)

    def loss(faces):
        alpha = jaxsoftras.silhouette(faces, 16, sigma=1e-2, implementation="reference")
        return jnp.sum(alpha**2)

    expected = jax.jit(jax.grad(loss))(jnp.asarray(faces, jnp.float64))
    got = jax.grad(loss)(jnp.asarray(faces))  # known without jit
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("interpolation", ["perspective", "orthographic"])
@pytest.mark.slow
def test_fragments_have_the_weights_of_the_given_corners(interpolation, x64):
    faces = draw_faces(wedge, 1e6, 3)
    find = functools.partial(
        jaxsoftras.find_fragments,
        image_size=16,
        interpolation=interpolation,
        implementation="reference",
    )
    found, exact = find(faces), find(jnp.asarray(faces, jnp.float64))
    same = np.asarray(found.face) == np.asarray(exact.face)
    assert same.mean() > 0.99 and (exact.face >= 0).mean() > 0.05
    np.testing.assert_allclose(found.depth[same], exact.depth[same], rtol=1e-4)
    np.testing.assert_allclose(found.weights[same], exact.weights[same], atol=1e-4)


def test_small_faces_are_not_touched():
    faces = np.float32(np.random.default_rng(0).normal(size=(2, 5, 3, 3)))
    large = np.broadcast_to(draw_faces(wedge, 1e6, 2), (2, 1, 3, 3))
    bring_near = jax.jit(functools.partial(large_faces.bring_near, perspective=True))
    near = jax.device_get(bring_near(np.concatenate([faces, large], axis=1)))
    np.testing.assert_array_equal(near.corners[:, :5], faces)
    assert not near.far[:, :5].any() and near.far[:, 5:].all()
