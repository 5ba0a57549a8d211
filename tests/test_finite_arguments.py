"""Arguments of cameras that are not finite: each is named, with its entry."""

import dataclasses
import re

import numpy as np
import pytest

from jaxsoftras import camera, conventions

VIEW = {"eye": np.ones(3), "target": np.zeros(3), "up": np.array([1.0, 2, 3])}
CALLS = {
    conventions.from_opencv: {
        "intrinsics": np.array([[70.0, 3, 30], [0, 65, 25], [0, 0, 1]]),
        "rotation": np.eye(3),
        "translation": np.ones(3),
        "distortion": np.zeros(5),
        "image_size": 64,
    },
    conventions.from_opengl: {
        "view": np.eye(4),
        "projection": np.array(
            [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, -3, -4], [0, 0, -1, 0.0]]
        ),
    },
    conventions.from_pytorch3d: {
        "rotation": np.eye(3),
        "translation": np.ones(3),
        "focal_length": np.ones(2),
        "principal_point": np.zeros(2),
        "image_size": 64,
    },
    conventions.from_blender: {
        "matrix_world": np.eye(4),
        "lens": np.ones(1),
        "shift": np.zeros(2),
        "sensor_width": 36.0,
        "image_size": 64,
    },
    conventions.from_mujoco: {
        "position": np.ones(3),
        "rotation": np.eye(3),
        "fovy": np.ones(1),
        "image_size": 64,
    },
    camera.camera_from_axes: {
        "axes": np.eye(3),
        "position": np.ones(3),
        "focal_length": np.ones(2),
        "principal_point": np.zeros(2),
        "distortion": np.zeros(4),
        "skew": 0.0,
    },
    camera.look_at: VIEW,
    camera.perspective_camera: VIEW | {"aspect": 1.0},
    camera.orthographic_camera: VIEW | {"aspect": 1.0, "scale": 1.0},
}
CASES = [
    pytest.param(call, name, id=f"{call.__name__}-{name}")
    for call, given in CALLS.items()
    for name in given
    if name != "image_size"
]


@pytest.mark.parametrize(("call", "name"), CASES)
def test_argument(call, name):
    given = CALLS[call]
    call(**given)
    wrong = np.array(given[name], float)
    wrong.flat[-1] = np.nan
    entry = f"its entry {[n - 1 for n in wrong.shape]}" if wrong.ndim else "it"
    message = f"{name} is not finite: {entry} is nan."
    with pytest.raises(ValueError, match=re.escape(message)):
        call(**given | {name: wrong})


def test_part_of_a_camera():
    cam = camera.perspective_camera((0, 0, -2))
    cam = dataclasses.replace(cam, position=np.array([0, np.inf, 0]))
    message = re.escape("camera.position is not finite: its entry [1] is inf.")
    for convert in (conventions.to_opencv, conventions.to_blender):
        with pytest.raises(ValueError, match=message):
            convert(cam, 64)
