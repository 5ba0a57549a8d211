"""Arrays of glTF: types, strides, sparse ones, and what is refused."""

import numpy as np
import pytest

from tests.support.gltf_files import (
    CORNERS,
    FACES,
    SQUARE,
    GltfFile,
    corners,
    load,
    square,
)


class TestAccessors:
    @pytest.mark.parametrize("stride", [12, 16, 28])
    def test_stride(self, stride, tmp_path):
        rows = np.zeros((4, stride), np.uint8)
        rows[:, :12] = SQUARE.view(np.uint8)
        file = square()
        file.json["accessors"][0]["bufferView"] = file.view(
            rows.tobytes(), byteStride=stride
        )
        np.testing.assert_array_equal(corners(load(tmp_path, file)), CORNERS)

    @pytest.mark.parametrize("base", [True, False])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
    def test_sparse(self, base, dtype, tmp_path):
        file = square()
        accessor, index = file.json["accessors"][0], np.array([1, 2, 3], dtype)
        accessor["sparse"] = {
            "count": 3,
            "indices": {
                "bufferView": file.view(index.tobytes()),
                "componentType": {1: 5121, 2: 5123, 4: 5125}[index.itemsize],
            },
            "values": {"bufferView": file.view((2 * SQUARE[1:]).tobytes())},
        }
        if not base:
            del accessor["bufferView"]
        np.testing.assert_array_equal(corners(load(tmp_path, file)), 2 * CORNERS)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
    def test_indices(self, dtype, tmp_path):
        file = GltfFile()
        file.primitive(faces=FACES.astype(dtype))
        np.testing.assert_array_equal(corners(load(tmp_path, file)), CORNERS)

    @pytest.mark.parametrize(
        "dtype, normalized, unit",
        [
            (np.int16, True, 32767),
            (np.uint16, True, 65535),
            (np.int8, True, 127),
            (np.int16, False, 1),
            (np.uint8, False, 1),
        ],
    )
    def test_quantized_positions(self, dtype, normalized, unit, tmp_path):
        """As KHR_mesh_quantization allows, which a scale of the node completes."""
        file = GltfFile()
        file.primitive((SQUARE * unit).astype(dtype))
        file.json["accessors"][0]["normalized"] = normalized
        file.json["nodes"][0]["scale"] = [unit if normalized else 1] * 3
        file.json["extensionsRequired"] = ["KHR_mesh_quantization"]
        expected = CORNERS * unit
        np.testing.assert_allclose(corners(load(tmp_path, file)), expected, rtol=1e-6)

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"count": 5}, r"accessors\[0\] has 5 elements, which end at byte 60"),
            ({"count": 1e300}, r"accessors\[0\] has 1"),
            ({"count": 0.5}, "count should be an integer of at least 0, not 0.5"),
            ({"count": -1}, "count should be an integer of at least 0, not -1"),
            ({"byteOffset": 4}, "which end at byte 52"),
            ({"bufferView": 9}, r"refers to bufferViews\[9\], which does not exist"),
            ({"bufferView": "0"}, 'bufferView should be an integer .*"0"'),
            ({"type": "VEC2"}, "should be a VEC3"),
            ({"componentType": 5130}, "not VEC3 of 5130"),
            ({"normalized": 1}, "normalized should be true or false"),
            (
                {"sparse": {"count": 1, "indices": {"bufferView": 1}, "values": {}}},
                "indices has no componentType",
            ),
        ],
    )
    def test_refused(self, change, message, tmp_path):
        file = square()
        file.json["accessors"][0] |= change
        with pytest.raises(ValueError, match=message):
            load(tmp_path, file)

    def test_many_zeros_are_refused(self, tmp_path):
        file = square()
        del file.json["accessors"][0]["bufferView"]
        file.json["accessors"][0]["count"] = 10**9
        with pytest.raises(ValueError, match="1000000000 elements, but no data"):
            load(tmp_path, file)

    def test_buffer_view_beyond_the_buffer(self, tmp_path):
        file = square()
        file.json["bufferViews"][1]["byteLength"] = 99
        with pytest.raises(ValueError, match=r"bufferViews\[1\] ends at byte 147 of"):
            load(tmp_path, file)
