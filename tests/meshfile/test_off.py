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


def test_incomplete_colors_are_left_out_with_a_warning(tmp_path):
    (tmp_path / "a.off").write_text(
        f"OFF\n4 2 0\n{CORNERS}3 0 1 2 255 0 0\n3 0 2 3 7\n"
    )
    with pytest.warns(UserWarning, match="a.off has no red, .* for 1 of its 2 face"):
        loaded = load_mesh(tmp_path / "a.off")
    assert loaded.texture is None and len(loaded.faces) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "does not begin with OFF"),
        ("OFF\n", "numbers of vertices and faces are missing"),
        ("OFF\nthree 1 0\n", "numbers of vertices and faces are missing"),
        ("OFF\n3 1 0\n0 0 0\n", "3 vertices and 1 faces, and ends"),
        ("OFF\n1 1 0\n0 0\n3 0 0 0\n", "vertex 0 has fewer than three coord"),
        ("OFF\n1 1 0\n0 0 x\n3 0 0 0\n", "vertex 0 is not understood: '0 0 x'"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0\n", "face 0 has fewer than its 3"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 1.5\n", "face 0 is not understood: '0 0 1.5'"),
        ("OFF\n1 1 0\n0 0 0\nx 0 0 0\n", "number of corners of face 0 is not"),
        ("OFF\n1 1 0\n0 0 0\n-3 0 0 0\n", "face 0 has fewer than its -3"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 0 1 0 x\n", "colour of face 0 is not under"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 7\n", "do not exist: 0 to 7 of 1"),
    ],
)
def test_errors_say_where(content, message, tmp_path):
    (tmp_path / "a.off").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mesh(tmp_path / "a.off")
    sentence = str(caught.value)
    assert "a.off" in sentence and sentence.endswith(".") and "\n" not in sentence
