from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh, normals

SPHERE = mesh.icosphere(1)
VERTICES, FACES = np.asarray(SPHERE.vertices), np.asarray(SPHERE.faces)


def test_sphere():
    @jax.jit
    def run(vertices):
        by_face = normals.face_normals(mesh.face_vertices(vertices, FACES))
        return by_face, normals.vertex_normals(vertices, FACES)

    by_face, by_vertex = run(VERTICES)
    np.testing.assert_allclose(np.linalg.norm(by_face, axis=1), 1, rtol=1e-6)
    centers = VERTICES[FACES].mean(axis=1)
    assert np.all(np.sum(np.asarray(by_face) * centers, axis=1) > 0.9)
    # 1: the corners of the icosahedron; the others lie where its faces were split
    assert np.all(np.sum(np.asarray(by_vertex) * VERTICES, axis=1) > 0.99)
    np.testing.assert_allclose(by_vertex[0], VERTICES[0], atol=1e-6)


def test_weighted_by_area():
    # a floor of area 2 and a wall of area 1/2 meet in the edge from 0 to 1
    vertices = jnp.array([[0.0, 0, 0], [1, 0, 0], [0, 4, 0], [0, 0, 1]])
    faces = np.array([[0, 1, 2], [0, 3, 1]])
    got = jax.jit(lambda v: normals.vertex_normals(v, faces))(vertices)
    np.testing.assert_allclose(got[0], np.array([0, 1, 4]) / 17**0.5, rtol=1e-6)
    np.testing.assert_allclose(got[2:], [[0, 0, 1], [0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_topologies_and_padding(known):
    rng = np.random.default_rng(0)
    vertices = jnp.asarray(rng.normal(size=(2, 5, 3)))
    faces = np.array([[[0, 1, 2], [2, 3, 4]], [[3, 1, 0], [-1, -1, -1]]])
    given = faces if known else jnp.asarray(faces)

    @jax.jit
    def run(vertices):
        flat = normals.face_normals(mesh.face_vertices(vertices, given))
        alone = [
            normals.vertex_normals(vertices[k], existing)
            for k, existing in enumerate([faces[0], faces[1, :1]])
        ]
        return normals.vertex_normals(vertices, given), flat, alone

    together, flat, alone = run(vertices)
    for got, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert not np.any(flat[1, 1]) and np.all(np.isfinite(flat))


def test_faces_without_area():
    """Normals are zero, with zero gradient, in each way of having no area."""
    vertices = jnp.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [1, 1, 1], [0, 3, 0], [-1, -1, -1]])

    @jax.jit
    def both(vertices):
        return (
            normals.face_normals(mesh.face_vertices(vertices, faces)),
            normals.vertex_normals(vertices, faces),
        )

    values, pull = jax.vjp(both, vertices)
    (gradient,) = pull(jax.tree.map(jnp.ones_like, values))
    for array in (*values, gradient):
        np.testing.assert_array_equal(array, 0)


def test_lists_and_half_precision():
    corners: Any = [[[0, 0, 0], [2, 0, 0], [0, 3, 0]]]
    np.testing.assert_array_equal(normals.face_normals(corners), [[0, 0, 1]])
    # the square of this area is less than the least number of half precision
    small = np.array(corners, np.float16) / 128
    np.testing.assert_array_equal(normals.face_normals(small), [[0, 0, 1]])
    with pytest.raises(
        ValueError, match=r"corners must have the shape .* not \[2, 3\]"
    ):
        normals.face_normals(np.ones((2, 3)))


def test_derivatives(x64):
    rng = np.random.default_rng(0)
    vertices = jnp.asarray(VERTICES + 0.1 * rng.normal(size=VERTICES.shape))
    weights = jnp.asarray(rng.normal(size=(3, *VERTICES.shape)))

    def loss(vertices):
        by_face = normals.face_normals(mesh.face_vertices(vertices, FACES))
        by_vertex = normals.vertex_normals(vertices, FACES)
        return jnp.sum(weights[0] * by_vertex) + jnp.sum(by_face[:, 0] ** 3)

    @jax.jit
    def derivatives(vertices):
        """Loss and gradient, and the changes of both along a direction."""
        return jax.jvp(jax.value_and_grad(loss), (vertices,), (weights[1],))

    (_, gradient), (_, product) = derivatives(vertices)
    (ahead, gradient_ahead), _ = derivatives(vertices + 1e-6 * weights[1])
    (behind, gradient_behind), _ = derivatives(vertices - 1e-6 * weights[1])
    exact = float(np.sum(gradient * weights[1]))
    assert exact == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-6)
    numeric = (gradient_ahead - gradient_behind) / 2e-6
    np.testing.assert_allclose(product, numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_any_unit(unit):
    """Areas of 1e-18 and 1e14: their squares are no numbers of single precision."""
    sphere = mesh.icosphere(2)
    vertices = jnp.asarray(unit * np.asarray(sphere.vertices), jnp.float32)
    got = normals.vertex_normals(vertices, sphere.faces)
    usual = normals.vertex_normals(sphere.vertices, sphere.faces)
    np.testing.assert_allclose(got, usual, atol=1e-5)

    def slant(vertices):
        return jnp.sum(normals.vertex_normals(vertices, sphere.faces)[:, 0] ** 3)

    by_unit = unit * jax.grad(slant)(vertices)
    np.testing.assert_allclose(
        by_unit, jax.grad(slant)(jnp.asarray(sphere.vertices)), atol=1e-4
    )
