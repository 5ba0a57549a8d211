"""Colours of glTF: factors, images, coordinates, and wrap modes."""

import numpy as np
import pytest

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import load_mesh, save_mesh, srgb
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors
from tests.support.gltf_files import FACES, FOUR, SQUARE, UV, GltfFile, load, load_image

GREY = np.full((2, 2, 3), 188 / 255)
UP = (UV * [1, -1] + [0, 1])[FACES]  # as loaded: v runs up


def look_up(texture: UVTexture, uv) -> np.ndarray:
    """Nearest texels at coordinates of the texture; `UVTexture.wrap` continues it."""
    image = np.asarray(texture.image)
    height, width = image.shape[:2]
    x = np.floor(uv[..., 0] * width).astype(int)
    y = np.floor((1 - uv[..., 1]) * height).astype(int)
    if texture.wrap == "clamp":
        return image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return image[y % height, x % width]


def colors_on_grid(texture: UVTexture, count=8) -> np.ndarray:
    """Colours ``[count, count, 3]`` over the square, row 0 at y = 1."""
    (a, b, _), (c, _, d) = texture.coordinates  # from (0, 0) to (1, 0) and to (0, 1)
    place = (np.arange(count) + 0.5) / count
    x, y = place[:, None], place[::-1, None, None]
    return look_up(texture, a + x * (b - a) + y * (d - c))


class TestFactors:
    def test_linear_factor_and_encoded_image(self, tmp_path):
        linear = float(srgb.decode(GREY)[0, 0, 0])
        file = GltfFile()
        file.textured(file.texture(GREY))
        plain = file.material(baseColorFactor=[linear] * 3 + [1])
        file.primitive(SQUARE + [0, 0, 1], more={"material": plain})
        most = file.material(baseColorFactor=[0.8] * 3 + [1])
        colors = file.accessor(np.full((4, 3), linear / 0.8))
        file.primitive(SQUARE + [0, 0, 2], more={"material": most}, COLOR_0=colors)
        texture = load_image(tmp_path, file)
        middle = texture.coordinates.mean(axis=1)
        np.testing.assert_allclose(look_up(texture, middle), 188 / 255, atol=1e-3)

    def test_product_is_taken_in_linear_light(self, tmp_path):
        file = GltfFile()
        factor, color = np.array([0.5, 0.2, 0.8]), np.array([0.3, 1, 0.6])
        material = file.material(
            file.texture(GREY), baseColorFactor=[*factor.tolist(), 1]
        )
        file.primitive(
            more={"material": material},
            TEXCOORD_0=file.accessor(UV),
            COLOR_0=file.accessor(np.tile(color, (4, 1))),
        )
        expected = srgb.encode(srgb.decode(GREY) * factor * color)
        np.testing.assert_allclose(
            load_image(tmp_path, file).image, expected, atol=1e-3
        )

    def test_specular_glossiness(self, tmp_path):
        file = GltfFile()
        glossy = {"diffuseFactor": [1, 0, 0, 1]}
        extensions = {"KHR_materials_pbrSpecularGlossiness": glossy}
        file.primitive(
            more={"material": file.material(more={"extensions": extensions})}
        )
        texture = load(tmp_path, file).texture
        assert isinstance(texture, FaceColors)
        np.testing.assert_array_equal(texture.values, [[1, 0, 0]] * 2)

    def test_emission_is_named(self, tmp_path):
        file = GltfFile()
        glow = file.material(more={"emissiveFactor": [1, 0, 0]})
        file.primitive(more={"material": glow})
        with pytest.warns(UserWarning, match="light that materials emit is left out"):
            load(tmp_path, file)

    def test_maps_are_named(self, tmp_path):
        file = GltfFile()
        more = {"normalTexture": {"index": 0}, "occlusionTexture": {"index": 0}}
        file.textured(file.texture(), more=more, metallicRoughnessTexture={"index": 0})
        message = "maps of normals and occlusion and metal and roughness are left out"
        with pytest.warns(UserWarning, match=message):
            load(tmp_path, file)

    @pytest.mark.parametrize("image, named", [(FOUR, True), (GREY, False)])
    def test_nearest_filter_is_named(self, image, named, tmp_path):
        file = GltfFile()
        file.textured(file.texture(image, magFilter=9728))
        if named:
            with pytest.warns(UserWarning, match="without interpolation are inter"):
                load(tmp_path, file)
        else:
            load(tmp_path, file)

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"alphaMode": "CLIP"}, "alphaMode should not be CLIP"),
            ({"alphaMode": 3}, "alphaMode should be a string, not 3"),
            ({"pbrMetallicRoughness": {"baseColorFactor": [1, 1]}}, "array of 4 numb"),
            ({"pbrMetallicRoughness": {"baseColorTexture": {}}}, "has no index"),
            (
                {"pbrMetallicRoughness": {"baseColorTexture": {"index": 1}}},
                r"refers to textures\[1\], which does not exist; there are 0",
            ),
        ],
    )
    def test_refused(self, change, message, tmp_path):
        file = GltfFile()
        file.primitive(more={"material": file.material()})
        file.json["materials"][0] = change
        with pytest.raises(ValueError, match=message):
            load(tmp_path, file)


