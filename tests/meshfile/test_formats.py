"""Mesh files: what comes back, real files, and how bad ones are refused."""

import json
import struct

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import mesh, texture, topology
from jaxsoftras.meshfile import load_mesh, save_mesh

FORMATS = ["obj", "off", "ply", "stl", "glb"]
RNG = np.random.default_rng(0)
SPHERE = mesh.Mesh(
    np.asarray(mesh.icosphere(1).vertices, np.float32),
    np.asarray(mesh.icosphere(1).faces),
)
TEXTURES = {
    "vertex": texture.VertexColors(RNG.random((42, 3))),
    "face": texture.FaceColors(RNG.random((80, 3))),
    "uv": texture.UVTexture(RNG.random((80, 3, 2)), RNG.random((5, 7, 3))),
}
EIGHT_BITS = 0.5 / 255 + 1e-6


def textured(kind) -> mesh.Mesh:
    return SPHERE._replace(texture=TEXTURES[kind])


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


class TestRoundTrip:
    @pytest.mark.parametrize("ending", FORMATS)
    def test_shape(self, ending, tmp_path):
        save_mesh(tmp_path / f"a.{ending}", SPHERE)
        assert files_of(tmp_path) == [f"a.{ending}"]
        loaded = load_mesh(tmp_path / f"a.{ending}")
        assert loaded.texture is None
        assert loaded.vertices.dtype == np.float32 and loaded.faces.dtype == np.int32
        assert topology.is_watertight(loaded.faces)
        if ending == "stl":  # holds triangles only
            vertices, expected = loaded.vertices, SPHERE.vertices
            assert len(vertices) == len(expected)
            np.testing.assert_array_equal(
                vertices[loaded.faces], expected[SPHERE.faces]
            )
        else:
            np.testing.assert_array_equal(loaded.vertices, SPHERE.vertices)
            np.testing.assert_array_equal(loaded.faces, SPHERE.faces)

    @pytest.mark.parametrize(
        "ending, kind, tolerance",
        [
            ("obj", "vertex", 1e-6),
            ("obj", "face", 1e-6),
            ("off", "vertex", 1e-6),
            ("off", "face", 1e-6),
            ("ply", "vertex", EIGHT_BITS),
            ("ply", "face", EIGHT_BITS),
            ("glb", "vertex", EIGHT_BITS),
        ],
    )
    def test_colors(self, ending, kind, tolerance, tmp_path):
        save_mesh(tmp_path / f"a.{ending}", textured(kind))
        loaded = load_mesh(tmp_path / f"a.{ending}")
        assert loaded.texture is not None
        assert type(loaded.texture) is type(TEXTURES[kind])
        np.testing.assert_array_equal(loaded.faces, SPHERE.faces)
        values = loaded.texture[0]
        np.testing.assert_allclose(values, TEXTURES[kind][0], rtol=0, atol=tolerance)
        assert values.dtype == np.float32

    @pytest.mark.parametrize("ending", ["obj", "glb"])
    def test_image(self, ending, tmp_path):
        save_mesh(tmp_path / f"a b.{ending}", textured("uv"))
        if ending == "obj":
            assert files_of(tmp_path) == ["a b.mtl", "a b.obj", "a b.png"]
        loaded = load_mesh(tmp_path / f"a b.{ending}")
        np.testing.assert_array_equal(loaded.vertices, SPHERE.vertices)
        np.testing.assert_array_equal(loaded.faces, SPHERE.faces)
        assert isinstance(loaded.texture, texture.UVTexture)
        coordinates, image = TEXTURES["uv"]
        np.testing.assert_allclose(loaded.texture.coordinates, coordinates, atol=1e-6)
        np.testing.assert_allclose(loaded.texture.image, image, atol=EIGHT_BITS)

    @pytest.mark.parametrize("resolution", [1, 2, 3])
    def test_texels_survive_on_an_image(self, resolution, tmp_path):
        texels = RNG.random((80, resolution**2, 3))
        surface = texture.SurfaceTexture(texels)
        save_mesh(tmp_path / "a.obj", SPHERE._replace(texture=surface))
        loaded = load_mesh(tmp_path / "a.obj").texture
        assert isinstance(loaded, texture.UVTexture)
        baked = jax.jit(texture.bake, static_argnums=1)(loaded, resolution)
        np.testing.assert_allclose(baked.texels, texels, atol=EIGHT_BITS)

    def test_grey_and_padding(self, tmp_path):
        small = mesh.Mesh(SPHERE.vertices[:3], np.array([[0, 1, 2]]))
        grey = texture.FaceColors(np.full((1, 1), 0.25))
        many = texture.FaceColors(np.full((80, 1), 0.5))
        batch = mesh.stack_meshes(
            [small._replace(texture=grey), SPHERE._replace(texture=many)]
        )
        save_mesh(tmp_path / "a.off", jax.tree.map(lambda x: x[0], batch))
        loaded = load_mesh(tmp_path / "a.off")
        np.testing.assert_array_equal(loaded.faces, [[0, 1, 2]])
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_array_equal(loaded.texture.values, np.full((1, 3), 0.25))

    def test_save_of_arrays(self, tmp_path):
        save_mesh(tmp_path / "a.obj", mesh.Mesh(SPHERE.vertices, SPHERE.faces))
        assert len(load_mesh(tmp_path / "a.obj").faces) == 80


