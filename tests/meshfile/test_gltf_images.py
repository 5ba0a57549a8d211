"""Images of glTF files: where they are, and their formats."""

import base64

import numpy as np
import pytest

from tests.support.gltf_files import FOUR, GltfFile, load, load_image, png


def test_data_uri(tmp_path):
    file = GltfFile()
    file.textured(file.texture())
    data = base64.b64encode(png(FOUR)).decode()
    file.json["images"] = [{"uri": f"data:image/png;base64,{data}"}]
    np.testing.assert_array_equal(load_image(tmp_path, file).image, FOUR)
    file.json["images"] = [{"uri": "data:image/png;base64,?"}]
    with pytest.raises(ValueError, match=r"images\[0\] is not valid base64"):
        load(tmp_path, file)


def test_damaged(tmp_path):
    file = GltfFile()
    file.textured(file.texture())
    file.json["images"] = [{"bufferView": 1}]
    with pytest.raises(ValueError, match=r"images\[0\] cannot be read as an image"):
        load(tmp_path, file)


@pytest.mark.parametrize("name", ["EXT_texture_webp", "MSFT_texture_dds"])
def test_other_formats(name, tmp_path):
    file = GltfFile()
    file.textured(file.texture())
    extensions = {name: file.json["textures"][0]}
    file.json["textures"] = [{"extensions": extensions}]
    file.json["extensionsRequired"] = [name]
    np.testing.assert_array_equal(load_image(tmp_path, file).image, FOUR)


def test_unknown_format(tmp_path):
    file = GltfFile()
    file.textured(file.texture())
    file.json["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]
    with pytest.warns(UserWarning, match=r"textures\[0\] has no image in a known"):
        assert load(tmp_path, file).texture is None


def test_shared(tmp_path):
    """An image that two materials show is in the texture once."""
    file = GltfFile()
    texture = file.texture(np.random.default_rng(0).random((5, 4, 3)))
    file.textured(texture)
    file.textured(texture)
    assert np.shape(load_image(tmp_path, file).image) == (5, 4, 3)
