import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import gather, mesh


class TestIcosphere:
    @pytest.mark.parametrize("level", [0, 1, 3])
    def test_counts_and_closedness(self, level):
        sphere = mesh.icosphere(level)
        vertices, faces = np.asarray(sphere.vertices), np.asarray(sphere.faces)
        assert vertices.shape == (10 * 4**level + 2, 3)
        assert faces.shape == (20 * 4**level, 3)
        np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
        assert len(mesh.edges(faces)) == 30 * 4**level  # Euler: V - E + F = 2
        assert len(mesh.interior_edges(faces)) == 30 * 4**level
        corners = vertices[faces]
        outward = np.linalg.det(corners)  # six times the volume below a face
        assert np.all(outward > 0)

    def test_template_is_that_of_the_original(self):
        vertices = np.asarray(mesh.icosphere(3).vertices)
        edges = mesh.edges(mesh.icosphere(3).faces)
        lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
        assert lengths.min() == pytest.approx(0.119, abs=5e-4)
        assert lengths.max() == pytest.approx(0.165, abs=5e-4)
        degrees = np.bincount(edges.ravel())
        assert sorted(np.bincount(degrees)[5:]) == [12, 630]
        assert np.any(np.all(vertices == [0, 1, 0], axis=1))

    def test_shared_arrays_are_read_only(self):
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(mesh.icosphere(1).vertices)[0] = 0

    @pytest.mark.parametrize("level", [-1, 8])
    def test_level_out_of_range(self, level):
        with pytest.raises(ValueError, match="from 0 to 7"):
            mesh.icosphere(level)


class TestTopology:
    def test_interior_edges_of_a_strip(self):
        # two triangles with one common edge; the other four are boundary
        np.testing.assert_array_equal(
            mesh.interior_edges(np.array([[0, 1, 2], [2, 1, 3]])), [[1, 2, 0, 3]]
        )

    def test_edges_of_three_faces_are_left_out(self):
        fan = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
        assert mesh.interior_edges(fan).shape == (0, 4)


class TestGather:
    @pytest.mark.parametrize("known", [True, False])
    def test_segment_sum(self, known, x64):
        rng = np.random.default_rng(0)
        # place 3 takes 150 values, more than are summed at a time; place 8 takes none
        index = np.concatenate([np.full(150, 3), rng.integers(0, 8, 50)])
        rng.shuffle(index)
        values = rng.normal(size=(2, 200, 3))
        expected = np.stack([values[:, index == k].sum(1) for k in range(9)], axis=1)
        given = index if known else jnp.asarray(index)
        got = gather.segment_sum(jnp.asarray(values), given, 9)
        np.testing.assert_allclose(got, expected, atol=1e-12)

    @pytest.mark.parametrize("known", [True, False])
    def test_derivatives(self, known, x64):
        index = np.array([[0, 3, 3], [1, 3, 0]])
        given = index if known else jnp.asarray(index)
        values = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 3)))
        check_grads(
            lambda v: jnp.sum(gather.take(v, given) ** 3), (values,), 2, modes=["rev"]
        )
        check_grads(
            lambda v: jnp.sum(gather.segment_sum(v, given[0], 5) ** 3),
            (values[:, :3],),
            order=2,
            modes=["rev"],
        )

    def test_gradient_holds_no_scatter(self):
        faces = np.asarray(mesh.icosphere(1).faces)
        gradient = jax.grad(lambda v: jnp.sum(mesh.face_vertices(v, faces) ** 2))
        text = jax.jit(gradient).lower(jnp.zeros((42, 3))).as_text()
        assert "gather" in text and "scatter" not in text
