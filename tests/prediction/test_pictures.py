import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxsoftras import config
from jaxsoftras.meshfile import imagefile
from jaxsoftras.prediction import masks, pictures
from tests.support.pictures import (
    check,
    colors,
    mask,
    noise,
    save_opaque,
    save_transparent,
)

TRANSPOSED = {  # by the orientation of EXIF: how the sensor sees the upright picture
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class TestFormats:
    @pytest.mark.parametrize(
        "name", ["a.png", "a.webp", "a.tif", "a.bmp", "A.PNG", "a.gif", "a.dat.png"]
    )
    def test_of_colours(self, name, tmp_path):
        check(pictures.read_picture(save_opaque(tmp_path / name)), "background")

    def test_jpeg_with_its_noise(self, tmp_path):
        path = tmp_path / "a.jpg"
        Image.fromarray(colors()).save(path, quality=80, subsampling=0)
        found = masks.find(imagefile.decode(path), path, None)
        assert found.origin == "background"
        assert np.mean((found.mask >= 0.5) != mask()) < 0.05

    @pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr"])
    def test_of_other_modes(self, mode, tmp_path):
        path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
        image = Image.fromarray(colors()).convert(mode, dither=Image.Dither.NONE)
        image.save(path)
        check(pictures.read_picture(path), "background")

    @pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
    def test_of_opacity(self, mode, tmp_path):
        path = save_transparent(tmp_path / "a.png")
        if mode == "PA":
            image = Image.fromarray(np.uint8(mask()))
            image = image.convert("P")
            image.info["transparency"] = 0
            image.save(path, transparency=0)
        elif mode == "LA":
            Image.open(path).convert("LA").save(path)
        check(pictures.read_picture(path), "opacity")

    @pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
    def test_of_more_than_8_bits(self, dtype, tmp_path):
        top = {np.uint16: 2**16 - 1, np.int32: 2**31 - 1, np.float32: 1}[dtype]
        values = np.where(mask(), 0.25, 0.9) * top
        Image.fromarray(values.astype(dtype)).save(tmp_path / "a.tif")
        picture = pictures.read_picture(tmp_path / "a.tif")
        check(picture, "background")
        assert picture.image[..., :3].max() == pytest.approx(0.25, abs=1e-4)

    @pytest.mark.parametrize("orientation", TRANSPOSED)
    def test_turned_by_exif(self, orientation, tmp_path):
        image = Image.fromarray(colors()).transpose(TRANSPOSED[orientation])
        exif = Image.Exif()
        exif[274] = orientation
        image.save(tmp_path / "a.png", exif=exif)
        check(pictures.read_picture(tmp_path / "a.png"), "background")

    @pytest.mark.parametrize("tag", [0, 9, 65535])
    def test_unknown_orientations_are_passed_over(self, tag, tmp_path):
        exif = Image.Exif()
        exif[274] = tag
        Image.fromarray(colors()).save(tmp_path / "a.png", exif=exif)
        check(pictures.read_picture(tmp_path / "a.png"), "background")

    def test_damaged_exif_is_passed_over(self, tmp_path):
        data = b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 20
        Image.fromarray(colors()).save(tmp_path / "a.png", exif=data)
        check(pictures.read_picture(tmp_path / "a.png"), "background")

    @pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
    def test_first_of_several_images(self, name, tmp_path):
        others = [Image.fromarray(noise())] * 2
        path = tmp_path / name
        Image.fromarray(colors()).save(
            path, save_all=True, append_images=others, lossless=name == "a.webp"
        )
        picture = pictures.read_picture(path)
        check(picture, "background")
        assert picture.notes == ("the first of several images",)


def bomb(width: int, height: int) -> bytes:
    """A PNG file that claims many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def cut(path: Path) -> None:
    data = save_opaque(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def tiny(path: Path) -> None:
    image = np.full((40, 60, 3), 255, np.uint8)
    image[10:14, 10:17] = 0
    Image.fromarray(image).save(path)


def all_transparent(path: Path) -> None:
    Image.new("RGBA", (30, 20)).save(path)


def floats(path: Path) -> None:
    Image.fromarray(np.where(mask(), 5.0, 900.0).astype("f4")).save(path, "TIFF")


HOSTILE = {
    "an empty file": (lambda path: path.write_bytes(b""), "unknown format"),
    "text": (lambda path: path.write_text("hello"), "unknown format"),
    "half a file": (cut, "image file is truncated"),
    "a bomb": (lambda path: path.write_bytes(bomb(60_000, 60_000)), "2**26"),
    "a small bomb": (lambda path: path.write_bytes(bomb(8_000, 8_000)), "cannot hold"),
    "a folder": (lambda path: path.mkdir(), "not a regular file"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "nothing": (lambda path: None, "no such file"),
    "a link to nothing": (lambda path: path.symlink_to("none"), "no such file"),
    "noise": (lambda path: Image.fromarray(noise()).save(path), "give --mask FILE"),
    "one colour": (lambda path: Image.new("RGB", (9, 9)).save(path), "mask is empty"),
    "one pixel": (lambda path: Image.new("RGB", (1, 1)).save(path), "mask is empty"),
    "a line": (lambda path: Image.new("L", (5000, 1)).save(path), "mask is empty"),
    "nothing opaque": (all_transparent, "mask is empty"),
    "a small object": (tiny, "7 x 4 pixels"),
    "floats without a range": (floats, "range up to 900"),
    "PostScript": (lambda path: path.write_text("%!PS-Adobe-3.0 EPSF\n"), "unknown"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures(name, tmp_path):
    make, message = HOSTILE[name]
    path = tmp_path / "a.png"
    make(path)
    with warnings.catch_warnings(), pytest.raises(ValueError) as caught:
        warnings.simplefilter("error")
        pictures.read_picture(path)
    text = str(caught.value)
    assert message in text and not text.endswith(".") and "\n" not in text


class TestCrop:
    def test_frames_the_object_as_the_training_data(self, tmp_path):
        picture = pictures.read_picture(save_opaque(tmp_path / "a.png"))
        image = pictures.crop(picture, 64)
        assert image.shape == (4, 64, 64) and image.dtype == np.uint8
        covered = image[3] >= 128
        columns, rows = (np.flatnonzero(covered.any(axis)) for axis in (0, 1))
        assert len(columns) == 44  # of 64
        assert abs(columns.mean() + 0.5 - 32) < 0.51
        assert abs(rows.mean() + 0.5 - 0.52 * 64) < 0.51
        # the L is upright
        assert covered[rows[2], columns[2]] and not covered[rows[2], columns[-3]]
        assert np.all(image[:3] <= image[3])

    def test_of_a_cut_object_is_empty_beyond_the_picture(self):
        image = np.ones((20, 40, 4), np.float32)
        image[:, 20:] = 0
        crop = pictures.crop(pictures.Picture(image, "file"), 32)
        assert crop[3].max() == 255 and crop[:, 0].max() == crop[:, -1].max() == 0

    def test_keeps_the_mean_colour(self):
        random = np.random.default_rng(0)
        image = np.zeros((64, 64, 4), np.float32)
        image[10:54, 10:54] = random.random((44, 44, 4))
        image[..., :3] *= image[..., 3:]
        image[10:54, 10:54, 3] = 1
        crop = pictures.crop(pictures.Picture(image, "file"), 32)
        ratio = (44 / pictures.EXTENT / 32) ** 2  # pixels in one of the crop
        np.testing.assert_allclose(
            crop.sum((1, 2)) / 255 * ratio, image.sum((0, 1)), rtol=0.01
        )

    @pytest.mark.parametrize(
        ("distance", "half_fov", "extent"),
        [(2.732, 15.0, 0.6875), (5.464, 15.0, 0.34375), (1.0, 15.0, 1.0)],
    )
    def test_extent_follows_the_cameras(self, distance, half_fov, extent):
        settings = config.Data(distance=distance, half_fov=half_fov)
        assert pictures.expected_extent(settings) == pytest.approx(extent)


def test_extent_is_the_median_of_real13(shared):
    longer = _longer_sides(shared, ["03001627", "03636649", "02958343", "02691156"])
    assert abs(np.median(longer) - pictures.EXTENT) < 0.04


@pytest.mark.slow
def test_extent_is_the_median_of_all_of_real13(shared):
    keys = sorted({p.name[:8] for p in (shared / "data/real13").glob("*_train_im*")})
    longer = _longer_sides(shared, keys)
    assert len(keys) == 13
    assert np.median(longer) == pytest.approx(pictures.EXTENT, abs=1e-3)


def _longer_sides(shared: Path, keys: list[str]) -> np.ndarray:
    """Longer sides of silhouettes' boxes, relative to the image."""
    longer = []
    for key in keys:
        images = np.load(shared / f"data/real13/{key}_train_images.npz")["arr_0"]
        for covered in (images[:, :, 3] >= 128).reshape(-1, 64, 64):
            spans = [np.flatnonzero(covered.any(axis)) for axis in (0, 1)]
            longer.append(max(span[-1] - span[0] + 1 for span in spans) / 64)
    return np.array(longer)
