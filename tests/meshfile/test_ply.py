"""PLY files: text and binary, polygons, strips, images, and refusals."""

import numpy as np
import pytest

from jaxsoftras import topology
from jaxsoftras.meshfile import load_mesh
from jaxsoftras.texture import FaceColors, UVTexture
from tests.support.gltf_files import FOUR, png
from tests.support.ply_files import FORMATS, SQUARE, TWO, encode, faces, vertices


def load(folder, content: bytes):
    (folder / "a.ply").write_bytes(content)
    return load_mesh(folder / "a.ply")


class TestGeometry:
    @pytest.mark.parametrize("form", FORMATS)
    def test_mixed_polygons(self, form, tmp_path):
        """Triangles and a square, among elements and properties to be skipped."""
        content = encode(
            form,
            [
                ("camera", ["float view", "list int float more"], [[1, [2, 3]]]),
                vertices("double quality", rows=[[k] for k in range(4)]),
                (
                    "face",
                    ["uchar flags", "list uchar uint vertex_index", "list int char m"],
                    [[1, [0, 1, 2], [1]], [2, [0, 1, 2, 3], []], [3, [2, 3, 0], [4]]],
                ),
                ("edge", ["int vertex1"], [[0]]),
            ],
        )
        loaded = load(tmp_path, content)
        expected = [[0, 1, 2], [0, 1, 2], [0, 2, 3], [2, 3, 0]]
        assert loaded.faces.tolist() == expected
        np.testing.assert_array_equal(loaded.vertices, SQUARE)
        assert loaded.texture is None

    @pytest.mark.parametrize("form", FORMATS)
    def test_concave_polygon(self, form, tmp_path):
        points = [[0, 4, 0], [0, 0, 0], [4, 0, 0], [1, 1, 0]]
        place = ["float x", "float y", "float z"]
        content = encode(form, [("vertex", place, points), faces([[0, 1, 2, 3]])])
        loaded = load(tmp_path, content)
        corners = np.asarray(loaded.vertices[loaded.faces])
        a, b, c = np.moveaxis(corners, 1, 0)
        areas = np.cross(b - a, c - a)[:, 2] / 2
        assert np.all(areas > 0) and areas.sum() == pytest.approx(4)

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(
        "strips, expected",
        [
            ([[0, 1, 3, 2]], [[0, 1, 3], [1, 2, 3]]),
            ([[0, 1, 3, -1, 1, 2, 3]], [[0, 1, 3], [1, 2, 3]]),
            ([[0, 1, 3], [1, 2, 3, -1]], [[0, 1, 3], [1, 2, 3]]),
            ([[0, 1, 3, 3, 3, 2, -1, 0, 1]], [[0, 1, 3]]),
        ],
    )
    def test_strips(self, form, strips, expected, tmp_path):
        element = "tristrips", ["list int int vertex_indices"], [[s] for s in strips]
        loaded = load(tmp_path, encode(form, [vertices(), element]))
        assert loaded.faces.tolist() == expected

    def test_faces_and_strips(self, tmp_path):
        strips = "tristrips", ["list int int vertex_index"], [[[0, 1, 3, 2]]]
        colored = faces(
            [[0, 1, 2], 255, 0, 0],
            properties=["uchar red", "uchar green", "uchar blue"],
        )
        loaded = load(tmp_path, encode("ascii", [vertices(), colored, strips]))
        assert loaded.faces.tolist() == [[0, 1, 2], [0, 1, 3], [1, 2, 3]]
        assert isinstance(loaded.texture, FaceColors)
        assert loaded.texture.values.tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]

    def test_few_corners_are_named(self, tmp_path):
        content = encode("ascii", [vertices(), faces([[0, 1, 2]], [[0, 1]], [[]])])
        with pytest.warns(UserWarning, match="fewer than three corners: 2,"):
            assert len(load(tmp_path, content).faces) == 1

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("rest", [b"\n", b"\0\0\0", b"\r\n\r\n"])
    def test_blanks_after_the_end(self, form, rest, tmp_path):
        rest = b"\n" if form == "ascii" else rest
        assert len(load(tmp_path, encode(form, [vertices(), TWO]) + rest).faces) == 2

    @pytest.mark.parametrize(
        "form, rest, message",
        [
            ("ascii", b"3 0 1 2\n", "1 lines after its last element are ignored"),
            (FORMATS[1], b"\3more", "5 bytes after its last element are ignored"),
        ],
    )
    def test_data_after_the_end(self, form, rest, message, tmp_path):
        with pytest.warns(UserWarning, match=message):
            load(tmp_path, encode(form, [vertices(), TWO]) + rest)

    @pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
    def test_line_ends(self, line_end, tmp_path):
        content = encode(FORMATS[1], [vertices(), TWO])
        head, body = content.split(b"end_header\n")
        head = head.replace(b"\n", line_end) + b"end_header" + line_end
        # with a body that begins with a line feed, it must not be lost
        np.testing.assert_array_equal(load(tmp_path, head + body).vertices, SQUARE)
        text = encode("ascii", [vertices(), TWO]).replace(b"\n", line_end)
        np.testing.assert_array_equal(load(tmp_path, text).vertices, SQUARE)

    @pytest.mark.parametrize("form", FORMATS)
    def test_byte_order_mark(self, form, tmp_path):
        content = b"\xef\xbb\xbf" + encode(form, [vertices(), TWO])
        np.testing.assert_array_equal(load(tmp_path, content).vertices, SQUARE)

    def test_infinite_index(self, tmp_path):
        element = "face", ["list uchar float vertex_index"], [[[0, 1, np.inf]]]
        with pytest.raises(ValueError, match="faces refer to vertex inf, which does"):
            load(tmp_path, encode(FORMATS[1], [vertices(), element]))

    def test_numbers_that_are_not_finite(self, tmp_path):
        normal = [["nan", "-nan(ind)", "1.#QNAN"]] * 4
        head = vertices("float nx", "float ny", "float nz", rows=normal)
        loaded = load(tmp_path, encode("ascii", [head, TWO]))
        np.testing.assert_array_equal(loaded.vertices, SQUARE)


