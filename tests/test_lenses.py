"""Lenses beyond the field of view they were fitted to, and their derivatives."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import camera, lenses
from tests.support.calibrations import distort_opencv
from tests.support.cameras import POINTS, make_camera

distort: Any = jax.jit(lenses.distort, static_argnums=2)

TILTED = [0.5, 0.2, 1e-3, -2e-3, 0.01, 0.8, 0.3, 0.02]
TILTED += [0.01, -0.001, 0.002, 0.003, 0.05, -0.1]
# a vector, its lens, and the radius of its rim
LENSES: dict[str, Any] = {
    # slope 1 - 0.9 r^2
    "barrel": ([-0.3, 0, 0, 0], "brown", np.sqrt(1 / 0.9)),
    "tangential": ([-0.3, 0, 0.01, -0.02, 0], "brown", np.sqrt(1 / 0.9)),
    "without turning": ([-0.2, 0.05, 0, 0, 0.03], "brown", 100),
    # of (1 - r^2 / 4) / (1 + r^2 / 2)
    "rational": ([-0.25, 0, 0, 0, 0, 0.5, 0, 0], "brown", np.sqrt(np.sqrt(33) - 5)),
    # where the denominator 1 - r^2 / 4 is 0.001
    "pole": ([0, 0, 0, 0, 0, -0.25, 0, 0], "brown", np.sqrt(4 * 0.999)),
    "tilted": (TILTED, "brown", None),
    # slope 1 - 0.6 angle^2
    "fisheye": ([-0.2, 0, 0, 0], "fisheye", np.tan(np.sqrt(1 / 0.6))),
    "equidistant": ([0, 0, 0, 0], "fisheye", 1e6),
}
each_lens = pytest.mark.parametrize("name", LENSES)


def points_along(radii):
    """Points ``[R * 7, 2]`` of the ideal plane at those radii, in seven directions."""
    angles = np.linspace(0.1, 0.1 + 2 * np.pi, 7, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return (np.asarray(radii)[:, None, None] * directions).reshape(-1, 2)


@each_lens
def test_nothing_is_folded_back(name, x64):
    """Formula within the rim, and in proportion to the radius beyond it."""
    vector, lens, rim = LENSES[name]
    vector = np.array(vector, float)
    rim = lenses._find_rim(vector, lens) if rim is None else rim
    within = points_along(rim * np.linspace(0.01, 0.9999, 40))
    expected = distort_opencv(
        within[:, 0], within[:, 1], lens, vector
    )  # the same where y is up
    inside = distort(within, vector, lens)
    np.testing.assert_allclose(inside, np.stack(expected, axis=-1), rtol=1e-9)

    edge = distort(points_along([rim * 1.000001]), vector, lens)
    beyond = distort(points_along(rim * np.array([1.5, 3, 1e4])), vector, lens)
    expected = np.array([1.5, 3, 1e4])[:, None, None] * np.asarray(edge)
    np.testing.assert_allclose(beyond.reshape(3, 7, 2), expected, rtol=2e-3)
    radii = np.linalg.norm(np.concatenate([inside, beyond]), axis=-1).reshape(-1, 7)
    # terms aside of the radial factor turn a little earlier on one side
    assert np.all(radii > 0.99 * np.maximum.accumulate(radii))


@pytest.mark.parametrize("vector", [[0.0, 0, 0.01, 0], [0.0] * 8 + [0.0, -1e-3, 0, 0]])
def test_terms_that_turn_back_by_themselves(vector):
    """Far to the left stays on the left."""
    points = points_along(np.geomspace(1e-3, 1e9, 100)).astype(np.float32)
    moved = np.asarray(distort(points, np.float32(vector), "brown"))
    assert np.all(np.sum(moved * points, axis=-1) > 0)


def scene():
    """Points ``[N, 3]`` in camera space: on the axis, far off it, behind the camera."""
    depth = np.array([1, 1e-3, 1e-7, 1e-30, 0, -1e-30, -1, -50])
    xy = [[0, 0], [1e-30, 0], [1e-6, 1e-6], [0.3, -0.2], [-1e5, 3e4], [1e8, 1e18]]
    return np.insert(np.tile(xy, (len(depth), 1)), 2, np.repeat(depth, len(xy)), axis=1)


@functools.partial(jax.jit, static_argnames="lens")
def derivatives(points, vector, lens):
    """Projections of points in camera space, with first and second derivatives."""
    start = jax.tree.map(lambda x: x.astype(points.dtype), make_camera())

    def total(points, vector):
        cam = dataclasses.replace(start, distortion=vector, lens=lens)
        projected = camera.project_from_camera(cam, points)
        return jnp.sum(projected * jnp.array([1, 0.7, 0.1])), projected

    gradient = jax.grad(total, (0, 1), has_aux=True)
    tangents = jnp.ones_like(points).at[:, 1].set(-0.6), jnp.ones_like(vector)
    return jax.jvp(gradient, (points, vector), tangents)


@pytest.mark.parametrize(
    ("name", "double"),
    [
        ("tilted", False),
        ("fisheye", False),
        ("equidistant", False),
        pytest.param("fisheye", True, marks=pytest.mark.slow),
    ],
)
def test_all_is_finite(name, double):
    vector, lens, _ = LENSES[name]
    with jax.enable_x64(double):
        dtype = np.float64 if double else np.float32
        result = derivatives(scene().astype(dtype), np.array(vector, dtype), lens)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))
        depth = scene()[:, 2].astype(dtype)
        np.testing.assert_array_equal(result[0][1][:, 2], depth)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("barrel", 1),
        ("tilted", 1),
        ("fisheye", 1),
        pytest.param("fisheye", 2, marks=pytest.mark.slow),
    ],
)
def test_derivatives(name, order, x64):
    """On the axis, within the rim and beyond it, where the rim moves with the lens."""
    vector, lens, _ = LENSES[name]
    points = np.array([[0, 0], [0.1, 0.2], [0.25, -0.2], [-0.7, 0.5], [4, -3.0]])
    check_grads(
        lambda p, v: distort(p, v, lens),
        (points, np.array(vector)),
        order,
        ["rev"],
        rtol=1e-4,
        eps=1e-6,
    )


def test_fisheye_near_its_axis_in_single_precision():
    """The root of r^2 has no derivative, and atan(r) / r cancels."""
    radii = [0, 1e-20, 1e-3, 0.2, np.sqrt(0.1), 0.32, 2, 50]
    points = np.insert(points_along(radii), 2, 1, axis=1)
    vector = np.array([-0.1, 0.02, 0.01, -0.005])
    with jax.enable_x64(True):
        expected = derivatives(points, vector, "fisheye")
    found = derivatives(points.astype(np.float32), vector.astype(np.float32), "fisheye")
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-3)
    jax.tree.map(close, found, expected)


def test_fisheye_of_90_degrees_off_the_axis(x64):
    """Equidistant: the image of half a sphere is a disc of radius pi / 2."""
    angles = np.deg2rad([10, 45, 89, 89.9])
    moved = distort(points_along(np.tan(angles)), np.zeros(4), "fisheye")
    radii = np.linalg.norm(moved, axis=-1).reshape(-1, 7)
    np.testing.assert_allclose(radii, np.tile(angles[:, None], 7), rtol=1e-9)
    without = distort(points_along(np.tan(angles)), None, "fisheye")
    np.testing.assert_array_equal(without, moved)


def test_one_lens_for_each_camera(x64):
    vectors = np.array([LENSES["tangential"][0], LENSES["without turning"][0]])
    points = points_along([0.1, 1, 2, 50])
    both = distort(points, vectors, "brown")
    for one, vector in zip(both, vectors, strict=True):
        np.testing.assert_allclose(one, distort(points, vector, "brown"), rtol=1e-12)


def test_skew_shears_the_image(x64):
    skew, plain = np.array([0.3, -0.1]), make_camera()
    cam = dataclasses.replace(plain, skew=jnp.asarray(skew))
    moved = (camera.project(plain, POINTS)[:, 1] + 0.2) / 1.5  # y of the ideal plane
    shift = camera.project(cam, POINTS) - camera.project(plain, POINTS)
    expected = np.multiply.outer(skew, moved)
    np.testing.assert_allclose(shift[..., 0], expected, rtol=1e-9)
    assert not np.any(shift[..., 1:])


@pytest.mark.parametrize("length", [3, 6])
def test_vectors_that_no_lens_has(length):
    cam = dataclasses.replace(make_camera(), distortion=np.zeros(length))
    with pytest.raises(ValueError, match=r"\[..., 14\] for a brown lens, not \[\d\]"):
        camera.project(cam, POINTS)
