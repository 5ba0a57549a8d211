"""Saving of opacity and of several images: round trips in every format."""

from typing import Any

import numpy as np
import pytest

from jaxsoftras import mesh, texture
from jaxsoftras.meshfile import load_mesh, save_mesh

RNG = np.random.default_rng(0)
SPHERE = mesh.Mesh(
    np.asarray(mesh.icosphere(1).vertices, np.float32),
    np.asarray(mesh.icosphere(1).faces),
)
EIGHT_BITS = 0.5 / 255 + 1e-6


@pytest.mark.parametrize("texels", [(5, 7), None])
@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_opacity_of_an_image(ending, texels, tmp_path):
    coordinates, image = RNG.random((80, 3, 2)), RNG.random((5, 7, 3))
    alpha = np.full((5, 7), 0.4) if texels is None else RNG.random(texels)
    image = np.append(image, alpha[..., None], axis=-1)
    given = texture.UVTexture(coordinates, image, "clamp", True)
    save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=given))
    if ending == "obj":
        opacity = [] if texels is None else ["a-opacity.png"]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            *opacity,
            "a.mtl",
            "a.obj",
            "a.png",
        ]
    loaded = load_mesh(tmp_path / f"a.{ending}").texture
    assert isinstance(loaded, texture.UVTexture) and loaded.transparent
    np.testing.assert_allclose(loaded.image, image, atol=EIGHT_BITS)


@pytest.mark.parametrize(
    "ending, kind",
    [
        ("obj", texture.FaceColors),
        ("off", texture.FaceColors),
        ("off", texture.VertexColors),
        ("ply", texture.FaceColors),
        ("ply", texture.VertexColors),
        ("glb", texture.VertexColors),
    ],
)
@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_of_colors(ending, kind, channels, tmp_path):
    values = RNG.random((80 if kind is texture.FaceColors else 42, channels))
    values[:3, -1] = 1
    save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=kind(values, True)))
    loaded: Any = load_mesh(tmp_path / f"a.{ending}").texture
    assert isinstance(loaded, kind) and loaded.transparent
    expected = values if channels == 4 else values[:, [0, 0, 0, 1]]
    tolerance = EIGHT_BITS if ending == "ply" else 1e-6
    np.testing.assert_allclose(loaded.values, expected, atol=tolerance)


@pytest.mark.parametrize("ending", ["obj", "off", "ply", "glb"])
def test_opacity_of_1_is_left_out(ending, tmp_path):
    values = np.insert(RNG.random((42, 3)), 3, 1, axis=1)
    given = texture.VertexColors(values, True)
    save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=given))
    loaded = load_mesh(tmp_path / f"a.{ending}").texture
    assert isinstance(loaded, texture.VertexColors) and not loaded.transparent


@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_several_images(ending, tmp_path):
    """One repeats too often to be packed; one is transparent, and one unused."""
    images = tuple(RNG.random((4, k, 4)) for k in (3, 5, 2))
    images[0][..., 3] = 1
    index = np.arange(80) % 2
    uv = RNG.random((80, 3, 2)) * np.where(index, 1, 9999)[:, None, None]
    given = texture.UVTexture(uv, images, "repeat", True, index)
    save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=given))
    if ending == "obj":
        names = ["a-0.png", "a-1-opacity.png", "a-1.png", "a.mtl", "a.obj"]
        assert sorted(path.name for path in tmp_path.iterdir()) == names
    loaded = load_mesh(tmp_path / f"a.{ending}")
    found: Any = loaded.texture
    assert found.transparent and found.wrap == "repeat"
    order = np.argsort(index, kind="stable") if ending == "glb" else np.arange(80)
    np.testing.assert_array_equal(found.image_index, index[order])
    np.testing.assert_array_equal(
        loaded.vertices[loaded.faces], SPHERE.vertices[SPHERE.faces][order]
    )
    shift = found.coordinates - uv[order]
    np.testing.assert_allclose(shift, np.round(shift), atol=2e-3)
    for k in range(2):
        np.testing.assert_allclose(found.image[k], images[k], atol=EIGHT_BITS)
