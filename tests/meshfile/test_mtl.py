"""Materials of OBJ files: names of files and materials, options, and colours."""

from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import texture
from jaxsoftras.meshfile import imagefile, load_mesh

SAMPLE = jax.jit(texture.sample, static_argnums=2)

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0.125 0.125\nvt 0.375 0.125\nvt 0.125 0.375\n"
FACE = "f 1/1 2/2 3/3\n"
NOISE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def load(folder, mtl, obj=None, library="a.mtl") -> Any:
    """Loads a triangle with the material ``a`` of a library."""
    content = mtl if isinstance(mtl, bytes) else mtl.encode()
    (folder / "a.mtl").write_bytes(content)
    obj = f"mtllib {library}\n{TRIANGLE}usemtl a\n{FACE}" if obj is None else obj
    (folder / "a.obj").write_bytes(obj if isinstance(obj, bytes) else obj.encode())
    return load_mesh(folder / "a.obj")


def seen(mesh) -> np.ndarray:
    """Colours at the corners of the first face."""
    match mesh.texture:
        case texture.UVTexture(uv, image, wrap):
            return np.asarray(SAMPLE(image, uv[0], wrap or "clamp"))
        case texture.FaceColors(values):
            return np.tile(values[0], (3, 1))
        case other:
            raise AssertionError(other)


def expected(scale=1.0, offset=0.0, wrap="repeat"):
    corners = np.array([[0.125, 0.125], [0.375, 0.125], [0.125, 0.375]])
    return SAMPLE(NOISE / 255, corners * scale + offset, wrap)


@pytest.mark.parametrize(
    "options, seen_as",
    [
        ("", {}),
        ("-s 2 4 1 ", {"scale": [2, 4]}),
        ("-s 2 -o 0.5 0.25 ", {"scale": [2, 1], "offset": [0.5, 0.25]}),
        ("-o 3 3 -CLAMP On ", {"offset": 3, "wrap": "clamp"}),
        ("-blendu on -blendv off -cc on -clamp off -texres 256 ", {}),
        ("-mm 0 1 -boost 2 -imfchan l -BM 0.5 -type sphere -t 0 0 0 ", {}),
    ],
)
@pytest.mark.parametrize("name", ["my skin.png", "-x y.png", "#1.png"])
def test_options_of_images(options, seen_as, name, tmp_path):
    Image.fromarray(NOISE).save(tmp_path / name)
    loaded = load(tmp_path, f"newmtl a\nmap_Kd {options}{name}\n")
    np.testing.assert_allclose(seen(loaded), expected(**seen_as), atol=1e-4)


def test_options_that_change_colors(tmp_path):
    """The range of an image, and its product with the colour."""
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    loaded = load(tmp_path, "newmtl a\nmap_Kd -mm 0.25 0.5 a.png\nKd 1 0.5 0\n")
    factors = (0.25 + 0.5 * expected()) * np.array([1, 0.5, 0])
    np.testing.assert_allclose(seen(loaded), factors, atol=1e-5)


def test_image_of_a_black_material(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="black material a: its image is not"):
        loaded = load(tmp_path, "newmtl a\nKd 0 0 0\nmap_Kd a.png\n")
    np.testing.assert_allclose(seen(loaded), expected(), atol=1e-5)


@pytest.mark.parametrize(
    "named, name",
    [
        ("skin.png # of the hero", "skin.png"),
        ("skin.png\t# of the hero", "skin.png"),
        ("skin #2.png", "skin #2.png"),
        ('"my skin.png"', "my skin.png"),
        ("SKIN.PNG", "skin.png"),
        ("Maps\\Skin.png", "maps/skin.PNG"),
        ("./maps//skin.png", "maps/skin.png"),
        ("C:\\art\\maps\\skin.png", "skin.png"),
        ("/home/someone/skin.png", "skin.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
    ],
)
def test_names_of_images(named, name, tmp_path):
    (tmp_path / "maps").mkdir()
    Image.fromarray(NOISE).save(tmp_path / name)
    loaded = load(tmp_path, f"newmtl a\nmap_Kd {named}\n")
    np.testing.assert_allclose(seen(loaded), expected(), atol=1e-5)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "latin-1"])
