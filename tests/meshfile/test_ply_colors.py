"""Colours of PLY files: their names, types, range, and opacity."""

import numpy as np
import pytest

from jaxsoftras.meshfile import load_mesh
from jaxsoftras.texture import FaceColors, VertexColors
from tests.support.ply_files import FORMATS, TWO, encode, faces, vertices


def load(folder, content: bytes):
    (folder / "a.ply").write_bytes(content)
    return load_mesh(folder / "a.ply")


VALUES = np.array([[0, 51, 255], [255, 0, 0], [0, 255, 102], [153, 0, 0]])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "names",
    ["red green blue", "r g b", "diffuse_red diffuse_green diffuse_blue"],
)
def test_names(form, names, tmp_path):
    properties = [f"uchar {name}" for name in names.split()]
    content = encode(form, [vertices(*properties, rows=VALUES.tolist()), TWO])
    texture = load(tmp_path, content).texture
    assert isinstance(texture, VertexColors)
    np.testing.assert_allclose(texture.values, VALUES / 255, atol=1e-6)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "kind, scale",
    [
        ("uchar", 1),
        ("ushort", 257),
        ("ushort", 1),  # as some programs write
        ("int", 1),
        ("uint", 257),
        ("uint", 2**24 + 2**16 + 2**8 + 1),
        ("float", 1 / 255),
        ("float", 1),
        ("double", 1 / 255),
    ],
)
def test_types(form, kind, scale, tmp_path):
    properties = [f"{kind} {name}" for name in ("red", "green", "blue")]
    rows = VALUES * scale
    rows = rows.tolist() if scale < 1 else rows.astype(int).tolist()
    texture = load(
        tmp_path, encode(form, [vertices(*properties, rows=rows), TWO])
    ).texture
    assert isinstance(texture, VertexColors)
    np.testing.assert_allclose(texture.values, VALUES / 255, atol=1e-6)


def test_signed_bytes(tmp_path):
    properties = [f"char {name}" for name in ("red", "green", "blue")]
    rows = np.where(VALUES > 127, VALUES - 256, VALUES).tolist()
    content = encode(FORMATS[1], [vertices(*properties, rows=rows), TWO])
    texture = load(tmp_path, content).texture
    assert isinstance(texture, VertexColors)
    np.testing.assert_allclose(texture.values, VALUES / 255, atol=1e-6)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "kind, opaque, scale", [("uchar", 255, 255), ("float", 1, 1), ("uchar", 1, 1)]
)
def test_opacity(form, kind, opaque, scale, tmp_path):
    """Any type; bytes that are 0 or 1 are flags."""
    names = ("red", "green", "blue")
    head = [*(f"uchar {name}" for name in names), f"{kind} alpha"]
    alpha = [opaque, 0, opaque, opaque]
    rows = [[*row, x] for row, x in zip(VALUES.tolist(), alpha, strict=True)]
    texture = load(tmp_path, encode(form, [vertices(*head, rows=rows), TWO])).texture
    assert isinstance(texture, VertexColors) and texture.transparent
    expected = np.append(VALUES / 255, [[1], [0], [1], [1]], axis=1)
    np.testing.assert_allclose(texture.values, expected, atol=1e-6)
    rows = [[*row, opaque] for row in VALUES.tolist()]
    texture = load(tmp_path, encode(form, [vertices(*head, rows=rows), TWO])).texture
    assert isinstance(texture, VertexColors) and not texture.transparent
    assert texture.values.shape == (4, 3)


def test_opacity_of_polygons(tmp_path):
    properties = [f"uchar {name}" for name in ("red", "green", "blue", "alpha")]
    element = faces([[0, 1, 2], 255, 0, 0, 51], [[0, 2, 3], 0, 0, 0, 255])
    element = (element[0], [*element[1], *properties], element[2])
    texture = load(tmp_path, encode("ascii", [vertices(), element])).texture
    assert isinstance(texture, FaceColors) and texture.transparent
    np.testing.assert_allclose(texture.values, [[1, 0, 0, 0.2], [0, 0, 0, 1]])


def test_colors_of_polygons(tmp_path):
    properties = ["uchar red", "uchar green", "uchar blue"]
    element = faces([[0, 1, 2, 3], 255, 0, 0], properties=properties)
    texture = load(tmp_path, encode("ascii", [vertices(), element])).texture
    assert isinstance(texture, FaceColors)
    assert texture.values.tolist() == [[1, 0, 0]] * 2


def test_colors_of_vertices_come_first(tmp_path):
    properties = ["uchar red", "uchar green", "uchar blue"]
    element = faces([[0, 1, 2, 3], 255, 0, 0], properties=properties)
    head = vertices(*properties, rows=VALUES.tolist())
    with pytest.warns(UserWarning, match="colours of faces beside those of vert"):
        texture = load(tmp_path, encode("ascii", [head, element])).texture
    assert isinstance(texture, VertexColors)


def test_not_finite(tmp_path):
    properties = [f"float {name}" for name in ("red", "green", "blue")]
    head = vertices(*properties, rows=[[1, 1, "nan"]] * 4)
    with pytest.raises(ValueError, match="colours of vertices are not all finite"):
        load(tmp_path, encode("ascii", [head, TWO]))
