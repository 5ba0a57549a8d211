"""Images of meshes in their own colours."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras import camera, texture
from jaxsoftras.data import build_images, zbuffer
from jaxsoftras.data.build_object import to_model_frame
from jaxsoftras.mesh import Mesh
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors
from tests.support.mesh_folders import wedge

FRONT = build_images.orbit_eyes(4, 0.0)[:1]
# a square that faces the camera of the front; image right is +x
CORNERS = 0.5 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
FACES = np.array([[0, 2, 1], [0, 3, 2]])
LIGHT = 0.5 + 0.5 * abs(zbuffer.LIGHT[2])
SIZE = 16


def render(texture_: texture.Texture | None) -> np.ndarray:
    mesh = Mesh(CORNERS, FACES, texture_)
    return build_images.render_views(mesh, FRONT, SIZE)[0]


def inside(image: np.ndarray) -> np.ndarray:
    """The pixels that the square covers, ``[n, n, C]`` from 0 to 1, without light."""
    rows = np.flatnonzero((image[3] == 255).any(0))
    part = image[:3, rows[0] : rows[-1] + 1, rows[0] : rows[-1] + 1]
    return part.transpose(1, 2, 0) / 255 / LIGHT


def test_cameras_are_those_of_the_data_sets():
    eyes = build_images.orbit_eyes(24, 30.0)
    np.testing.assert_allclose(eyes, zbuffer.view_eyes(), atol=1e-12)
    for view, eye in enumerate(build_images.orbit_eyes(8, -20.0)):
        expected = camera.eye_from_angles(2.732, -20.0, -45.0 * view)
        np.testing.assert_allclose(eye, expected, atol=1e-6)


def test_faces_of_one_colour_are_drawn_as_the_embedded_shapes_are():
    mesh = to_model_frame(wedge(), "+Y", "+Z")
    eyes = build_images.orbit_eyes(3, 30.0)
    colors = np.asarray(mesh.texture.values)  # type: ignore[union-attr]
    ours = build_images.render_views(mesh, eyes, SIZE)
    theirs = [
        zbuffer.render(mesh.vertices, mesh.faces, eye, image_size=SIZE, colors=colors)
        for eye in eyes
    ]
    assert np.abs(ours - np.stack(theirs).astype(int)).max() <= 1
    np.testing.assert_array_equal(ours[:, 3], np.stack(theirs)[:, 3])


def test_without_colours_it_is_grey():
    np.testing.assert_allclose(inside(render(None)), 0.7, atol=0.01)


def test_colours_of_vertices_are_interpolated():
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], np.float32)
    shown = inside(render(VertexColors(corners)))
    half = build_images.DISTANCE * np.tan(np.deg2rad(build_images.HALF_FOV))
    u = (2 * np.arange(3, 13) + 1 - SIZE) / SIZE * half + 0.5
    np.testing.assert_allclose(shown[..., 0], np.tile(u, (10, 1)), atol=0.005)
    np.testing.assert_allclose(shown[..., 1].T, np.tile(u[::-1], (10, 1)), atol=0.005)
    np.testing.assert_allclose(shown[..., 2], 1, atol=0.01)


def test_opacity_is_not_drawn():
    colors = np.array([[1, 0, 0, 0.1], [1, 0, 0, 0.0]], np.float32)
    image = render(FaceColors(colors, transparent=True))
    np.testing.assert_array_equal(image[3], render(None)[3])
    np.testing.assert_allclose(
        inside(image), [[[1, 0, 0]]] + 0 * inside(image), atol=0.01
    )


def test_images_keep_their_sides():
    # white at the top left corner of the image, where u = 0 and v = 1
    picture = np.zeros((4, 4, 3), np.float32)
    picture[0, 0] = 1
    uv = ((CORNERS[:, :2] + 0.5)[FACES]).astype(np.float32)
    shown = inside(render(UVTexture(uv, picture)))[..., 0]
    half = len(shown) // 2
    assert shown[0, 0] > 0.95
    assert shown[half:].max() < 0.05 and shown[:, half:].max() < 0.05


def test_each_face_has_its_image():
    red, blue = np.zeros((2, 2, 2, 3), np.float32)
    red[..., 0], blue[..., 2] = 1, 1
    uv = np.zeros((2, 3, 2), np.float32)
    shown = inside(render(UVTexture(uv, (red, blue), image_index=np.array([0, 1]))))
    np.testing.assert_allclose(shown[-1, -1], [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(shown[0, 0], [0, 0, 1], atol=0.01)


def test_interpolation_is_straight_on_the_surface_and_not_in_the_image():
    # a floor that leads away: its middle lies above the middle of its image
    corners = np.array([[0.0, 8.0], [8.0, 8.0], [0.0, 0.0]])[None]
    depths = np.array([[1.0, 1.0, 3.0]])
    zero, sample = np.zeros(1, int), np.array([8 * 4 + 0])  # row 4, column 0
    seen = build_images._Seen(sample, zero, zero, corners, 1 / depths)
    weights = build_images._weights(seen, size=8)
    np.testing.assert_allclose(weights, [[0.75, 0, 0.25]], atol=1e-12)


@pytest.mark.parametrize("wrap", ["clamp", "repeat"])
def test_images_are_sampled_as_the_renderer_samples_them(wrap):
    rng = np.random.default_rng(0)
    picture, uv = rng.random((3, 5, 3)), rng.uniform(-2, 3, (200, 2))
    expected = texture.sample(picture.astype(np.float32), uv.astype(np.float32), wrap)
    np.testing.assert_allclose(
        build_images._sample(picture, uv, wrap), expected, atol=1e-4
    )
