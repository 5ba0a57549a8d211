"""A small call of every public function, as the tests count its compilations.

``python -m tests.support.public_calls`` times them: the table of docs/performance.md.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import conorm, losses, mesh, normals, pose, probability, texture, voxels
from jaxsoftras import topology as topologies
from jaxsoftras.conventions.opencv import SIGNS
from tests.support import compilations

SPHERE = jaxsoftras.icosphere(0)
FACES = SPHERE.faces
VERTICES = np.float32(SPHERE.vertices)
EYE = np.float32([0.5, 0.3, 3.0])
CAMERA = jaxsoftras.perspective_camera(EYE)
POSE = jaxsoftras.look_at(EYE)
SETTINGS = jaxsoftras.Settings(image_size=8, sigma=1e-3)
CORNERS = np.asarray(
    jaxsoftras.face_vertices(jaxsoftras.project(CAMERA, VERTICES), FACES)
)
FRAGMENTS = jaxsoftras.find_fragments(CORNERS, 8)
RANDOM = np.random.default_rng(0)
IMAGE = np.float32(RANDOM.random((12, 12, 3)))
POINTS = np.float32(RANDOM.normal(size=(7, 3)))
UV = np.float32(RANDOM.random((20, 3, 2)))
NUMBERS = np.linspace(0.1, 0.9, 9, dtype=np.float32)
GRID = np.arange(32**3).reshape(32, 32, 32) % 3 == 0
FOLDER = Path(tempfile.gettempdir())


class Call(NamedTuple):
    """A call of a public function.

    Attributes:
        function: maps one array to a pytree of arrays.
        argument: the array.
        known: whether the function needs the values of the array, or makes none of
            JAX: it can then be called outside of `jax.jit` only.
    """

    function: Callable[[Any], Any]
    argument: Any
    known: bool = False


def _mesh(vertices: Any) -> jaxsoftras.Mesh:
    return SPHERE._replace(vertices=vertices)


def _save(write: Callable[[Path], Any], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)


def _load(vertices: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        jaxsoftras.save_mesh(Path(folder) / "a.off", _mesh(vertices))
        return jaxsoftras.load_mesh(Path(folder) / "a.off").vertices


def _shift(x: Any) -> Any:
    """A rotation that depends on a number."""
    return jaxsoftras.rotation_from_axis_angle(x * np.ones(3, np.float32))


ROTATION = np.asarray(_shift(0.1))
INTRINSICS = np.float32([[20, 0, 8], [0, 20, 8], [0, 0, 1]])
VIEW = np.asarray(jaxsoftras.to_opengl(CAMERA, 0.1, 10.0)[0])
PROJECTION = np.asarray(jaxsoftras.to_opengl(CAMERA, 0.1, 10.0)[1])
WORLD = np.asarray(jaxsoftras.to_blender(CAMERA, 16)[0])
