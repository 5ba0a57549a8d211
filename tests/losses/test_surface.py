import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trimesh import triangles

import jaxsoftras
from jaxsoftras import losses
from tests.support.derivatives import check_gradient

SPHERE = jaxsoftras.icosphere(2)
FACE = np.array([[0, 1, 2]])
TRIANGLE = np.array([[0.0, 0, 0], [4, 0, 0], [0, 3, 0]])
# above, beside each side, beyond each corner, and the foot on the triangle
PLACES = [
    ([1, 1, 2], [1, 1, 0]),
    ([1, -2, 1], [1, 0, 0]),
    ([-2, 1, 1], [0, 1, 0]),
    ([3.5, 3.5, 1], [2, 1.5, 0]),
    ([-1, -2, 1], [0, 0, 0]),
    ([6, -1, 1], [4, 0, 0]),
    ([-1, 5, 1], [0, 3, 0]),
    ([1, 1, 0], [1, 1, 0]),
]
POINTS, FEET = (np.array(x, float) for x in zip(*PLACES, strict=True))


def cloud(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*shape, 3))


def brute_force(points, corners):
    """Distances ``[P]`` to triangles ``[F, 3, 3]``, by trimesh."""
    grid = len(points), len(corners)
    every = np.broadcast_to(points[:, None], (*grid, 3)).reshape(-1, 3)
    other = np.broadcast_to(corners, (*grid, 3, 3)).reshape(-1, 3, 3)
    feet = triangles.closest_point(other, every)
    return np.linalg.norm(every - feet, axis=-1).reshape(grid).min(axis=1)


class TestNearestSurfacePoints:
    @pytest.mark.parametrize("order", [[0, 1, 2], [1, 2, 0], [0, 2, 1]])
    def test_each_part_of_a_triangle(self, order):
        found = losses.nearest_surface_points(POINTS, TRIANGLE, np.array([order]))
        np.testing.assert_allclose(found.points, FEET, atol=1e-6)
        corners = TRIANGLE[order]
        np.testing.assert_allclose(found.weights @ corners, FEET, atol=1e-6)
        assert np.all(found.weights >= 0)

    def test_by_trimesh(self, x64):
        """With more points and faces than the search looks at together."""
        points = np.concatenate([1.5 * cloud(900), 0.9 * cloud(1300, seed=1)])
        sphere = jaxsoftras.icosphere(3)
        found = losses.nearest_surface_points(points, sphere.vertices, sphere.faces)
        distances = np.linalg.norm(found.points - points, axis=-1)
        corners = sphere.vertices[sphere.faces]
        some = slice(None, None, 20)
        np.testing.assert_allclose(distances[some], brute_force(points[some], corners))
        placed = np.einsum("pk,pkx->px", found.weights, corners[found.faces])
        np.testing.assert_allclose(found.points, placed)

    @pytest.mark.parametrize("thickness", [1e-2, 1e-4, 1e-6, 1e-8, 0])
    def test_slivers(self, thickness):
        """As in double precision, in the plane of a sliver and beside it."""
        sliver = np.array([[1.0, 2, 3], [2, 3.5, 4], [1.4, 2.6, 3.4]])
        sliver[2] += thickness * np.array([1, -1, 0.5])
        sliver = np.float32(sliver)
        points = np.float32(1.5 + 2 * cloud(50))
        found = losses.nearest_surface_points(points, sliver, FACE)
        distances = np.linalg.norm(found.points - points, axis=-1)
        with jax.enable_x64(True):
            exact = losses.nearest_surface_points(
                points.astype(float), sliver.astype(float), FACE
            )
        expected = np.linalg.norm(np.asarray(exact.points) - points, axis=-1)
        np.testing.assert_allclose(distances, expected, rtol=2e-6)

    @pytest.mark.parametrize("scale", [1e-6, 1e6])
    def test_scale(self, scale):
        found = losses.nearest_surface_points(scale * POINTS, scale * TRIANGLE, FACE)
        np.testing.assert_allclose(found.points / scale, FEET, atol=1e-5)

    def test_derivative(self, x64):
        triangle = TRIANGLE + 0.1 * cloud(3)
        check_gradient(
            lambda p, v: losses.nearest_surface_points(p, v, FACE).points,
            (POINTS, triangle),
        )

    def test_unusable_faces(self):
        vertices = np.concatenate([TRIANGLE, [[1, 1, np.nan], [1, 1, 2]]])
        faces = np.array([[0, 1, 3], [-1, -1, -1], [0, 1, 2]])
        found = losses.nearest_surface_points(POINTS, vertices, faces)
        np.testing.assert_array_equal(found.faces, 2)
        np.testing.assert_allclose(found.points, FEET, atol=1e-6)


