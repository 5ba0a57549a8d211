"""Random deformations: values, symmetry, and what they keep."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.shapes.placement import Solid, volume
from jaxsoftras.variations import deformation
from tests.support.fit_folders import FACES, VERTICES, make_ellipsoids

POINTS = np.random.default_rng(3).uniform(-0.5, 0.5, (50, 3))
MIRROR = np.array([-1, 1, 1])


def test_smoothing_moves_vertices_towards_and_from_their_neighbors():
    points = make_ellipsoids(1)[0] + np.random.default_rng(0).normal(0, 0.1, (42, 3))
    neighbors = [
        {int(v) for face in FACES if k in face for v in face} - {k} for k in range(42)
    ]
    expected = points
    for step in (0.5, -0.53, 0.5, -0.53):
        means = [np.mean([expected[v] for v in some], 0) for some in neighbors]
        expected = expected + step * (np.array(means) - expected)
    found = deformation.smooth(points, FACES, 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_smoothing_keeps_the_volume():
    smoothed = deformation.smooth(VERTICES.astype(float), FACES, 4)
    before = volume(Solid(VERTICES.astype(float), FACES))
    assert volume(Solid(smoothed, FACES)) == pytest.approx(before, rel=0.1)


@pytest.mark.parametrize(
    ("function", "axes", "expected"),
    [
        (deformation.taper, [0, 1, 2], lambda x, y, z: (x, y + y * x, z + z * x)),
        (deformation.taper, [2, 0, 1], lambda x, y, z: (x + x * z, y + y * z, z)),
        (deformation.bend, [1, 2, 0], lambda x, y, z: (x, y, z + y * y)),
        (deformation.bend, [0, 1, 2], lambda x, y, z: (x, y + x * x, z)),
        (deformation.bend, [1, 0, 2], lambda x, y, z: (x, y + x * x, z)),
    ],
)
def test_deformation_by_one(function, axes, expected):
    found = function(POINTS, np.array(axes), 1.0)
    np.testing.assert_allclose(found, [expected(*point) for point in POINTS.tolist()])


def test_taper_never_turns_a_mesh_inside_out():
    tapered = deformation.taper(POINTS, np.array([0, 1, 2]), -9.0)
    assert np.all(tapered * POINTS > 0)


@pytest.mark.parametrize("axes", [[0, 1, 2], [1, 2, 0], [1, 0, 2]])
def test_twist_rotates_by_the_height(axes):
    along, first, second = axes
    found = deformation.twist(POINTS, np.array(axes), 0.7)
    before = POINTS[:, first] + 1j * POINTS[:, second]
    after = found[:, first] + 1j * found[:, second]
    np.testing.assert_allclose(after, before * np.exp(0.7j * POINTS[:, along]))
    np.testing.assert_array_equal(found[:, along], POINTS[:, along])


def test_fields_are_smooth_small_and_mostly_symmetric():
    symmetric, sizes = 0, []
    for seed in range(300):
        field = [
            deformation.draw_field(np.random.default_rng(seed), points)
            for points in (POINTS, MIRROR * POINTS, POINTS + 1e-3)
        ]
        symmetric += np.allclose(field[1], MIRROR * field[0])
        sizes.append(np.mean(field[0] ** 2))
        assert np.abs(field[2] - field[0]).max() < 2e-3
    assert symmetric / 300 == pytest.approx(0.75, abs=0.07)
    assert 0.01 < np.sqrt(np.mean(sizes)) < 0.025


def test_deformed_meshes_fill_the_unit_box_and_stay_oriented():
    mirrored = 0
    for seed in range(60):
        vertices = make_ellipsoids(1, seed)[0].astype(float)
        rng = np.random.default_rng(seed)
        points, faces = deformation.deform(rng, Solid(vertices, FACES))
        low, high = points.min(0), points.max(0)
        np.testing.assert_allclose(low, -high, atol=1e-12)
        assert np.max(high - low) == pytest.approx(1, abs=1e-12)
        assert volume(Solid(points, faces)) > 0
        mirrored += not np.array_equal(faces, FACES)
        # a small deformation: vertices stay near where they were
        unit = vertices / np.ptp(vertices, axis=0).max()
        unit = unit * MIRROR if not np.array_equal(faces, FACES) else unit
        assert np.sqrt(np.mean((points - unit) ** 2)) < 0.15
    assert 15 < mirrored < 45
