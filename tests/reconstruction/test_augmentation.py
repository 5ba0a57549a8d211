"""Random changes of training batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import camera, config, data, rasterization
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.reconstruction import augmentation
from jaxsoftras.shapes.catalogue import make_shape

MIRROR = config.Augment(mirror=True)
FRAME = config.Augment(scale=0.25, shift=0.1)
COLOR = config.Augment(color=config.Color(0.5, 0.5, 0.5, 180))


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 2, 4, 4, 4), np.uint8)
    views = rng.integers(0, 24, (40, 2)).astype(np.int32)
    return data.ViewBatch(images, rig.OrbitViews(views, rig.SOFTRAS_RIG))


def change(batch, settings, seed=0, step=0):
    return augmentation.augment(batch, settings, seed=seed, step=jnp.int32(step))


def find_mirrored(batch, changed):
    """Whether each object was mirrored: all of it, or nothing."""
    before = jax.tree.leaves(batch)
    mirrored = [before[0][..., ::-1], -before[1]]
    same = [
        [
            all((part[i] == other[i]).all() for part, other in zip(a, b, strict=True))
            for i in range(40)
        ]
        for a, b in [
            (before, jax.tree.leaves(changed)),
            (mirrored, jax.tree.leaves(changed)),
        ]
    ]
    assert (np.array(same).sum(0) == 1).all()
    return np.array(same[1])


def test_nothing_changes_by_default(batch):
    assert change(batch, config.Augment()) is batch


def test_half_of_the_objects_are_mirrored(batch):
    """By step and seed, and no others when the run is resumed."""
    first = find_mirrored(batch, change(batch, MIRROR, step=3))
    assert 10 <= first.sum() <= 30
    again = find_mirrored(batch, change(batch, MIRROR, step=3))
    np.testing.assert_array_equal(first, again)
    for other in ({"step": 4}, {"step": 3, "seed": 1}, {"step": 3, "seed": 2**32}):
        assert (find_mirrored(batch, change(batch, MIRROR, **other)) != first).any()


def test_mirrored_images_show_the_mirrored_object():
    vertices, faces, _ = make_shape("02691156", index=3)
    eyes = zbuffer.view_eyes()

    def coverage(points):
        return zbuffer.render_views(points, faces, eyes, image_size=32)[:, 3]

    got, expected = coverage(vertices), coverage(vertices * [-1, 1, 1])
    views = rig.mirror(rig.OrbitViews(np.arange(24), rig.SOFTRAS_RIG))
    seen = expected[views.numbers % 24][..., ::-1]
    # samples on an edge may fall to either side
    assert np.abs(got.astype(int) - seen).mean() < 0.1 < got.std()


class TestColor:
    def test_objects_change_and_their_silhouettes_and_backgrounds_do_not(self):
        rng = np.random.default_rng(0)
        alpha = rng.choice([0, 100, 255], (40, 1, 4, 4))
        color = rng.integers(0, 256, (40, 3, 4, 4)) * alpha // 255
        color = np.where(alpha == 0, 7, color)
        images = np.concatenate([color, alpha], 1).astype(np.uint8)
        views = rig.OrbitViews(np.zeros((40, 2)), rig.SOFTRAS_RIG)
        batch = data.ViewBatch(np.stack([images, images], axis=1), views)
        changed = change(batch, COLOR)
        assert changed.images.dtype == np.uint8
        np.testing.assert_array_equal(changed.images[:, 0], changed.images[:, 1])
        np.testing.assert_array_equal(changed.images[:, 0, 3:], alpha)
        got = np.asarray(changed.images[:, 0, :3])
        where = np.broadcast_to(alpha, got.shape)
        assert (got[where == 0] == 7).all()
        assert (got <= where)[where > 0].all()
        difference = np.abs(got.astype(int) - color).mean(axis=(1, 2, 3))
        assert difference.min() > 1 and np.ptp(difference) > 10
        again = change(batch, COLOR).images
        np.testing.assert_array_equal(again, changed.images)
        for other in ({"step": 1}, {"seed": 1}):
            assert (change(batch, COLOR, **other).images != changed.images).any()

    @pytest.mark.parametrize(
        ("name", "strength", "number", "expected"),
        [
            ("brightness", 0.5, -1, [0.3, 0.2, 0.1]),
            ("contrast", 0.5, 1, [0.65, 0.35, 0.05]),
            ("saturation", 1, -1, [0.437] * 3),  # the luma
            ("hue", 120, 1, [0.2, 0.6, 0.4]),
            ("hue", 120, 0, [0.6, 0.4, 0.2]),
        ],
    )
    def test_each_by_hand(self, name, strength, number, expected):
        settings = config.Color(**{name: strength})
        matrix = augmentation.color_matrices(settings, jnp.full((1, 4), number))[0]
        opaque = matrix @ np.array([0.6, 0.4, 0.2, 1])
        np.testing.assert_allclose(opaque, expected, atol=1e-5)
        edge = matrix @ np.array([0.3, 0.2, 0.1, 0.5])
        np.testing.assert_allclose(edge, opaque / 2, atol=1e-6)


def cover(vertices, faces, cameras):
    """Coverage ``[N, 32, 32]``, the mean of 8 x 8 samples a pixel, 0 to 255."""
    corners = jax.vmap(lambda view: camera.project(view, vertices)[faces])(cameras)
    fine = rasterization.silhouette(
        corners, image_size=256, sigma=1.0, distance="hard", implementation="xla"
    )
    coverage = fine.reshape(-1, 32, 8, 32, 8).mean(axis=(2, 4))
    return np.round(255 * np.asarray(coverage)).astype(np.uint8)


def find_moments(coverage):
    """Area and centroid of images ``[N, S, S]``, pixels."""
    mass = np.asarray(coverage, float) / 255
    area, place = mass.sum((1, 2)), np.arange(mass.shape[-1])
    x, y = mass.sum(1) @ place, mass.sum(2) @ place
    return np.stack([area, x / area, y / area], axis=-1)


class TestFrame:
    def test_moved_cameras_see_the_moved_images(self):
        """An object that touches the border stays, and its camera."""
        vertices, faces, _ = make_shape("02691156", index=3)
        vertices = vertices.astype(np.float32)
        views = np.array([0, 4, 11, 17])
        coverage = cover(
            vertices, faces, rig.as_cameras(rig.OrbitViews(views, rig.SOFTRAS_RIG))
        )
        images = np.stack([coverage] * 4, axis=1)
        touching = images.copy()
        touching[:2, 3, [5, 0], [0, 5]] = 1
        batch = data.ViewBatch(
            np.stack([images, touching], axis=1),
            rig.OrbitViews(np.stack([views, views], axis=1), rig.SOFTRAS_RIG),
        )
        frame = jax.jit(functools.partial(change, settings=FRAME))
        got, cameras = frame(batch)
        cameras = rig.as_cameras(cameras)
        before = rig.as_cameras(batch.cameras)
        np.testing.assert_array_equal(got[:2, 1], touching[:2])
        same = (cameras.focal_length == before.focal_length).all(axis=-1)
        assert same.tolist() == 2 * [[False, True]] + 2 * [[False, False]]
        assert len(np.unique(cameras.focal_length)) == 7  # of 6 pictures, and before
        for view, moved in ((0, slice(4)), (1, slice(2, 4))):
            shown = np.asarray(got[moved, view], int)
            np.testing.assert_array_equal(shown[:, 0], shown[:, 3])
            own = jax.tree.map(lambda part, view=view: part[:, view], cameras)
            expected = find_moments(cover(vertices, faces, own)[moved])
            # resampling blurs a little, but moves nothing
            np.testing.assert_allclose(
                find_moments(shown[:, 3]), expected, rtol=0.01, atol=0.05
            )
            assert (np.abs(find_moments(coverage[moved]) - expected).max(1) > 1).all()

    def test_images_move_by_whole_pixels(self):
        image = np.random.default_rng(0).integers(0, 256, (1, 4, 8, 8), np.uint8)
        got = augmentation.resample(
            jnp.asarray(image), jnp.ones(1), jnp.array([[0.5, -0.25]])
        )
        expected = np.zeros_like(image)
        expected[..., 1:, 2:] = image[..., :-1, :-2]  # to the right, and down
        np.testing.assert_array_equal(got, expected)
