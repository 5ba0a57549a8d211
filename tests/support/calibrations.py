"""Points and pixels that tests of calibrations share, and OpenCV's cameras in numpy."""

import functools

import jax
import numpy as np
import pytest

from jaxsoftras import camera

K = np.array([[70.0, 3, 30.2], [0, 65.0, 25.7], [0, 0, 1]])
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (7, 3))
SIZES = [(48, 64), (64, 48), (32, 32)]
each_size = pytest.mark.parametrize("size", SIZES)
project = jax.jit(camera.project)


def random_rotation(seed):
    """Rotation ``[3, 3]``, by the method of Gram and Schmidt."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return q * np.linalg.det(q)


def rigid(rotation, translation):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation
    return matrix


def our_pixels(cam, size):
    """Column and row of `POINTS`; the centre of the top left pixel is (0, 0)."""
    x, y, _ = np.asarray(project(cam, POINTS)).T
    height, width = size
    return np.stack([(x * width + width - 1) / 2, (height - 1 - y * height) / 2], -1)


def assert_same_pixels(cam, size, expected):
    assert np.ptp(expected, axis=0).min() > 5  # the points are spread over the image
    np.testing.assert_allclose(our_pixels(cam, size), expected, rtol=0, atol=1e-5)


def assert_same(actual, expected):
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9),
        actual,
        expected,
    )


def distort_opencv(x, y, lens, coefficients):
    """Moves points of the ideal plane as OpenCV's manual says, in its frame: y down."""
    r = np.hypot(x, y)
    if lens == "fisheye":
        k1, k2, k3, k4 = coefficients
        angle = np.arctan(r)
        bent = angle + k1 * angle**3 + k2 * angle**5 + k3 * angle**7 + k4 * angle**9
        return x * bent / r, y * bent / r
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tilt_x, tilt_y = np.pad(
        coefficients, (0, 14 - len(coefficients))
    )
    radial = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (
        1 + k4 * r**2 + k5 * r**4 + k6 * r**6
    )
    x_d = x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2) + s1 * r**2 + s2 * r**4
    y_d = y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y + s3 * r**2 + s4 * r**4
    cx, sx = np.cos(tilt_x), np.sin(tilt_x)
    cy, sy = np.cos(tilt_y), np.sin(tilt_y)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    turn = about_y @ about_x
    onto = [[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]]
    tilted = onto @ turn @ np.stack([x_d, y_d, np.ones_like(x_d)])
    return tilted[0] / tilted[2], tilted[1] / tilted[2]


def opencv_pixels(
    points, k, rotation, translation, lens="brown", coefficients=(0.0,) * 4
):
    """Column and row of world points ``[N, 3]`` in an image of OpenCV."""
    q = points @ rotation.T + translation
    x, y = distort_opencv(q[:, 0] / q[:, 2], q[:, 1] / q[:, 2], lens, coefficients)
    return (k @ np.stack([x, y, np.ones_like(x)]))[:2].T
