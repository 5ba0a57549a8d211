"""Voxels of triangle soups: what is solid, and what real meshes give."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.data import soups
from jaxsoftras.mesh import icosphere
from jaxsoftras.voxels import voxelize

SIDE = 0.45
CORNERS = SIDE * np.array(
    [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float
)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4]]
LID = [1, 5, 7, 3]


def triangles(quads: list[list[int]]) -> np.ndarray:
    return np.array([[a, *rest] for a, b, c, d in quads for rest in ((b, c), (c, d))])


def test_a_box_is_solid_whatever_its_faces_look_like():
    closed = triangles([*QUADS, LID])
    solid = soups.voxelize(CORNERS, closed, 16)
    assert solid.sum() == 14**3  # from 1.25 to 14.75
    turned = np.where(np.arange(12)[:, None] % 3 == 0, closed[:, ::-1], closed)
    doubled = np.concatenate([turned, closed[::2], [[0, 0, 3]]])
    np.testing.assert_array_equal(soups.voxelize(CORNERS, doubled, 16), solid)


@pytest.mark.parametrize(("gap", "filled"), [(0.9, True), (2.2, False)])
def test_gaps_narrower_than_a_cell_are_closed(gap, filled):
    # a box without its lid, of which a strip of some cells is missing
    resolution = 16
    lid = CORNERS[LID].copy()
    width = gap / (resolution - 1)
    lid[[2, 3], 1] = SIDE - width
    vertices = np.concatenate([CORNERS, lid])
    faces = triangles([*QUADS, [8, 9, 10, 11]])
    grid = soups.voxelize(vertices, faces, resolution)
    assert grid[8, 8, 8] == filled


def test_axes_are_those_of_the_files():
    # a small triangle at +x, +y, -z
    near = np.array([0.4, 0.3, -0.2]) + 0.01 * np.eye(3)
    [[row, column, depth]] = np.argwhere(soups.voxelize(near, [[0, 1, 2]], 8))
    cell = np.floor(np.array([0.4, 0.3, -0.2]) * 7 + 4)
    assert [column, row, 7 - depth] == cell.tolist()


def test_cells_are_those_that_the_triangle_meets():
    # compared with many points of the triangle: none may lie in an empty cell
    rng = np.random.default_rng(0)
    corners = rng.uniform(-0.5, 0.5, (3, 3))
    grid = soups.voxelize(corners, [[0, 1, 2]], 16)
    points = rng.dirichlet(np.ones(3), 200_000) @ corners
    x, y, z = np.floor(points * 15 + 8).astype(int).T
    touched = np.zeros_like(grid)
    touched[y, x, 15 - z] = True
    assert np.all(grid[touched])
    # what the points miss is cut at a corner only
    assert grid.sum() <= 1.03 * touched.sum()


def test_marks_what_the_rule_of_evaluation_marks():
    sphere = icosphere(1)
    vertices = (0.31 * sphere.vertices).astype(np.float32)
    ours = soups.voxelize(vertices, sphere.faces)
    rule = np.asarray(voxelize(vertices, sphere.faces))
    assert np.all(ours[rule]) and ours.sum() < 1.1 * rule.sum()


def test_meshes_beyond_the_grid_are_refused():
    with pytest.raises(ValueError, match="reaches out of the grid"):
        soups.voxelize(2 * CORNERS, triangles(QUADS))