def test_encodings_of_names(encoding, tmp_path):
    name = {"utf-8": "\u7ea2 caf\u00e9.png", "gbk": "\u7ea2\u8272.png"}
    name = name.get(encoding, "fa\u00e7ade.png")
    Image.fromarray(NOISE).save(tmp_path / name)
    loaded = load(tmp_path, f"newmtl a\nmap_Kd {name}\n".encode(encoding))
    np.testing.assert_allclose(seen(loaded), expected(), atol=1e-5)


@pytest.mark.parametrize("odd", ["\x85", "\xa0", "\x0b", "\u2028", "\u3000"])
def test_names_of_materials_with_odd_characters(odd, tmp_path):
    name = f"a{odd}b{odd}c"
    obj = f"mtllib a.mtl\n{TRIANGLE}usemtl {name}\n{FACE}"
    loaded = load(tmp_path, f"newmtl {name}\nKd 0 1 0\n", obj)
    np.testing.assert_array_equal(seen(loaded)[0], [0, 1, 0])


@pytest.mark.parametrize(
    "library",
    ["a.mtl b.mtl", "b.mtl  a.MTL # both", "b.mtl\nmtllib a.mtl", "my lib.mtl"],
)
def test_several_libraries(library, tmp_path):
    (tmp_path / "b.mtl").write_text("newmtl b\nKd 0 0 1\n")
    (tmp_path / "my lib.mtl").write_text("newmtl a\nKd 0 1 0\n")
    loaded = load(tmp_path, "newmtl a\nKd 0 1 0\n", library=library)
    np.testing.assert_array_equal(seen(loaded)[0], [0, 1, 0])


@pytest.mark.parametrize(
    "defined, used",
    [
        ("paint # green", "paint"),
        ("paint", "paint # green"),
        ("Material #25", "Material #25"),
        ("a  b", "a  b"),
    ],
)
def test_names_and_comments(defined, used, tmp_path):
    obj = f"mtllib a.mtl\n{TRIANGLE}usemtl {used}\n{FACE}"
    other = "newmtl Material #26\nKd 1 0 0\n"
    loaded = load(tmp_path, f"{other}newmtl {defined}\nKd 0 1 0\n", obj)
    np.testing.assert_array_equal(seen(loaded)[0], [0, 1, 0])


def test_names_in_two_encodings(tmp_path):
    name = "\u7ea2\u8272"
    obj = f"mtllib a.mtl\n{TRIANGLE}usemtl {name}\n{FACE}".encode()
    loaded = load(tmp_path, f"newmtl {name}\nKd 0 1 0\n".encode("gbk"), obj)
    np.testing.assert_array_equal(seen(loaded)[0], [0, 1, 0])


def test_lone_material_needs_no_name(tmp_path):
    obj = f"mtllib a.mtl\n{TRIANGLE}{FACE}"
    one, two = "newmtl a\nKd 0 1 0\n", "newmtl b\nKd 1 0 0\n"
    np.testing.assert_array_equal(seen(load(tmp_path, one, obj))[0], [0, 1, 0])
    several = load(tmp_path, one + two, obj).texture
    assert isinstance(several, texture.UVTexture) and several.image.min() == 1


@pytest.mark.parametrize("name", ["None", "(null)"])
def test_names_for_no_material(name, tmp_path):
    obj = f"mtllib a.mtl\n{TRIANGLE}usemtl {name}\n{FACE}"
    loaded = load(tmp_path, "newmtl a\nKd 0 1 0\n", obj)
    np.testing.assert_array_equal(seen(loaded), np.ones((3, 3)))


