"""The renderer of data sets: camera, coverage, shading and occlusion."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import camera
from jaxsoftras.data.zbuffer import LIGHT, project, render, render_views, view_eyes
from jaxsoftras.shapes import placement, solids
from jaxsoftras.shapes.catalogue import make_shape

FRONT = np.array([0.0, 0.0, -2.732])


def test_camera_equals_the_left_handed_one_of_the_library():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    for k in (0, 1, 7, 17):
        eye = camera.eye_from_angles(2.732, 30.0, -15.0 * k)
        np.testing.assert_allclose(view_eyes()[k], eye, atol=1e-5)
        left = camera.perspective_camera(eye, half_fov=15.0, handedness="left")
        expected = camera.project(left, jnp.asarray(points))
        np.testing.assert_allclose(project(points, eye), expected, atol=1e-5)


def render_slowly(vertices, faces, eye, size, colors):
    """Renders one sample a pixel, one pixel and one triangle at a time."""
    image = np.zeros((4, size, size))
    corners = project(vertices, eye)[faces]
    for row, column in np.ndindex(size, size):
        x, y = (2 * column + 1 - size) / size, (size - 1 - 2 * row) / size
        nearest = np.inf
        for k, triangle in enumerate(corners):
            matrix = np.stack([triangle[:, 0], triangle[:, 1], np.ones(3)])
            weights = np.linalg.solve(matrix, (x, y, 1.0))
            if weights.min() < 0:
                continue
            depth = 1 / np.sum(weights / triangle[:, 2])
            if depth < nearest:
                nearest = depth
                a, b, c = vertices[faces[k]]
                normal = np.cross(b - a, c - a)
                cosine = abs(normal @ LIGHT) / np.linalg.norm(normal)
                image[:3, row, column] = colors[k] * (0.5 + 0.5 * cosine)
                image[3, row, column] = 1
    return np.floor(image * 255 + 0.5).astype(np.uint8)


def test_renderer_equals_a_slow_loop():
    rng = np.random.default_rng(3)
    vertices = rng.uniform(-0.6, 0.6, (36, 3))
    faces = np.arange(36).reshape(-1, 3)
    colors = rng.uniform(0, 1, (12, 3))
    eye = np.array([1.0, 1.2, -2.0])
    image = render(vertices, faces, eye, image_size=24, supersampling=1, colors=colors)
    expected = render_slowly(vertices, faces, eye, 24, colors)
    assert 100 < np.count_nonzero(expected[3]) < 24 * 24
    np.testing.assert_array_equal(image, expected)


def test_supersampling_is_the_mean_of_the_samples():
    shape = make_shape("03001627", 0)
    eye = view_eyes()[3]
    fine = render(*shape[:2], eye, image_size=128, supersampling=1, closed=True)
    coarse = render(*shape[:2], eye, image_size=32, supersampling=4, closed=True)
    mean = fine.reshape(4, 32, 4, 32, 4).mean((2, 4))
    np.testing.assert_allclose(coarse, mean, atol=1.01)


def test_coverage_of_a_square_and_of_a_ball():
    # a square across the axis, in camera space from -a to a at depth 2.732
    a = 0.4
    square = np.array([(-a, -a, 0), (a, -a, 0), (a, a, 0), (-a, a, 0)])
    faces = np.array([(0, 1, 2), (0, 2, 3)])
    half = a / (2.732 * np.tan(np.deg2rad(15)))
    alpha = render(square, faces, FRONT, supersampling=8)[3] / 255
    assert alpha.mean() == pytest.approx(half**2, rel=0.01)
    assert alpha[32, 32] == 1 and alpha[0, 0] == 0
    np.testing.assert_array_equal(alpha, alpha[::-1])

    ball = solids.superellipsoid((0.8, 0.8, 0.8), sides=96, rings=65)
    alpha = render(*ball, FRONT, closed=True)[3] / 255
    apparent = np.tan(np.arcsin(0.4 / 2.732)) / np.tan(np.deg2rad(15))
    assert alpha.mean() == pytest.approx(np.pi * apparent**2 / 4, rel=0.01)


def test_image_axes_and_shading():
    red, green = np.eye(3)[0], np.eye(3)[1]
    right = solids.box((0.2, 0.2, 0.2), (0.4, 0, 0))
    above = solids.box((0.2, 0.2, 0.2), (0, 0.4, 0))
    vertices, faces = placement.join(right, above)
    colors = np.repeat([red, green], 12, 0)
    image = render(vertices, faces, FRONT, colors=colors, closed=True)
    shade = 255 * (0.5 + 0.5 * abs(LIGHT[2]))
    assert image[0, 32, 32 + 17] == pytest.approx(shade, abs=1)  # +x is to the right
    assert image[1, 32 - 17, 32] == pytest.approx(shade, abs=1)  # +y is up
    assert not image[:, 32, 32 - 17].any() and not image[:, 32 + 17, 32].any()
    assert np.all(image[:3] <= image[3])  # colours are multiplied by coverage
    assert len(np.unique(image[3])) > 3  # edges are anti-aliased


def test_nearer_surfaces_hide_farther_ones_in_either_order():
    near = solids.box((0.3, 0.3, 0.1), (0, 0, -0.3))
    far = solids.box((0.8, 0.8, 0.1), (0, 0, 0.3))
    names = {"near": (near, (1, 0, 0)), "far": (far, (0, 0, 1))}
    images = []
    for order in (("near", "far"), ("far", "near")):
        vertices, faces = placement.join(*(names[name][0] for name in order))
        colors = np.repeat([names[name][1] for name in order], 12, 0)
        for closed in (False, True):
            images.append(render(vertices, faces, FRONT, colors=colors, closed=closed))
    for image in images:
        assert image[0, 32, 32] > 0 and image[2, 32, 32] == 0
        assert image[2, 32, 46] > 0 and image[0, 32, 46] == 0
        np.testing.assert_array_equal(image, images[0])


def test_views_together_equal_each_alone():
    shape = make_shape("04530566", 1)
    eyes, kwargs = view_eyes()[:7], {"image_size": 16, "colors": shape.colors}
    views = render_views(*shape[:2], eyes, **kwargs)
    for eye, view in zip(eyes, views, strict=True):
        np.testing.assert_array_equal(render(*shape[:2], eye, **kwargs), view)
    nothing = np.zeros((0, 3), int)
    assert not render_views(shape.vertices, nothing, eyes, image_size=4).any()


def test_mesh_that_reaches_the_camera_is_refused():
    with pytest.raises(ValueError, match="move the eye further away"):
        render(*solids.box((1, 1, 1)), (0, 0, -0.4))
