"""Refinement: the search of poses, and the steps on code and camera."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import ArrayLike

from jaxsoftras import camera, losses, mesh, rasterization
from jaxsoftras.prediction import refinement, viewpoints
from jaxsoftras.prediction.viewpoints import Orbit, Pose
from tests.support import tiny_models

SIZE = 16
ORBIT = Orbit(2.732, 30.0, 15.0)
FACES = np.asarray(mesh.icosphere(1).faces)
SPHERE = np.asarray(mesh.icosphere(1).vertices)
BASIS = np.random.default_rng(2).normal(size=(4, 42, 3))
CODE = np.array([1.0, -2.0, 0.5, 1.5])


def decode(code: ArrayLike) -> jax.Array:
    """A decoder of four numbers: an egg with bumps, ``[42, 3]``."""
    egg = SPHERE * (0.4, 0.3, 0.2) + 0.1 * SPHERE[:, :1] * (SPHERE[:, 1:2] > 0)
    return jnp.asarray(egg) + 0.02 * jnp.einsum("k,kvc->vc", code, BASIS)


def draw(vertices, view, sigma: float | None = None) -> jax.Array:
    """Silhouette ``[16, 16]``, hard without a sigma."""
    corners = mesh.face_vertices(camera.project(view, vertices), FACES)
    if sigma is None:
        hard = rasterization.silhouette(
            corners, SIZE, distance="hard", implementation="reference"
        )
        return hard > 0.5
    return rasterization.silhouette(
        corners, SIZE, sigma=sigma, dist_eps=1e-10, implementation="reference"
    )


@pytest.fixture(scope="module")
def search():
    return jax.jit(
        lambda vertices, elevations, target: viewpoints.search_poses(
            vertices, FACES, ORBIT, elevations, target, "reference"
        )
    )


class TestSearch:
    def test_pose_frames_the_picture(self, search):
        """The object is smaller and elsewhere than the usual cameras see it."""
        vertices = decode(CODE)
        truth = Pose(95.0, 15.0, np.log(0.8), np.array([0.2, -0.15]))
        target = draw(vertices, viewpoints.place_cameras(ORBIT, truth))
        found = search(vertices, jnp.array([0.0, 15, 30, 45]), target)
        drawn = draw(vertices, viewpoints.place_cameras(ORBIT, found))
        assert viewpoints.mask_iou(drawn, target) > 0.85
        covered = np.asarray(target)
        for axis in (0, 1):
            spans = [np.flatnonzero(m.any(axis)) for m in (np.asarray(drawn), covered)]
            middles = [(span[0] + span[-1]) / 2 for span in spans]
            assert abs(middles[0] - middles[1]) <= 1

    def test_equals_a_loop(self, search):
        vertices, random = decode(CODE), np.random.default_rng(0)
        target = jnp.asarray(random.random((SIZE, SIZE)) > 0.8)
        elevations = np.array([0.0, 15, 30, 45])
        rows, columns = (np.flatnonzero(np.asarray(target).any(a)) for a in (1, 0))
        low = np.array([2 * columns[0] / SIZE - 1, 1 - 2 * (rows[-1] + 1) / SIZE])
        high = np.array([2 * (columns[-1] + 1) / SIZE - 1, 1 - 2 * rows[0] / SIZE])
        score = jax.jit(
            lambda pose: viewpoints.mask_iou(
                draw(vertices, viewpoints.place_cameras(ORBIT, pose)), target
            )
        )
        best = 0.0
        for elevation in elevations:
            for azimuth in viewpoints.AZIMUTHS[::4]:
                plain = Pose(azimuth, elevation, 0.0, np.zeros(2))
                view = viewpoints.place_cameras(ORBIT, plain)
                points = np.asarray(camera.project(view, vertices))[:, :2]
                box = points.min(0), points.max(0)
                factor = np.max(high - low) / np.max(box[1] - box[0])
                shift = (low + high - factor * (box[0] + box[1])) / 2
                pose = plain._replace(zoom=np.log(factor), shift=shift)
                best = max(best, float(score(pose)))
        found = search(vertices, jnp.asarray(elevations), target)
        assert float(score(found)) >= best - 1e-6
        assert found.azimuth in viewpoints.AZIMUTHS and found.elevation in elevations


@pytest.mark.parametrize(
    "sigmas", [{"sigma": 1e-2}, {"sigma": 1.0, "final_sigma": 1e-2}]
)
def test_step_descends_the_stated_loss(sigmas):
    """The first step of Adam is the sign of the gradient, by finite differences."""
    with jax.enable_x64(True):
        settings = dataclasses.replace(
            tiny_models.CONFIG,
            render=dataclasses.replace(tiny_models.CONFIG.render, **sigmas),
        )
        coverage = jnp.asarray(np.random.default_rng(0).random((SIZE, SIZE)))
        code = jnp.asarray(CODE)
        take = jax.jit(
            functools.partial(
                refinement.refine,
                decode,
                faces=FACES,
                orbit=ORBIT,
                settings=settings,
            )
        )
        start = take(code, coverage=coverage, steps=0).pose
        moved = take(code, coverage=coverage, steps=1)

        @jax.jit
        def loss(changed, pose):
            vertices = decode(changed)
            drawn = draw(vertices, viewpoints.place_cameras(ORBIT, pose), 1e-2)
            return (
                1
                - losses.silhouette_iou(drawn, coverage)
                + 5e-3 * losses.laplacian(vertices, FACES)
                + 5e-4 * losses.flatten(vertices, FACES)
                + 2 * jnp.mean((changed - code) ** 2) / jnp.mean(code**2)
            )

        # the code that the step made, from its vertices
        offset = np.asarray(moved.vertices - decode(code)).ravel()
        change = np.linalg.lstsq(0.02 * BASIS.reshape(4, -1).T, offset)[0]
        length = 0.007 * np.sqrt(np.mean(CODE**2))
        np.testing.assert_allclose(np.abs(change), length, rtol=0.01)
        for place, step in enumerate(change):
            nudge = 1e-6 * np.eye(4)[place]
            slope = loss(code + nudge, start) - loss(code - nudge, start)
            assert np.sign(step) == -np.sign(slope)
        units = Pose(0.2, 0.2, 0.003, np.array([0.003, 0.003]))
        for name, unit in units._asdict().items():
            old, new = getattr(start, name), getattr(moved.pose, name)
            np.testing.assert_allclose(np.abs(new - old), unit, rtol=0.01)
            for place in range(np.size(unit)):
                nudge = 1e-6 * np.eye(np.size(unit))[place].reshape(np.shape(unit))
                ahead, behind = (
                    loss(code, start._replace(**{name: old + sign * nudge}))
                    for sign in (1, -1)
                )
                step = np.ravel(new - old)[place]
                assert np.sign(step) == -np.sign(ahead - behind)


@pytest.fixture(scope="module")
def refine():
    """Refines the egg, with the elevation free."""
    return jax.jit(
        functools.partial(
            refinement.refine,
            decode,
            faces=FACES,
            orbit=ORBIT,
            settings=tiny_models.CONFIG,
        )
    )


class TestRefine:
    def test_the_camera_explains_the_picture(self, refine):
        """The egg from between the poses that are searched; its shape is right."""
        truth = Pose(57.5, 22.0, np.log(1.1), np.array([0.1, -0.1]))
        target = draw(decode(CODE), viewpoints.place_cameras(ORBIT, truth))
        code = jnp.asarray(CODE, jnp.float32)
        start, found = (
            refine(code, coverage=target.astype(jnp.float32), steps=steps)
            for steps in (0, 100)
        )
        assert start.pose.elevation == 15 and abs(found.pose.elevation - 22) < 2
        assert start.pose.azimuth == 55 and abs(found.pose.azimuth - 57.5) < 2
        assert np.abs(start.pose.shift - truth.shift).max() > 0.03
        assert np.abs(found.pose.shift - truth.shift).max() < 0.015
        moved = np.abs(found.vertices - decode(CODE)).max()
        assert moved < 0.01  # of a length of 0.8

    def test_the_code_stays_near(self, refine):
        """For any picture, and any number of steps."""
        cross = np.zeros((SIZE, SIZE), np.float32)
        cross[3:13, 7:9] = cross[7:9, 3:13] = 1
        moves = [
            np.abs(
                refine(
                    jnp.asarray(CODE, jnp.float32),
                    coverage=jnp.asarray(cross),
                    steps=steps,
                ).vertices
                - decode(CODE)
            ).max()
            for steps in (200, 500)
        ]
        assert 0 < moves[1] < 1.2 * moves[0] < 0.1
