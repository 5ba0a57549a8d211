import math

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.data import transforms

SIZE = 64, 48  # width, height
SHAPE = 48, 64
CAMERA = jaxsoftras.perspective_camera(
    (1.0, 2.0, 3.0), (0.1, 0.2, 0.3), fov=40.0, aspect=SIZE[0] / SIZE[1]
)
ANGLE = 2 * math.atan(math.tan(math.radians(20)) * SIZE[0] / SIZE[1])
WORLD = np.asarray(jaxsoftras.to_blender(CAMERA, SHAPE)[0])


def frame(**fields):
    return {"camera_angle_x": ANGLE, "transform_matrix": WORLD.tolist(), **fields}


def test_field_of_view_and_pose_are_those_of_blender():
    found = transforms.parse(frame(), SIZE)
    expected = jaxsoftras.to_opencv(CAMERA, SHAPE)
    for part, other in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_allclose(part, other, atol=1e-4)
    assert found.distortion is None


def test_a_point_falls_where_its_pixel_is():
    found = transforms.parse(frame(transform_matrix=np.eye(4)[:3].tolist()), SIZE)
    # looks along -z, y up; the middle of the image lies between four pixels
    seen = found.rotation @ np.array([0.5, 0.25, -2.0]) + found.translation
    pixel = found.intrinsics @ seen
    focal = 32 / math.tan(ANGLE / 2)
    np.testing.assert_allclose(
        pixel[:2] / pixel[2], [31.5 + focal / 4, 23.5 - focal / 8], atol=1e-4
    )


def test_pixels_and_lens_are_scaled_with_the_picture():
    pixels = dict(fl_x=80.0, fl_y=90.0, cx=60.0, cy=50.0, w=128, h=96, k1=0.1, p2=0.01)
    found = transforms.parse(frame(**pixels), SIZE)
    expected = [[40, 0, 29.5], [0, 45, 24.5], [0, 0, 1]]
    np.testing.assert_allclose(found.intrinsics, expected)
    assert found.distortion is not None
    np.testing.assert_allclose(found.distortion, [0.1, 0, 0, 0.01, 0])
    both = transforms.parse(frame(camera_angle_y=1.0), SIZE)
    assert both.intrinsics[1, 1] == pytest.approx(24 / math.tan(0.5))


def test_a_frame_takes_what_all_share_and_its_own_comes_first():
    content = {
        "fl_x": 5.0,
        "frames": [{"file_path": "./a", "fl_x": 7.0}, {"file_path": "b.png"}],
    }
    found = transforms.list_frames(content)
    assert list(found) == ["./a", "b.png"]
    assert [each["fl_x"] for each in found.values()] == [7.0, 5.0]


def test_an_angle_of_a_frame_replaces_the_focal_length_of_all():
    own = {"file_path": "a", **frame()}
    content = {"fl_x": 5.0, "fl_y": 6.0, "frames": [own]}
    found = transforms.parse(transforms.list_frames(content)["a"], SIZE)
    np.testing.assert_allclose(
        found.intrinsics, transforms.parse(frame(), SIZE).intrinsics
    )


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "not empty"),
        ({"a": 1}, "not empty"),
        ([{"file_path": "a"}, {"file_path": "a"}], "names a twice"),
        ([{"file_path": "a"}, {}], "frame 1 has no file_path"),
        ([3], "frame 0 has no file_path"),
    ],
)
def test_refuses_frames(frames, message):
    with pytest.raises(ValueError, match=message):
        transforms.list_frames({"frames": frames})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"camera_angle_x": 40.0}, "between 0 and pi"),
        ({"camera_angle_x": "0.5"}, "camera_angle_x .* finite number"),
        ({"camera_angle_x": True}, "finite number"),
        ({"camera_angle_x": 10**400}, "finite number"),
        ({"fl_x": math.nan}, "fl_x .* finite number"),
        ({"fl_x": -3.0}, "must be positive"),
        ({"w": 0, "h": 48}, "w and h"),
        ({"w": 100, "h": 100}, "for 100 x 100 pixels, and it has 64 x 48"),
        ({"transform_matrix": [[1, 2], [3]]}, "4 x 4 numbers"),
        ({"transform_matrix": None}, "4 x 4 numbers"),
        ({"transform_matrix": (np.eye(4) * [2, 2, 2, 1]).tolist()}, "no pose"),
        ({"transform_matrix": np.full((4, 4), math.inf).tolist()}, "no pose"),
        ({"camera_model": "OPENCV_FISHEYE"}, "'OPENCV_FISHEYE' is not among OPENCV"),
        ({"camera_model": ["x"]}, "is not among"),
        ({"is_fisheye": True}, "'fisheye' is not among"),
        ({"k4": 0.1}, "k4: undistort"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        transforms.parse(frame(**fields), SIZE)


def test_needs_a_focal_length():
    with pytest.raises(ValueError, match="needs camera_angle_x or fl_x"):
        transforms.parse({"transform_matrix": WORLD.tolist()}, SIZE)
