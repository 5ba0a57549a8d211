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
