"""Cameras of MuJoCo against numbers worked out by hand, and against MuJoCo itself."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import jaxsoftras
from jaxsoftras import camera, conventions
from tests.support.calibrations import (
    POINTS,
    assert_same,
    assert_same_pixels,
    each_size,
    project,
    random_rotation,
)

ROTATION = random_rotation(5)
POSITION = 3 * ROTATION[:, 2]  # looks at the origin along its -z
MODEL = """
<mujoco>
  <worldbody>
    <body pos="0.3 0.1 0.2" quat="0.8 0.1 0.5 -0.2">
      <geom size="0.1"/>
      <camera name="angle" pos="0.1 0.2 2.5" quat="0.95 0.1 0.05 0.1" fovy="50"/>
      <camera name="sensor" pos="0 0.3 3" quat="0.97 0.1 -0.1 0.1" resolution="64 48"
        sensorsize="0.0064 0.0048" focalpixel="70 66" principalpixel="3 -5"/>
      <camera name="flat" pos="0 0 3" fovy="1.6" projection="orthographic"/>
    </body>
  </worldbody>
</mujoco>
"""


def pixels(size, horizontal, vertical, depth=True):
    """Column and row by tangents per pixel: the row of the top left pixel is 0."""
    q = (POINTS - POSITION) @ ROTATION
    x, y = q[:, 0], q[:, 1]
    if depth:
        x, y = x / -q[:, 2], y / -q[:, 2]
    height, width = size
    column = (width - 1) / 2 + horizontal(x)
    return np.stack([column, (height - 1) / 2 - vertical(y)], axis=-1)


@each_size
def test_field_of_view_and_back(size, x64):
    cam = conventions.from_mujoco(POSITION, ROTATION, size, fovy=30.0)
    scale = size[0] / 2 / np.tan(np.deg2rad(15))  # pixels per unit of the tangent
    expected = pixels(size, lambda x: scale * x, lambda y: scale * y)
    assert_same_pixels(cam, size, expected)
    assert_same(conventions.to_mujoco(cam, size), (POSITION, ROTATION, 30.0))


@each_size
def test_orthographic_and_back(size, x64):
    cam = conventions.from_mujoco(
        POSITION, ROTATION, size, fovy=1.6, kind="orthographic"
    )
    scale = size[0] / 1.6  # pixels per world unit
    expected = pixels(size, lambda x: scale * x, lambda y: scale * y, depth=False)
    assert_same_pixels(cam, size, expected)
    assert_same(conventions.to_mujoco(cam, size), (POSITION, ROTATION, 1.6))


@each_size
def test_sensor_and_back(size, x64):
    height, width = size
    sensor, intrinsic = np.array([6.4, 4.8]), np.array([12.0, 11.0, 0.3, -0.5])
    options: Any = {"intrinsic": intrinsic, "sensor_size": sensor}
    cam = conventions.from_mujoco(POSITION, ROTATION, size, **options)
    expected = pixels(
        size,
        lambda x: (12 * x - 0.3) * width / 6.4,
        lambda y: (11 * y - 0.5) * height / 4.8,
    )
    assert_same_pixels(cam, size, expected)
    back = conventions.to_mujoco(cam, size, sensor_size=sensor)
    assert_same(back, (POSITION, ROTATION, intrinsic))


def test_the_line_of_sight_is_left_of_the_centre_and_above():
    lens: Any = {"intrinsic": (1, 1, 0.1, 0.2), "sensor_size": (1, 1)}
    cam = conventions.from_mujoco((0, 0, 0), np.eye(3), 64, **lens)
    ahead = camera.project(cam, np.array([[0.0, 0.0, -1.0]]))
    np.testing.assert_allclose(ahead, [[-0.2, 0.4, 1]], atol=1e-6)


def test_by_hand():
    """At (0, -3, 0), upright: a point 1 right and 2 up, 3 in front, at 90 degrees."""
    quaternion = np.sqrt([0.5, 0.5, 0, 0])
    cam = conventions.from_mujoco((0, -3, 0), quaternion, (100, 200), fovy=90)
    np.testing.assert_allclose(
        project(cam, np.array([[1.0, 0.0, 2.0]])), [[1 / 6, 2 / 3, 3]], atol=1e-6
    )
    np.testing.assert_allclose(
        cam.axes, [[1, 0, 0], [0, 0, 1], [0, 1, 0]], rtol=0, atol=1e-6
    )


class TestRotations:
    quaternion = np.array([0.4, -0.2, 0.7, 0.5])

    def axes(self, rotation):
        return conventions.from_mujoco(POSITION, rotation, 32, fovy=30.0).axes

    def test_of_any_form(self, x64):
        # scipy's quaternions have w last
        matrix = Rotation.from_quat(np.roll(self.quaternion, -1)).as_matrix()
        expected = self.axes(matrix)
        for form in (matrix.ravel(), self.quaternion, -3 * self.quaternion):
            np.testing.assert_allclose(self.axes(form), expected, atol=1e-12)

    def test_of_a_batch(self, x64):
        matrices = np.stack([random_rotation(k) for k in range(2)])
        for form in (matrices, matrices.reshape(2, 9)):
            np.testing.assert_allclose(self.axes(form)[1], self.axes(matrices[1]))
        assert self.axes(np.stack([self.quaternion] * 3)).shape == (3, 3, 3)

    def test_have_derivatives(self, x64):
        def total(quaternion):
            weight = np.arange(9.0).reshape(3, 3)
            return jnp.sum(weight * self.axes(quaternion))

        gradient = jax.grad(total)(self.quaternion)
        steps = 1e-6 * np.eye(4)
        expected = [
            (total(self.quaternion + s) - total(self.quaternion - s)) / 2e-6
            for s in steps
        ]
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)


class TestErrors:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({}, "Give fovy, or intrinsic and sensor_size"),
            ({"fovy": 50, "intrinsic": np.ones(4)}, "Give fovy, or intrinsic"),
            ({"intrinsic": np.ones(4)}, "Give fovy, or intrinsic"),
            ({"fovy": 50, "sensor_size": (1, 1)}, "Give fovy, or intrinsic"),
            ({"fovy": 0}, "fovy must lie between 0 and 180"),
            ({"fovy": 180}, "fovy must lie between 0 and 180"),
            ({"fovy": np.nan}, "fovy is not finite"),
            ({"fovy": -2, "kind": "orthographic"}, "must be positive"),
            ({"fovy": 50, "kind": "wide"}, "kind must be one of"),
            ({"fovy": 50, "rotation": np.zeros(4)}, "quaternion .* must not be zero"),
            ({"fovy": 50, "rotation": np.ones(5)}, r"data.cam_xmat.* not \[5\]"),
            ({"fovy": 50, "rotation": np.diag([1, 1, -1])}, "is a reflection"),
            ({"fovy": 50, "rotation": 2 * np.eye(3)}, "rows of rotation"),
            ({"fovy": 50, "position": (0, 0)}, r"position must .* \[..., 3\]"),
            ({"fovy": 50, "position": (0, 0, np.inf)}, "position is not finite"),
            ({"fovy": 50, "image_size": 0}, "image_size must be"),
            ({"intrinsic": np.ones(4), "sensor_size": (0, 0)}, "must be positive"),
            ({"intrinsic": np.ones(3), "sensor_size": (1, 1)}, r"\[..., 4\]"),
            ({"intrinsic": -np.ones(4), "sensor_size": (1, 1)}, "must be positive"),
            (
                {
                    "intrinsic": np.ones(4),
                    "sensor_size": (1, 1),
                    "kind": "orthographic",
                },
                "has fovy, not intrinsic",
            ),
        ],
    )
    def test_parameters(self, changes, message):
        usual: dict[str, Any] = {
            "position": POSITION,
            "rotation": ROTATION,
            "image_size": (48, 64),
        }
        with pytest.raises(ValueError, match=message):
            conventions.from_mujoco(**usual | changes)

    def test_cameras(self):
        moved = conventions.from_mujoco(
            *(POSITION, ROTATION, 32), intrinsic=np.ones(4), sensor_size=(1, 1)
        )
        plain = camera.perspective_camera((0, 0, -2))
        mirrored = camera.perspective_camera((0, 0, -2), handedness="left")
        flat = camera.orthographic_camera((0, 0, -2))
        for cam, size, options, message in [
            (moved, 32, {}, "no principal point beside the centre; give a sensor_size"),
            (plain, (48, 64), {}, "square pixels"),
            (mirrored, 32, {}, "mirrored"),
            (flat, 32, {"sensor_size": (1, 1)}, "Orthographic cameras are not"),
            (plain, 32, {"sensor_size": (1, 0)}, "sensor_size.* must be positive"),
        ]:
            with pytest.raises(ValueError, match=message):
                conventions.to_mujoco(cam, size, **options)

    def test_names_of_mujoco(self):
        ours: Any = jaxsoftras
        with pytest.raises(TypeError, match="'xmat'; use rotation"):
            ours.from_mujoco(POSITION, xmat=ROTATION, image_size=32, fovy=50.0)


@pytest.mark.parametrize("name", ["angle", "sensor", "flat"])
def test_mujoco_itself(name):
    mujoco: Any = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(MODEL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    which = model.camera(name).id
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, which
    scene = mujoco.MjvScene(model, maxgeom=10)
    everything = mujoco.mjtCatBit.mjCAT_ALL
    option = mujoco.MjvOption()
    mujoco.mjv_updateScene(model, data, option, None, view, everything, scene)
    left, right = scene.camera[0], scene.camera[1]  # of the eyes
    q = POINTS - (left.pos + right.pos) / 2
    axes = np.stack([np.cross(left.forward, left.up), left.up, left.forward])
    x, y, z = axes @ q.T
    width, height = 64, 48
    top, bottom = left.frustum_top, left.frustum_bottom
    half = left.frustum_width or (top - bottom) / 2 * width / height
    if not left.orthographic:
        x, y = x / z * left.frustum_near, y / z * left.frustum_near
    ndc = [(x - left.frustum_center) / half, 2 * (y - bottom) / (top - bottom) - 1, z]

    sensor = model.cam_sensorsize[which]
    lens = {"fovy": model.cam_fovy[which]}
    if sensor.any():
        lens = {"intrinsic": model.cam_intrinsic[which], "sensor_size": sensor}
    found = conventions.from_mujoco(
        data.cam_xpos[which],
        data.cam_xmat[which],
        (height, width),
        **lens,
        kind="orthographic" if model.cam_projection[which] else "perspective",
    )
    np.testing.assert_allclose(project(found, POINTS), np.transpose(ndc), atol=2e-5)
