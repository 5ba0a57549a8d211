import json
import struct
from typing import Any

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import clay, texture
from jaxsoftras.viewer import solids
from jaxsoftras.viewer.exhibits import Solid

SPHERE = jaxsoftras.icosphere(1)
COUNT = len(SPHERE.faces)
RIGHT = np.array([1.0, 0, 0])
RANDOM = np.random.default_rng(0)


def load(content: bytes, folder) -> Any:
    (folder / "a.glb").write_bytes(content)
    return jaxsoftras.load_mesh(folder / "a.glb")


def read_json(content: bytes) -> dict:
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size])


def find_box(mesh: Any) -> tuple[np.ndarray, np.ndarray]:
    return mesh.vertices.min(0), mesh.vertices.max(0)


def test_neighbours_share_a_scale_and_do_not_touch(tmp_path):
    large = SPHERE._replace(vertices=np.asarray(SPHERE.vertices) * 1e6)
    small = SPHERE._replace(vertices=np.asarray(SPHERE.vertices) * 5e5)
    placed, notes = solids.place([Solid("a", large), Solid("b", small)], RIGHT)
    (low, high), (lower, higher) = [
        find_box(load(each.content, tmp_path)) for each in placed
    ]
    np.testing.assert_allclose((high - low).max(), 1, atol=1e-5)
    np.testing.assert_allclose(higher - lower, (high - low) / 2, atol=1e-5)
    np.testing.assert_allclose((low + high) / 2, placed[0].center, atol=1e-5)
    assert high[0] < lower[0] and not notes
    np.testing.assert_allclose(placed[1].center - placed[0].center, RIGHT * 1.25)


@pytest.mark.parametrize("shift", [0, 1e7, -3e30])
@pytest.mark.parametrize("scale", [1e-30, 1, 1e30])
def test_any_size_and_place_is_drawn_alike(shift, scale, tmp_path):
    vertices = np.asarray(SPHERE.vertices) * scale + shift * scale
    placed, _ = solids.place([Solid("", SPHERE._replace(vertices=vertices))], RIGHT)
    found = load(placed[0].content, tmp_path)
    assert np.abs(found.vertices).max() < 0.51
    if abs(shift) < 1e8:
        assert np.ptp(found.vertices, axis=0).min() > 0.9


def test_a_point_is_drawn_as_a_point():
    vertices = np.zeros_like(np.asarray(SPHERE.vertices))
    placed, _ = solids.place([Solid("", SPHERE._replace(vertices=vertices))], RIGHT)
    assert len(placed) == 1


def test_faces_without_finite_corners_are_left_out_and_counted(tmp_path):
    vertices = np.array(SPHERE.vertices)
    vertices[0] = np.nan, 0, np.inf
    lost = int(np.sum(np.any(np.asarray(SPHERE.faces) == 0, axis=1)))
    solid = Solid("It", SPHERE._replace(vertices=vertices))
    placed, notes = solids.place([solid], RIGHT)
    assert len(load(placed[0].content, tmp_path).faces) == COUNT - lost
    assert notes == [
        f"It: {lost} of {COUNT} faces have a corner that is not finite and are not "
        "drawn."
    ]


def test_a_mesh_without_any_finite_face_is_named():
    vertices = np.full_like(np.asarray(SPHERE.vertices), np.nan)
    solid = Solid("", SPHERE._replace(vertices=vertices))
    placed, (note,) = solids.place([solid], RIGHT)
    assert not placed and note.startswith(f"The mesh: {COUNT} of {COUNT} faces")


@pytest.mark.parametrize(
    "skin",
    [
        texture.FaceColors(RANDOM.random((COUNT, 3))),
        texture.FaceColors(RANDOM.random((COUNT, 4)), True),
        texture.VertexColors(RANDOM.random((len(SPHERE.vertices), 3))),
        texture.VertexColors(RANDOM.random((len(SPHERE.vertices), 1))),
        texture.SurfaceTexture(RANDOM.random((COUNT, 4, 3))),
        texture.UVTexture(RANDOM.random((COUNT, 3, 2)), RANDOM.random((4, 4, 3))),
        texture.UVTexture(
            RANDOM.random((COUNT, 3, 2)) * 9,
            (RANDOM.random((4, 4, 3)), RANDOM.random((2, 2, 3))),
            "repeat",
            image_index=np.arange(COUNT) % 2,
        ),
    ],
    ids=lambda skin: type(skin).__name__,
)
def test_colors_are_those_of_the_mesh(skin, tmp_path):
    placed, _ = solids.place([Solid("", SPHERE._replace(texture=skin))], RIGHT)
    content = placed[0].content
    assert all(m["doubleSided"] for m in read_json(content)["materials"])
    found = load(content, tmp_path)
    assert len(found.faces) == COUNT
    match skin:
        case texture.FaceColors(values):
            corners = found.texture.values[found.faces]
            expected = np.repeat(values[:, None], 3, axis=1)
            np.testing.assert_allclose(
                np.sort(corners, 0), np.sort(expected, 0), atol=0.01
            )
        case texture.VertexColors(values):
            expected = np.broadcast_to(values, (len(values), 3))
            np.testing.assert_allclose(found.texture.values, expected, atol=0.01)
        case texture.UVTexture(image_index=None):
            expected = texture.bake(skin, 3, "clamp").texels
            drawn = texture.bake(found.texture, 3).texels
            np.testing.assert_allclose(drawn, expected, atol=0.01)
        case texture.UVTexture():
            assert len(read_json(content)["images"]) == 2
            assert {s["wrapS"] for s in read_json(content)["samplers"]} == {10497}
        case _:
            assert isinstance(found.texture, texture.UVTexture)


def test_without_texture_it_is_clay(tmp_path):
    placed, _ = solids.place([Solid("", SPHERE)], RIGHT)
    values = load(placed[0].content, tmp_path).texture.values
    np.testing.assert_allclose(values, np.tile(clay.COLOR, (len(values), 1)), atol=0.01)


def test_a_large_mesh_is_drawn_whole_and_said_to_be_large(monkeypatch, tmp_path):
    monkeypatch.setattr(solids, "_MANY", COUNT - 1)
    placed, (note,) = solids.place([Solid("", SPHERE)], RIGHT)
    assert len(load(placed[0].content, tmp_path).faces) == COUNT
    assert f"all of its {COUNT} faces are drawn" in note
