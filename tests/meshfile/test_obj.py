"""OBJ files: what others write, their materials and images."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import mesh, texture, topology
from jaxsoftras.meshfile import load_mesh


class TestObj:
    def read(self, folder, text, **files) -> mesh.Mesh:
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_text(content)
        (folder / "a.obj").write_text(text)
        return load_mesh(folder / "a.obj")

    def test_spellings(self, tmp_path):
        """Polygons, relative indices, comments, continued lines, normals, tabs."""
        loaded = self.read(
            tmp_path,
            "# a comment\n\no thing\ng\nv 0 0 0\nv\t1 0 0 # here\nv 1 \\\n1 0\n"
            "v 0 1 0 1.0\nvn 0 0 1\nvt 0 0\ns off\nf 1//1 2//1 3//1 4//1\n"
            "f -4 -3 -2\nv 0 2 0\nf 4/1 3/1 5/1\n",
        )
        np.testing.assert_array_equal(
            loaded.faces, [[0, 1, 2], [0, 2, 3], [0, 1, 2], [3, 2, 4]]
        )
        np.testing.assert_array_equal(loaded.vertices[2:4], [[1, 1, 0], [0, 1, 0]])

    def test_seams_leave_the_surface_whole(self, tmp_path):
        loaded = self.read(
            tmp_path,
            "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
            "f 1/1 3/2 2/3\nf 1/3 2/1 4/2\nf 2/1 3/2 4/3\nf 1/2 4/1 3/3\n",
        )
        assert topology.is_watertight(loaded.faces) and len(loaded.vertices) == 4
        # coordinates wait for an image
        assert isinstance(loaded.texture, texture.UVTexture)
        assert (
            loaded.texture.image.shape == (1, 1, 3) and loaded.texture.image.min() == 1
        )
        np.testing.assert_array_equal(
            loaded.texture.coordinates[0], [[0, 0], [1, 0], [0, 1]]
        )

    def test_materials(self, tmp_path):
        loaded = self.read(
            tmp_path,
            "mtllib my.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red one\nf 1 2 3\n"
            "usemtl unknown\nf 1 3 2\nusemtl grey\nf 2 3 1\n",
            my_mtl="newmtl red one\nKd 1 0 0\nNs 5\nnewmtl grey\nKd 0.25 0.25 0.25\n",
        )
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_array_equal(
            loaded.texture.values, [[1, 0, 0], [1, 1, 1], [0.25, 0.25, 0.25]]
        )

    def test_colors_up_to_255(self, tmp_path):
        text = "v 0 0 0 255 0 0\nv 1 0 0 0 51 0\nv 0 1 0 0 0 0\nf 1 2 3\n"
        loaded = self.read(tmp_path, text)
        assert isinstance(loaded.texture, texture.VertexColors)
        np.testing.assert_allclose(loaded.texture.values[:2], [[1, 0, 0], [0, 0.2, 0]])

    def several_images(self, folder, last_uv="1 1") -> mesh.Mesh:
        colors = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
        Image.fromarray(colors).save(folder / "one.png")
        Image.fromarray(colors[:2, :3]).save(folder / "two.png")
        return self.read(
            folder,
            "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\n"
            f"vt {last_uv}\nvt 3 5\nvt 4 5\nvt 4 6\n"
            "usemtl one\nf 1/1 2/2 3/3\nusemtl two\nf 1/4 2/5 3/6\nusemtl plain\n"
            "f 1/1 3/1 2/1\n",
            a_mtl="newmtl one\nmap_Kd -s 1 1 1 one.png\nnewmtl two\n"
            "map_Kd C:\\art\\two.png\nnewmtl plain\nKd 0 0.5 1\n",
        )

    def test_several_images_become_one(self, tmp_path):
        loaded = self.several_images(tmp_path).texture
        assert isinstance(loaded, texture.UVTexture)
        colors = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8) / 255
        corner = np.array([[0.0, 0], [1, 0], [1, 1]])
        weights = np.random.default_rng(0).dirichlet([0.5] * 3, 50)
        sample = jax.jit(texture.sample)
        uv = np.einsum("nk,fkc->fnc", weights, loaded.coordinates)
        for k, image in enumerate([colors, colors[:2, :3]]):
            np.testing.assert_allclose(
                sample(loaded.image, uv[k]), sample(image, weights @ corner), atol=1e-4
            )
        np.testing.assert_allclose(
            sample(loaded.image, uv[2]), np.tile([0, 0.5, 1], (50, 1)), atol=1e-5
        )

    def test_several_images_cannot_be_repeated(self, tmp_path):
        with pytest.raises(ValueError, match=r"a\.obj .* 3 images, some .* repeated"):
            self.several_images(tmp_path, last_uv="2 1")

    def test_missing_files(self, tmp_path):
        triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl a\nf 1/1 2/1 3/1\n"
        with pytest.warns(
            UserWarning, match="material file gone.mtl, which is missing"
        ):
            self.read(tmp_path, f"mtllib gone.mtl\n{triangle}")
        with pytest.warns(UserWarning, match="image gone.png, which is missing"):
            loaded = self.read(
                tmp_path,
                f"mtllib a.mtl\n{triangle}",
                a_mtl="newmtl a\nmap_Kd gone.png\nKd 0 1 0\n",
            )
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_array_equal(loaded.texture.values, [[0, 1, 0]])

    def test_damaged_image(self, tmp_path):
        with pytest.raises(ValueError, match=r"a\.png cannot be read as an image"):
            self.read(
                tmp_path,
                "mtllib a.mtl\nv 0 0 0\nusemtl a\nf 1 1 1\n",
                a_mtl="newmtl a\nmap_Kd a.png\n",
                a_png="no image",
            )
