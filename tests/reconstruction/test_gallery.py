import numpy as np

from jaxsoftras import config, mesh
from jaxsoftras import voxels as cubes
from jaxsoftras.reconstruction import gallery


def test_over_paper_is_white_where_nothing_is_covered():
    picture = np.zeros((4, 2, 2), np.uint8)
    picture[:, 0, 0] = 200, 100, 0, 255
    picture[:, 0, 1] = 50, 50, 50, 128  # premultiplied, half covered
    shown = gallery.over_paper(picture, size=2)
    assert shown.tolist() == [
        [[200, 100, 0], [177, 177, 177]],
        [[255, 255, 255], [255, 255, 255]],
    ]


def test_silhouette_is_dark_on_white():
    shown = gallery.silhouette_picture(np.array([[0.0, 1.0], [0.5, 0.0]]), size=2)
    assert shown[..., 0].tolist() == [[255, 40], [148, 255]]


def test_sheet_shows_the_mesh_where_the_truth_is():
    """A sphere and the voxels of the same sphere cover about the same pixels."""
    from jaxsoftras import voxels

    template = mesh.icosphere(2)
    vertices = (0.3 * np.asarray(template.vertices) + [0.1, 0.05, -0.1]).astype(
        np.float32
    )
    faces = np.asarray(template.faces)
    example = gallery.Example(
        name="ball",
        picture=np.full((4, 8, 8), 255, np.uint8),
        render=np.ones((8, 8)),
        reference=np.full((4, 8, 8), 255, np.uint8),
        vertices=vertices,
        occupied=np.asarray(voxels.voxelize(vertices, faces)),
    )
    picture = np.asarray(gallery.sheet([example], faces, config.Data())).astype(int)
    step = gallery._CELL + gallery._GAP
    row = slice(gallery._HEADER_HEIGHT, gallery._HEADER_HEIGHT + gallery._CELL)

    def covered(column):
        left = gallery._LABEL_WIDTH + column * step
        return np.asarray(picture[row, left : left + gallery._CELL] < 250).any(axis=-1)

    for mesh_column, truth_column in ((3, 6), (4, 7)):
        ball, truth = covered(mesh_column), covered(truth_column)
        # the voxels, which are fat, cover the whole ball, and not much else
        assert np.count_nonzero(ball) > 500
        assert np.count_nonzero(ball & ~truth) < 10
        assert np.count_nonzero(truth) < 1.4 * np.count_nonzero(ball)


def test_voxel_surface_spans_the_cells():
    occupied = np.zeros((32, 32, 32), bool)
    occupied[16:20, 4:10, 7] = True
    surface = cubes.voxel_surface(occupied)
    size = (np.ptp(surface.vertices, axis=0) * 31).round(6)
    assert size.tolist() == [6, 4, 1]  # x, y, z of the model frame
