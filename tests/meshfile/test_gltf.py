"""Whole GLB and glTF files: extensions, kinds of texture, images by name."""

import json
import warnings

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import texture
from jaxsoftras.meshfile import load_mesh, srgb
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors
from tests.support.gltf_files import (
    CORNERS,
    FACES,
    UV,
    GltfFile,
    corners,
    load,
    png,
    square,
)


class TestExtensions:
    @pytest.mark.parametrize(
        "name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "ACME_new"]
    )
    def test_required_are_refused(self, name, tmp_path):
        file = square()
        file.json["extensionsRequired"] = ["KHR_mesh_quantization", name]
        with pytest.raises(ValueError, match=f"it needs {name}; export it without"):
            load(tmp_path, file)

    def test_optional_are_named_once(self, tmp_path):
        file = square()
        file.json["extensionsUsed"] = ["ACME_a", "KHR_materials_unlit", "ACME_b"]
        message = r"a\.glb: extensions that are not supported: ACME_a, ACME_b\.$"
        with pytest.warns(UserWarning, match=message) as caught:
            load(tmp_path, file)
        assert len(caught) == 1

    def test_copies_of_compressed_data(self, tmp_path):
        """Optional compression: the plain data are read, or else it is refused."""
        file = square()
        draco = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}
        file.json["meshes"][0]["primitives"][0]["extensions"] = draco
        file.json["extensionsUsed"] = list(draco)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(corners(load(tmp_path, file)), CORNERS)
        del file.json["accessors"][0]["bufferView"]
        with pytest.raises(ValueError, match="compressed .KHR_draco_mesh_compression"):
            load(tmp_path, file)

    def test_buffer_without_data(self, tmp_path):
        document = json.loads(square().gltf())
        del document["buffers"][0]["uri"]
        (tmp_path / "a.gltf").write_text(json.dumps(document))
        with pytest.raises(ValueError, match=r"buffers\[0\] has no data, as in compre"):
            load_mesh(tmp_path / "a.gltf")


def test_scene_by_another_writer(tmp_path):
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
    assert isinstance(loaded.texture, UVTexture)
    # the last two, of one place, have the same vertices
    assert loaded.vertices.shape == (12, 3) and loaded.faces.shape == (16, 3)
    found = corners(loaded)
    sample = jax.jit(texture.sample)
    uvs = loaded.texture.coordinates.reshape(-1, 2)
    colors = np.asarray(sample(loaded.texture.image, uvs)).reshape(16, 3, 3)
    for k, image in enumerate([pixels, pixels[::-1]]):
        place = np.array([20 * k - 10, 0, 0])
        own = np.abs(found.mean(axis=1)[:, 0] - place[0]) < 5
        shape = (found[own] - place) / np.array([2, 2, 2 - 4 * k])
        assert len(shape) == 4
        # outward: the volume is positive, in spite of the mirror
        assert np.linalg.det(found[own] - place).sum() == pytest.approx(8)
        vertex = (shape @ np.array([1, 2, 3])).astype(int)
        shown = srgb.encode(srgb.decode(image / 255) * [1, 0.2, 1])
        expected = np.asarray(sample(shown, uv))[vertex]
        np.testing.assert_allclose(colors[own], expected, atol=1e-4)
    plain = colors[np.abs(found.mean(axis=1)[:, 0]) < 5].reshape(8, 9)
    np.testing.assert_allclose(
        plain[np.argsort(plain[:, 0])],
        np.repeat([[0, 1, 0] * 3, [1, 1, 1] * 3], 4, axis=0),
        atol=1e-6,
    )


def test_texture_kinds(tmp_path):
    file = square()
    assert load(tmp_path, file).texture is None
    file.json["meshes"][0]["primitives"][0]["material"] = file.material()
    assert load(tmp_path, file).texture is None
    file.json["materials"][0]["pbrMetallicRoughness"] = {
        "baseColorFactor": [1, 0, 0, 1]
    }
    assert isinstance(load(tmp_path, file).texture, FaceColors)
    file = square(COLOR_0=np.ones((4, 3), np.float32))
    assert isinstance(load(tmp_path, file).texture, VertexColors)


@pytest.mark.parametrize("uri", ["colors%20of.png", "colors of.png"])
def test_images_by_name(uri, tmp_path):
    file = GltfFile()
    file.textured(file.texture())
    file.json["images"] = [{"uri": uri}]
    with pytest.warns(UserWarning, match=rf"missing images: {uri}\.$") as caught:
        assert load(tmp_path, file).texture is None
    assert len(caught) == 1
    image = np.random.default_rng(0).random((2, 3, 3))
    (tmp_path / "colors of.png").write_bytes(png(image))
    found = load(tmp_path, file).texture
    assert isinstance(found, UVTexture)
    np.testing.assert_allclose(found.image, image, atol=0.5 / 255)
    np.testing.assert_array_equal(found.coordinates, (UV * [1, -1] + [0, 1])[FACES])
