"""GLB chunks, JSON and buffers of glTF."""

import struct

import numpy as np
import pytest

from jaxsoftras.meshfile import load_mesh
from tests.support.gltf_files import (
    CORNERS,
    corners,
    square,
)


class TestContainer:
    @pytest.mark.parametrize("uri", [None, "a%20b.bin", "a b.bin", "sub/c.bin"])
    def test_buffers(self, uri, tmp_path):
        file = square()
        (tmp_path / "a.gltf").write_bytes(file.gltf(uri))
        (tmp_path / "sub").mkdir()
        for name in ("a b.bin", "sub/c.bin"):
            (tmp_path / name).write_bytes(file.binary)
        np.testing.assert_array_equal(corners(load_mesh(tmp_path / "a.gltf")), CORNERS)

    def test_missing_buffer(self, tmp_path):
        (tmp_path / "a.gltf").write_bytes(square().gltf("gone.bin"))
        message = r"GLTF: buffers\[0\] is the file gone\.bin, which is missing"
        with pytest.raises(ValueError, match=message):
            load_mesh(tmp_path / "a.gltf")

    def test_short_buffer(self, tmp_path):
        file = square()
        (tmp_path / "a.gltf").write_bytes(file.gltf("a.bin"))
        (tmp_path / "a.bin").write_bytes(file.binary[:-1])
        with pytest.raises(ValueError, match=r"should have 60 bytes and has 59"):
            load_mesh(tmp_path / "a.gltf")

    def test_bytes_after_the_end_and_unknown_chunks(self, tmp_path):
        content = square().glb() + struct.pack("<I4s4s", 4, b"MORE", b"????")
        length = struct.pack("<I", len(content))
        content = content[:8] + length + content[12:] + b"\n"
        (tmp_path / "a.glb").write_bytes(content)
        np.testing.assert_array_equal(corners(load_mesh(tmp_path / "a.glb")), CORNERS)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda c: c[:-1], "it should have [0-9]+ bytes and has [0-9]+"),
            (lambda c: c[:15], "cut off within its first 20 bytes"),
            (lambda c: c[:4] + b"\1" + c[5:], "version 1 of glTF"),
            (lambda c: c[:12] + b"\xff\xff\0\0" + c[16:], "chunk at byte 12"),
            (lambda c: c[:16] + b"BIN\0" + c[20:], "first chunk is not JSON"),
            (lambda c: c[:20] + b"[" + c[21:], "JSON is broken at line 1, column"),
            (lambda c: b"glTG" + c[4:], "not begin with 'glTF'"),
        ],
    )
    def test_broken(self, change, message, tmp_path):
        (tmp_path / "a.glb").write_bytes(change(square().glb()))
        with pytest.raises(ValueError, match=rf"a\.glb cannot be read .*{message}"):
            load_mesh(tmp_path / "a.glb")

    @pytest.mark.parametrize(
        "content, message",
        [
            (b"[" * 100_000, "JSON is broken"),
            (b"{}", "asset has no version"),
            (b'{"asset": {"version": "1.0"}}', "version 1.0 of glTF"),
            (b"[]", "should be an object"),
            (b'{"asset": {"version": "2.0"}}', "no faces"),
        ],
    )
    def test_json(self, content, message, tmp_path):
        (tmp_path / "a.gltf").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_mesh(tmp_path / "a.gltf")
