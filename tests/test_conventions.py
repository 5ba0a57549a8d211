"""Conversions of cameras against each program's textbook projection, in numpy."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import camera, conventions
from tests.support.calibrations import (
    POINTS,
    K,
    assert_same,
    assert_same_pixels,
    each_size,
    project,
    random_rotation,
    rigid,
)

RNG = np.random.default_rng(0)


class TestOpenGL:
    view = rigid(random_rotation(2), [0.2, 0.1, -3.0])
    near, far = 0.5, 20.0
    bounds = np.array([-0.12, 0.16, -0.1, 0.13])  # left, right, bottom, top

    def projection(self, kind):
        left, right, bottom, top = self.bounds * (1 if kind == "perspective" else 8)
        near, far = self.near, self.far
        sums = np.array([right + left, top + bottom, far + near])
        lengths = np.array([right - left, top - bottom, far - near])
        if kind == "perspective":  # glFrustum
            matrix = np.diag([*(2 * near / lengths[:2]), 0, 0])
            matrix[:3, 2] = sums / lengths * [1, 1, -1]
            matrix[2, 3] = -2 * far * near / lengths[2]
            matrix[3, 2] = -1
        else:  # glOrtho
            matrix = np.diag([*(2 / lengths * [1, 1, -1]), 1])
            matrix[:3, 3] = -sums / lengths
        matrix[0, 1] = 0.1  # skew
        return matrix

    def pixels(self, projection, size):
        clip = projection @ self.view @ np.insert(POINTS, 3, 1, axis=1).T
        x, y, _ = clip[:3] / clip[3]
        height, width = size
        window_x, window_y = (x + 1) * width / 2, (y + 1) * height / 2  # glViewport
        return np.stack([window_x - 0.5, height - window_y - 0.5], axis=-1)

    @each_size
    @pytest.mark.parametrize("kind", ["perspective", "orthographic"])
    def test_pixels_and_back(self, size, kind, x64):
        projection = self.projection(kind)
        cam = conventions.from_opengl(self.view, projection, kind)
        assert_same_pixels(cam, size, self.pixels(projection, size))
        back = conventions.to_opengl(cam, self.near, self.far)
        assert_same(back, (self.view, projection))
        assert_same(conventions.from_opengl(*back, kind), cam)

    def test_depth_is_the_distance_along_the_axis(self, x64):
        cam = conventions.from_opengl(self.view, self.projection("perspective"))
        seen = POINTS @ self.view[:3, :3].T + self.view[:3, 3]
        np.testing.assert_allclose(project(cam, POINTS)[:, 2], -seen[:, 2])


class TestPyTorch3D:
    rotation = random_rotation(3)
    translation = np.array([0.1, 0.2, 2.5])

    def pixels(self, focal, principal, size, kind):
        view = POINTS @ self.rotation + self.translation
        depth = view[:, 2:] if kind == "perspective" else 1
        ndc = focal * view[:, :2] / depth + principal
        height, width = size
        # to its screen: x left and y up become right and down, from the top left corner
        screen = np.array([width, height]) / 2 - ndc * min(size) / 2
        return screen - 0.5

    @each_size
    @pytest.mark.parametrize("kind", ["perspective", "orthographic"])
    def test_pixels_and_back(self, size, kind, x64):
        focal = np.array([2.0, 1.7]) * (1 if kind == "perspective" else 0.4)
        principal = np.array([0.1, -0.2])
        cam = conventions.from_pytorch3d(
            self.rotation,
            self.translation,
            size,
            focal_length=focal,
            principal_point=principal,
            kind=kind,
        )
        assert_same_pixels(cam, size, self.pixels(focal, principal, size, kind))
        back = conventions.to_pytorch3d(cam, size)
        assert_same(back, (self.rotation, self.translation, focal, principal))

    @each_size
    def test_field_of_view(self, size, x64):
        cam = conventions.from_pytorch3d(
            self.rotation, self.translation, size, fov=50.0
        )
        focal = 1 / np.tan(np.deg2rad(25))
        assert_same_pixels(cam, size, self.pixels(focal, 0, size, "perspective"))

    def test_one_focal_length_for_both_axes(self, x64):
        extrinsics = self.rotation, self.translation, (48, 64)
        one = conventions.from_pytorch3d(*extrinsics, focal_length=1.5)
        two = conventions.from_pytorch3d(*extrinsics, focal_length=np.full(2, 1.5))
        assert_same(one, two)


class TestBlender:
    world = rigid(random_rotation(4), 0)
    world[:3, 3] = 3 * world[:3, 2]  # looks at the origin along its -z

    def pixels(self, lens, size, sensor_width, sensor_height, fit, shift):
        x, y, z = np.linalg.inv(self.world)[:3] @ np.insert(POINTS, 3, 1, axis=1).T
        height, width = size
        horizontal = fit == "HORIZONTAL" or (fit == "AUTO" and width >= height)
        sensor = sensor_height if fit == "VERTICAL" else sensor_width
        per_mm = (width if horizontal else height) / sensor
        # the image lies lens mm in front of the pinhole, moved by the shift
        column = width / 2 + (lens * x / -z - shift[0] * sensor) * per_mm
        row = height / 2 - (lens * y / -z - shift[1] * sensor) * per_mm
        return np.stack([column, row], axis=-1) - 0.5

    @each_size
    @pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
    def test_pixels_and_back(self, size, fit, x64):
        lens, shift = 40.0, np.array([0.05, -0.1])
        sensor = {"sensor_width": 30.0, "sensor_height": 20.0, "sensor_fit": fit}
        cam = conventions.from_blender(self.world, lens, size, **sensor, shift=shift)
        assert_same_pixels(cam, size, self.pixels(lens, size, 30.0, 20.0, fit, shift))
        back = conventions.to_blender(cam, size, **sensor)
        assert_same(back, (self.world, lens, shift))

    def test_view_of_the_data_sets(self, x64):
        """Rendered with Blender, lens 1.866 on sensor 1: 15 degrees to either side."""
        cam = conventions.from_blender(self.world, 1.866025, 64, sensor_width=1.0)
        expected = camera.perspective_camera((0, 0, -3), half_fov=15.0).focal_length
        np.testing.assert_allclose(cam.focal_length, expected, rtol=1e-6)


@functools.partial(jax.jit, static_argnames="size")
def around(cam, size):
    """Converts a camera to three programs and back, one after another."""
    k, rotation, translation, _ = conventions.to_opencv(cam, size)
    cam = conventions.from_opencv(k, rotation, translation, size)
    cam = conventions.from_opengl(*conventions.to_opengl(cam, 1.0, 5.0))
    rotation, translation, focal, principal = conventions.to_pytorch3d(cam, size)
    return conventions.from_pytorch3d(
        rotation, translation, size, focal_length=focal, principal_point=principal
    )


@each_size
def test_from_each_program_to_the_next(size, x64):
    start = camera.perspective_camera(
        camera.eye_from_angles(2.7, 20.0, 40.0),
        half_fov=20.0,
        aspect=size[1] / size[0],
    )
    world, lens, shift = conventions.to_blender(around(start, size), size)
    assert_same(conventions.from_blender(world, lens, size, shift=shift), start)


def test_batches_and_derivatives(x64):
    """Converting around is the identity, and its derivative is, too."""
    axes = np.stack([random_rotation(k) for k in range(2)]) * [[1], [1], [-1]]
    position = RNG.normal(size=(2, 3))
    start = camera.camera_from_axes(axes, position, (2.0, 1.5), (0.1, 0.2))
    tangent = dataclasses.replace(
        jax.tree.map(jnp.ones_like, start), axes=jnp.zeros_like(start.axes)
    )
    found = jax.jvp(lambda cam: around(cam, (48, 64)), (start,), (tangent,))
    assert_same(found, (start, tangent))


class TestErrors:
    opencv = {
        "intrinsics": K,
        "rotation": np.eye(3),
        "translation": np.zeros(3),
        "image_size": (48, 64),
    }

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"intrinsics": K.T}, "last row of intrinsics must be 0 0 1"),
            ({"intrinsics": K + np.diag([1, 0], k=-1)}, r"\[1, 0\] must be zero"),
            ({"intrinsics": np.diag([70, -65, 1])}, "must be positive"),
            ({"intrinsics": np.eye(4)}, r"intrinsics must .* \[..., 3, 3\]"),
            ({"rotation": 1.001 * np.eye(3)}, "perpendicular and of length 1"),
            ({"rotation": np.diag([1, 1, -1])}, "reflection"),
            ({"rotation": np.zeros(3)}, "rotation_from_axis_angle makes matrices"),
            ({"translation": np.zeros((1, 4))}, r"translation must .* \[..., 3\]"),
            ({"image_size": (48, 0)}, "image_size must be"),
            (
                {"distortion": np.zeros(6)},
                r"\[..., 5\], .* for a brown lens, not \[6\]",
            ),
            ({"distortion": np.zeros((5, 2))}, r"not \[5, 2\]"),
            ({"distortion": np.zeros(5), "lens": "fisheye"}, r"shape \[..., 4\] for a"),
            ({"distortion": [0] * 13 + [2]}, "tilts of the sensor"),
            ({"lens": "wide"}, "lens must be one of brown, fisheye"),
        ],
    )
    def test_calibrations(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            conventions.from_opencv(**self.opencv | wrong)

    def test_matrices(self):
        good = TestOpenGL().projection("perspective")
        with pytest.raises(ValueError, match="projection that is orthographic"):
            conventions.from_opengl(np.eye(4), good, "orthographic")
        with pytest.raises(ValueError, match="last row of view"):
            conventions.from_opengl(np.ones((4, 4)), good)
        good[1, 0] = 0.1
        with pytest.raises(ValueError, match="first rows of projection"):
            conventions.from_opengl(np.eye(4), good)
        with pytest.raises(ValueError, match="matrix_world"):
            conventions.from_blender(np.diag([2, 2, 2, 1]), 50.0, 64)
        with pytest.raises(ValueError, match="sensor_fit must be one of"):
            fit: Any = "FILL"
            conventions.from_blender(np.eye(4), 50.0, 64, sensor_fit=fit)

    @pytest.mark.parametrize(
        "choice",
        [{}, {"fov": 50, "focal_length": 2}, {"fov": 9, "kind": "orthographic"}],
    )
    def test_fields_of_view(self, choice):
        with pytest.raises(ValueError, match="Give fov or focal_length"):
            conventions.from_pytorch3d(np.eye(3), np.zeros(3), 64, **choice)

    def test_shapes(self):
        with pytest.raises(ValueError, match="shift must have"):
            conventions.from_blender(np.eye(4), 50.0, 64, shift=(0.0,))
        pose = np.eye(3), np.zeros(3), 64
        with pytest.raises(ValueError, match="focal_length must be a number"):
            conventions.from_pytorch3d(*pose, focal_length=np.ones(3))
        with pytest.raises(ValueError, match="principal_point must have"):
            conventions.from_pytorch3d(*pose, fov=60, principal_point=(0, 0, 0))

    def test_cameras_that_other_programs_do_not_have(self):
        mirrored = camera.perspective_camera((0, 0, -2), handedness="left")
        to_others = [
            lambda cam: conventions.to_opencv(cam, 64),
            lambda cam: conventions.to_opengl(cam, 1, 5),
            lambda cam: conventions.to_pytorch3d(cam, 64),
            lambda cam: conventions.to_blender(cam, 64),
        ]
        for convert in to_others:
            with pytest.raises(ValueError, match="mirrored"):
                convert(mirrored)
        plain = camera.perspective_camera((0, 0, -2))
        for changes, message in [
            ({"distortion": jnp.zeros(5)}, "no lens distortion"),
            ({"lens": "fisheye"}, "no fisheye lens"),
        ]:
            for convert in to_others[1:]:
                with pytest.raises(ValueError, match=message):
                    convert(dataclasses.replace(plain, **changes))
        skewed = dataclasses.replace(plain, skew=jnp.array(0.1))
        for convert in to_others[2:]:
            with pytest.raises(ValueError, match="no skew"):
                convert(skewed)
            convert(dataclasses.replace(plain, skew=jnp.array(0.0)))
        flat = camera.orthographic_camera((0, 0, -2))
        for convert in (to_others[0], to_others[3]):
            with pytest.raises(ValueError, match="Orthographic"):
                convert(flat)
        with pytest.raises(ValueError, match="not square"):
            conventions.to_blender(camera.perspective_camera((0, 0, -2)), (48, 64))
        with pytest.raises(ValueError, match="near must be positive"):
            conventions.to_opengl(flat, 5, 1)
