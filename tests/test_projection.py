"""Projections of points: lenses, points behind the camera, derivatives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import camera
from tests.support.cameras import DISTORTION, POINTS, make_camera
from tests.support.derivatives import check_gradient

project = jax.jit(camera.project)


class TestLens:
    def test_brown_conrady(self, x64):
        points = np.concatenate([POINTS, np.zeros((1, 3))])
        k1, k2, p1, p2, k3 = DISTORTION
        x, y = (points[:, :2] / (points[:, 2:] + 3)).T
        r = np.hypot(x, y)
        radial = 1 + k1 * r**2 + k2 * r**4 + k3 * r**6
        expected = np.stack(
            [
                2 * (x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2)) + 0.1,
                1.5 * (y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y) - 0.2,
                points[:, 2] + 3,
            ],
            axis=1,
        )
        actual = project(make_camera(), points)
        np.testing.assert_allclose(actual, expected, rtol=1e-12)

    def test_no_distortion_costs_nothing(self):
        def primitives(distortion):
            cam = make_camera(distortion=distortion)
            return len(jax.make_jaxpr(camera.project)(cam, POINTS).eqns)

        assert primitives(None) + 10 < primitives(DISTORTION)

    def test_gradient_at_the_centre_equals_an_ideal_lens(self):
        """The root of r^2 has no gradient there."""
        jacobian = jax.jit(jax.jacrev(camera.project, argnums=(0, 1)))
        centre = jnp.zeros((1, 3))
        lens, point = jacobian(make_camera(), centre)
        _, expected = jacobian(make_camera(distortion=None), centre)
        np.testing.assert_allclose(point, expected, atol=1e-7)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(lens))


class TestBehindTheCamera:
    """Depth <= 0: finite in value and derivatives, and marked by the depth."""

    @pytest.mark.parametrize(
        ("projection", "distortion"),
        [("perspective", None), ("perspective", DISTORTION), ("orthographic", None)],
    )
    def test_all_is_finite(self, projection, distortion):
        depth = np.array([1.0, 1e-30, 0.0, -1e-30, -1e-7, -1.0, -50.0])
        xy = np.tile([[0, 0], [0.3, -0.2], [20, 30]], (len(depth), 1))
        points = np.insert(xy, 2, np.repeat(depth, 3), axis=1).astype(np.float32)
        cam = make_camera(projection, distortion)
        cam = dataclasses.replace(cam, position=jnp.zeros(3))
        cam = jax.tree.map(lambda x: x.astype(np.float32), cam)

        def loss(cam, points):
            # as a rasterizer does, drop points without a projection
            projected = camera.project(cam, points)
            shown = projected[:, 2:] > 0.5
            return jnp.sum(jnp.where(shown, projected, 0) ** 2), projected

        @jax.jit
        def derivatives(*arguments):
            gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
            tangents = jax.tree.map(jnp.ones_like, arguments)
            return jax.jvp(gradient, arguments, tangents)

        result = derivatives(cam, points)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(result))
        (_, gradient), projected = result[0]
        np.testing.assert_array_equal(projected[:, 2], points[:, 2])
        assert np.all(np.any(gradient[:3], axis=1)) and not np.any(gradient[3:])

    def test_points_behind_do_not_appear_in_the_image(self):
        """Code that uses x and y alone sees no flip through the centre."""
        points = np.array([[0.3, 0.2, -4.0], [0.3, -0.2, -3.0]])
        assert np.all(np.abs(project(make_camera(), points)[:, :2]) > 1e8)


class TestGradients:
    def test_views(self, x64):
        @jax.jit
        def project_points(eye, target, up, half_fov):
            cam = camera.perspective_camera(eye, target, up, half_fov)
            return camera.project(cam, POINTS)

        eye, target = np.array([[1.0, 0.7, -2.3], [0.1, -0.2, 0.1]])
        arguments = (eye, target, np.array([0.1, 1.0, 0.2]), np.array(20.0))
        check_gradient(project_points, arguments)

    @pytest.mark.parametrize("projection", ["perspective", "orthographic"])
    def test_all_parts(self, projection, x64):
        cam = make_camera(projection)
        check_gradient(project, (cam, POINTS))


def test_projection_of_the_golden_scene(shared):
    """The scene was made by the original's formula: x and y over z tan(30 degrees)."""
    with np.load(shared / "golden" / "softras_float64.npz") as archive:
        vertices, faces = archive["in/ico/verts"], archive["in/ico/faces"]
        expected = archive["in/ico/fv"]
    cam = camera.perspective_camera(
        camera.eye_from_angles(2.732, 0.0, 0.0), half_fov=30.0, handedness="left"
    )
    corners = np.asarray(project(cam, vertices))[:, faces]
    np.testing.assert_allclose(corners, expected, atol=3e-6)