@pytest.mark.parametrize(
    "words, color",
    [
        ("0.25 0.5 1", [0.25, 0.5, 1]),
        ("0.25 # grey", [0.25] * 3),
        ("xyz 0.9505 1 1.089", [1, 1, 1]),
        ("xyz 0.2034 0.214 0.233", [0.5, 0.5, 0.5]),
    ],
)
def test_colors(words, color, tmp_path):
    loaded = load(tmp_path, f"newmtl a\nKd {words}\n")
    np.testing.assert_allclose(seen(loaded)[0], color, atol=1e-3)


@pytest.mark.parametrize(
    "lines, note",
    [
        ("Kd spectral ident.rfl 1", "spectral colours of materials are left out"),
        ("Kd 1 3 0", "colour of the material a above 1: clipped"),
        ("Tr 1", "materials of opacity 0: a, invisible"),
        ("map_d b.png", "missing images: b.png"),
        ("map_Bump b.png", "bump maps: left out"),
        ("Ke 0 0.5 0", "the light that materials emit: left out"),
    ],
)
def test_what_is_not_supported_is_named(lines, note, tmp_path):
    with pytest.warns(UserWarning, match=note):
        load(tmp_path, f"newmtl a\nKd 0.5 0.5 0.5\n{lines}\n")


@pytest.mark.parametrize(
    "lines", ["d 1\nTr 1", "Tr 1\nd 1", "Tr 0", "Ns 5\nKe 0.0 0 0"]
)
def test_opaque_materials(lines, tmp_path):
    load(tmp_path, f"newmtl a\nKd 1 1 1\n{lines}\n")  # a warning would be an error


