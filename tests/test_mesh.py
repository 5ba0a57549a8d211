from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import checks, deterministic, mesh, texture, topology


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

    def test_template_has_the_measures_of_the_original(self):
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

    @pytest.mark.parametrize("level", [-1, 8, 1.5, 1.0, True, "1", None, [1]])
    def test_level_out_of_range(self, level):
        mesh.icosphere(1)  # equal to some, but not them
        with pytest.raises(ValueError, match="an int from 0 to 7, not "):
            mesh.icosphere(level)


@pytest.mark.parametrize(
    "dtype, message",
    [
        (str, "must be real numbers, not <U"),
        (object, "must be real numbers, not object"),
        (complex, "must be real numbers, not complex128"),
        (jnp.float8_e4m3fn, "must have at least 16 bits .*; convert to float32"),
    ],
)
def test_vertices_that_are_no_real_numbers(dtype, message):
    vertices, faces = np.eye(3).astype(dtype), np.array([[0, 1, 2]])
    for refuse in (
        lambda: mesh.checked_mesh(mesh.Mesh(vertices, faces), "render"),
        lambda: mesh.face_vertices(vertices, faces),
    ):
        with pytest.raises(ValueError, match=f"^vertices {message}"):
            refuse()
    with pytest.raises(ValueError, match=f"^An array {message}"):
        checks.as_floats(vertices)


class TestFaceVertices:
    VERTICES = np.random.default_rng(0).normal(size=(2, 4, 3))
    FACES = np.array([[[0, 1, 2], [2, 1, 3]], [[3, 0, 1], [-1, -1, -1]]])

    @pytest.mark.parametrize("known", [True, False])
    def test_topologies_and_padding(self, known):
        faces = self.FACES if known else jnp.asarray(self.FACES)
        gathered = mesh.face_vertices(jnp.asarray(self.VERTICES), faces)
        assert gathered.shape == (2, 2, 3, 3)
        for k, f in [(0, 0), (0, 1), (1, 0)]:
            np.testing.assert_allclose(
                gathered[k, f], self.VERTICES[k, self.FACES[k, f]], rtol=1e-6
            )
        assert np.all(np.isposinf(gathered[1, 1]))

    def test_leading_axes_broadcast(self):
        @jax.jit
        def run(vertices):
            three = jnp.stack([vertices, -vertices, 2 * vertices])
            return (
                mesh.face_vertices(vertices[0], self.FACES),
                mesh.face_vertices(three, self.FACES, padding=0),
                mesh.face_vertices(vertices, self.FACES[1]),
            )

        vertices = np.asarray(self.VERTICES, np.float32)
        shared, several, one = map(np.asarray, run(vertices))
        assert shared.shape == (2, 2, 3, 3) and several.shape == (3, 2, 2, 3, 3)
        np.testing.assert_array_equal(shared[1, 0], vertices[0][self.FACES[1, 0]])
        np.testing.assert_array_equal(several[1], -several[0])
        np.testing.assert_array_equal(several[2, 1, 0], 2 * vertices[1, [3, 0, 1]])
        assert not np.any(several[:, 1, 1])
        np.testing.assert_array_equal(one[0], shared[1])

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("batched", [True, False])
    def test_gradient_is_the_sum_at_each_vertex(self, known, batched):
        faces = self.FACES if batched else self.FACES[1]
        given = faces if known else jnp.asarray(faces)
        shape = (2, 2, 3, 3)
        weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)

        @jax.jit
        def both(vertices):
            gathered, pull = jax.vjp(lambda v: mesh.face_vertices(v, given), vertices)
            (gradient,) = pull(jnp.asarray(weights))
            return gathered, gradient, mesh.vertex_sums(jnp.asarray(weights), given, 4)

        gathered, gradient, sums = both(jnp.asarray(self.VERTICES))
        expected = np.zeros((2, 4, 3))
        for k, f, corner in np.ndindex(2, 2, 3):
            vertex = np.broadcast_to(faces, (2, 2, 3))[k, f, corner]
            if vertex >= 0:
                expected[k, vertex] += weights[k, f, corner]
        assert gathered.shape == shape
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-6)


