"""Triangles of glTF: strips, fans, morph targets, and what is refused."""

import numpy as np
import pytest

from jaxsoftras import topology
from tests.support.gltf_files import (
    CORNERS,
    SQUARE,
    GltfFile,
    corners,
    load,
    square,
)


class TestPrimitives:
    STRIP = [0, 1, 3, 2]

    @pytest.mark.parametrize(
        "mode, index, expected",
        [
            (5, STRIP, [[0, 1, 3], [1, 2, 3]]),
            (5, [0, 1, 3, 3, 3, 2], [[0, 1, 3]]),  # degenerate triangles
            (5, [0, 1, 3, 255, 1, 2, 3], [[0, 1, 3], [1, 2, 3]]),  # a restart
            (6, [0, 1, 2, 3], [[1, 2, 0], [2, 3, 0]]),
            (6, [0, 1], []),
        ],
    )
    def test_strips_and_fans(self, mode, index, expected, tmp_path):
        file = GltfFile()
        file.primitive(faces=np.array(index, np.uint8), more={"mode": mode})
        file.primitive(SQUARE + [0, 0, 1])
        found = corners(load(tmp_path, file))[:-2]
        expected = np.array(expected, int).reshape(-1, 3)
        np.testing.assert_array_equal(found, SQUARE[expected])

    def test_without_indices(self, tmp_path):
        file = GltfFile()
        file.primitive(SQUARE[[0, 1, 2]], None)
        file.primitive(SQUARE[self.STRIP], None, more={"mode": 5})
        loaded = load(tmp_path, file)
        assert loaded.faces.tolist() == [[0, 1, 2], [0, 1, 3], [1, 2, 3]]

    def test_points_and_lines_are_named_once(self, tmp_path):
        file = square()
        for mode in range(4):
            file.primitive(SQUARE + [0, 0, 1], more={"mode": mode})
        with pytest.warns(UserWarning, match="points and lines are left") as caught:
            loaded = load(tmp_path, file)
        assert len(caught) == 1 and len(loaded.faces) == 2

    def test_nothing_but_points(self, tmp_path):
        file = GltfFile()
        file.primitive(more={"mode": 0})
        with pytest.raises(ValueError, match="has no faces: points and lines are left"):
            load(tmp_path, file)

    @pytest.mark.parametrize(
        "index, message",
        [
            (np.array([0, 1, 4], np.uint16), r"accessors\[1\] refers to vertex 4 of 4"),
            (np.array([0, 1, 2, 3], np.uint16), "4 vertices of triangles"),
            (np.array([0, 1, 2], np.float32), "should have unsigned integers"),
        ],
    )
    def test_wrong_indices(self, index, message, tmp_path):
        file = GltfFile()
        file.primitive(faces=index)
        with pytest.raises(ValueError, match=message):
            load(tmp_path, file)

    def test_attributes_of_other_length(self, tmp_path):
        file = square(COLOR_0=np.ones((3, 3), np.float32))
        with pytest.raises(ValueError, match="4 vertices and 3 values of COLOR_0"):
            load(tmp_path, file)

    def test_not_finite(self, tmp_path):
        positions = np.concatenate([SQUARE, [[np.nan] * 3]]).astype(np.float32)
        file = GltfFile()
        file.primitive(positions)
        np.testing.assert_array_equal(corners(load(tmp_path, file)), CORNERS)
        file.primitive(positions, np.array([0, 1, 4], np.uint16))
        with pytest.raises(ValueError, match="not finite"):
            load(tmp_path, file)

    @pytest.mark.parametrize("place, share", [("meshes", 0.5), ("nodes", 0.25)])
    def test_morph_targets(self, place, share, tmp_path):
        file = GltfFile()
        moved = file.accessor(np.ones((4, 3), np.float32))
        file.primitive(more={"targets": [{}, {"POSITION": moved}]})
        file.json["meshes"][0]["weights"] = [1, 0.5]
        if place == "nodes":  # replace those of the mesh
            file.json["nodes"][0]["weights"] = [1, 0.25]
        np.testing.assert_array_equal(corners(load(tmp_path, file)), CORNERS + share)
        file.json[place][0]["weights"] = [1]
        with pytest.raises(ValueError, match="2 morph targets, and its mesh 1 weights"):
            load(tmp_path, file)

    def test_vertices_are_merged(self, tmp_path):
        """Also those of different normals, so that a closed surface becomes closed."""
        box = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
        sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1)]
        sides += [(2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        file = GltfFile()
        for side in sides:
            positions = box[list(side)].astype(np.float32)
            normal = np.cross(positions[1] - positions[0], positions[2] - positions[0])
            normals = np.tile(normal, (4, 1)).astype(np.float32)
            file.primitive(positions, NORMAL=file.accessor(normals))
        loaded = load(tmp_path, file)
        assert len(loaded.vertices) == 8 and topology.is_watertight(loaded.faces)