class TestOff:
    @pytest.mark.parametrize(
        "text",
        [
            "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 255 0 51\n"
            "3 0 1 2 0 0 0\n",
            "OFF 4 2 0\n# corners\n0 0 0\n1 0 0\n\n1 1 0\n0 1 0\n"
            "4 0 1 2 3 1.0 0.0 0.2 1.0\n3 0 1 2 0.0 0 0 1\n",
            "OFF4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4  0 1 2 3 255 0 51 255\n"
            "3 0 1 2 0 0 0 255\n",
            "NOFF\n4 2 0\n0 0 0 0 0 1\n1 0 0 0 0 1\n1 1 0 0 0 1\n0 1 0 0 0 1\n"
            "4 0 1 2 3 255 0 51\n3 0 1 2 0 0 0\n",
        ],
    )
    def test_spellings(self, text, tmp_path):
        (tmp_path / "a.off").write_text(text)
        loaded = load_mesh(tmp_path / "a.off")
        np.testing.assert_array_equal(loaded.faces, [[0, 1, 2], [0, 2, 3], [0, 1, 2]])
        np.testing.assert_array_equal(loaded.vertices[2], [1, 1, 0])
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_allclose(
            loaded.texture.values, [[1, 0, 0.2], [1, 0, 0.2], [0, 0, 0]], atol=1e-6
        )


class TestGlb:
    def test_scene(self, tmp_path):
        """Objects in their places: moved, mirrored, with image, colour, and nothing."""
        import trimesh
        from trimesh.visual import TextureVisuals
        from trimesh.visual.material import PBRMaterial

        def tetrahedron(**look):
            return trimesh.Trimesh(
                np.concatenate([np.zeros((1, 3)), np.eye(3)]),
                [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]],
                process=False,
                **look,
            )

        uv = np.array([[0.1, 0.2], [0.9, 0.2], [0.5, 0.8], [0.3, 0.3]])
        pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
        images = [Image.fromarray(pixels), Image.fromarray(pixels[::-1])]
        scene = trimesh.Scene()
        for k, image in enumerate(images):
            look = TextureVisuals(
                uv,
                material=PBRMaterial(
                    baseColorTexture=image, baseColorFactor=[255, 51, 255, 255]
                ),
            )
            place = np.diag([2.0, 2, 2 - 4 * k, 1])  # the second is mirrored
            place[0, 3] = 20 * k - 10
            scene.add_geometry(tetrahedron(visual=look), transform=place)
        green = TextureVisuals(material=PBRMaterial(baseColorFactor=[0, 255, 0, 255]))
        scene.add_geometry(tetrahedron(visual=green))
        scene.add_geometry(tetrahedron())
        scene.export(str(tmp_path / "a.glb"))

        loaded = load_mesh(tmp_path / "a.glb")
        assert isinstance(loaded.texture, texture.UVTexture)
        # the last two, of one place, have the same vertices
        assert loaded.vertices.shape == (12, 3) and loaded.faces.shape == (16, 3)
        corners = loaded.vertices[loaded.faces]
        sample = jax.jit(texture.sample)
        uvs = loaded.texture.coordinates.reshape(-1, 2)
        colors = np.asarray(sample(loaded.texture.image, uvs)).reshape(16, 3, 3)
        for k, image in enumerate([pixels, pixels[::-1]]):
            place = np.array([20 * k - 10, 0, 0])
            own = np.abs(corners.mean(axis=1)[:, 0] - place[0]) < 5
            shape = (corners[own] - place) / np.array([2, 2, 2 - 4 * k])
            assert len(shape) == 4
            # outward: the volume is positive, in spite of the mirror
            assert np.linalg.det(corners[own] - place).sum() == pytest.approx(8)
            vertex = (shape @ np.array([1, 2, 3])).astype(int)
            expected = np.asarray(sample(image / 255 * [1, 0.2, 1], uv))[vertex]
            np.testing.assert_allclose(colors[own], expected, atol=1e-4)
        plain = colors[np.abs(corners.mean(axis=1)[:, 0]) < 5].reshape(8, 9)
        np.testing.assert_allclose(
            plain[np.argsort(plain[:, 0])],
            np.repeat([[0, 1, 0] * 3, [1, 1, 1] * 3], 4, axis=0),
            atol=1e-6,
        )

    def test_compression_is_refused(self, tmp_path):
        header = json.dumps({"extensionsRequired": ["KHR_draco_mesh_compression"]})
        chunk = header.encode().ljust(64)
        content = struct.pack("<4sIII4s", b"glTF", 2, 84, len(chunk), b"JSON") + chunk
        (tmp_path / "a.glb").write_bytes(content)
        with pytest.raises(
            ValueError, match="GLB: it needs KHR_draco_mesh_compression;"
        ):
            load_mesh(tmp_path / "a.glb")


