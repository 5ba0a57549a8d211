"""Image files of all kinds as arrays."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.meshfile import imagefile

GREY = np.array([[0, 64], [128, 255]], np.uint8)
COLORS = np.random.default_rng(0).integers(0, 256, (3, 5, 4), np.uint8)


def png(width, height, depth, kind, rows) -> bytes:
    """A PNG file of a colour type that Pillow does not write."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = zlib.compress(rows)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def read(folder, image, kind, **options) -> np.ndarray:
    image.save(folder / "a", kind, **options)
    colors = imagefile.read(folder / "a")
    assert colors.dtype == np.float32
    return colors


@pytest.mark.parametrize(
    "values, kind",
    [
        (GREY, "PNG"),
        (GREY.astype(np.uint16) * 257, "PNG"),
        (GREY.astype(np.uint16) * 257, "TIFF"),
        (GREY.astype(np.int32) * 257, "PPM"),
        (GREY.astype(np.int32) * 8421504, "TIFF"),
        (GREY.astype(np.float32) / 255, "TIFF"),
    ],
)
def test_grey_by_its_range(values, kind, tmp_path):
    colors = read(tmp_path, Image.fromarray(values), kind)
    expected = np.repeat(GREY[..., None] / 255, 3, axis=-1)
    np.testing.assert_allclose(colors, expected, atol=1e-6)


def test_unsigned_integers_of_32_bits(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [-(2**31), -1]], np.int32))
    image.save(tmp_path / "a", "TIFF")
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, k, 0) for k in (2, 1))
    content = (tmp_path / "a").read_bytes()
    assert signed in content
    (tmp_path / "a").write_bytes(content.replace(signed, unsigned))
    colors = imagefile.read(tmp_path / "a")
    np.testing.assert_allclose(colors[..., 0], [[0, 0], [0.5, 1]], atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK"])
def test_modes(mode, tmp_path):
    image = Image.fromarray(COLORS)
    image = (image.convert("RGB") if mode == "P" else image).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    colors = read(tmp_path, image, kind)
    with_alpha = mode in ("RGBA", "LA")
    assert colors.shape == (3, 5, 4 if with_alpha else 3)
    expected = np.asarray(image.convert("RGBA" if with_alpha else "RGB")) / 255
    np.testing.assert_allclose(colors, expected, atol=1e-6)


def test_opaque_alpha_is_dropped(tmp_path):
    opaque = COLORS.copy()
    opaque[..., 3] = 255
    assert read(tmp_path, Image.fromarray(opaque), "PNG").shape[-1] == 3


def test_palette_with_transparency(tmp_path):
    image = Image.fromarray(GREY).convert("P")
    colors = read(tmp_path, image, "PNG", transparency=bytes([0] + [255] * 255))
    assert colors.shape[-1] == 4
    np.testing.assert_array_equal(colors[..., 3], [[0, 1], [1, 1]])


def test_sixteen_bits_of_three_channels(tmp_path):
    row = b"\0" + struct.pack(">3H", 0, 16384, 65535)
    (tmp_path / "a").write_bytes(png(1, 1, 16, 2, row))
    colors = imagefile.read(tmp_path / "a")
    np.testing.assert_allclose(colors, [[[0, 0.25, 1]]], atol=1 / 255)


def test_first_image_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    colors = read(tmp_path, frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(colors, np.full((2, 2, 3), [1, 0, 0]))


def test_orientation_of_photographs_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned
    colors = read(tmp_path, Image.fromarray(COLORS[..., :3]), "PNG", exif=exif)
    np.testing.assert_allclose(colors, COLORS[..., :3] / 255, atol=1e-6)


def saved(image, kind="PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"no image", "damaged or of an unknown format; use PNG"),
        (b"", "damaged or of an unknown format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n", "unknown format"),
        (saved(Image.fromarray(COLORS))[:60], ""),
        (saved(Image.fromarray(COLORS[..., :3]), "JPEG")[:300], ""),
        (png(20_000, 20_000, 8, 2, b""), r"more than 2\*\*26 texels"),
        (png(9_000, 9_000, 8, 2, b""), r"9000 x 9000 texels, more than 2\*\*26"),
        (png(5_000, 5_000, 8, 2, b""), "65 bytes cannot hold the 5000 x 5000 texels"),
        (saved(Image.new("F", (1, 1), 255.0), "TIFF"), "range up to 255"),
        (saved(Image.new("F", (1, 1), np.nan), "TIFF"), "range up to nan"),
    ],
)
def test_refusals(content, message, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(
        ValueError, match=f"a.png cannot be read as an image: .*{message}"
    ):
        imagefile.read(tmp_path / "a.png")


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("place", range(0, 60, 6))
def test_damaged_texels_are_not_black(place, upright, tmp_path):
    """Also where tags are read, which Pillow looks for behind the texels."""
    content = bytearray(saved(Image.fromarray(COLORS[..., :3])))
    content[content.index(b"IDAT") + 4 + place] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError):
        imagefile.decode(tmp_path / "a.png", upright=upright)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        imagefile.read(tmp_path / "a.png")
