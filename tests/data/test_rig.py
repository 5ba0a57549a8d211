"""Cameras of a rig."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from jaxsoftras import camera, config
from jaxsoftras.data import rig, zbuffer


@pytest.mark.parametrize("half_fov", [15.0, 20.0])
def test_cameras_are_those_of_the_data_sets(half_fov):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3)).astype(np.float32)
    views = rig.OrbitViews(np.arange(24), rig.Orbit(half_fov=half_fov))
    expected = [zbuffer.project(points, e, half_fov) for e in zbuffer.view_eyes()]
    np.testing.assert_allclose(
        camera.project(rig.as_cameras(views), points), np.array(expected), atol=1e-5
    )


def test_defaults_are_those_of_the_configuration():
    settings = config.Data()
    for field in dataclasses.fields(rig.Orbit):
        if field.name != "handedness":
            assert getattr(settings, field.name) == field.default


@pytest.mark.parametrize(("lens", "length"), [("brown", 14), ("fisheye", 4)])
def test_mirrored_cameras_see_mirrored_points(lens, length):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (2, 6, 3)).astype(np.float32)
    axes, position = camera.look_at(rng.uniform(1, 2, (2, 3)).astype(np.float32))
    original = camera.camera_from_axes(
        axes,
        position,
        (2.0, 3.0),
        rng.uniform(-0.2, 0.2, (2, 2)),
        rng.uniform(-0.05, 0.05, (2, length)),
        skew=rng.uniform(-0.2, 0.2, 2),
        lens=lens,
    )
    flip = np.array([-1, 1, 1], np.float32)
    got = camera.project(rig.mirror(original), points * flip)
    expected = camera.project(original, points) * flip
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert camera.project(original, points).std() > 0.1


@pytest.mark.parametrize("lens", [None, "brown"])
def test_zoomed_cameras_see_points_moved(lens):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.5, 0.5, (2, 6, 3)).astype(np.float32)
    original = rig.OrbitViews(np.array([1, 5]), rig.SOFTRAS_RIG)
    if lens:
        original = dataclasses.replace(
            rig.as_cameras(original),
            principal_point=rng.uniform(-0.2, 0.2, (2, 2)),
            distortion=rng.uniform(-0.05, 0.05, (2, 5)),
            skew=rng.uniform(-0.2, 0.2, 2),
        )
    factor, shift = np.array([0.8, 1.3]), rng.uniform(-0.3, 0.3, (2, 2))
    got = camera.project(rig.zoom(original, factor, shift), points)
    expected = camera.project(rig.as_cameras(original), points)[..., :2]
    expected = factor[:, None, None] * expected + shift[:, None]
    np.testing.assert_allclose(got[..., :2], expected, atol=1e-5)


def test_mirrored_views_of_an_orbit_are_mirrored_cameras():
    views = rig.OrbitViews(np.arange(24), rig.SOFTRAS_RIG)
    got, expected = (
        rig.as_cameras(rig.mirror(views)),
        rig.mirror(rig.as_cameras(views)),
    )
    np.testing.assert_allclose(got.axes, expected.axes, atol=1e-6)
    np.testing.assert_allclose(got.position, expected.position, atol=1e-6)
