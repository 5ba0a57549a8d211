"""Nodes, scenes, instances and skins of glTF."""

import numpy as np
import pytest

from jaxsoftras.texture import UVTexture
from tests.support.gltf_files import (
    CORNERS,
    FACES,
    SQUARE,
    GltfFile,
    corners,
    load,
    square,
)


class TestScene:
    MOVED = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]  # by columns

    @pytest.mark.parametrize(
        "node, place",
        [
            ({"matrix": MOVED}, lambda p: p + [5, 6, 7]),
            ({"translation": [5, 6, 7]}, lambda p: p + [5, 6, 7]),
            ({"scale": [2, 3, 4]}, lambda p: p * [2, 3, 4]),
            (
                {"rotation": [0, 0, 1, 1]},
                lambda p: p @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
            ),
            (
                {
                    "rotation": [0, 0, 1, 1],
                    "scale": [2, 1, 1],
                    "translation": [1, 0, 0],
                },
                lambda p: (
                    p * [2, 1, 1] @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]] + [1, 0, 0]
                ),
            ),
        ],
    )
    def test_nodes(self, node, place, tmp_path):
        file = square()
        file.json["nodes"] = [{"children": [1], "translation": [1, 1, 1]}]
        file.json["nodes"].append({"mesh": 0} | node)
        expected = place(CORNERS) + 1
        np.testing.assert_allclose(corners(load(tmp_path, file)), expected, atol=1e-6)

    def test_mirrored(self, tmp_path):
        """Keeps the outside of a surface, and its texture coordinates."""
        file = GltfFile()
        file.textured(file.texture())
        file.json["nodes"][0]["scale"] = [-1, 1, 1]
        loaded = load(tmp_path, file)
        assert isinstance(loaded.texture, UVTexture)
        a, b, c = np.moveaxis(corners(loaded), 1, 0)
        assert np.all(np.cross(b - a, c - a)[:, 2] > 0)
        uv = corners(loaded)[..., :2] * [-1, 1]
        np.testing.assert_array_equal(loaded.texture.coordinates, uv)

    @pytest.mark.parametrize(
        "change, shown",
        [
            ({"scenes": [{"nodes": [0]}, {"nodes": [1]}], "scene": 1}, [1]),
            ({"scenes": [{"nodes": [1]}, {"nodes": [0]}], "scene": None}, [1]),
            ({"scenes": None, "scene": None}, [0, 1, 2]),
            ({"scenes": [{"nodes": [2, 0]}]}, [0, 2]),
        ],
    )
    def test_scenes(self, change, shown, tmp_path):
        file = square()
        file.json["nodes"] = [{"mesh": 0, "translation": [0, 0, k]} for k in range(3)]
        file.json |= change
        file.json = {k: v for k, v in file.json.items() if v is not None}
        heights = np.unique(corners(load(tmp_path, file))[..., 2])
        assert heights.tolist() == shown

    def test_invisible_nodes(self, tmp_path):
        file = square()
        hidden = {"KHR_node_visibility": {"visible": False}}
        file.json["nodes"] += [{"children": [2], "extensions": hidden}, {"mesh": 0}]
        file.json["scenes"][0]["nodes"] = [0, 1]
        assert len(load(tmp_path, file).faces) == 2

    @pytest.mark.parametrize(
        "nodes, message",
        [
            ([{"children": [1]}, {"children": [0]}], "among its own descendants"),
            ([{"children": [0]}], r"nodes\[0\] is among its own descendants"),
            ([{"children": [2]}, {"children": [2]}, {}], r"child of both nodes\[0\]"),
            ([{"children": [3]}], r"refers to nodes\[3\], which does not exist"),
            ([{"mesh": 1}], r"refers to meshes\[1\]"),
            ([{"mesh": 0, "skin": 0}], r"refers to skins\[0\]"),
            ([{"mesh": 0, "rotation": [0, 0, 0, 0]}], "quaternion is zero"),
            ([{"mesh": 0, "scale": [1, 2]}], "scale should be an array of 3 numbers"),
            ([{"mesh": 0, "scale": [1, 2, "3"]}], "an array of 3 numbers"),
            ([{"mesh": 0, "scale": [1, 2, 1e999]}], "finite numbers"),
            ({}, "nodes should be an array"),
            ([4], r"nodes\[0\] should be an object, not 4"),
        ],
    )
    def test_refused(self, nodes, message, tmp_path):
        file = square()
        file.json["nodes"] = nodes
        with pytest.raises(ValueError, match=message):
            load(tmp_path, file)

    def test_instances(self, tmp_path):
        file = square()
        attributes = {
            "TRANSLATION": file.accessor(np.array([[0, 0, 1], [0, 0, 2]], np.float32)),
            "SCALE": file.accessor(np.array([[1, 1, 1], [-2, 2, 2]], np.float32)),
        }
        instances = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
        file.json["nodes"][0] |= {"extensions": instances, "translation": [9, 0, 0]}
        loaded = load(tmp_path, file)
        one, other = np.split(corners(loaded), 2)
        np.testing.assert_array_equal(one, CORNERS + [9, 0, 1])
        mirrored = CORNERS[:, ::-1] * [-2, 2, 2] + [9, 0, 2]
        np.testing.assert_array_equal(other, mirrored)

    def test_no_instances(self, tmp_path):
        file = square()
        none = {"TRANSLATION": file.accessor(np.zeros((0, 3)))}
        instances = {"EXT_mesh_gpu_instancing": {"attributes": none}}
        file.json["nodes"][0]["extensions"] = instances
        with pytest.raises(ValueError, match="no faces"):
            load(tmp_path, file)

    def test_too_many_instances_are_refused(self, tmp_path):
        file = GltfFile()
        file.primitive(faces=np.tile(FACES, (2**10, 1)))
        many = {"TRANSLATION": file.accessor(np.zeros((1, 3), np.float32))}
        file.json["accessors"][-1]["count"] = 2**11
        del file.json["accessors"][-1]["bufferView"]
        instances = {"EXT_mesh_gpu_instancing": {"attributes": many}}
        file.json["nodes"][0]["extensions"] = instances
        with pytest.raises(ValueError, match="shows 4194304 .*with fewer instances"):
            load(tmp_path, file)

    def test_primitive_repeated_too_often_is_refused(self, tmp_path):
        file = GltfFile()
        file.primitive(np.zeros((2**15, 3), np.float32))
        file.json["meshes"][0]["primitives"] *= 2**8
        with pytest.raises(ValueError, match="with fewer instances"):
            load(tmp_path, file)


