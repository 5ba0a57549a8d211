"""Voxel grids: the original's counts, a slow reference, and surfaces of grids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxsoftras import mesh, voxels
from tests.support import surfaces

SPHERE = mesh.icosphere(3)


def extent(grid):
    """First and last occupied cell on each axis."""
    cells = np.argwhere(grid)
    return [
        (int(low), int(high))
        for low, high in zip(cells.min(0), cells.max(0), strict=True)
    ]


class TestConformance:
    """The number and extent of cells that the original's voxelizer finds."""

    @pytest.mark.parametrize(
        ("radius", "surface", "filled", "span"),
        [
            (0.25, 1112, 2536, (8, 23)),
            (0.4, 2904, 9428, (3, 28)),
            (0.5, 4496, 17856, (0, 31)),
        ],
    )
    def test_sphere(self, radius, surface, filled, span):
        vertices = jnp.asarray(radius * np.asarray(SPHERE.vertices), jnp.float32)
        faces = jnp.asarray(SPHERE.faces)
        grid = jax.jit(voxels.voxelize)(vertices, faces)
        assert grid.dtype == bool and int(grid.sum()) == filled
        assert extent(grid) == [span] * 3
        shell = jax.jit(voxels._surface)((vertices * 31 / 32 + 0.5) * 32, faces)
        assert int(voxels._unpack(shell).sum()) == surface

    def test_ellipsoid_and_axes(self):
        stretched = np.asarray(SPHERE.vertices) * [0.3, 0.2, 0.1] + [0.1, -0.05, 0.15]
        grid = voxels.voxelize(
            jnp.asarray(stretched, jnp.float32), jnp.asarray(SPHERE.faces)
        )
        assert int(grid.sum()) == 1117
        # model axes x 9-28, y 8-20, z 17-23; in files y, x, reversed z
        assert extent(grid) == [(8, 20), (9, 28), (8, 14)]


def voxelize_slowly(vertices, faces):
    """Lattice lines, vertices and flood fill, spelled out in double precision."""
    points = (vertices * 31 / 32 + 0.5) * 32
    surface = np.zeros((32, 32, 32), bool)
    for point in points:
        surface[tuple(np.floor(point).astype(int))] = True
    lattice = np.stack([*np.mgrid[:32, :32].reshape(2, -1), np.ones(32 * 32)])
    for axis in range(3):
        u, v = [k for k in range(3) if k != axis]
        for corners in points[faces]:
            matrix = np.stack([corners[:, u], corners[:, v], np.ones(3)])
            weights = np.linalg.solve(matrix, lattice)
            met = np.all(weights >= 0, axis=0)
            heights = np.floor(corners[:, axis] @ weights)
            for (i, j), height in zip(lattice[:2, met].T, heights[met], strict=True):
                for di in (0, 1):
                    for dj in (0, 1):
                        cell = np.empty(3, int)
                        cell[[u, v, axis]] = i - di, j - dj, height
                        if np.all((cell >= 0) & (cell < 32)):
                            surface[tuple(cell)] = True
    padded = np.pad(~surface, 1, constant_values=True)
    parts = np.zeros(padded.shape, np.int32)
    ndimage.label(padded, output=parts)  # cells that share a side
    outside = (parts == parts[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return np.swapaxes(~outside, 0, 1)[..., ::-1]


def count_differences(number):
    """Cells in which some random meshes differ from the slow voxelizer, and all."""
    rng = np.random.default_rng(number)
    sphere = mesh.icosphere(0)
    differ = occupied = 0
    for _ in range(number):
        stretched = np.asarray(sphere.vertices) * rng.uniform(0.02, 0.35, 3)
        vertices = np.float32(stretched + rng.normal(0, 0.04, (12, 3)).clip(-0.1, 0.1))
        faces = np.asarray(sphere.faces)
        if rng.random() < 0.25:  # open, with faces that cross
            faces = np.stack([rng.permutation(12)[:3] for _ in faces])
        expected = voxelize_slowly(vertices.astype(float), faces)
        got = np.asarray(voxels.voxelize(jnp.asarray(vertices), jnp.asarray(faces)))
        differ += np.count_nonzero(got != expected)
        occupied += np.count_nonzero(expected)
    return differ, occupied


def test_equals_a_slow_voxelizer():
    differ, occupied = count_differences(5)
    assert differ == 0 and occupied > 5 * 100


@pytest.mark.slow  # the test above takes 5
def test_200_random_meshes_equal_a_slow_voxelizer():
    """But for heights that single precision rounds to the other side of a cell."""
    differ, occupied = count_differences(200)
    assert differ < 20 and occupied > 200 * 100


def test_open_surface_stays_a_shell():
    vertices = jnp.asarray(0.4 * np.asarray(SPHERE.vertices), jnp.float32)
    faces = np.asarray(SPHERE.faces)
    below = np.asarray(SPHERE.vertices)[faces, 1].min(1) < 0.8
    # the same number of faces, some of them twice, shares the compiled program
    top_removed = np.where(below[:, None], faces, faces[np.argmax(below)])
    closed = voxels.voxelize(vertices, jnp.asarray(SPHERE.faces))
    opened = voxels.voxelize(vertices, jnp.asarray(top_removed))
    assert int(opened.sum()) < 0.5 * int(closed.sum())


def test_batch_equals_loop():
    scale = jnp.array([0.2, 0.3, 0.45])[:, None, None]
    vertices = scale * jnp.asarray(mesh.icosphere(1).vertices, jnp.float32)
    faces = jnp.asarray(mesh.icosphere(1).faces)
    together = jax.jit(voxels.voxelize)(vertices, faces)
    for k in range(3):
        np.testing.assert_array_equal(together[k], voxels.voxelize(vertices[k], faces))


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        ([[0, 1, 12]], "indices of the 12 vertices"),
        ([[[0, 1, 2]]], r"one topology \[F, 3\] for all meshes"),
    ],
)
def test_faces_that_are_none(faces, message):
    with pytest.raises(ValueError, match=message):
        voxels.voxelize(mesh.icosphere(0).vertices, faces)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vertices_that_are_not_finite(value):
    vertices = mesh.icosphere(0).vertices.copy()
    vertices[3, 1] = value
    with pytest.raises(ValueError, match=rf"entry \[3, 1\] is {value}"):
        voxels.voxelize(vertices, mesh.icosphere(0).faces)


