import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import losses, mesh, topology
from tests.support.derivatives import check_gradient

SPHERE = mesh.icosphere(3)
LOSSES = {
    "laplacian": losses.laplacian,
    "cotangent": functools.partial(losses.laplacian, weights="cotangent"),
    "normal_consistency": losses.normal_consistency,
    "edge_length": functools.partial(losses.edge_length, target=0.3),
    "flatten": losses.flatten,
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)

TETRAHEDRON = jaxsoftras.Mesh(
    np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3),
    np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]),
)
CUBE = jaxsoftras.Mesh(
    np.array([[x, y, z] for x in (0.0, 1) for y in (0, 1) for z in (0, 1)]),
    np.array(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
        + [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    ),
)
SHEET = jaxsoftras.subdivide(
    jaxsoftras.Mesh(
        np.array([[0.0, 0, 0], [1, 0, 0.2], [0, 1, 0.1], [1, 1, 0.7]]),
        np.array([[0, 1, 2], [2, 1, 3]]),
    )
)


def noisy(sphere, seed=0, shape=()):
    noise = np.random.default_rng(seed).normal(0, 0.1, (*shape, *sphere.vertices.shape))
    return np.asarray(sphere.vertices) + noise


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

    @pytest.mark.parametrize(
        ("side", "bend"), [(0.1, 1.6), (0.03, 5), (0.01, 15), (0.001, 76)]
    )
    def test_short_edges_look_bent_as_documented(self, side, bend):
        half = 3**0.5 / 2
        flat = np.array([[0, 0, 0], [1, 0, 0], [0.5, half, 0], [0.5, -half, 0]])
        value = losses.flatten(side * flat, np.array([[0, 1, 2], [1, 0, 3]]))
        looks = np.rad2deg(np.arccos(1 - value**0.5))
        assert looks == pytest.approx(bend, abs=0.6)


class TestCotangentLaplacian:
    @pytest.mark.parametrize("solid", [TETRAHEDRON, mesh.icosphere(0)])
    def test_regular_solids(self, solid, x64):
        """By symmetry, the derivative of the area A at a vertex is 2 A / (V r)."""
        corners = solid.vertices[solid.faces]
        crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(crossed, axis=1).sum() / 2
        value = LOSSES["cotangent"](solid.vertices, solid.faces)
        assert value == pytest.approx(4 * area**2 / len(solid.vertices))

    def test_by_cotangents(self, x64):
        sphere = mesh.icosphere(1)
        vertices = noisy(sphere)
        sums = np.zeros_like(vertices)
        for face in np.asarray(sphere.faces):
            for i, j, k in (face, np.roll(face, 1), np.roll(face, 2)):
                a, b = vertices[i] - vertices[k], vertices[j] - vertices[k]
                weight = a @ b / np.linalg.norm(np.cross(a, b)) / 2
                sums[i] += weight * (vertices[i] - vertices[j])
                sums[j] += weight * (vertices[j] - vertices[i])
        value = LOSSES["cotangent"](vertices, sphere.faces)
        assert value == pytest.approx(np.sum(sums**2))

    def test_triangles_within_a_plane_do_not_matter(self, x64):
        fan = np.array([[k, (k + 1) % 5, 5] for k in range(5)])
        angle = np.linspace(0, 2 * np.pi, 6)[:5]
        rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
        values = [
            LOSSES["cotangent"](np.concatenate([rim, [[x, 0.1, 0]]]), fan)
            for x in (0.0, 0.2, -0.3)
        ]
        assert values[0] > 1
        np.testing.assert_allclose(values[1:], values[0])


class TestNormalConsistency:
    @pytest.mark.parametrize(
        ("solid", "expected"),
        [(TETRAHEDRON, 4 / 3), (CUBE, 12 / 18), (mesh.icosphere(0), 1 - 5**0.5 / 3)],
    )
    def test_solids(self, solid, expected):
        for scale in (1, 1e-6, 1e6):
            value = losses.normal_consistency(scale * solid.vertices, solid.faces)
            assert value == pytest.approx(expected, rel=1e-5)

    def test_orientation_of_faces_does_not_matter(self, x64):
        sphere = mesh.icosphere(1)
        flipped = np.where(
            np.arange(80)[:, None] % 3, sphere.faces, sphere.faces[:, ::-1]
        )
        values = [
            losses.normal_consistency(noisy(sphere), faces)
            for faces in (sphere.faces, flipped)
        ]
        assert values[0] > 0.01 and values[1] == pytest.approx(values[0])

    def test_faces_without_area_do_not_count(self):
        vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 2]])
        faces = np.array([[0, 1, 2], [1, 0, 3], [0, 3, 4]])
        value = losses.normal_consistency(vertices, faces)
        assert value == pytest.approx(1)


class TestEdgeLength:
    def test_by_hand(self, x64):
        vertices = noisy(SHEET)
        length = np.linalg.norm(
            np.diff(vertices[topology.edges(SHEET.faces)], axis=1), axis=-1
        )
        targets = np.array([0.0, 0.5])
        got = losses.edge_length(vertices, SHEET.faces, target=targets)
        np.testing.assert_allclose(got, [np.mean((length - t) ** 2) for t in targets])

    def test_gradient_of_the_target(self, x64):
        def loss(target):
            return losses.edge_length(SHEET.vertices, SHEET.faces, target=target)

        check_gradient(loss, (0.3,))

    @pytest.mark.parametrize("target", [-1.0, np.nan, np.inf])
    def test_wrong_target(self, target):
        with pytest.raises(ValueError, match="target must be a length"):
            losses.edge_length(SHEET.vertices, SHEET.faces, target=target)


