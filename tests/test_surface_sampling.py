from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh
from jaxsoftras.surface_sampling import sample_points

# triangles of areas 1/2, 0, 3/2 and 2, with padding in between
FACES = np.array(
    [[0, 1, 2], [-1, -1, -1], [0, 1, 1], [0, 2, 3], [-1, -1, -1], [0, 4, 2], [-1] * 3]
)
VERTICES = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3], [-4, 0, 0]])
MESH = mesh.Mesh(VERTICES.astype(np.float32), FACES)

sample = jax.jit(sample_points, static_argnums=2)


def test_uniform_by_area():
    drawn = sample(jax.random.key(0), MESH, 8000)
    counts = np.bincount(drawn.faces, minlength=7)
    expected = 8000 * np.array([0.5, 0, 0, 1.5, 0, 2, 0]) / 4
    np.testing.assert_allclose(counts, expected, atol=4 * 8000**0.5 / 2)
    assert not counts[expected == 0].any()
    weights = np.asarray(drawn.weights)
    assert weights.min() >= 0 and weights.max() < 1.0001
    # moments of the uniform distribution on a triangle
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose((weights**2).mean(axis=0), 1 / 6, atol=0.01)
    corners = VERTICES[FACES[drawn.faces]]
    points = np.einsum("nk,nkc->nc", weights, corners)
    np.testing.assert_allclose(drawn.points, points, atol=1e-5)


def test_batches():
    """Meshes get points of their own, also where they share a topology."""
    sphere = mesh.icosphere(1)
    vertices = jnp.stack([jnp.asarray(sphere.vertices)] * 2)
    drawn = sample(jax.random.key(1), mesh.Mesh(vertices, sphere.faces), 100)
    assert drawn.points.shape == (2, 100, 3) and drawn.faces.shape == (2, 100)
    assert not np.any(np.asarray(drawn.points[0]) == np.asarray(drawn.points[1]))
    stacked = mesh.stack_meshes([MESH, mesh.Mesh(*sphere[:2])])
    drawn = sample(jax.random.key(1), stacked, 100)
    chosen = np.take_along_axis(
        np.asarray(stacked.faces), np.asarray(drawn.faces)[..., None], axis=1
    )
    assert chosen.min() >= 0
    radius = np.linalg.norm(drawn.points[1], axis=-1)
    assert radius.min() > 0.8 and radius.max() <= 1.0001


def test_gradient_follows_the_vertices(x64):
    """The derivative of a point in a corner is the corner's weight."""
    key = jax.random.key(2)

    @jax.jit
    def both(vertices):
        def total(vertices):
            drawn = sample_points(key, MESH._replace(vertices=vertices), 50)
            return jnp.sum(drawn.points[:, 0]), drawn

        return jax.grad(total, has_aux=True)(vertices)

    gradient, drawn = both(jnp.asarray(VERTICES))
    expected = np.zeros_like(VERTICES)
    np.add.at(expected[:, 0], FACES[drawn.faces], drawn.weights)
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_without_area():
    """Points are arbitrary then, but finite."""
    flat = MESH._replace(faces=np.tile(FACES[2], (7, 1)))
    drawn = sample(jax.random.key(0), flat, 8000)
    assert np.all(np.isfinite(drawn.points)) and not np.any(drawn.faces)


def test_refusals():
    with pytest.raises(ValueError, match="5 points on 0 faces"):
        sample_points(jax.random.key(0), MESH._replace(faces=FACES[:0]), 5)
    with pytest.raises(ValueError, match="at least 0, not -1 points"):
        sample_points(jax.random.key(0), MESH, -1)
    with pytest.raises(ValueError, match="at least 0, not 2.0 points"):
        sample_points(jax.random.key(0), MESH, 2.0)  # pyright: ignore
    wrong: Any = (MESH.vertices, MESH.faces)
    with pytest.raises(ValueError, match="sample_points takes a Mesh.* not a tuple"):
        sample_points(jax.random.key(0), wrong, 5)


def test_half_precision_misses_no_face():
    """The running sum of areas would not tell its last faces apart."""
    sphere = mesh.icosphere(3)
    half = sphere._replace(vertices=np.asarray(sphere.vertices, np.float16))
    drawn = sample_points(jax.random.key(0), half, 30000)
    counts = np.bincount(np.asarray(drawn.faces), minlength=1280)
    assert counts.min() > 0 and drawn.points.dtype == np.float32
