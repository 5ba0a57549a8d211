"""Cameras: construction, refusals and batches."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import camera, mesh
from tests.support.cameras import DISTORTION, POINTS, make_camera

project = jax.jit(camera.project)


class TestConstructors:
    def test_axes_seen_from_azimuth_0_in_the_frame_of_the_data_sets(self):
        """+x is right, +y is up, +z lies deeper."""
        cam = camera.perspective_camera((0, 0, -2), half_fov=45.0, handedness="left")
        points = jnp.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 1.0]])
        expected = [[0, 0, 2], [0.25, 0, 2], [0, 0.25, 2], [0, 0, 3]]
        np.testing.assert_allclose(project(cam, points), expected, atol=1e-6)

    @pytest.mark.parametrize("handedness", ["left", "right"])
    def test_is_world_to_camera_and_camera_to_ndc(self, handedness):
        eye, target, up = np.array([[1, 2, -3], [0.1, 0.2, 0.3], [0.2, 1, 0.1]])
        cam = camera.perspective_camera(eye, target, up, 20.0, handedness=handedness)
        seen = camera.world_to_camera(POINTS, eye, target, up, handedness=handedness)
        expected = camera.camera_to_ndc(seen, 20.0)
        np.testing.assert_allclose(project(cam, POINTS), expected, rtol=1e-5)

    def test_pose_and_focal_length_make_the_same_camera(self):
        eye, target, up = np.array([[1, 2, -3], [0.1, 0.2, 0.3], [0.2, 1, 0.1]])
        cam = camera.perspective_camera(eye, target, up, half_fov=45.0)
        pose = camera.look_at(eye, target, up)
        assert pose.axes.shape == (3, 3) and pose.position.shape == (3,)
        made = camera.camera_from_axes(*pose, focal_length=(1.0, 1.0))
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-6), made, cam
        )

    def test_full_field_of_view_is_twice_the_half(self):
        eye, angles = (0, 0, -2), np.array([20.0, 30.0, 100.0])
        full = camera.perspective_camera(eye, fov=angles)
        half = camera.perspective_camera(eye, half_fov=angles / 2)
        np.testing.assert_array_equal(full.focal_length, half.focal_length)
        default = camera.perspective_camera(eye)
        np.testing.assert_array_equal(full.focal_length[1], default.focal_length)
        np.testing.assert_array_equal(
            camera.camera_to_ndc(POINTS, fov=30.0), camera.camera_to_ndc(POINTS)
        )

    def test_edge_of_the_field_of_view(self):
        depth = 3.0
        edge = depth * np.tan(np.deg2rad(15))
        projected = camera.camera_to_ndc(jnp.array([[edge, -edge, depth]]), 15.0)
        np.testing.assert_allclose(projected, [[1, -1, depth]], rtol=1e-6)

    def test_aspect_keeps_pixels_square(self):
        cam = camera.perspective_camera((0, 0, 2), half_fov=45.0, aspect=2.0)
        projected = project(cam, np.array([[0.5, 0.5, 0]]))
        np.testing.assert_allclose(projected, [[0.125, 0.25, 2]], rtol=1e-6)

    def test_orthographic(self):
        cam = camera.orthographic_camera((0, 0, 2), scale=1.5, aspect=3.0)
        projected = project(cam, np.array([[0.2, -0.4, 0.0], [0.2, -0.4, -5.0]]))
        np.testing.assert_allclose(
            projected, [[0.1, -0.6, 2], [0.1, -0.6, 7]], rtol=1e-6
        )

    @pytest.mark.parametrize(
        "make", [camera.perspective_camera, camera.orthographic_camera]
    )
    def test_direction_is_a_target_at_any_distance(self, make):
        eye, target = np.array([1.0, 2, -3]), np.array([0.1, -0.2, 0.4])
        towards = make(eye, target)
        along = make(eye, direction=7 * (target - eye))
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-5), towards, along
        )

    def test_handedness_mirrors_the_image(self):
        eye = camera.eye_from_angles(2.7, 30.0, 40.0)
        left = camera.perspective_camera(eye, handedness="left")
        right = camera.perspective_camera(eye)
        assert np.linalg.det(left.axes) == pytest.approx(1, abs=1e-5)
        assert np.linalg.det(right.axes) == pytest.approx(-1, abs=1e-5)
        np.testing.assert_allclose(
            project(right, POINTS),
            project(left, POINTS) * np.array([-1, 1, 1]),
            atol=1e-6,
        )

    def test_default_camera_sees_x_on_the_right(self):
        """Seen from +z, with x to the right and y up as on paper, z towards the eye."""
        cam = camera.perspective_camera((0, 0, 2), half_fov=45.0)
        projected = project(cam, np.array([[0.5, 0.25, 0]]))
        np.testing.assert_allclose(projected, [[0.25, 0.125, 2]], atol=1e-6)

    @pytest.mark.parametrize(("handedness", "sign"), [("left", -1), ("right", 1)])
    def test_winding_of_front_faces(self, handedness, sign):
        """Clockwise in a mirrored image, counter-clockwise in an ordinary one."""
        sphere = mesh.icosphere(1)
        corners = 0.5 * sphere.vertices[sphere.faces]  # [F, 3, 3]
        eye = np.asarray(camera.eye_from_angles(3.0, 20.0, 50.0))
        cam = camera.perspective_camera(eye, handedness=handedness)
        projected = np.asarray(project(cam, corners))
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        front = np.sum(normal * (eye - corners[:, 0]), axis=1) > 0
        first, second = (projected[:, k, :2] - projected[:, 0, :2] for k in (1, 2))
        area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        np.testing.assert_array_equal(sign * area > 0, front)

    def test_parts_share_leading_axes(self):
        cam = jax.eval_shape(
            lambda: camera.camera_from_axes(
                np.eye(3), np.zeros((4, 3)), np.ones((2, 1, 2)), distortion=np.zeros(5)
            )
        )
        trailing = [(3, 3), (3,), (2,), (2,), (5,)]
        shapes = [leaf.shape for leaf in jax.tree.leaves(cam)]
        assert shapes == [(2, 4, *shape) for shape in trailing]

    @pytest.mark.parametrize(
        ("eye", "half_fov", "expected"),
        [
            (np.ones(3, np.float32), 15.0, "float32"),
            (np.ones(3, np.float16), 15, "float32"),
            (np.ones(3, np.float32), np.float64(15), "float64"),
            ((1, 1, 1), 15.0, "float64"),
        ],
    )
    def test_dtypes_follow_the_inputs(self, eye, half_fov, expected, x64):
        cam = jax.eval_shape(lambda: camera.perspective_camera(eye, half_fov=half_fov))
        assert {leaf.dtype.name for leaf in jax.tree.leaves(cam)} == {expected}


def test_text_reads_forwards_through_the_default_camera():
    """A letter on a square that fills the image of a camera in front of it."""
    letter = np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 1, 1, 1, 0],
            [0, 1, 0, 0, 0],
            [0, 1, 1, 0, 0],
            [0, 1, 0, 0, 0],
            [0, 0, 0, 0, 0],
        ],
        np.float32,
    )
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    square = jaxsoftras.Mesh(
        np.pad(uv - 0.5, ((0, 0), (0, 1))),  # z = 0, seen from +z
        faces,
        jaxsoftras.UVTexture(uv[faces], letter[..., None]),
    )
    settings = jaxsoftras.Settings(
        image_size=letter.shape,
        sigma=1e-6,
        gamma=1e-6,
        double_sided=False,  # the camera sees the front
        implementation="reference",
    )
    cam = camera.perspective_camera((0, 0, 2), fov=2 * np.rad2deg(np.arctan(0.25)))
    image = jaxsoftras.render(square, cam, None, settings)
    np.testing.assert_allclose(image[..., 0], letter, atol=1e-2)
    parallel = camera.orthographic_camera((0, 0, 2), scale=2.0)
    np.testing.assert_allclose(
        project(parallel, square.vertices), project(cam, square.vertices), atol=1e-6
    )


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"up": (0, 0, 0)}, "up must not be zero"),
            ({"target": (0, 0, -2)}, "eye and target coincide"),
            ({"eye": (0, np.nan, 0)}, "not finite"),
            ({"direction": (0, 0, 0)}, "direction is zero"),
            ({"direction": (0, 0, 1), "target": (0, 0, 1)}, "not both"),
            ({"half_fov": 0.0}, "half_fov must lie between"),
            ({"half_fov": np.array([30, 90])}, "half_fov must lie between"),
            ({"half_fov": 15.0, "fov": 30.0}, "Give fov, .* or half_fov, .* not both"),
            ({"fov": 180.0}, "fov must lie between 0 and 180 degrees"),
            ({"fov": np.array([60, -1])}, "fov must lie between 0 and 180 degrees"),
            ({"aspect": 0.0}, "aspect, width over height .* must be positive"),
            ({"aspect": (4, 3)}, r"number or an array, width / height, not \(4, 3\)"),
            (
                {"eye": np.ones((4, 3)), "target": np.zeros((3, 3))},
                r"eye \[4, 3\] and target \[3, 3\] must broadcast",
            ),
            ({"eye": (0, 2)}, r"eye must have the shape \[..., 3\], not \[2\]"),
            ({"target": (0, 2)}, r"target must have the shape \[..., 3\]"),
            ({"up": (0, 2)}, r"up must have the shape \[..., 3\]"),
            ({"handedness": "both"}, "handedness must be one of left, right"),
        ],
    )
    def test_views(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            camera.perspective_camera(**{"eye": (0.0, 0.0, -2.0)} | arguments)

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ({"axes": 1.01 * np.eye(3)}, "perpendicular and of length 1"),
            ({"axes": np.ones((3, 4))}, r"axes must have the shape \[..., 3, 3\]"),
            ({"focal_length": (1.0, 0.0)}, "must be positive"),
            ({"distortion": np.zeros(6)}, r"distortion must .* \[..., 5\]"),
            ({"projection": "fisheye"}, "projection must be one of"),
            ({"lens": "fisheye", "projection": "orthographic"}, "no fisheye lens"),
            (
                {"focal_length": np.ones((2, 2)), "principal_point": np.zeros((3, 2))},
                "broadcast",
            ),
        ],
    )
    def test_parts(self, parts, message):
        given = {
            "axes": np.eye(3),
            "position": (0, 0, 0),
            "focal_length": (1, 1),
        } | parts
        with pytest.raises(ValueError, match=message):
            camera.camera_from_axes(**given)

    def test_scale_and_points(self):
        with pytest.raises(ValueError, match="scale"):
            camera.orthographic_camera((0, 0, -2), scale=0.0)
        with pytest.raises(ValueError, match=r"\[..., N, 3\], not \[3\]"):
            camera.project(make_camera(), np.zeros(3))

    def test_values_are_not_checked_when_traced(self):
        @jax.jit
        def project_points(eye, half_fov):
            cam = camera.perspective_camera(eye, half_fov=half_fov)
            return camera.project(cam, jnp.zeros((1, 3)))

        degenerate = jnp.array([0.0, 2, 0])  # parallel to up
        assert np.isfinite(project_points(degenerate, -1.0)).all()


class TestBatches:
    @pytest.mark.parametrize("batch", [1, 3])
    def test_batch_equals_loop(self, batch):
        # the original crossed along the batch axis for batches of 3
        @jax.jit
        def project_points(elevation, azimuth, points):
            eye = camera.eye_from_angles(2.7, elevation, azimuth)
            return camera.project(camera.perspective_camera(eye), points)

        rng = np.random.default_rng(0)
        arguments = (
            rng.uniform(0, 60, batch),
            rng.uniform(0, 360, batch),
            rng.normal(0, 0.2, (batch, 5, 3)),
        )
        np.testing.assert_allclose(
            project_points(*arguments),
            np.stack([project_points(*one) for one in zip(*arguments, strict=True)]),
            rtol=1e-5,
            atol=1e-6,
        )

    def test_cameras_broadcast_against_meshes(self):
        points = np.random.default_rng(0).normal(0, 0.2, (2, 4, 5, 3))
        one = project(make_camera(), points)
        assert one.shape == (2, 4, 5, 3)
        # two cameras before each of four meshes
        positions = np.array([[0.0, 0, -3], [0.1, 0, -3]])[:, None]
        cam = dataclasses.replace(make_camera(), position=positions)
        both = project(cam, points[0])
        assert both.shape == (2, 4, 5, 3)
        np.testing.assert_allclose(both[0], one[0], rtol=1e-6)
        assert np.all(both[0, ..., 0] > both[1, ..., 0])

    @pytest.mark.parametrize("distortion", [None, DISTORTION])
    def test_vmap_over_cameras(self, distortion):
        position = np.array([[0, 0, -3], [0, 0.1, -2.0]])
        cams = camera.camera_from_axes(
            np.eye(3), position, (2, 1), distortion=distortion
        )
        mapped = jax.jit(jax.vmap(camera.project, in_axes=(0, None)))
        np.testing.assert_allclose(
            mapped(cams, POINTS), project(cams, POINTS), rtol=1e-6
        )

    def test_parts_set_by_hand_need_not_share_leading_axes(self):
        focal_length = jnp.array([[2.0, 1.5], [1.0, 1.0]])
        projected = project(
            dataclasses.replace(make_camera(), focal_length=focal_length), POINTS
        )
        np.testing.assert_allclose(projected[0], project(make_camera(), POINTS))

    def test_projection_is_part_of_the_tree(self):
        cam = jax.tree.map(lambda x: 2 * x, make_camera("orthographic", None))
        assert cam.projection == "orthographic" and cam.distortion is None
        assert jax.tree.structure(cam) != jax.tree.structure(
            make_camera("perspective", None)
        )
