# arrays of NumPy stand in for those of JAX
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportCallIssue=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import losses, models
from jaxsoftras.data import rig
from jaxsoftras.reconstruction import color_scores
from tests.reconstruction.test_coloring import make_balls, make_experiment

VIEWS = 3
INPUTS = jnp.array([[0, 1], [0, 1]])
COUNTS = np.array([3, 2])  # the second object has two views


def paint_images(drawn, covered):
    """RGBA ``[..., 4, S, S]`` uint8 of colours over white and where they belong."""
    images = np.concatenate([drawn * covered[..., None], covered[..., None]], -1)
    return np.moveaxis(np.round(255 * images), -1, -3).astype(np.uint8)


@functools.cache
def make_scene():
    """Meshes of two objects from two views each, and noisy images of all views."""
    rng = np.random.default_rng(1)
    vertices, colors, _, _ = make_balls()
    meshes = models.Reconstruction(
        vertices.reshape(2, 2, 42, 3), colors.reshape(2, 2, 42, 3)
    )
    numbers = np.array([[0, 7, 16], [3, 12, 12]], np.int32)
    cameras = rig.OrbitViews(numbers, rig.SOFTRAS_RIG)
    yy, xx = np.mgrid[-1:1:16j, -1:1:16j]
    covered = np.broadcast_to(1.0 * (xx**2 + yy**2 < 0.5), (2, VIEWS, 16, 16))
    return meshes, paint_images(rng.random((2, VIEWS, 16, 16, 3)), covered), cameras


@functools.cache
def make_scorer():
    """Scores views 0 and 1 of two objects; compiled once."""
    return jax.jit(
        lambda meshes, images, cameras, counts: color_scores.score(
            make_experiment(), meshes, INPUTS, images, cameras, counts
        )
    )


@functools.cache
def scored():
    return make_scorer()(*make_scene(), COUNTS)


def composite(image):
    return np.moveaxis(image[:3] + (255.0 - image[3]), 0, -1) / 255


class TestScore:
    @pytest.mark.slow  # see test_true_colours_win
    def test_by_loops(self):
        meshes, images, cameras = make_scene()
        draw, got = make_experiment().colors.draw, scored()
        for row in range(2):
            for view in range(2):
                numbers = cameras.numbers[row]
                every = rig.OrbitViews(numbers, rig.SOFTRAS_RIG)
                repeated = [
                    np.repeat(part[row, view][None], VIEWS, axis=0) for part in meshes
                ]
                drawn = draw(*repeated, every)
                black = draw(repeated[0], 0 * repeated[1], every)
                found = []
                for other in range(COUNTS[row]):
                    if other != view:
                        target = composite(images[row, other])
                        mask = images[row, other, 3] >= 128
                        both = (images[row, other, 3] == 255) & (
                            black[other, ..., 0] == 0
                        )
                        found.append(
                            [
                                losses.psnr(drawn[other], target),
                                losses.psnr(drawn[other], target, mask=mask),
                                losses.psnr(drawn[other], target, mask=both),
                                losses.ssim(drawn[other], target),
                                losses.ssim(drawn[other], target, mask=both),
                            ]
                        )
                expected = np.mean(found, axis=0)
                numbers = [part[row, view] for part in got.model]
                np.testing.assert_allclose(numbers, expected, rtol=1e-4)

    def test_baselines_are_scored_on_the_same_meshes(self):
        got = scored()
        for quality in got:
            assert np.all(np.asarray(quality.psnr) < np.inf)
            assert all(np.all(np.isfinite(part)) for part in quality)
        # images of noise have no better colour than their mean
        assert np.all(got.mean_color.object_psnr > got.nearest_pixel.object_psnr)

    def test_true_colours_win(self):
        """Meshes whose images are their own renders."""
        meshes, _, cameras = make_scene()
        same = jax.tree.map(lambda part: part[:, :1].repeat(2, axis=1), meshes)
        repeated = [part[:, 0].repeat(VIEWS, axis=0) for part in meshes]
        flat = rig.OrbitViews(cameras.numbers.ravel(), rig.SOFTRAS_RIG)
        drawn = np.asarray(make_experiment().colors.draw(*repeated, flat))
        drawn = drawn.reshape(2, VIEWS, 16, 16, 3)
        images = paint_images(drawn, 1.0 * (drawn.min(-1) < 1))
        got = make_scorer()(same, images, cameras, np.array([3, 3]))
        assert np.all(got.model.psnr > 50) and np.all(got.model.ssim > 0.999)
        for baseline in got[1:]:
            assert np.all(baseline.object_psnr < 25) and np.all(baseline.ssim < 0.95)
            assert np.all(baseline.object_psnr > 8)

    def test_shared_pixels_know_nothing_of_outlines(self):
        """Objects of one colour that are larger, smaller and beside their meshes."""
        meshes, images, cameras = make_scene()
        colors = np.full_like(meshes.colors, 0.25)
        yy, xx = np.mgrid[-1:1:16j, -1:1:16j]
        for radius, shift in ((0.9, 0.0), (0.2, 0.0), (0.4, 0.3)):
            covered = 1.0 * (np.hypot(xx - shift, yy) < radius)
            covered = np.broadcast_to(covered, (2, VIEWS, 16, 16))
            drawn = np.full((2, VIEWS, 16, 16, 3), 0.25)
            images = paint_images(drawn * covered[..., None], covered)
            scene = meshes._replace(colors=colors), images, cameras
            quality = make_scorer()(*scene, COUNTS).model
            assert np.all(quality.shared_psnr > 50)
            assert np.all(quality.psnr < quality.shared_psnr)

    def test_nothing_shared_is_no_score(self):
        meshes, images, cameras = make_scene()
        corner = np.zeros((2, VIEWS, 16, 16))
        corner[..., 0, 0] = 1
        images = paint_images(np.ones((2, VIEWS, 16, 16, 3)), corner)
        quality = make_scorer()(meshes, images, cameras, COUNTS).model
        assert np.all(np.isnan(quality.shared_psnr) & np.isnan(quality.shared_ssim))
        assert np.all(np.isfinite(quality.psnr) & np.isfinite(quality.object_psnr))

    def test_a_single_view_has_no_score(self):
        got = make_scorer()(*make_scene(), np.array([1, 2]))
        assert np.isnan(got.model.psnr[0, 0]) and np.isfinite(got.model.psnr[1, 0])


