import functools

import numpy as np

from jaxsoftras import mesh, voxels
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.reconstruction import gallery


def test_composite_is_white_where_nothing_is_covered():
    image = np.zeros((4, 2, 2), np.uint8)
    image[:, 0, 0] = 200, 100, 0, 255
    image[:, 0, 1] = 50, 50, 50, 128  # premultiplied, half covered
    shown = gallery.composite_over_white(image, size=2)
    assert shown.tolist() == [
        [[200, 100, 0], [177, 177, 177]],
        [[255, 255, 255], [255, 255, 255]],
    ]


def test_silhouette_is_dark_on_white():
    shown = gallery.shade_silhouette(np.array([[0.0, 1.0], [0.5, 0.0]]), size=2)
    assert shown[..., 0].tolist() == [[255, 40], [148, 255]]


FACES = np.asarray(mesh.icosphere(2).faces)
SPHERE = 0.3 * np.asarray(mesh.icosphere(2).vertices) + [0.1, 0.05, -0.1]
VIEWS = np.array([2, 10, 18, 2, 10])
BALLS = [SPHERE.astype(np.float32), 0.5 * SPHERE.astype(np.float32)]


@functools.cache
def covered_cells() -> np.ndarray:
    """Pixels that are not white, ``[row, column, 128, 128]``.

    The rows are both balls, with their voxels, and the first ball without voxels.
    """
    occupied = np.asarray(voxels.voxelize(np.stack(BALLS), FACES))
    examples = [
        gallery.Example(
            name="ball",
            image=np.full((4, 8, 8), 255, np.uint8),
            render=np.ones((8, 8)),
            reference=np.full((4, 8, 8), 255, np.uint8),
            vertices=vertices,
            cameras=rig.as_cameras(rig.OrbitViews(VIEWS, rig.SOFTRAS_RIG)),
            occupied=truth,
        )
        for vertices, truth in (
            (BALLS[0], occupied[0]),
            (BALLS[1], occupied[1]),
            (BALLS[0], np.zeros_like(occupied[0])),
        )
    ]
    sheet = gallery.sheet(examples, FACES)
    pixels = np.asarray(sheet)[gallery._HEADER_HEIGHT :, gallery._LABEL_WIDTH :]
    step, size = gallery.CELL + gallery._GAP, gallery.CELL
    covered = (pixels < 250).any(axis=-1).reshape(3, step, 8, step)
    return covered.swapaxes(1, 2)[:, :, :size, :size]


class TestSheet:
    def test_mesh_is_where_the_truth_is(self):
        """A sphere and the voxels of the same sphere cover about the same pixels."""
        for row, fatness in zip(covered_cells()[:2], (1.4, 1.9), strict=True):
            for mesh_column, truth_column in ((3, 6), (4, 7)):
                ball, truth = row[mesh_column], row[truth_column]
                # voxels are fat: they cover the whole ball, and a margin around it
                assert np.count_nonzero(ball) > 100
                assert np.count_nonzero(ball & ~truth) < 10
                assert np.count_nonzero(truth) < fatness * np.count_nonzero(ball)

    def test_truth_without_voxels_is_white(self):
        ball = covered_cells()[2]
        assert ball[3:6].any(axis=(1, 2)).all() and not ball[6:].any()

    def test_agrees_with_the_renderer_of_the_data_sets(self):
        for row, vertices in zip(covered_cells()[:2], BALLS, strict=True):
            for column, view in zip((3, 4, 5), (2, 10, 18), strict=True):
                expected = zbuffer.render(
                    vertices,
                    FACES,
                    zbuffer.view_eyes()[view],
                    image_size=gallery.CELL,
                    closed=True,
                )[3]
                different = row[column] != (expected > 16)
                assert np.count_nonzero(different) < 0.03 * np.count_nonzero(expected)