class TestOpacity:
    """Opacities: of materials, of images of their own, and of images of colour."""

    ALPHA = np.random.default_rng(1).integers(0, 256, (4, 16), np.uint8)

    @pytest.fixture(autouse=True)
    def images(self, tmp_path):
        Image.fromarray(NOISE).save(tmp_path / "a.png")
        Image.fromarray(self.ALPHA).save(tmp_path / "d.png")
        both = np.append(NOISE, NOISE[::-1, :, :1], axis=-1)
        Image.fromarray(both).save(tmp_path / "both.png")

    @staticmethod
    def veil(pixels, places=None) -> np.ndarray:
        corners = np.array([[0.125, 0.125], [0.375, 0.125], [0.125, 0.375]])
        places = corners if places is None else places
        return np.asarray(SAMPLE(pixels / 255, places, "repeat"))[:, 0]

    @pytest.mark.parametrize(
        "lines, alpha",
        [("d 0.5", 0.5), ("d -halo 0.5", 0.5), ("Tr 0.25", 0.75), ("d 0.5\nTr 1", 0.5)],
    )
    @pytest.mark.parametrize("image", ["", "map_Kd a.png\n"])
    def test_of_a_material(self, lines, alpha, image, tmp_path):
        loaded = load(tmp_path, f"newmtl a\nKd 1 1 1\n{image}{lines}\n")
        assert loaded.texture.transparent
        color = expected() if image else np.ones((3, 3))
        found = seen(loaded)
        np.testing.assert_allclose(found, np.insert(color, 3, alpha, 1), atol=1e-5)

    @pytest.mark.parametrize(
        "lines, factor, base",
        [("map_d d.png", 1, 0), ("map_d -mm 0.25 0.5 d.png\nd 0.8", 0.4, 0.2)],
    )
    @pytest.mark.parametrize("image", ["", "map_Kd a.png\n"])
    def test_of_an_image(self, lines, factor, base, image, tmp_path):
        """It has another size than the image of colour; both are sampled alike."""
        loaded = load(tmp_path, f"newmtl a\nKd 1 1 1\n{image}{lines}\n")
        size = (8, 16) if image else (4, 16)
        assert loaded.texture.image.shape == (*size, 4) and loaded.texture.transparent
        color = expected() if image else np.ones((3, 3))
        found = seen(loaded)
        # of 8 columns become 16, and the corners lie between the centres of both
        np.testing.assert_allclose(found[:, :3], color, atol=0.05 if image else 1e-5)
        alpha = factor * self.veil(self.ALPHA[..., None]) + base
        np.testing.assert_allclose(found[:, 3], alpha, atol=0.05 if image else 1e-5)

    @pytest.mark.parametrize(
        "lines, channel",
        [
            ("map_d both.png", None),  # its alpha channel
            ("map_d -imfchan m both.png", None),
            ("map_d -imfchan g both.png", 1),
            ("map_d -imfchan m a.png", 9),  # which has no alpha channel
        ],
    )
    def test_channels(self, lines, channel, tmp_path):
        loaded = load(tmp_path, f"newmtl a\nmap_Kd both.png\n{lines}\n")
        alpha = NOISE[::-1, :, :1] if channel is None else NOISE[..., 1:2]
        assert loaded.texture.transparent == (channel != 9)
        if channel != 9:
            alpha = self.veil(alpha)
            np.testing.assert_allclose(seen(loaded)[:, 3], alpha, atol=1e-5)

    def test_luminance(self, tmp_path):
        loaded = load(tmp_path, "newmtl a\nmap_Kd a.png\nmap_d -imfchan l a.png\n")
        grey = NOISE @ np.array([0.2126, 0.7152, 0.0722])
        alpha = self.veil(grey[..., None])
        np.testing.assert_allclose(seen(loaded)[:, 3], alpha, atol=1e-5)

    def test_of_the_image_of_colour_is_named(self, tmp_path):
        with pytest.warns(
            UserWarning, match="opacity of the image of a is left out; a"
        ):
            loaded = load(tmp_path, "newmtl a\nmap_Kd both.png\n")
        assert not loaded.texture.transparent
        np.testing.assert_allclose(seen(loaded), expected(), atol=1e-5)

    def test_placed_elsewhere(self, tmp_path):
        with pytest.warns(
            UserWarning, match="opacity image of a is left out, as its o"
        ):
            loaded = load(tmp_path, "newmtl a\nmap_Kd a.png\nmap_d -s 2 2 d.png\n")
        np.testing.assert_allclose(seen(loaded), expected(), atol=1e-5)

    def test_of_options_alone(self, tmp_path):
        loaded = load(tmp_path, "newmtl a\nmap_d -s 2 4 -o 0.5 d.png\n")
        corners = np.array([[0.125, 0.125], [0.375, 0.125], [0.125, 0.375]])
        alpha = self.veil(self.ALPHA[..., None], corners * [2, 4] + [0.5, 0])
        np.testing.assert_allclose(seen(loaded)[:, 3], alpha, atol=1e-5)

    def test_too_large_together(self, tmp_path, monkeypatch):
        monkeypatch.setattr(imagefile, "MOST_TEXELS", 100)
        with pytest.raises(ValueError, match="8 x 8 texels has an image of opacity of"):
            load(tmp_path, "newmtl a\nmap_Kd a.png\nmap_d d.png\n")

    def test_beside_vertex_colours(self, tmp_path):
        """They take the place of the colour, and not of the opacity."""
        obj = "mtllib a.mtl\nv 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\n"
        obj = f"{obj}v 1 1 0\nusemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nf 4 4 4\n"
        loaded = load(tmp_path, "newmtl a\nKd 0 1 0\nd 0.5\nnewmtl b\nKd 0 0 1\n", obj)
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_array_equal(
            loaded.texture.values, [[1, 0, 0, 0.5], [1, 0, 0, 1], [0, 0, 1, 1]]
        )


@pytest.mark.parametrize(
    "line",
    [
        *("Kd red", "Kd", "Kd 1 0", "Kd nan 0 0", "d x", "Tr", "d nan"),
        *("map_Kd -mm 0 nan a.png", "map_Kd -s inf a.png"),
    ],
)
def test_errors_say_where(line, tmp_path):
    with pytest.raises(ValueError, match="line 3 of a.mtl is not understood"):
        load(tmp_path, f"# materials\nnewmtl a\n{line}\n")