class TestStack:
    SMALL = mesh.Mesh(np.eye(3), np.array([[0, 1, 2]]))
    LARGE = mesh.Mesh(np.arange(12.0).reshape(4, 3), np.array([[0, 1, 2], [2, 1, 3]]))

    def test_pads(self):
        batch = mesh.stack_meshes([self.SMALL, self.LARGE])
        assert isinstance(batch.vertices, np.ndarray) and batch.texture is None
        np.testing.assert_array_equal(batch.vertices[0], np.eye(3)[[0, 1, 2, 0]])
        np.testing.assert_array_equal(batch.vertices[1], self.LARGE.vertices)
        np.testing.assert_array_equal(batch.faces[0], [[0, 1, 2], [-1, -1, -1]])
        np.testing.assert_array_equal(batch.faces[1], self.LARGE.faces)

    @pytest.mark.parametrize(
        "kind, shape",
        [
            (texture.FaceColors, lambda m: (len(m.faces), 3)),
            (texture.VertexColors, lambda m: (len(m.vertices), 3)),
            (texture.SurfaceTexture, lambda m: (len(m.faces), 4, 3)),
        ],
    )
    def test_pads_textures(self, kind, shape):
        meshes = [
            m._replace(texture=kind(np.ones(shape(m))))
            for m in (self.SMALL, self.LARGE)
        ]
        batch = mesh.stack_meshes(meshes)
        assert batch.texture is not None and isinstance(batch.texture, kind)
        values = np.asarray(batch.texture[0])
        assert values.shape == (2, *shape(self.LARGE))
        assert values[1].all()
        assert not values[0, -1].any() and values[0, 0].all()

    def test_uv_textures(self):
        images = np.random.default_rng(0).random((2, 4, 5, 3))
        meshes = [
            m._replace(texture=texture.UVTexture(np.ones((len(m.faces), 3, 2)), image))
            for m, image in zip((self.SMALL, self.LARGE), images, strict=True)
        ]
        batch = mesh.stack_meshes(meshes)
        assert isinstance(batch.texture, texture.UVTexture)
        np.testing.assert_array_equal(batch.texture.image, images)
        assert batch.texture.coordinates.shape == (2, 2, 3, 2)

    def test_images_of_several_sizes(self):
        large, small = np.ones((4, 5, 3)), np.ones((2, 5, 3))
        skins = [
            texture.UVTexture(np.ones((k, 3, 2)), image)
            for k, image in ((1, small), (2, large), (2, large))
        ]
        given = [self.SMALL, self.LARGE, self.LARGE]
        pairs = zip(given, skins, strict=True)
        batch: Any = mesh.stack_meshes([m._replace(texture=t) for m, t in pairs])
        assert batch.texture.image[0] is small and batch.texture.image[1] is large
        assert len(batch.texture.image) == 2
        index = [[0, 0], [1, 1], [1, 1]]
        np.testing.assert_array_equal(batch.texture.image_index, index)
        grey = texture.UVTexture(np.ones((1, 3, 2)), np.ones((4, 5, 1)))
        with pytest.raises(
            ValueError, match=r"one number of channels, not \[4, 5, 1\]"
        ):
            mesh.stack_meshes(
                [self.SMALL._replace(texture=grey), given[1]._replace(texture=skins[1])]
            )

    def test_opaque_and_transparent(self):
        clear = texture.FaceColors(np.full((1, 4), 0.5), True)
        plain = texture.FaceColors(np.full((2, 3), 0.5))
        batch: Any = mesh.stack_meshes(
            [self.SMALL._replace(texture=clear), self.LARGE._replace(texture=plain)]
        )
        assert batch.texture.transparent
        np.testing.assert_array_equal(batch.texture.values[1, :, 3], 1)
        np.testing.assert_array_equal(batch.texture.values[0, 0, 3], 0.5)

    def test_differentiates(self):
        def total(vertices):
            batch = mesh.stack_meshes(
                [self.SMALL._replace(vertices=vertices), self.LARGE]
            )
            corners = mesh.face_vertices(jnp.asarray(batch.vertices), batch.faces)
            return jnp.sum(jnp.where(jnp.isfinite(corners), corners, 0))

        np.testing.assert_array_equal(
            jax.jit(jax.grad(total))(np.eye(3)), np.ones((3, 3))
        )

    def test_refusals(self):
        colored = self.SMALL._replace(texture=texture.FaceColors(np.ones((1, 3))))
        grey = self.LARGE._replace(texture=texture.FaceColors(np.ones((2, 1))))
        with pytest.raises(ValueError, match="one kind; these have FaceColors, none"):
            mesh.stack_meshes([colored, self.LARGE])
        with pytest.raises(ValueError, match=r"values .* \[1\] and \[3\] after"):
            mesh.stack_meshes([colored, grey])
        with pytest.raises(ValueError, match=r"one has \[2, 3, 3\]"):
            mesh.stack_meshes([self.SMALL._replace(vertices=np.ones((2, 3, 3)))])
        with pytest.raises(ValueError, match="at least one"):
            mesh.stack_meshes([])
        with pytest.raises(ValueError, match="takes a list of meshes, not a Mesh"):
            mesh.stack_meshes(self.SMALL)  # pyright: ignore
        # padding of the batch would be there
        lacking = self.SMALL._replace(faces=np.array([[0, 1, 3]]))
        with pytest.raises(ValueError, match="indices of the 3 vertices"):
            mesh.stack_meshes([lacking, self.LARGE])

    def test_unsigned_faces(self):
        small, large = (
            m._replace(faces=np.asarray(m.faces, np.uint8))
            for m in (self.SMALL, self.LARGE)
        )
        expected = mesh.stack_meshes([self.SMALL, self.LARGE]).faces
        got = mesh.stack_meshes([small, large]).faces
        np.testing.assert_array_equal(got, expected)