class TestRefused:
    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(
        "lists", [[[0, 1, 2], [0, 2, 3]], [[0, 1, 2], [0, 1, 2, 3]]]
    )
    def test_cut_off(self, form, lists, tmp_path):
        """At every byte, or line, of the data."""
        content = encode(form, [vertices(), faces(*([row] for row in lists))])
        start = content.index(b"end_header\n") + len("end_header\n")
        lines = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n")) + 1
        ends = lines if form == "ascii" else np.arange(len(content))
        for end in ends[(ends >= start) & (ends < len(content))]:
            with pytest.raises(ValueError, match="it should have [42] elements '.*cut"):
                load(tmp_path, content[:end])

    @pytest.mark.parametrize(
        "old, new, message",
        [
            ("ply\n", "plt\n", "not begin with a line 'ply'"),
            ("end_header", "end", "line 9 of its header is not understood: 'end'"),
            ("float x", "real x", "line 4 of its header .* 'property real x'"),
            ("float y", "float x", "line 5 of its header"),
            ("uchar int vertex_indices", "float int a", "line 8 of its header"),
            ("vertex 4", "vertex four", "line 3 of its header"),
            ("vertex 4", "vertex -4", "line 3 of its header"),
            ("vertex 4", "face 4", "line 7 of its header"),
            ("ascii 1.0", "ascii 2.0", "line 2 of its header"),
            ("ascii", "text", "line 2 of its header"),
            ("format ascii 1.0\n", "", "header has no line 'format'"),
            ("element vertex 4\n", "", "line 3 of its header"),
            ("float z", "float height", "no vertices with properties x, y and z"),
            ("vertex_indices", "corners", "no list vertex_indices or vertex_index"),
            ("vertex 4", "vertex 9", "9 elements 'vertex' and ends after 6"),
            ("vertex 4", "vertex 3", "line 13 has 3 numbers"),
            ("vertex 4", "vertex 99999999999999999999", "ends after 6"),
            ("0 1 0", "0 1", "line 13 has 2 numbers"),
            ("0 1 0", "0 1_0 0", "line 13 has '1_0' for a number"),
            ("0 1 0", "0 one 0", "line 13 has 'one' for a number"),
            ("0 1 0", "0 nan 0", "not finite"),
            ("3 0 2 3", "4 0 2 3", "line 15 has 4 numbers"),
            ("3 0 2 3", "3 0 2 4", "faces refer to vertex 4, which does not exist"),
            ("3 0 2 3", "3 0 2 -1", "faces refer to vertex -1"),
            ("3 0 2 3", "3 0 2 1.5", "faces refer to vertex 1.5"),
            ("3 0 2 3", "-3 0 2 3", "line 15 has 4 numbers"),
            ("3 0 2 3", "99999999999 0 2 3", "line 15 has 4 numbers"),
        ],
    )
    def test_text(self, old, new, message, tmp_path):
        text = encode("ascii", [vertices(), TWO]).decode()
        assert old in text
        with pytest.raises(
            ValueError, match=rf"a\.ply cannot be read as PLY: .*{message}"
        ):
            load(tmp_path, text.replace(old, new, 1).encode())

    def test_negative_list(self, tmp_path):
        element = "face", ["list char int vertex_index"], [[[0, 1, 2]], [[0, 2, 3]]]
        content = encode(FORMATS[1], [vertices(), element])
        for place in (13, 26):  # from the end
            broken = bytearray(content)
            broken[-place] = 0xFD
            with pytest.raises(ValueError, match="'face' has -3 values"):
                load(tmp_path, bytes(broken))

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("more", [[], [faces()]])
    def test_point_clouds(self, form, more, tmp_path):
        with pytest.raises(ValueError, match="point cloud, with 4 vertices and no fac"):
            load(tmp_path, encode(form, [vertices(), *more]))

    def test_no_data(self, tmp_path):
        with pytest.raises(ValueError, match="no vertices with properties"):
            load(tmp_path, b"ply\nformat ascii 1.0\nend_header\n")


