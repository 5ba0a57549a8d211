"""Cameras and their conversions outside of `jax.jit`: nothing compiles twice."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from tests.support.calibrations import POINTS
from tests.support.cameras import make_camera
from tests.support.compilations import check_compiles_once

VECTOR = np.array([1.0, 2, -3], np.float32)
CAMERA = jaxsoftras.perspective_camera((0.5, 0.3, 3.0))
LENS = jaxsoftras.camera_from_axes(
    np.diag([-1, 1, 1]), (0, 0, 3), (2, 1), distortion=[0.01] * 14, skew=0.1
)


def total(tree):
    return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree))


def round_trip(position):
    cam = dataclasses.replace(LENS, position=position)
    k, rotation, translation, lens = jaxsoftras.to_opencv(cam, 64)
    return total(jaxsoftras.from_opencv(k, rotation, translation, 64, lens))


def other_programs(position):
    cam = dataclasses.replace(CAMERA, position=position)
    view, projection = jaxsoftras.to_opengl(cam, 1.0, 5.0)
    world, lens, shift = jaxsoftras.to_blender(cam, 64)
    rotation, translation, focal, _ = jaxsoftras.to_pytorch3d(cam, 64)
    return (
        total(jaxsoftras.from_opengl(view, projection))
        + total(jaxsoftras.from_blender(world, lens, 64, shift=shift))
        + total(
            jaxsoftras.from_pytorch3d(rotation, translation, 64, focal_length=focal)
        )
    )


FUNCTIONS = {
    "project": (lambda x: jaxsoftras.project(LENS, x), np.float32(POINTS)),
    "perspective_camera": (lambda x: total(jaxsoftras.perspective_camera(x)), VECTOR),
    "eye_from_angles": (lambda x: jaxsoftras.eye_from_angles(x[0], x[1], x[2]), VECTOR),
    "camera_to_ndc": (jaxsoftras.camera_to_ndc, np.float32(POINTS)),
}
SLOW = {
    "to_opencv, from_opencv": (round_trip, VECTOR),
    "project, five coefficients": (
        lambda x: jaxsoftras.project(make_camera(), x),
        np.float32(POINTS),
    ),
    "rotation_from_axis_angle": (jaxsoftras.rotation_from_axis_angle, VECTOR),
    "orthographic_camera": (lambda x: total(jaxsoftras.orthographic_camera(x)), VECTOR),
    "world_to_camera": (lambda x: jaxsoftras.world_to_camera(POINTS, x), VECTOR),
    "other programs": (other_programs, VECTOR),
}


@pytest.mark.parametrize(
    "name", [*FUNCTIONS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_second_call_compiles_nothing(name, caplog):
    check_compiles_once(caplog, *(FUNCTIONS | SLOW)[name])
