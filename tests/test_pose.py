"""Poses of cameras: angles, rotations and their gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxsoftras
from jaxsoftras import camera, pose
from tests.support.cameras import POINTS, make_camera


@pytest.mark.parametrize(
    ("elevation", "azimuth", "expected"),
    [
        (0, 0, [0, 0, -2]),
        (0, 90, [2, 0, 0]),
        (90, 0, [0, 2, 0]),
        (30, 180, [0, 1, np.sqrt(3)]),
    ],
)
def test_eye_from_angles(elevation, azimuth, expected):
    eye = camera.eye_from_angles(2.0, elevation, azimuth)
    np.testing.assert_allclose(eye, expected, atol=1e-6)


class TestRotation:
    rotation = staticmethod(jax.jit(pose.rotation_from_axis_angle))

    @pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.499, 0.501, 3.0, np.pi, 7.0])
    def test_turns_about_its_axis(self, angle, x64):
        axis = np.array([2.0, -1, 2]) / 3
        turned = np.asarray(self.rotation(angle * axis))
        np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-14)
        np.testing.assert_allclose(turned @ axis, axis, atol=1e-14)
        across = np.array([1.0, 2, 0]) / np.sqrt(5)
        beyond = np.cross(axis, across)
        expected = np.cos(angle) * across + np.sin(angle) * beyond
        np.testing.assert_allclose(turned @ across, expected, atol=1e-14)

    def test_is_right_handed(self):
        quarter = self.rotation(np.array([0, 0, np.pi / 2]))
        np.testing.assert_allclose(quarter @ np.eye(3)[0], [0, 1, 0], atol=1e-6)

    def test_derivatives_at_zero(self, x64):
        """They follow from R = I + [v] + [v]^2 / 2 + ..."""
        columns = np.cross(np.eye(3)[:, None], np.eye(3))
        generators = np.swapaxes(columns, -1, -2)  # [e_i] = e_i x .
        jacobian = jax.jacrev(pose.rotation_from_axis_angle)
        both = jax.jit(lambda v: (jacobian(v), jax.jacfwd(jacobian)(v)))
        first, second = both(np.zeros(3))
        np.testing.assert_allclose(np.moveaxis(first, -1, 0), generators, atol=1e-15)
        products = np.einsum("iab,jbc->ijac", generators, generators)
        np.testing.assert_allclose(
            np.moveaxis(second, (-2, -1), (0, 1)),
            (products + np.swapaxes(products, 0, 1)) / 2,
            atol=1e-15,
        )

    @pytest.mark.parametrize("angle", [0.0, 1e-5, 0.499, 0.501, 4.0])
    def test_gradients(self, angle, x64):
        vector = angle * np.array([2.0, -1, 2]) / 3
        check_grads(self.rotation, (vector,), order=1, modes=["rev"])

    def test_recovers_a_pose(self, x64):
        """Gauss-Newton on a pose, from projections of points."""
        start = make_camera()

        @jax.jit
        def project_points(motion):
            moved = dataclasses.replace(
                start,
                axes=start.axes @ pose.rotation_from_axis_angle(motion[:3]).T,
                position=start.position + motion[3:],
            )
            return camera.project(moved, POINTS)[:, :2].ravel()

        jacobian = jax.jit(jax.jacfwd(project_points))
        true = np.array([0.2, -0.3, 0.1, 0.2, 0.1, -0.3])
        target, found = project_points(true), np.zeros(6)
        for _ in range(10):
            residual = np.asarray(project_points(found) - target)
            found = found - np.linalg.lstsq(jacobian(found), residual)[0]
        np.testing.assert_allclose(found, true, atol=1e-9)


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 3.0), (1, 0, 0), (-1, 2, 2)])
@pytest.mark.parametrize("tilt", [0, 1e-6, 1e-4, 1e-3, 0.1])
@pytest.mark.parametrize("sign", [1, -1])
def test_line_of_sight_along_up(up, tilt, sign):
    """Orthonormal axes with bounded derivatives, from straight above and below."""
    aside = np.array([up[2], up[0], up[1]]) * (1, 0.5, -1)
    up = jnp.array(up, jnp.float32)

    @jax.jit
    def axes(tilt):
        return pose.axes_from_direction(sign * up + tilt * aside, up)

    value, slope = jax.jvp(axes, (jnp.float32(tilt),), (jnp.float32(1),))
    np.testing.assert_allclose(value @ value.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(value) == pytest.approx(-1, abs=1e-5)
    assert np.abs(slope).max() < 10


@pytest.mark.parametrize("elevation", [90, -90])
def test_straight_above_is_the_limit_of_azimuth_0(elevation):
    near, at = (
        jaxsoftras.look_at(jaxsoftras.eye_from_angles(2, e, 0)).axes
        for e in (0.999 * elevation, elevation)
    )
    np.testing.assert_allclose(at, near, atol=2e-3)
