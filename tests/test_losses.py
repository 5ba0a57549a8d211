import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import losses, mesh

SPHERE = mesh.icosphere(3)


class TestSilhouetteIou:
    def test_by_hand(self):
        predicted = jnp.array([[[1.0, 1.0, 0.0, 0.0]], [[0.5, 0.0, 0.0, 0.0]]])
        target = jnp.array([[[0.0, 1.0, 1.0, 0.0]], [[0.5, 1.0, 0.0, 0.0]]])
        np.testing.assert_allclose(
            losses.silhouette_iou(predicted, target), [1 / 3, 0.25 / 1.75], rtol=1e-5
        )

    def test_two_empty_images_are_finite(self):
        empty = jnp.zeros((8, 8))
        value, gradient = jax.value_and_grad(losses.silhouette_iou)(empty, empty)
        assert value == 0 and np.all(np.isfinite(gradient))


class TestLaplacian:
    @pytest.mark.parametrize(
        ("radius", "expected"), [(1, 0.09486618), (0.5, 0.02371655), (0.25, 0.00592914)]
    )
    def test_values_of_the_original(self, radius, expected, x64):
        vertices = jnp.asarray(radius * np.asarray(SPHERE.vertices))
        assert losses.laplacian(vertices, SPHERE.faces) == pytest.approx(
            expected, rel=1e-5
        )

    def test_equals_the_dense_matrix(self, x64):
        sphere = mesh.icosphere(1)
        faces = np.asarray(sphere.faces)
        adjacency = np.zeros((42, 42))
        for face in faces:
            for a in face:
                for b in face:
                    adjacency[a, b] = a != b
        matrix = np.eye(42) - adjacency / adjacency.sum(1, keepdims=True)
        vertices = np.random.default_rng(0).normal(size=(2, 42, 3))
        expected = np.sum((matrix @ vertices) ** 2, axis=(1, 2))
        got = losses.laplacian(jnp.asarray(vertices), faces)
        np.testing.assert_allclose(got, expected)

    def test_vertex_without_neighbours(self):
        vertices = jnp.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]])
        faces = np.array([[0, 1, 2]])
        value, gradient = jax.value_and_grad(losses.laplacian)(vertices, faces)
        assert np.isfinite(value) and np.all(gradient[3] == 0)


class TestFlatten:
    @pytest.mark.parametrize(
        ("radius", "expected"), [(1, 0.03114408), (0.5, 0.03898385), (0.25, 0.07977918)]
    )
    def test_values_of_the_original(self, radius, expected, x64):
        # The constant 1e-6 makes the value depend a little on which end of an edge
        # comes first, and so on the numbering of vertices, which differs from the
        # original's.
        values = []
        for seed in range(4):
            order = np.random.default_rng(seed).permutation(642)
            vertices = np.empty((642, 3))
            vertices[order] = radius * np.asarray(SPHERE.vertices)
            values.append(losses.flatten(jnp.asarray(vertices), order[SPHERE.faces]))
        assert np.ptp(values) > 0
        np.testing.assert_allclose(values, expected, rtol=1.5e-3 / radius**2)

    def test_flat_and_folded(self, x64):
        faces = np.array([[0, 1, 2], [2, 1, 3]])
        square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
        folded = square.copy()
        folded[3] = [0.1, 0.1, 0]
        assert losses.flatten(jnp.asarray(square), faces) == pytest.approx(0, abs=1e-5)
        assert losses.flatten(jnp.asarray(folded), faces) == pytest.approx(4, abs=1e-3)

    def test_boundary_edges_do_not_count(self):
        one_triangle = jnp.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        assert losses.flatten(one_triangle, np.array([[0, 1, 2]])) == 0

    def test_every_interior_edge_counts(self, x64):
        """The original misses edges that both faces list last."""
        roof = jnp.array([[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0.3], [0.5, -1, 0.3]])
        turned = [np.array([[0, 1, 2], [1, 0, 3]]), np.array([[1, 2, 0], [0, 3, 1]])]
        values = [losses.flatten(roof, faces) for faces in turned]
        assert values[0] > 0.01 and values[0] == pytest.approx(values[1])

    def test_collapsed_faces_are_finite(self):
        vertices = jnp.zeros((42, 3))
        faces = mesh.icosphere(1).faces
        gradient = jax.jit(jax.grad(lambda v: losses.flatten(v, faces)))(vertices)
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("loss", [losses.laplacian, losses.flatten])
def test_gradients(loss, x64):
    sphere = mesh.icosphere(1)
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 42, 3))
    vertices = jnp.asarray(np.asarray(sphere.vertices) + noise)
    loss_of_vertices = jax.jit(lambda v: loss(v, sphere.faces))
    check_grads(loss_of_vertices, (vertices,), order=1, modes=["rev"], eps=1e-6)
