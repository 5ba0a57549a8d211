import numpy as np
import pytest

from jaxsoftras import losses, mesh
from jaxsoftras.reconstruction.surface_scores import (
    Surface,
    SurfaceScorer,
    sample_surface,
)

SPHERE = mesh.icosphere(1)
FACES = np.asarray(SPHERE.faces)
VERTICES = 0.4 * np.asarray(SPHERE.vertices)
TRUTH = Surface(VERTICES * [1, 0.5, 0.7], FACES)


def test_chamfer_distance_and_f_score_are_those_of_losses():
    scorer = SurfaceScorer(lambda _: TRUTH, FACES, points=200, threshold=0.05)
    scores = scorer(3, VERTICES[None])
    rng = np.random.default_rng([0, 3])
    target = sample_surface(rng, TRUTH, 200)
    points = sample_surface(rng, Surface(VERTICES, FACES), 200)
    distance = losses.chamfer_distance(points, target).total
    assert scores["chamfer"][0] == pytest.approx(float(distance), rel=1e-4)
    score = losses.f_score(points, target, 0.05).score
    assert scores["f_score"][0] == pytest.approx(float(score), rel=1e-4)


def test_better_meshes_have_better_scores():
    scorer = SurfaceScorer(lambda _: TRUTH, FACES, points=3000)
    meshes = [TRUTH.vertices, 0.95 * TRUTH.vertices, VERTICES, VERTICES + 2]
    scores = scorer(0, np.array(meshes))
    assert np.all(np.diff(scores["chamfer"]) > 0)
    assert np.all(np.diff(scores["f_score"][:3]) < 0)
    assert np.all(np.diff(scores["thin_iou"]) < 0)
    assert scores["f_score"][0] > 0.999 and scores["thin_iou"][0] == 1
    assert scores["f_score"][3] == scores["thin_iou"][3] == 0
    again = scorer(0, np.array(meshes))
    assert all(np.array_equal(again[name], scores[name]) for name in scores)


def test_objects_that_cannot_be_compared():
    assert SurfaceScorer(lambda _: None, FACES)(0, VERTICES[None]) == {}
    sheet = Surface(VERTICES, FACES[:1])
    found = SurfaceScorer(lambda _: sheet, FACES, 50)(0, VERTICES[None])
    assert set(found) == {"chamfer", "f_score"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_mesh_that_is_not_finite_is_infinitely_far(value):
    lost = VERTICES.copy()
    lost[0, 0] = value
    scores = SurfaceScorer(lambda _: TRUTH, FACES, 50)(0, np.array([lost, VERTICES]))
    assert scores["chamfer"][0] == np.inf and np.isfinite(scores["chamfer"][1])
    assert scores["f_score"][0] == scores["thin_iou"][0] == 0


def test_points_are_uniform_by_area():
    corners = np.array([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9.0]])
    faces = np.array([[0, 1, 2], [4, 4, 4], [0, 2, 3], [4, 4, 4]])
    rng = np.random.default_rng(0)
    points = sample_surface(rng, Surface(corners, faces), 20_000)
    flat = points[:, 2] == 0
    assert flat.mean() == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(points[flat].mean(0), [1, 1 / 3, 0], atol=0.02)
    assert points.max() <= 3


def test_points_of_a_mesh_without_area():
    point = sample_surface(
        np.random.default_rng(0), Surface(np.ones((3, 3)), np.array([[0, 1, 2]])), 5
    )
    np.testing.assert_allclose(point, 1)
