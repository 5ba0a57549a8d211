"""OBJ files: what others write, their materials and images."""

import codecs

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import mesh, texture, topology
from jaxsoftras.meshfile import load_mesh

SAMPLE = jax.jit(texture.sample, static_argnums=2)

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
FACE = "mtllib a.mtl\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n"
RED = "newmtl red\nKd 1 0 0\n"


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
        with pytest.warns(UserWarning, match="not defined: unknown"):
            loaded = self.read(
                tmp_path,
                "mtllib my.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red one\nf 1 2 3\n"
                "usemtl unknown\nf 1 3 2\nusemtl grey\nf 2 3 1\n",
                my_mtl="newmtl red one\nKd 1 0 0\nnewmtl grey\nKd 0.25 0.25 0.25\n",
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
        uv = np.einsum("nk,fkc->fnc", weights, loaded.coordinates)
        for k, image in enumerate([colors, colors[:2, :3]]):
            np.testing.assert_allclose(
                SAMPLE(loaded.image, uv[k]),
                SAMPLE(image, weights @ corner, "repeat"),
                atol=1e-4,
            )
        np.testing.assert_allclose(
            SAMPLE(loaded.image, uv[2]), np.tile([0, 0.5, 1], (50, 1)), atol=1e-5
        )

    def test_images_repeated_within_a_face(self, tmp_path):
        loaded = self.several_images(tmp_path, last_uv="1 3").texture
        assert isinstance(loaded, texture.UVTexture)
        colors = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8) / 255
        weights = np.random.default_rng(0).dirichlet([0.5] * 3, 50)
        corners = np.array([[0.0, 0], [1, 0], [1, 3]])
        np.testing.assert_allclose(
            SAMPLE(loaded.image, weights @ loaded.coordinates[0]),
            SAMPLE(colors, weights @ corners, "repeat"),
            atol=1e-4,
        )

    def test_images_repeated_too_often_for_one(self, tmp_path):
        made = self.several_images(tmp_path, last_uv="1 1e6").texture
        assert isinstance(made, texture.UVTexture) and len(made.image) == 3
        assert made.wrap == "repeat"
        np.testing.assert_array_equal(made.image_index, [0, 1, 2])

    def test_missing_files(self, tmp_path):
        triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl a\nf 1/1 2/1 3/1\n"
        with pytest.warns(UserWarning, match="missing material files: gone.mtl"):
            self.read(tmp_path, f"mtllib gone.mtl\n{triangle}")
        with pytest.warns(UserWarning, match="missing images: gone.png"):
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

    @pytest.mark.parametrize(
        "mark, encoding",
        [
            (b"", "utf-8"),
            (codecs.BOM_UTF8, "utf-8"),
            (b"", "utf-16"),
            (codecs.BOM_UTF32_LE, "utf-32-le"),
        ],
    )
    def test_byte_order_marks(self, mark, encoding, tmp_path):
        for name, content in (("a.obj", f"v 5 0 0\n{FACE}"), ("a.mtl", RED)):
            (tmp_path / name).write_bytes(mark + content.encode(encoding))
        loaded = load_mesh(tmp_path / "a.obj")
        assert loaded.vertices[0, 0] == 5 and loaded.texture is not None
        np.testing.assert_array_equal(loaded.texture[0], [[1, 0, 0]])

    def test_comments_are_not_continued(self, tmp_path):
        text = f"{SQUARE}# C:\\art\\\nf 1 2 3 # D:\\\nf 1 3 4\n"
        assert len(self.read(tmp_path, text).faces) == 2

    def test_files_without_faces(self, tmp_path):
        with pytest.raises(
            ValueError, match="no faces, but lines are left out; points"
        ):
            self.read(tmp_path, f"{SQUARE}l 1 2 3\np 4\n")

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_only_line_ends_end_lines(self, end, tmp_path):
        odd = "\x0b\x0c\x1c\x85\u2028"
        text = f"# a{odd}f 1 1 1\n\nv 0 0 0\n{FACE}f 1 \\\n2 x\n"
        (tmp_path / "a.mtl").write_text(RED)
        (tmp_path / "a.obj").write_bytes(text.replace("\n", end).encode())
        with pytest.raises(ValueError, match="line 9 of a.obj .*: 'f 1  2 x'"):
            load_mesh(tmp_path / "a.obj")

    def test_keywords_in_capitals(self, tmp_path):
        loaded = self.read(
            tmp_path, f"V 0 0 0\n{FACE}".upper(), **{"A_MTL": RED.upper()}
        )
        assert loaded.texture is not None
        np.testing.assert_array_equal(loaded.texture[0], [[1, 0, 0]])

    @pytest.mark.parametrize(
        "words, colors",
        [
            (("1 0 0", "0.5 1.5 -1", "0 0 1"), [[1, 0, 0], [0.5, 1, 0], [0, 0, 1]]),
            (("255 0 0", "0 51 0", "0 0 255"), [[1, 0, 0], [0, 0.2, 0], [0, 0, 1]]),
            (("1 0 0", "", "0 0 1 1"), [[1, 0, 0], [1, 1, 1], [0, 0, 1]]),
            (("1 0 0", "1.0", "nan 0 1"), [[1, 0, 0], [1, 1, 1], [1, 1, 1]]),
        ],
    )
    def test_vertex_colors(self, words, colors, tmp_path):
        rows = "".join(f"v {k} {k * k} 0 {w}\n" for k, w in enumerate(words))
        loaded = self.read(tmp_path, f"{rows}f 1 2 3\n")
        assert isinstance(loaded.texture, texture.VertexColors)
        np.testing.assert_allclose(loaded.texture.values, colors)

    def test_far_too_large_colors_are_named(self, tmp_path):
        text = "v 0 0 0 1 9.5 0\nv 1 0 0 0 0 0\nv 0 1 0 0 0 0\nf 1 2 3\n"
        with pytest.warns(UserWarning, match="colours of vertices up to 9.5: clipped"):
            self.read(tmp_path, text)

    def test_vertex_colors_beside_materials(self, tmp_path):
        """They take the place of a material's colour, where they exist."""
        text = (
            "v 0 0 0 0 1 0\nv 1 0 0 0 1 0\nv 0 1 0 0 1 0\nv 2 0 0\nv 2 1 0\nv 3 0 0\n"
        )
        text += "mtllib a.mtl\nusemtl red\nf 1 2 3\nf 4 5 6\n"
        loaded = self.read(tmp_path, text, a_mtl=RED)
        assert isinstance(loaded.texture, texture.VertexColors)
        expected = np.repeat([[0, 1, 0], [1, 0, 0]], 3, axis=0)
        np.testing.assert_array_equal(loaded.texture.values, expected)

    def test_faces_without_coordinates(self, tmp_path):
        """Missing ones and NaN."""
        Image.new("RGB", (2, 2), "blue").save(tmp_path / "a.png")
        text = f"{SQUARE}vt 0 0\nvt nan 1\nvt 1 1\nvn nan -nan(ind) 0\nmtllib a.mtl\n"
        text += "usemtl a\nf 1/1 2/3 3/3\nf 1/1/1 2/2/1 3/3/1\nf 1 3 4\nf 1/1 2/3 4\n"
        with pytest.warns(UserWarning, match="no texture coordinates: 3, shown in its"):
            loaded = self.read(tmp_path, text, a_mtl="newmtl a\nmap_Kd a.png\n")
        assert isinstance(loaded.texture, texture.UVTexture)
        uv = loaded.texture.coordinates.reshape(-1, 2)
        seen = SAMPLE(loaded.texture.image, uv)
        np.testing.assert_allclose(seen, np.tile([0, 0, 1], (12, 1)), atol=1e-5)

    @pytest.mark.parametrize(
        "line, note",
        [
            ("l 1 2", "lines are left out"),
            ("p 1", "points are left out"),
            ("surf 0 1 0 1 1 2 3 4", "curved surfaces are left out"),
            ("hello world", r"line 5 begins with an unknown word, 'hello'"),
        ],
    )
    def test_what_is_left_out_is_named(self, line, note, tmp_path):
        with pytest.warns(UserWarning, match=note):
            self.read(tmp_path, f"{SQUARE}{line}\nf 1 2 3\n")
