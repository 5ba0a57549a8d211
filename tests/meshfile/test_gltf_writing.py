"""GLB files as written, by the eyes of another reader."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from jaxsoftras import texture
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import load_mesh, save_mesh, srgb
from tests.support.gltf_files import FACES, FOUR, SQUARE, UV

UP = (UV * [1, -1] + [0, 1])[FACES]
PLAIN = Mesh(SQUARE, FACES.astype(np.int32))


def load_elsewhere(path):
    import trimesh

    scene: Any = trimesh.load(path, force="scene", process=False)
    [geometry] = scene.geometry.values()
    return geometry


def save(folder, texture=None, vertices=SQUARE):
    save_mesh(folder / "a.glb", PLAIN._replace(vertices=vertices, texture=texture))
    return folder / "a.glb"


def read_json(path) -> dict:
    content = path.read_bytes()
    magic, version, length, size = struct.unpack_from("<4sIII", content)
    assert magic == b"glTF" and version == 2 and length == len(content)
    assert size % 4 == 0
    return json.loads(content[20 : 20 + size])


def test_shape(tmp_path):
    path = save(tmp_path)
    other = load_elsewhere(path)
    np.testing.assert_array_equal(other.vertices, SQUARE)
    np.testing.assert_array_equal(other.faces, FACES)
    accessor = read_json(path)["accessors"][0]
    assert accessor["min"] == [0, 0, 0] and accessor["max"] == [1, 1, 0]


def test_vertex_colors_are_linear(tmp_path):
    values = np.random.default_rng(0).random((4, 3))
    path = save(tmp_path, texture.VertexColors(values))
    found = load_elsewhere(path).visual.vertex_colors[:, :3] / 255
    np.testing.assert_allclose(found, srgb.decode(values), atol=1 / 255)


@pytest.mark.parametrize(
    "wrap, code", [("repeat", 10497), ("clamp", 33071), (None, 33071)]
)
def test_image(wrap, code, tmp_path):
    path = save(tmp_path, texture.UVTexture(UP, FOUR, wrap))
    other = load_elsewhere(path)
    # by the convention of that reader, v runs up
    uv = np.asarray(other.visual.uv)[other.faces]
    np.testing.assert_array_equal(uv, UP)
    pixels = np.asarray(other.visual.material.baseColorTexture)[..., :3]
    np.testing.assert_array_equal(pixels, FOUR * 255)
    assert read_json(path)["samplers"] == [{"wrapS": code, "wrapT": code}]
    found = load_mesh(path).texture
    assert isinstance(found, texture.UVTexture)
    assert found.wrap == (wrap or "clamp")


def test_unused_vertices_may_be_anything(tmp_path):
    """The file has no NaN, which JSON cannot hold."""
    path = save(tmp_path, vertices=np.append(SQUARE, [[np.nan, 0, np.inf]], axis=0))
    assert read_json(path)["accessors"][0]["max"] == [1, 1, 0]
    np.testing.assert_array_equal(load_mesh(path).vertices[:4], SQUARE)