class TestSkins:
    def skinned(self, joints, weights) -> GltfFile:
        """A square whose joints are nodes 1 and 2, the latter above the former."""
        file = square(JOINTS_0=np.array(joints, np.uint8), WEIGHTS_0=weights)
        file.json["nodes"] = [
            {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},
            {"translation": [0, 0, 1], "children": [2]},
            {"translation": [0, 0, 2]},
        ]
        file.json["scenes"][0]["nodes"] = [0, 1]
        file.json["skins"] = [{"joints": [1, 2]}]
        return file

    @pytest.mark.parametrize("dtype, top", [(np.float32, 1), (np.uint8, 255)])
    def test_pose(self, dtype, top, tmp_path):
        """Joints replace the transform of the node."""
        joints = [[0, 1, 0, 0]] * 4
        weights = np.array([[1, 0, 0, 0], [0, 1, 0, 0]] * 2) * top
        file = self.skinned(joints, weights.astype(dtype))
        expected = (SQUARE + np.array([[0, 0, 1], [0, 0, 3]] * 2))[FACES]
        np.testing.assert_allclose(corners(load(tmp_path, file)), expected, rtol=1e-6)

    def test_inverse_bind_matrices(self, tmp_path):
        file = self.skinned([[0, 1, 0, 0]] * 4, np.full((4, 4), 0.5, np.float32))
        # two of the weights are of joint 0 once more
        bind = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
        bind[:, :3, 3] = [[0, 0, -1], [0, 0, -3]]
        accessor = file.accessor(bind.swapaxes(1, 2).copy())
        file.json["skins"][0]["inverseBindMatrices"] = accessor
        np.testing.assert_allclose(corners(load(tmp_path, file)), CORNERS, atol=1e-6)

    def test_mirrored_joints(self, tmp_path):
        weights = np.array([[1, 0, 0, 0]] * 4, np.float32)
        file = self.skinned([[1, 0, 0, 0]] * 4, weights)
        file.json["nodes"][2] = {"scale": [-1, 1, 1]}
        a, b, c = np.moveaxis(corners(load(tmp_path, file)), 1, 0)
        assert np.all(np.cross(b - a, c - a)[:, 2] > 0)

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"joints": [1]}, "joints that do not exist; its skin has 1"),
            ({"joints": [1, 7]}, r"refers to nodes\[7\]"),
            ({"joints": []}, "joints that do not exist"),
        ],
    )
    def test_refused(self, change, message, tmp_path):
        weights = np.array([[1, 0, 0, 0]] * 4, np.float32)
        file = self.skinned([[1, 0, 0, 0]] * 4, weights)
        file.json["skins"][0] |= change
        with pytest.raises(ValueError, match=message):
            load(tmp_path, file)
