"""OFF files: spellings, colours, and errors that name the line at fault."""

import numpy as np
import pytest

from jaxsoftras import texture
from jaxsoftras.meshfile import load_mesh

CORNERS = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 255 0 51\n3 0 1 2 0 0 0\n",
        "OFF 4 2 0\n# corners\n0 0 0\n1 0 0\n\n1 1 0\n0 1 0\n"
        "4 0 1 2 3 1.0 0.0 0.2 1.0\n3 0 1 2 0.0 0 0 1\n",
        "OFF4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4  0 1 2 3 255 0 51 255\n"
        "3 0 1 2 0 0 0 255\n",
        "NOFF\n4 2 0\n0 0 0 0 0 1\n1 0 0 0 0 1\n1 1 0 0 0 1\n0 1 0 0 0 1\n"
        "4 0 1 2 3 255 0 51\n3 0 1 2 0 0 0\n",
    ],
)
def test_spellings(text, tmp_path):
    (tmp_path / "a.off").write_text(text)
    loaded = load_mesh(tmp_path / "a.off")
    np.testing.assert_array_equal(loaded.faces, [[0, 1, 2], [0, 2, 3], [0, 1, 2]])
    np.testing.assert_array_equal(loaded.vertices[2], [1, 1, 0])
    assert isinstance(loaded.texture, texture.FaceColors)
    np.testing.assert_allclose(
        loaded.texture.values, [[1, 0, 0.2], [1, 0, 0.2], [0, 0, 0]], atol=1e-6
    )


def test_faces_keep_their_order_and_polygons_become_fans(tmp_path):
    text = f"OFF\n5 3 0\n{CORNERS}-1 0.5 0\n5 0 1 2 3 4\n3 0 1 2\n4 0 1 2 3\n"
    (tmp_path / "a.off").write_text(text)
    loaded = load_mesh(tmp_path / "a.off")
    pentagon, quad = [[0, 1, 2], [0, 2, 3], [0, 3, 4]], [[0, 1, 2], [0, 2, 3]]
    np.testing.assert_array_equal(loaded.faces, [*pentagon, [0, 1, 2], *quad])
    assert loaded.texture is None


def test_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "a.off").write_bytes(
        b"\xef\xbb\xbf" + f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n".encode()
    )
    assert len(load_mesh(tmp_path / "a.off").faces) == 1


def test_vertex_colors_after_normals(tmp_path):
    rows = [
        f"{row} 0 0 1 255 {51 * k} 0\n" for k, row in enumerate(CORNERS.split("\n")[:4])
    ]
    (tmp_path / "a.off").write_text(f"CNOFF\n4 1 0\n{''.join(rows)}3 0 1 2\n")
    loaded = load_mesh(tmp_path / "a.off").texture
    assert isinstance(loaded, texture.VertexColors)
    expected = [[1, 0.2 * k, 0] for k in range(4)]
    np.testing.assert_allclose(loaded.values, expected, atol=1e-6)


