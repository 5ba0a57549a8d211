"""Opacity of glTF: alpha modes of factors, images and vertex colours."""

from typing import Any

import numpy as np
import pytest

from jaxsoftras.texture import FaceColors, UVTexture, VertexColors
from tests.support.gltf_files import FOUR, UV, GltfFile, load

OPAQUE: dict[str, Any] = {}
BLEND = {"alphaMode": "BLEND"}
MASK = {"alphaMode": "MASK"}
LOW_MASK = {"alphaMode": "MASK", "alphaCutoff": 0.1}


def make(kind, mode, factor: Any = 1, image: Any = 1, vertices: Any = 1) -> GltfFile:
    """A square whose opacity is a product."""
    file = GltfFile()
    shown = None
    if kind == "image":
        shown = file.texture(np.insert(FOUR, 3, image, axis=-1))
    pbr = {"baseColorFactor": [1, 1, 1, factor]}
    made = file.material(shown, more=mode | {"name": "glass"}, **pbr)
    colors = {}
    if kind == "vertices":
        values = np.ones((4, 4))
        values[:, 0], values[:, 3] = np.arange(4) / 3, vertices
        colors = {"COLOR_0": file.accessor(values)}
    uv = file.accessor(UV)
    file.primitive(more={"material": made}, TEXCOORD_0=uv, **colors)
    return file


@pytest.mark.parametrize(
    "mode, alpha, expected",
    [
        (OPAQUE, 0.4, 1),
        (BLEND, 1, 1),
        (BLEND, 0.4, 0.4),
        (MASK, 0.4, 0),
        (MASK, 0.6, 1),
        (LOW_MASK, 0.4, 1),
    ],
)
@pytest.mark.parametrize(
    "kind, names",
    [
        ("plain", {"factor"}),
        ("image", {"factor"}),
        ("image", {"image"}),
        ("vertices", {"factor"}),
        ("vertices", {"vertices"}),
    ],
)
def test_modes(mode, alpha, expected, kind, names, tmp_path):
    file = make(kind, mode, **{name: alpha for name in names})
    if expected == 0:
        with pytest.warns(UserWarning, match="invisible"):
            texture = load(tmp_path, file).texture
    else:
        texture = load(tmp_path, file).texture
    match texture:
        case UVTexture(image=colors) if kind == "image":
            np.testing.assert_array_equal(colors[..., :3], FOUR)
        case FaceColors(colors) if kind == "plain":
            np.testing.assert_array_equal(colors[..., :3], 1)
        case VertexColors(colors) if kind == "vertices":
            np.testing.assert_array_equal(colors[:, 1:3], 1)
        case other:
            raise AssertionError(other)
    assert texture.transparent == (expected < 1)
    assert colors.shape[-1] == (3 if expected == 1 else 4)
    if expected < 1:
        np.testing.assert_allclose(colors[..., 3], expected, atol=0.5 / 255)


@pytest.mark.parametrize("mode, expected", [(BLEND, 0.36), (MASK, 0)])
def test_product_of_factor_and_image(mode, expected, tmp_path):
    file = make("image", mode, 0.6, np.where(FOUR[..., 0] > 0, 1, 0.6))
    texture = load(tmp_path, file).texture
    assert isinstance(texture, UVTexture) and texture.transparent
    other = 0.6 if mode is BLEND else 1
    alpha = np.where(FOUR[..., 0] > 0, other, expected)
    np.testing.assert_allclose(texture.image[..., 3], alpha, atol=0.5 / 255)


def test_vertex_colours_that_cut_within_faces_are_named(tmp_path):
    file = make("vertices", MASK, vertices=np.array([1, 1, 0.4, 1]))
    with pytest.warns(
        UserWarning, match="vertex colours cut glass out with soft edges"
    ):
        texture = load(tmp_path, file).texture
    assert isinstance(texture, VertexColors)
    np.testing.assert_array_equal(texture.values[:, 3], [1, 1, 0, 1])


def test_image_of_one_colour_beside_vertex_colours(tmp_path):
    file = GltfFile()
    image = np.array([[[1, 1, 1, 0.6]]])
    material = file.material(file.texture(image), more=BLEND)
    colors = np.append(np.ones((4, 3)), [[1], [0.5], [0.5], [0]], axis=1)
    file.primitive(
        more={"material": material},
        TEXCOORD_0=file.accessor(UV),
        COLOR_0=file.accessor(colors),
    )
    texture = load(tmp_path, file).texture
    assert isinstance(texture, VertexColors)
    np.testing.assert_allclose(texture.values[:, 3], 0.6 * colors[:, 3], atol=1e-6)