class TestTopology:
    STRIP = np.array([[0, 1, 2], [2, 1, 3]])

    def test_interior_and_boundary_edges_of_a_strip(self):
        np.testing.assert_array_equal(
            topology.interior_edges(self.STRIP), [[1, 2, 0, 3]]
        )
        np.testing.assert_array_equal(
            topology.boundary_edges(self.STRIP), [[0, 1], [0, 2], [1, 3], [2, 3]]
        )

    def test_edges_of_three_faces_are_left_out(self):
        fan = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
        assert topology.interior_edges(fan).shape == (0, 4)
        assert len(topology.boundary_edges(fan)) == 6

    def test_padding_has_no_edges(self):
        padded = np.insert(self.STRIP, 1, -1, axis=0)
        for function in (
            topology.edges,
            topology.interior_edges,
            topology.boundary_edges,
        ):
            np.testing.assert_array_equal(function(padded), function(self.STRIP))

    def test_watertight(self):
        faces = np.asarray(mesh.icosphere(1).faces)
        assert topology.is_watertight(faces)
        assert not topology.is_watertight(faces[1:])
        assert not topology.is_watertight(np.concatenate([faces, faces]))
        assert not topology.is_watertight(faces[:0])
        turned = faces.copy()
        turned[5] = turned[5, ::-1]
        assert not topology.is_watertight(turned)

    def test_unreferenced_vertices(self):
        faces = np.array([[0, 3, 5], [-1, -1, -1]])
        np.testing.assert_array_equal(
            topology.unreferenced_vertices(faces, 7), [1, 2, 4, 6]
        )

    def test_refuses_batches(self):
        with pytest.raises(ValueError, match=r"one mesh, .* shape \[1, 2, 3\]"):
            topology.edges(self.STRIP[None])

    def test_refuses_floats(self):
        with pytest.raises(ValueError, match="must be integers, .* not float64"):
            topology.edges(self.STRIP + 0.5)


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
        got = jax.jit(lambda values: deterministic.segment_sum(values, given, 9))(
            values
        )
        np.testing.assert_allclose(got, expected, atol=1e-12)

    @pytest.mark.parametrize("known", [True, False])
    def test_derivatives(self, known, x64):
        index = np.array([[0, 3, 3], [1, 3, 0]])
        given = index if known else jnp.asarray(index)
        values = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 3)))

        def both(v):
            sums = deterministic.segment_sum(v[:, :3], given[0], 5)
            return jnp.sum(deterministic.take(v, given) ** 3) + jnp.sum(sums**3)

        check_grads(jax.jit(both), (values,), order=2, modes=["rev"])

    def test_gradient_holds_no_scatter(self):
        faces = np.asarray(mesh.icosphere(1).faces)
        gradient = jax.grad(lambda v: jnp.sum(mesh.face_vertices(v, faces) ** 2))
        text = jax.jit(gradient).lower(jnp.zeros((42, 3))).as_text()
        assert "gather" in text and "scatter" not in text