class TestPointMeshDistance:
    def test_by_trimesh(self, x64):
        points = cloud(30)
        distances = brute_force(points, SPHERE.vertices[SPHERE.faces])
        for squared, expected in ((True, distances**2), (False, distances)):
            got = losses.point_mesh_distance(
                points, SPHERE.vertices, SPHERE.faces, squared=squared
            )
            assert got == pytest.approx(np.mean(expected))

    def test_points_around_a_plane(self, x64):
        square = np.array([[-1.0, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]])
        faces = np.array([[0, 1, 2], [2, 1, 3]])
        points = np.array([[0.3, 0.2, 0.5], [2, 0.4, 0], [2, 2, 1]])
        got = losses.point_mesh_distance(points, square, faces)
        assert got == pytest.approx((0.25 + 1 + 3) / 3)

    @pytest.mark.parametrize("squared", [True, False])
    def test_gradients(self, squared, x64):
        def loss(points, vertices):
            return losses.point_mesh_distance(
                points, vertices, np.array([[0, 1, 2], [0, 2, 3]]), squared=squared
            )

        vertices = np.concatenate([TRIANGLE, [[-3, 0, 1]]]) + 0.1 * cloud(4)
        check_gradient(loss, (POINTS, vertices))

    @pytest.mark.slow
    def test_hessian(self, x64):
        """2 n n^T above a face, 2 (1 - e e^T) beside an edge, 2 near a corner."""
        hessian = jax.hessian(
            lambda p: losses.point_mesh_distance(p[None], TRIANGLE, FACE)
        )
        for place, diagonal in ((0, [0, 0, 2]), (1, [0, 2, 2]), (4, [2, 2, 2])):
            np.testing.assert_allclose(
                hessian(jnp.asarray(POINTS[place])), np.diag(diagonal), atol=1e-12
            )

    @pytest.mark.parametrize("squared", [True, False])
    def test_degenerate_faces_are_finite(self, squared):
        faces = FACE
        line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
        loss = jax.jit(
            jax.value_and_grad(
                functools.partial(losses.point_mesh_distance, squared=squared), (0, 1)
            )
        )
        for vertices in (np.zeros((3, 3)), line, 1e-15 * line):
            for point, distance in (([1.0, 3, 4], 25), ([0.0, 0, 0], 0)):
                value, gradients = loss(
                    np.array([point], np.float32),
                    np.float32(vertices),
                    faces,
                )
                if vertices is line or not distance:
                    expected = distance
                else:
                    expected = 26
                assert value == pytest.approx(expected ** (1 if squared else 0.5))
                assert all(np.all(np.isfinite(gradient)) for gradient in gradients)

    def test_a_batch_equals_its_meshes(self):
        meshes = [jaxsoftras.icosphere(0), jaxsoftras.Mesh(TRIANGLE, FACE)]
        batch = jaxsoftras.stack_meshes(meshes)
        points = cloud(3, 2, 20).astype(np.float32)

        @jax.jit
        @functools.partial(jax.grad, has_aux=True)
        def differentiate(vertices):
            values = losses.point_mesh_distance(points, vertices, batch.faces)
            return jnp.sum(values), values

        gradient, values = differentiate(batch.vertices)
        assert values.shape == (3, 2)
        for k, mesh in enumerate(meshes):
            corners = mesh.vertices[mesh.faces]
            for i in range(3):
                distances = brute_force(points[i, k], corners)
                np.testing.assert_allclose(
                    values[i, k], np.mean(distances**2), rtol=1e-5
                )
        assert np.all(np.any(gradient[1, :3] != 0, axis=-1))
        assert np.all(gradient[1, 3:] == 0)

    def test_mask_and_traced_faces(self):
        mask = np.arange(8) < 3
        faces = np.array([[0, 1, 2], [-1, -1, -1]])

        @jax.jit
        def loss(faces, mask):
            return losses.point_mesh_distance(POINTS, TRIANGLE, faces, points_mask=mask)

        expected = np.mean(np.sum((POINTS - FEET)[:3] ** 2, axis=-1))
        assert loss(faces, mask) == pytest.approx(expected)
        assert loss(np.full((2, 3), -1), mask) == 0
        assert loss(faces, np.zeros(8, bool)) == 0

    @pytest.mark.slow
    def test_memory_of_many_points(self):
        """All pairs would take 40 GB for each number of a pair."""
        many = jax.ShapeDtypeStruct((100_000, 3), jnp.float32)
        faces = jax.ShapeDtypeStruct((100_000, 3), jnp.int32)
        gradient = jax.grad(losses.point_mesh_distance, argnums=(0, 1))
        compiled = jax.jit(gradient).lower(many, many, faces).compile()
        memory = compiled.memory_analysis()
        assert memory is not None and memory.temp_size_in_bytes < 200e6

    @pytest.mark.parametrize(
        ("points", "faces", "mask", "message"),
        [
            (POINTS[:, :2], FACE, None, r"points must have the shape"),
            (POINTS[:0], FACE, None, "points must have at least one point"),
            (POINTS, [[0, 1, 3]], None, "indices of the 3 vertices"),
            (POINTS, np.zeros((0, 3), int), None, "at least one face"),
            (POINTS, [[-1, -1, -1]], None, "at least one face that is no padding"),
            (POINTS, FACE, np.ones((2, 7), bool), r"shape \[\.\.\., 8\]"),
        ],
    )
    def test_errors(self, points, faces, mask, message):
        with pytest.raises(ValueError, match=message):
            losses.point_mesh_distance(points, TRIANGLE, faces, points_mask=mask)
