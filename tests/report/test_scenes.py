import base64
import zlib

import numpy as np
import pytest

from jaxsoftras import pose, voxels
from jaxsoftras.report import scenes
from tests.support import report_files


def decode(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype).reshape(-1, 3)


def scene_of(shown) -> dict:
    (card,) = scenes.make_cards(shown)["k"]
    assert card.scene is not None
    return card.scene


@pytest.fixture
def shown():
    return report_files.make_examples(["k"], ["best"])


@pytest.mark.parametrize("handedness", ["left", "right"])
@pytest.mark.parametrize("up", [(0, 1, 0), (0, -1, 0), (0, 0, 1), (-1, 0, 0)])
def test_the_solid_is_seen_as_the_camera_of_the_input_sees_it(shown, handedness, up):
    """Its coordinates to the right and upwards are those along the camera's axes."""
    eye = np.array([1.5, 0.9, -2.0], np.float32)
    camera = pose.look_at(eye, (0, 0, 0), up=up, handedness=handedness)
    corners = np.concatenate([report_files.CORNERS, -report_files.CORNERS])
    shown = shown._replace(
        vertices=corners[None],
        has_voxels=np.array([False]),
        eyes=eye[None],
        axes=np.asarray(camera.axes)[None],
    )
    scene = scene_of(shown)
    points = decode(scene["solids"][0]["vertices"], "<f4")
    # the 3D view is right-handed, looks at the centre of the cube, and z is up there
    np.testing.assert_allclose(np.mean(scene["cube"], axis=1), 0, atol=1e-6)
    forward = -np.array(scene["eye"])
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    upward = np.cross(right, forward)
    np.testing.assert_allclose(points @ right, corners @ shown.axes[0, 0], atol=1e-5)
    np.testing.assert_allclose(points @ upward, corners @ shown.axes[0, 1], atol=1e-5)


def test_solids_are_whole_and_within_the_cube(shown):
    scene = scene_of(shown)
    mesh, truth = scene["solids"]
    assert mesh["faces"] == scenes.FACES
    np.testing.assert_array_equal(
        decode(scenes.encode_faces(shown), "<u4"), report_files.FACES
    )
    surface = voxels.voxel_surface(shown.occupied[0])
    np.testing.assert_array_equal(decode(truth["faces"], "<u4"), surface.faces)
    low, high = np.array(scene["cube"]).T
    assert np.ptp(high - low) < 1e-6
    for solid in (mesh, truth):
        points = decode(solid["vertices"], "<f4")
        assert (points > low).all() and (points < high).all()
    # y is up: it has become z
    points = decode(mesh["vertices"], "<f4")
    np.testing.assert_allclose(points[:, 2], report_files.CORNERS[:, 1])


def test_a_mesh_that_is_not_finite_has_no_scene(shown):
    shown.vertices[0, 1, 2] = np.nan
    (card,) = scenes.make_cards(shown)["k"]
    assert card.scene is None


@pytest.mark.parametrize("eye", [(0, 0, 0), (np.nan, 0, 0), (np.inf, 0, 0)])
def test_a_camera_without_a_direction_still_shows_the_mesh(shown, eye):
    shown = shown._replace(
        eyes=np.array([eye], np.float32), axes=np.full((1, 3, 3), np.nan, np.float32)
    )
    assert np.isfinite(scene_of(shown)["eye"]).all()


def test_a_mesh_of_one_point_has_a_cube(shown):
    shown = shown._replace(
        vertices=np.zeros((1, 4, 3), np.float32), has_voxels=np.array([False])
    )
    low, high = np.array(scene_of(shown)["cube"]).T
    assert (low < 0).all() and (high > 0).all()


def test_scores_are_in_words(shown):
    (card,) = scenes.make_cards(shown)["k"]
    assert card.score == "voxel IoU 0.900 (from this input 0.500)"
    assert card.rank == "Best" and card.reference == "true voxels"
    shown = shown._replace(
        ranks=np.array(["unranked"]),
        measures=np.array([""]),
        scores=np.array([np.nan], np.float32),
        has_voxels=np.array([False]),
    )
    (card,) = scenes.make_cards(shown)["k"]
    assert card.score == "no score" and card.reference == "image"
