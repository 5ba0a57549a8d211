"""GLB scenes and PLY polygons."""

import json
import struct

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import texture
from jaxsoftras.meshfile import load_mesh


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