class TestColumns:
    def test_scores_stand_at_their_input_views(self, monkeypatch):
        meshes, images, cameras = make_scene()
        wanted = scored()
        monkeypatch.setattr(color_scores, "INPUTS", 2)
        monkeypatch.setattr(color_scores, "score", lambda *_: wanted)
        got = color_scores.score_columns(
            make_experiment(), meshes, images, cameras, np.array([3, 2])
        )
        assert tuple(got) == color_scores.NAMES
        for row, second in enumerate([1, 1]):  # of 0 and count // 2
            values = np.asarray(got["psnr"][row])
            np.testing.assert_array_equal(values[[0, second]], wanted.model.psnr[row])
            assert np.isnan(values).sum() == VIEWS - 2
        second = got["ssim_nearest_pixel"][0, 1]
        assert second == wanted.nearest_pixel.ssim[0, 1]

    def test_no_colours_no_scores(self):
        meshes, images, cameras = make_scene()
        plain = meshes._replace(colors=None)
        arguments = make_experiment(), plain, images, cameras, COUNTS
        assert color_scores.score_columns(*arguments) == {}


class TestBaselines:
    def test_average_color_is_weighted_by_coverage(self):
        images = np.zeros((2, 4, 2, 2), np.uint8)
        images[0, :, 0, 0] = 255, 0, 0, 255
        images[0, :, 1, 1] = 0, 51, 0, 51  # green, covered by a fifth
        got = color_scores.average_color(images)
        np.testing.assert_allclose(got[0], [1 / 1.2, 0.2 / 1.2, 0], rtol=1e-6)
        np.testing.assert_allclose(got[1], 0.5)

    def test_project_pixels_by_loops(self):
        _, images, cameras = make_scene()
        vertices = make_balls()[0][:2]
        images = images[:, 0]
        views = rig.OrbitViews(cameras.numbers[:, 0], rig.SOFTRAS_RIG)
        got = color_scores.project_pixels(jnp.asarray(images), vertices, views)
        points = np.asarray(jaxsoftras.project(rig.as_cameras(views), vertices))
        for n in range(2):
            for v in range(0, 42, 5):
                least, expected = np.inf, None
                for i in range(16):
                    for j in range(16):
                        x, y = (2 * j + 1) / 16 - 1, 1 - (2 * i + 1) / 16
                        gap = np.hypot(x - points[n, v, 0], y - points[n, v, 1])
                        if images[n, 3, i, j] >= 128 and gap < least:
                            least = gap
                            expected = images[n, :3, i, j] / images[n, 3, i, j]
                np.testing.assert_allclose(got[n, v], expected, rtol=1e-5)

    def test_project_pixels_without_an_object(self):
        vertices, _, _, views = make_balls()
        images = np.zeros((4, 4, 16, 16), np.uint8)
        images[1] = 60  # faint, white, nowhere covered by a half
        got = color_scores.project_pixels(jnp.asarray(images), vertices, views)
        np.testing.assert_allclose(got[0], 0.5)
        np.testing.assert_allclose(got[1], 1)
