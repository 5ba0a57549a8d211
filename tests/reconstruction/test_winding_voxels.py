import numpy as np
import pytest

from jaxsoftras import mesh
from jaxsoftras.reconstruction import winding_voxels

CENTERS = (np.arange(32) + 0.5 - 16) / 31  # model frame


def solid_angles(vertices, faces):
    """Winding numbers of all centres ``[x, y, z]``, by Van Oosterom and Strackee."""
    points = np.stack(np.meshgrid(CENTERS, CENTERS, CENTERS, indexing="ij"), -1)
    total = np.zeros(points.shape[:3])
    for a, b, c in np.asarray(vertices, float)[faces]:
        a, b, c = a - points, b - points, c - points
        x, y, z = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
        volume = np.sum(a * np.cross(b, c), -1)
        cosines = x * y * z + np.sum(a * b, -1) * z
        cosines += np.sum(b * c, -1) * x + np.sum(c * a, -1) * y
        total += 2 * np.arctan2(volume, cosines)
    return total / (4 * np.pi)


def as_file(grid):
    return np.swapaxes(grid, 0, 1)[..., ::-1]


def box(low, high):
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8)
    vertices = np.asarray(low) + corners.T * (np.asarray(high) - low)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4]]
    quads = np.array([*quads, [1, 5, 7, 3]])
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def random_sphere(seed):
    """A sphere whose vertices are moved until it cuts itself."""
    sphere = mesh.icosphere(1)
    noise = np.random.default_rng(seed).normal(0, 0.12, sphere.vertices.shape)
    return 0.3 * np.asarray(sphere.vertices) + noise, np.asarray(sphere.faces)


@pytest.mark.parametrize("seed", range(3))
def test_winding_numbers_of_solid_angles(seed):
    vertices, faces = random_sphere(seed)
    winding = solid_angles(vertices, faces)
    assert np.round(winding).max() >= 1 and winding.min() < -0.5  # cut and turned over
    grid = winding_voxels.voxelize(vertices, faces)
    np.testing.assert_array_equal(grid, as_file(np.abs(winding) > 0.5))
    assert grid.any()


def test_direction_and_order_of_faces_play_no_part():
    vertices, faces = random_sphere(5)
    grid = winding_voxels.voxelize(vertices, faces)
    for other in (faces[:, ::-1], np.roll(faces, 1, 1), faces[::-1]):
        np.testing.assert_array_equal(winding_voxels.voxelize(vertices, other), grid)


def test_no_line_slips_through_edges_on_centres():
    """All vertices, edges and diagonals lie exactly on lines through centres."""
    vertices, faces = box(CENTERS[[4, 6, 8]], CENTERS[[20, 21, 22]])
    grid = winding_voxels.voxelize(vertices, faces)
    shifted = winding_voxels.voxelize(vertices + 1e-6, faces)
    inner = as_file(grid)[5:20, 7:21, 9:22]  # centres that are strictly inside
    assert inner.all()
    assert np.sum(grid) in range(15 * 14 * 13, 17 * 16 * 15 + 1)
    assert np.sum(shifted) == 16 * 15 * 14


def test_overlapping_parts_are_solid():
    first, faces = box([-0.3, -0.3, -0.3], [0.1, 0.1, 0.1])
    second, _ = box([-0.1, -0.1, -0.1], [0.3, 0.3, 0.3])
    both = np.concatenate([first, second]), np.concatenate([faces, faces + 8])
    expected = [winding_voxels.voxelize(part, faces) for part in (first, second)]
    grid = winding_voxels.voxelize(*both)
    np.testing.assert_array_equal(grid, expected[0] | expected[1])


def test_volume_is_that_of_the_mesh():
    sphere = mesh.icosphere(3)
    for radius, volume in ((0.25, 1950), (0.4, 7987), (0.5, 15600)):
        grid = winding_voxels.voxelize(radius * sphere.vertices, sphere.faces)
        assert grid.sum() == pytest.approx(volume, rel=0.03)


def test_open_meshes():
    vertices, faces = box([-0.4, -0.4, -0.4], [0.4, 0.4, 0.4])
    lidless = np.delete(faces, [5, 11], 0)
    assert winding_voxels.voxelize(vertices, lidless).sum() > 10_000
    sheet = winding_voxels.voxelize(vertices, faces[[0, 6]])
    assert not sheet.any()
    assert not winding_voxels.voxelize(vertices, np.zeros((0, 3), int)).any()
    assert not winding_voxels.voxelize(np.zeros((8, 3)), faces).any()


def test_parts_beyond_the_grid_are_cut_off():
    vertices, faces = box([-3, -0.4, -0.4], [3, 0.4, 0.4])
    grid = as_file(winding_voxels.voxelize(vertices, faces))
    assert grid[0].any() and grid[31].any()
    np.testing.assert_array_equal(grid[0], grid[15])