def test_iou():
    a = jnp.zeros((3, 32, 32, 32), bool).at[:2, :4].set(True)
    b = jnp.zeros((3, 32, 32, 32), bool).at[0, 2:6].set(True)
    np.testing.assert_allclose(voxels.iou(a, b), [1 / 3, 0, 1])


def test_parts_beyond_the_grid_are_cut_off():
    vertices = np.array([[-0.55, 0, 0], [-0.53, 0.01, 0], [-0.53, 0, 0.01]])
    for sign in (1, -1):
        with pytest.warns(UserWarning, match="out of the grid"):
            grid = voxels.voxelize(sign * vertices, np.array([[0, 1, 2]]))
        assert not np.any(grid)


def test_says_that_a_mesh_reaches_out_of_the_grid():
    sphere = mesh.icosphere(1)
    message = r"^The mesh reaches out .* from -0.75 to 0.75.* \[-0.5, 0.5\]"
    with pytest.warns(UserWarning, match=message) as caught:
        hollow = voxels.voxelize(0.75 * sphere.vertices, sphere.faces)
    assert [warning.filename for warning in caught] == [__file__]
    assert not hollow[16, 16, 16]
    batch = np.stack([0.5 * sphere.vertices, 0.5 * sphere.vertices + 5])
    with pytest.warns(UserWarning, match="^1 of 2 meshes .* from -0.5 to 5.5"):
        full, empty = voxels.voxelize(batch, sphere.faces)
    assert full[16, 16, 16] and not np.any(empty)
    # its sides are in the grid, if barely; of a vertex that no face uses nothing is cut
    barely = np.vstack([0.516 * sphere.vertices, [9, 9, 9]])
    assert voxels.voxelize(barely, sphere.faces)[16, 16, 16]
    jax.jit(voxels.voxelize)(5 * sphere.vertices, sphere.faces)  # not known


def test_voxel_surface_encloses_exactly_the_cells():
    occupied = np.random.default_rng(0).random((32, 32, 32)) < 0.1
    surface = voxels.voxel_surface(occupied)
    assert surface.vertices.dtype == np.float64 and surface.faces.dtype == np.int32
    assert surfaces.has_matching_edges(surface.faces)
    volumes = surfaces.enclosed_volumes(*surface)
    assert volumes.min() > 0  # oriented outwards
    assert volumes.sum() == pytest.approx(occupied.sum() / 31**3)


def test_voxel_surface_has_the_place_of_its_cell():
    one = np.zeros((32, 32, 32), bool)
    one[20, 3, 31 - 10] = True  # x 3, y 20, z 10
    corners = voxels.voxel_surface(one).vertices
    expected = (np.array([3.5, 20.5, 10.5]) / 32 - 0.5) * 32 / 31
    np.testing.assert_allclose(corners.mean(0), expected)


def test_voxel_surface_of_no_cell_is_empty():
    surface = voxels.voxel_surface(np.zeros((32, 32, 32), bool))
    assert surface.vertices.shape == surface.faces.shape == (0, 3)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 31), (1, 1, 1)])
def test_voxel_surface_needs_a_cube(shape):
    with pytest.raises(ValueError, match="must be a cube .* not "):
        voxels.voxel_surface(np.zeros(shape, bool))


def test_iou_refuses_grids_that_are_not_bool_or_differ():
    full = np.ones((4, 4, 4))
    with pytest.raises(ValueError, match="bool, not float64; compare them"):
        voxels.iou(full, full > 0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"of one size, not \[4, 4, 4\]"):
        voxels.iou(full > 0, full[:2] > 0)  # pyright: ignore[reportArgumentType]
