import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.fitting import turntable

EYES = jaxsoftras.eye_from_angles(3.0, 20.0, np.array([40.0, 160.0, 280.0]))


def turn(rotation):
    """Three cameras around the origin in a world that is turned."""
    eyes = np.asarray(EYES) @ rotation.T
    return jaxsoftras.perspective_camera(eyes, up=rotation @ np.array([0, 1, 0]))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_turns_about_the_vertical_of_the_cameras(order):
    rotation = np.eye(3)[list(order)]
    axes = turntable.find_axes(turn(rotation))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(axes) == pytest.approx(1)
    np.testing.assert_allclose(axes[1], rotation @ np.array([0, 1, 0]), atol=1e-5)
    assert axes[2] @ rotation @ np.asarray(EYES)[0] > 2.5


def test_cameras_that_look_down_have_a_turn_as_well():
    above = jaxsoftras.perspective_camera(np.array([[0, 3.0, 0]]), up=(0, 0, 1))
    below = jaxsoftras.perspective_camera(
        np.array([[0, 3.0, 0]] * 2), up=np.array([[0, 0, 1], [0, 0, -1]])
    )
    for cameras in (above, below):
        axes = turntable.find_axes(cameras)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)


@pytest.mark.slow
def test_the_first_image_is_what_the_first_camera_sees(monkeypatch):
    monkeypatch.setattr(turntable, "FRAMES", 4)
    monkeypatch.setattr(turntable, "SIZE", 24)
    rotation = np.eye(3)[[2, 0, 1]]
    cameras = turn(rotation)
    towards = np.asarray(cameras.position)[0] / 3
    sphere = jaxsoftras.icosphere(1)
    near = np.asarray(sphere.vertices) @ towards > 0
    red = np.where(near[:, None], [1.0, 0, 0], [0, 0, 1.0]).astype(np.float32)
    solid = jaxsoftras.Mesh(
        100 + 5 * np.asarray(sphere.vertices),
        sphere.faces,
        jaxsoftras.VertexColors(red),
    )
    images = [
        np.asarray(image)
        for image in turntable.draw(solid, turntable.find_axes(cameras))
    ]
    assert len(images) == 4 and images[0].shape == (24, 24, 3)
    middles = [image[10:14, 10:14].mean((0, 1)) for image in images]
    assert middles[0][0] > middles[0][2] and middles[2][0] < middles[2][2]
    assert np.all(images[0][0, 0] == 255)