class TestVertexColors:
    LINEAR = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0.5], [0.2, 0.2, 0.2]])

    @pytest.mark.parametrize(
        "dtype, unit, normalized",
        [
            (np.float32, 1, False),
            (np.uint8, 255, True),
            (np.uint16, 65535, True),
            (np.uint16, 65535, False),  # a flag that some writers forget
        ],
    )
    @pytest.mark.parametrize("alpha", [False, True])
    def test_types(self, dtype, unit, normalized, alpha, tmp_path):
        values = np.insert(self.LINEAR, 3, 1, axis=1) if alpha else self.LINEAR
        values = values * unit if unit == 1 else np.round(values * unit)
        file = GltfFile()
        colors = file.accessor(values.astype(dtype), normalized=normalized)
        file.primitive(COLOR_0=colors)
        texture = load(tmp_path, file).texture
        assert isinstance(texture, VertexColors)
        tolerance = 1e-6 if unit == 1 else 4 / unit
        expected = srgb.encode(self.LINEAR)
        np.testing.assert_allclose(texture.values, expected, atol=tolerance)

    def test_factor(self, tmp_path):
        file = GltfFile()
        material = file.material(baseColorFactor=[0.5, 0.5, 0.5, 1])
        colors = file.accessor(self.LINEAR)
        file.primitive(more={"material": material}, COLOR_0=colors)
        texture = load(tmp_path, file).texture
        assert isinstance(texture, VertexColors)
        expected = srgb.encode(self.LINEAR / 2)
        np.testing.assert_allclose(texture.values, expected, atol=1e-6)

    def test_beside_an_image(self, tmp_path):
        """Multiplied with an image of one colour, and named with another."""
        for image, kind in ((GREY, VertexColors), (FOUR, UVTexture)):
            file = GltfFile()
            file.primitive(
                more={"material": file.material(file.texture(image))},
                TEXCOORD_0=file.accessor(UV),
                COLOR_0=file.accessor(self.LINEAR),
            )
            if kind is UVTexture:
                with pytest.warns(UserWarning, match="vertex colours of faces with an"):
                    assert isinstance(load(tmp_path, file).texture, UVTexture)
            else:
                texture = load(tmp_path, file).texture
                assert isinstance(texture, VertexColors)
                expected = srgb.encode(self.LINEAR * srgb.decode(GREY)[0, 0])
                np.testing.assert_allclose(texture.values, expected, atol=1e-3)

    def test_not_finite(self, tmp_path):
        file = GltfFile()
        colors = np.where(np.eye(4, 3) == 1, np.nan, 1)
        file.primitive(COLOR_0=file.accessor(colors))
        with pytest.raises(ValueError, match="colours that are not finite"):
            load(tmp_path, file)

    def test_round_trip(self, tmp_path):
        values = np.random.default_rng(0).random((4, 3)).astype(np.float32)
        square = Mesh(SQUARE, FACES.astype(int), VertexColors(values))
        save_mesh(tmp_path / "a.glb", square)
        texture = load_mesh(tmp_path / "a.glb").texture
        assert isinstance(texture, VertexColors)
        np.testing.assert_allclose(texture.values, values, atol=1e-6)