class TestImages:
    UV = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    COMMENT = "comment TextureFile my image.png\n"
    LISTED = ["list uchar float texcoord"]

    @pytest.fixture(autouse=True)
    def image(self, tmp_path):
        (tmp_path / "my image.png").write_bytes(png(FOUR))

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("names", ["s t", "u v", "texture_u texture_v"])
    def test_coordinates_of_vertices(self, form, names, tmp_path):
        properties = [f"float {name}" for name in names.split()]
        head = vertices(*properties, rows=self.UV.tolist())
        loaded = load(tmp_path, encode(form, [head, TWO], self.COMMENT))
        assert isinstance(loaded.texture, UVTexture)
        np.testing.assert_array_equal(loaded.texture.image, FOUR)
        expected = self.UV[loaded.faces]
        np.testing.assert_array_equal(loaded.texture.coordinates, expected)

    @pytest.mark.parametrize("form", FORMATS)
    def test_coordinates_of_corners(self, form, tmp_path):
        """Polygons with their own coordinates share their vertices."""
        corners = [[0, 1, 2, 3], [2, 1, 0]]
        uvs = np.random.default_rng(0).integers(1, 64, (7, 2)) / 64
        rows = [[corners[0], uvs[:4].ravel().tolist()], [corners[1], []]]
        rows.append([corners[1], uvs[4:].ravel().tolist()])
        element = faces(*rows, properties=self.LISTED)
        content = encode(form, [vertices(), element], self.COMMENT)
        with pytest.warns(UserWarning, match="image but no texture coordinates: 1,"):
            loaded = load(tmp_path, content)
        assert len(loaded.vertices) == 4
        assert isinstance(loaded.texture, UVTexture)

    def test_closed_surface_stays_closed(self, tmp_path):
        corners = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]
        rows = [[row, [0, 0, 1, 0, 0, 1]] for row in corners]
        points = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        place = ["float x", "float y", "float z"]
        element = faces(*rows, properties=self.LISTED)
        elements = [("vertex", place, points), element]
        loaded = load(tmp_path, encode("ascii", elements, self.COMMENT))
        assert len(loaded.vertices) == 4 and topology.is_watertight(loaded.faces)
        assert isinstance(loaded.texture, UVTexture)
        expected = [[[0, 0], [1, 0], [0, 1]]] * 4
        np.testing.assert_array_equal(loaded.texture.coordinates, expected)

    @pytest.mark.parametrize("form", FORMATS)
    def test_several_images(self, form, tmp_path):
        for name, color in (("a.png", [1, 0, 0]), ("b.png", [0, 0, 1])):
            (tmp_path / name).write_bytes(png(np.tile(color, (3, 3, 1))))
        uv = [0.1, 0.1, 0.9, 0.1, 0.5, 0.9]
        rows = [[[0, 1, 2], uv, 1], [[0, 2, 3], uv, 0], [[0, 1, 3], uv, -1]]
        element = faces(*rows, properties=[*self.LISTED, "int texnumber"])
        comments = "comment TextureFile a.png\ncomment TextureFile b.png\n"
        texture = load(tmp_path, encode(form, [vertices(), element], comments)).texture
        assert isinstance(texture, UVTexture)
        height, width = texture.image.shape[:2]
        u, v = texture.coordinates.mean(axis=1).T
        found = texture.image[((1 - v) * height).astype(int), (u * width).astype(int)]
        np.testing.assert_array_equal(found, [[0, 0, 1], [1, 0, 0], [1, 1, 1]])

    @pytest.mark.parametrize(
        "row, message",
        [
            ([[0, 1, 2], [0, 0], 0], "face 0 has 3 corners and 2 numbers of texcoord"),
            ([[0, 1, 2], [0] * 6, 1], "the texnumber 1, and it names 1 images"),
            ([[0, 1, 2], [0] * 6, -2], "the texnumber -2, and it names 1 images"),
        ],
    )
    def test_refused(self, row, message, tmp_path):
        element = faces(row, properties=[*self.LISTED, "int texnumber"])
        with pytest.raises(ValueError, match=message):
            load(tmp_path, encode("ascii", [vertices(), element], self.COMMENT))

    def test_missing_image(self, tmp_path):
        (tmp_path / "my image.png").unlink()
        head = vertices("float s", "float t", rows=self.UV.tolist())
        content = encode("ascii", [head, TWO], self.COMMENT)
        with pytest.warns(UserWarning, match=r"missing images: my image\.png\.$"):
            loaded = load(tmp_path, content)
        assert len(loaded.faces) == 2

    def test_colors_beside_an_image_are_named(self, tmp_path):
        names = ["float s", "float t", "uchar red", "uchar green", "uchar blue"]
        rows = [[*uv, 255, 0, 0] for uv in self.UV.tolist()]
        content = encode("ascii", [vertices(*names, rows=rows), TWO], self.COMMENT)
        with pytest.warns(UserWarning, match="colours beside an image are left out"):
            texture = load(tmp_path, content).texture
        assert isinstance(texture, UVTexture)
        np.testing.assert_array_equal(texture.image, FOUR)