class TestPly:
    HEADER = (
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        "property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    )
    VERTICES = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"

    def test_polygons(self, tmp_path):
        text = f"{self.HEADER}end_header\n{self.VERTICES}4 0 1 2 3\n"
        (tmp_path / "a.ply").write_text(text)
        loaded = load_mesh(tmp_path / "a.ply")
        corners = loaded.vertices[loaded.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        np.testing.assert_array_equal(normals, [[0, 0, 1], [0, 0, 1]])

    def test_colors_of_polygons_are_refused(self, tmp_path):
        colors = "".join(f"property uchar {c}\n" for c in ("red", "green", "blue"))
        text = f"{self.HEADER}{colors}end_header\n{self.VERTICES}4 0 1 2 3 255 0 0\n"
        (tmp_path / "a.ply").write_text(text)
        with pytest.raises(ValueError, match="more than three corners"):
            load_mesh(tmp_path / "a.ply")


def test_normalize(tmp_path):
    box = mesh.Mesh(
        np.array([[1.0, 0, 0], [5, 0, 0], [1, 2, 1]]), np.array([[0, 1, 2]])
    )
    save_mesh(tmp_path / "a.obj", box)
    vertices = load_mesh(tmp_path / "a.obj", normalize=True).vertices
    np.testing.assert_allclose(
        vertices, [[-1, -0.5, -0.25], [1, -0.5, -0.25], [-1, 0.5, 0.25]]
    )
    save_mesh(tmp_path / "b.obj", box._replace(vertices=np.ones((3, 3))))
    with pytest.raises(ValueError, match="no extent"):
        load_mesh(tmp_path / "b.obj", normalize=True)


def test_real_files(shared):
    folder = shared / "data" / "meshes" / "samples"
    rows = json.loads((folder / "samples.json").read_text())
    assert len(rows) == 38
    for row in rows:
        loaded = load_mesh(folder / row["file"])
        counts = len(loaded.vertices), len(loaded.faces)
        assert counts == (row["vertices"], row["faces"]), row["file"]
        assert topology.is_watertight(loaded.faces) == row["watertight"], row["file"]
        # file = scale * shape + offset, of a shape in a centred box of longest side 1
        extent = np.ptp(loaded.vertices, axis=0)
        middle = loaded.vertices.min(axis=0) + extent / 2
        assert extent.max() == pytest.approx(row["scale"], rel=1e-3), row["file"]
        np.testing.assert_allclose(middle, row["offset"], atol=1e-3 * row["scale"])
