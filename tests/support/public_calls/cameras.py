"""Calls of cameras and of the conventions of other libraries."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import lenses, pose
from tests.support.public_calls.inputs import (
    EYE,
    NUMBERS,
    VERTICES,
    Call,
    camera,
)

SIGNS = (1, -1, 1)  # of OpenCV's axes
INTRINSICS = np.array([[20, 0, 8], [0, 20, 8], [0, 0, 1]], np.float32)


@functools.cache
def _pose() -> jaxsoftras.Pose:
    return jaxsoftras.look_at(EYE)


@functools.cache
def _rotation() -> np.ndarray:
    return np.asarray(_turned(np.float32(0.1)))


@functools.cache
def _opengl() -> tuple[np.ndarray, np.ndarray]:
    """Matrices of view and projection."""
    view, projection = jaxsoftras.to_opengl(camera(), 0.1, 10.0)
    return np.asarray(view), np.asarray(projection)


@functools.cache
def _blender() -> np.ndarray:
    """``matrix_world``."""
    return np.asarray(jaxsoftras.to_blender(camera(), 16)[0])


def _from_opengl(scale: Any) -> Any:
    view, projection = _opengl()
    projection = jnp.asarray(projection).at[0, 0].multiply(scale)
    return jaxsoftras.from_opengl(view, projection).focal_length


def _turned(angle: Any) -> Any:
    return jaxsoftras.rotation_from_axis_angle(angle * np.ones(3, np.float32))


def _moved(position: Any) -> jaxsoftras.Camera:
    return dataclasses.replace(camera(), position=position)


CAMERAS = {
    "camera_model.camera_from_axes": Call(
        lambda x: jaxsoftras.camera_from_axes(_pose().axes, x, (2.0, 2.0)).position, EYE
    ),
    "camera.camera_to_ndc": Call(lambda x: jaxsoftras.camera_to_ndc(x), VERTICES + 3),
    "camera.orthographic_camera": Call(
        lambda x: jaxsoftras.orthographic_camera(x).axes, EYE
    ),
    "camera.perspective_camera": Call(
        lambda x: jaxsoftras.perspective_camera(x).axes, EYE
    ),
    "camera.project": Call(lambda x: jaxsoftras.project(camera(), x), VERTICES),
    "lenses.distort": Call(
        lambda x: lenses.distort(jnp.asarray(x), jnp.full(8, 0.01), "brown"),
        VERTICES[:, :2],
    ),
    "pose.axes_from_direction": Call(
        lambda x: pose.axes_from_direction(jnp.asarray(x), jnp.array([0.0, 1, 0])), EYE
    ),
    "pose.eye_from_angles": Call(
        lambda x: jaxsoftras.eye_from_angles(3.0, x, 2 * x), NUMBERS
    ),
    "pose.from_extrinsics": Call(
        lambda x: (
            pose.from_extrinsics(
                jnp.asarray(_rotation()), jnp.asarray(x), SIGNS
            ).position
        ),
        EYE,
    ),
    "pose.look_at": Call(lambda x: jaxsoftras.look_at(x).axes, EYE),
    "pose.rotation_from_axis_angle": Call(jaxsoftras.rotation_from_axis_angle, EYE),
    "pose.to_extrinsics": Call(
        lambda x: pose.to_extrinsics(_pose().axes, jnp.asarray(x), SIGNS)[1], EYE
    ),
    "pose.world_to_camera": Call(
        lambda x: jaxsoftras.world_to_camera(x, EYE), VERTICES
    ),
    "conventions.from_blender": Call(
        lambda x: jaxsoftras.from_blender(_blender(), x, 16).focal_length,
        np.float32(35),
    ),
    "conventions.from_mujoco": Call(
        lambda x: jaxsoftras.from_mujoco(x, _rotation(), 16, fovy=60.0).position, EYE
    ),
    "conventions.from_opencv": Call(
        lambda x: jaxsoftras.from_opencv(INTRINSICS, _rotation(), x, 16).position, EYE
    ),
    "conventions.from_opengl": Call(_from_opengl, NUMBERS[0]),
    "conventions.from_pytorch3d": Call(
        lambda x: jaxsoftras.from_pytorch3d(_rotation(), x, 16, fov=60.0).position, EYE
    ),
    "conventions.to_blender": Call(
        lambda x: jaxsoftras.to_blender(_moved(x), 16)[0], EYE
    ),
    "conventions.to_mujoco": Call(
        lambda x: jaxsoftras.to_mujoco(_moved(x), 16)[0], EYE
    ),
    "conventions.to_opencv": Call(
        lambda x: jaxsoftras.to_opencv(_moved(x), 16)[2], EYE
    ),
    "conventions.to_opengl": Call(
        lambda x: jaxsoftras.to_opengl(_moved(x), 0.1, 10.0)[0], EYE
    ),
    "conventions.to_pytorch3d": Call(
        lambda x: jaxsoftras.to_pytorch3d(_moved(x), 16)[1], EYE
    ),
}