def test_colors_by_index_are_left_out_with_a_warning(tmp_path):
    (tmp_path / "a.off").write_text(
        f"OFF\n4 2 0\n{CORNERS}3 0 1 2 255 0 0\n3 0 2 3 7\n"
    )
    with pytest.warns(UserWarning, match="not red, green and blue: 1, left out"):
        loaded = load_mesh(tmp_path / "a.off")
    assert isinstance(loaded.texture, texture.FaceColors)
    np.testing.assert_array_equal(loaded.texture.values, [[1, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize("numbers", ["51 102 255 255", "0.2 0.4 1 1", "0.2 0.4 1.0"])
def test_colors_of_vertices(numbers, tmp_path):
    rows = "".join(f"{row} {numbers}\n" for row in CORNERS.splitlines())
    (tmp_path / "a.off").write_text(f"COFF\n4 1 0\n{rows}3 0 1 2\n")
    loaded = load_mesh(tmp_path / "a.off").texture
    assert isinstance(loaded, texture.VertexColors)
    np.testing.assert_allclose(loaded.values, np.tile([0.2, 0.4, 1], (4, 1)))


@pytest.mark.parametrize(
    "numbers, color",
    [
        ("255 51 0 102", [1, 0.2, 0, 0.4]),
        ("1 0.2 0 0.4", [1, 0.2, 0, 0.4]),
        ("255 51 0 0.4", [1, 0.2, 0, 0.4]),
        ("255 51 0 1", [1, 0.2, 0]),
        ("255 51 0 255", [1, 0.2, 0]),
        ("1.0 0.2 0 1", [1, 0.2, 0]),
        ("0 0 1 255", [0, 0, 1 / 255]),
    ],
)
@pytest.mark.parametrize("where", ["vertices", "faces"])
def test_opacity(numbers, color, where, tmp_path):
    own = {where: f" {numbers}"}
    rows = [f"{row}{own.get('vertices', '')}" for row in ("0 0 0", "1 0 0", "0 1 0")]
    face = f"3 0 1 2{own.get('faces', '')}"
    head = "COFF" if where == "vertices" else "OFF"
    (tmp_path / "a.off").write_text("\n".join([head, "3 1 0", *rows, face]))
    loaded = load_mesh(tmp_path / "a.off").texture
    kind = texture.VertexColors if where == "vertices" else texture.FaceColors
    assert isinstance(loaded, kind) and loaded.transparent == (len(color) == 4)
    np.testing.assert_allclose(loaded.values, [color] * len(loaded.values), atol=1e-6)


def test_coordinates_in_a_texture(tmp_path):
    rows = "0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n"
    (tmp_path / "a.off").write_text(f"STOFF\n3 1 0\n{rows}3 0 1 2\n")
    loaded = load_mesh(tmp_path / "a.off").texture
    assert isinstance(loaded, texture.UVTexture)
    np.testing.assert_array_equal(loaded.coordinates, [[[0, 0], [1, 0], [1, 1]]])


def test_fourth_coordinate_divides(tmp_path):
    (tmp_path / "a.off").write_text("4OFF\n3 1 0\n2 4 6 2\n1 0 0 1\n0 1 0 1\n3 0 1 2\n")
    loaded = load_mesh(tmp_path / "a.off").vertices
    np.testing.assert_array_equal(loaded, [[1, 2, 3], [1, 0, 0], [0, 1, 0]])


def test_more_lines_than_counted_are_named(tmp_path):
    text = f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n3 0 2 3\n"
    (tmp_path / "a.off").write_text(text)
    with pytest.warns(UserWarning, match="lines after the last face: 1, left out"):
        assert len(load_mesh(tmp_path / "a.off").faces) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is empty"),
        ("nOFF\n4\n3 1 0\n", "does not begin with OFF"),
        ("OFF BINARY\n\0\0\0", "binary OFF file; save it as text"),
        ("OFF\n", "numbers of vertices and faces are missing"),
        ("OFF\nthree 1 0\n", "numbers of vertices and faces are missing"),
        ("OFF\n3 1 0\n0 0 0\n", "3 vertices and 1 faces, and ends"),
        ("OFF\n1 1 0\n0 0\n3 0 0 0\n", "vertex 0 in line 3 has 2 numbers"),
        ("NOFF\n1 1 0\n0 0 0\n3 0 0 0\n", "vertex 0 in line 3 has 3 numbers, .* 6"),
        ("OFF\n1 1 0\n# x\n0 0 x\n3 0 0 0\n", "vertex 0 in line 4 .*: '0 0 x'"),
        ("OFF\n1 1 0\r\n0 0 1_0\n3 0 0 0\n", "number in line 3 .*: '0 0 1_0'"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0\n", "face 0 in line 4 has fewer than its 3"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 1.5\n", "face 0 in line 4 .*: '3 0 0 1.5'"),
        ("OFF\n1 1 0\n0 0 0\nx 0 0 0\n", "number of corners of face 0 in line 4"),
        ("OFF\n1 1 0\n0 0 0\n-3 0 0 0\n", "face 0 .* has fewer than its -3"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 0 1 0 x\n", "the colour of face 0 in line 4"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 7\n", "do not exist: 0 to 7 of 1"),
    ],
)
def test_errors_say_where(content, message, tmp_path):
    (tmp_path / "a.off").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mesh(tmp_path / "a.off")
    sentence = str(caught.value)
    assert "a.off" in sentence and sentence.endswith(".") and "\n" not in sentence