class TestCoordinates:
    @pytest.mark.parametrize(
        "dtype, unit", [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)]
    )
    def test_types(self, dtype, unit, tmp_path):
        file = GltfFile()
        uv = file.accessor((UV * unit).astype(dtype), normalized=unit > 1)
        file.primitive(more={"material": file.material(file.texture())}, TEXCOORD_0=uv)
        np.testing.assert_array_equal(load_image(tmp_path, file).coordinates, UP)

    @pytest.mark.parametrize(
        "info",
        [
            {"texCoord": 1},
            {"texCoord": 0, "extensions": {"KHR_texture_transform": {"texCoord": 1}}},
        ],
    )
    def test_second_set(self, info, tmp_path):
        file = GltfFile()
        file.primitive(
            more={"material": file.material(file.texture(), info=info)},
            TEXCOORD_0=file.accessor(np.zeros((4, 2))),
            TEXCOORD_1=file.accessor(UV),
        )
        np.testing.assert_array_equal(load_image(tmp_path, file).coordinates, UP)

    def test_missing_set(self, tmp_path):
        file = GltfFile()
        material = file.material(file.texture(), info={"texCoord": 3})
        file.primitive(more={"material": material}, TEXCOORD_0=file.accessor(UV))
        with pytest.warns(UserWarning, match="no texture coordinates"):
            texture = load(tmp_path, file).texture
        assert isinstance(texture, FaceColors)

    @pytest.mark.parametrize(
        "transform, matrix",
        [
            ({"offset": [0.25, 0.5]}, [[1, 0, 0.25], [0, 1, 0.5]]),
            ({"scale": [2, 3]}, [[2, 0, 0], [0, 3, 0]]),
            # counter-clockwise as v runs down: from right to up
            ({"rotation": np.pi / 2}, [[0, 1, 0], [-1, 0, 0]]),
            (
                {"rotation": np.pi / 2, "scale": [2, 3], "offset": [0.1, 0]},
                [[0, 3, 0.1], [-2, 0, 0]],
            ),
        ],
    )
    def test_transform(self, transform, matrix, tmp_path):
        file = GltfFile()
        info = {"extensions": {"KHR_texture_transform": transform}}
        file.textured(file.texture(), 0.1 + 0.3 * UV, info=info)
        u, v = np.moveaxis(np.asarray(load_image(tmp_path, file).coordinates), -1, 0)
        matrix = np.array(matrix)
        expected = (0.1 + 0.3 * UV)[FACES] @ matrix[:, :2].T + matrix[:, 2]
        # in other repetitions of the image
        shift_u, shift_v = u - expected[..., 0], 1 - v - expected[..., 1]
        np.testing.assert_allclose(shift_u, np.round(shift_u), atol=1e-6)
        np.testing.assert_allclose(shift_v, np.round(shift_v), atol=1e-6)

    @pytest.mark.parametrize(
        "offset, expected",
        [([0, 0], [1, 0, 0]), ([0.5, 0], [0, 1, 0]), ([0, 0.5], [0, 0, 1])],
    )
    def test_part_of_an_image(self, offset, expected, tmp_path):
        """Neighbours of a part do not shine in."""
        file = GltfFile()
        transform = {"scale": [0.5, 0.5], "offset": offset}
        info = {"extensions": {"KHR_texture_transform": transform}}
        file.textured(file.texture(), info=info)
        assert load_image(tmp_path, file).image.tolist() == [[expected]]


class TestWrap:
    CODES = {"clamp": 33071, "mirror": 33648, "repeat": 10497}

    @staticmethod
    def fold(index, size, mode):
        """Index of the texel at a place beyond the image."""
        if mode == "clamp":
            return np.clip(index, 0, size - 1)
        if mode == "repeat":
            return index % size
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)

    @pytest.mark.parametrize("mode_u", CODES)
    @pytest.mark.parametrize("mode_v", CODES)
    def test_modes(self, mode_u, mode_v, tmp_path):
        image = np.random.default_rng(0).integers(0, 256, (3, 2, 3)) / 255
        file = GltfFile()
        codes = {"wrapS": self.CODES[mode_u], "wrapT": self.CODES[mode_v]}
        uv = UV * [4, 4] - [1, 2]  # from -1 to 3 and from -2 to 2
        file.textured(file.texture(image, **codes), uv)
        texture = load_image(tmp_path, file)
        x = np.floor(((np.arange(24) + 0.5) / 24 * 4 - 1) * 2).astype(int)
        y = np.floor(((np.arange(24) + 0.5) / 24 * 4 - 2) * 3).astype(int)
        rows, columns = self.fold(y, 3, mode_v), self.fold(x, 2, mode_u)
        expected = image[rows[:, None], columns]
        found = colors_on_grid(texture, 24)
        np.testing.assert_allclose(found, expected, atol=1e-3)

    @pytest.mark.parametrize("mode", CODES)
    def test_within_the_image(self, mode, tmp_path):
        """No border is needed, and mirroring is clamping."""
        file = GltfFile()
        code = self.CODES[mode]
        file.textured(file.texture(FOUR, wrapS=code, wrapT=code))
        texture = load_image(tmp_path, file)
        assert texture.wrap == ("repeat" if mode == "repeat" else "clamp")
        np.testing.assert_array_equal(texture.image, FOUR)

    def test_unknown(self, tmp_path):
        file = GltfFile()
        file.textured(file.texture(FOUR, wrapS=7))
        with pytest.raises(ValueError, match="wrapS should not be 7"):
            load(tmp_path, file)