@every_loss
class TestEveryLoss:
    def test_gradients(self, loss, x64):
        vertices = jnp.asarray(noisy(SHEET, shape=(2,)))
        topologies = np.stack([SHEET.faces, np.roll(SHEET.faces, 1, axis=1)])
        topologies[1, -2:] = -1
        for faces in (SHEET.faces, topologies):
            check_gradient(lambda v, faces=faces: loss(v, faces), (vertices,))

    @pytest.mark.slow
    def test_hessian(self, loss, x64):
        vertices = jnp.asarray(noisy(TETRAHEDRON))
        gradient = jax.grad(lambda v: loss(v, TETRAHEDRON.faces))
        hessian = jax.hessian(lambda v: loss(v, TETRAHEDRON.faces))(vertices)
        step = np.zeros((4, 3))
        step[1, 2] = 1e-6
        slope = (gradient(vertices + step) - gradient(vertices - step)) / 2e-6
        np.testing.assert_allclose(hessian[:, :, 1, 2], slope, rtol=1e-5, atol=1e-6)

    def test_a_batch_equals_its_meshes(self, loss):
        meshes = [TETRAHEDRON, SHEET]
        meshes = [
            m._replace(vertices=np.float32(noisy(m)), texture=None) for m in meshes
        ]
        batch = jaxsoftras.stack_meshes(meshes)

        def differentiate(vertices, faces):
            def run(vertices):  # in one program, which knows the faces
                values, pullback = jax.vjp(lambda v: loss(v, faces), vertices)
                return values, pullback(jnp.ones_like(values))[0]

            return jax.jit(run)(vertices)

        values, gradient = differentiate(batch.vertices, batch.faces)
        for row, value, single in zip(gradient, values, meshes, strict=True):
            alone = differentiate(single.vertices, single.faces)
            count = len(single.vertices)
            np.testing.assert_allclose(value, alone[0], rtol=2e-6)
            np.testing.assert_allclose(row[:count], alone[1], rtol=1e-4, atol=1e-5)
            assert np.all(row[count:] == 0)

    @pytest.mark.slow
    def test_traced_and_broadcast_faces(self, loss):
        padded = np.concatenate([SHEET.faces, np.full((3, 3), -1)])
        vertices = np.float32(noisy(SHEET, shape=(2, 3)))
        expected = loss(vertices, SHEET.faces)
        assert expected.shape == (2, 3)
        got = [
            loss(vertices, padded),
            loss(vertices, jnp.asarray(padded)),
            jax.jit(loss)(vertices, np.stack([padded] * 3)),
            *jax.vmap(loss, in_axes=(None, 0))(vertices, np.stack([padded] * 2)),
        ]
        for values in got:
            np.testing.assert_allclose(values, expected, rtol=2e-6)

    @pytest.mark.slow
    @pytest.mark.parametrize("known", [True, False])
    def test_degenerate_meshes_are_finite(self, loss, known):
        spike = np.array([[0, 1, 2], [0, 2, 1], [0, 1, 3], [2, 2, 1]])
        nothing, padding = np.zeros((0, 3), int), np.full((4, 3), -1)
        line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 0, 0]])
        value_and_gradient = jax.value_and_grad(loss)
        for faces in (spike, nothing, padding):
            for vertices in (np.zeros((4, 3)), line, 1e-15 * line):
                value, gradient = value_and_gradient(
                    np.float32(vertices), faces if known else jnp.asarray(faces)
                )
                assert np.isfinite(value) and np.all(np.isfinite(gradient))
                assert faces is spike or value == 0

    def test_vertices_that_no_face_uses_may_be_anything(self, loss):
        vertices = np.concatenate([noisy(SHEET), [[np.nan] * 3]])
        faces = jnp.asarray(SHEET.faces)
        run = jax.jit(jax.value_and_grad(lambda v: loss(v, faces)))
        value, gradient = run(np.float32(vertices))
        assert np.isfinite(value) and np.all(gradient[-1] == 0)

    def test_vertices_that_a_face_uses_show(self, loss):
        vertices = noisy(SHEET)
        vertices[4] = np.nan
        assert np.isnan(loss(vertices, SHEET.faces))

    def test_half_precision_is_computed_in_single(self, loss):
        vertices = jnp.asarray(noisy(SHEET), jnp.bfloat16)
        value = loss(vertices, SHEET.faces)
        assert value.dtype == jnp.float32
        assert value == loss(vertices.astype(jnp.float32), SHEET.faces)

    @pytest.mark.parametrize(
        ("vertices", "faces", "message"),
        [
            (
                np.zeros((4, 2)),
                CUBE.faces,
                r"vertices must have the shape \[..., V, 3\]",
            ),
            (np.zeros((8, 3), complex), CUBE.faces, "vertices must be real numbers"),
            (np.zeros((8, 3), str), CUBE.faces, "vertices must be real numbers"),
            ([[0, 0, 0], [1, 1]], CUBE.faces, "its rows differ in length"),
            (np.zeros((7, 3)), CUBE.faces, "indices of the 7 vertices"),
            (CUBE.vertices, CUBE.faces / 1.0, "faces must be integers"),
            (
                np.zeros((2, 8, 3)),
                np.stack([CUBE.faces] * 3),
                "leading axes must broad",
            ),
        ],
    )
    def test_errors(self, loss, vertices, faces, message):
        with pytest.raises(ValueError, match=message):
            loss(vertices, faces)


def test_wrong_weights():
    with pytest.raises(ValueError, match="weights must be one of uniform, cotangent"):
        losses.laplacian(CUBE.vertices, CUBE.faces, weights="cot")  # pyright: ignore
