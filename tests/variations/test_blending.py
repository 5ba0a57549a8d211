"""The choice of fits, and their combination."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from jaxsoftras.variations import blending
from tests.support.fit_folders import VERTICES, make_ellipsoids


def test_neighbors_are_the_nearest_by_distance():
    vertices = make_ellipsoids(30)
    found = blending.rank_neighbors(vertices)
    assert found.shape == (30, 10)  # a third of the others
    for row, neighbors in enumerate(found):
        distances = [np.sum((v - vertices[row]) ** 2.0) for v in vertices]
        expected = sorted(set(range(30)) - {row}, key=lambda other: distances[other])
        assert neighbors.tolist() == expected[:10]


@pytest.mark.parametrize(("fits", "neighbors"), [(1, 0), (2, 1), (4, 3), (9, 4)])
def test_few_fits_have_all_or_four_neighbors(fits, neighbors):
    same = np.repeat(make_ellipsoids(1), fits, 0)  # each is as near as itself
    found = blending.rank_neighbors(same)
    assert found.shape == (fits, neighbors)
    assert all(row not in others for row, others in enumerate(found.tolist()))


def test_recipes():
    neighbors = blending.rank_neighbors(make_ellipsoids(9))
    rng = np.random.default_rng(0)
    recipes = [blending.draw_recipe(rng, neighbors) for _ in range(2000)]
    for parents, weights in recipes:
        first, *others = parents.tolist()
        assert set(others) <= set(neighbors[first].tolist())
        assert len(set(parents.tolist())) == len(parents) == len(weights)
        assert np.all(weights > 0) and weights.sum() == pytest.approx(1)
        assert weights[0] >= 0.4
    counts = np.bincount([len(parents) for parents, _ in recipes]) / 2000
    np.testing.assert_allclose(counts, [0, 0.15, 0.6, 0.25], atol=0.04)
    several = [weights[0] for _, weights in recipes if len(weights) > 1]
    assert np.mean(np.array(several) >= 0.65) == pytest.approx(0.7, abs=0.04)
    firsts = np.bincount([parents[0] for parents, _ in recipes]) / 2000
    np.testing.assert_allclose(firsts, 1 / 9, atol=0.03)


def test_recipes_of_one_fit_have_one_parent():
    rng, neighbors = (
        np.random.default_rng(0),
        blending.rank_neighbors(make_ellipsoids(1)),
    )
    for _ in range(20):
        parents, weights = blending.draw_recipe(rng, neighbors)
        assert parents.tolist() == [0] and weights.tolist() == [1]


def test_blend_is_the_weighted_mean():
    parents, weights = make_ellipsoids(3), np.array([0.5, 0.2, 0.3])
    blended = blending.blend(parents, weights)
    assert blended.dtype == float
    for vertex, axis in itertools.product((0, 17, 41), range(3)):
        mean = sum(
            w * float(p[vertex, axis]) for w, p in zip(weights, parents, strict=True)
        )
        assert blended[vertex, axis] == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("opposite", [(-1, -1, -1), (1, 1, -1)])
def test_meshes_that_cancel_each_other_are_not_combined(opposite):
    ball = 0.4 * VERTICES
    parents = np.stack([ball, ball * opposite])
    np.testing.assert_array_equal(blending.blend(parents, np.array([0.6, 0.4])), ball)
