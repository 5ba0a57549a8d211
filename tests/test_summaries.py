import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import Mesh, Settings, UVTexture, VertexColors

SPHERE = jaxsoftras.icosphere(3)
VERTICES = np.array([[0, 0, 0], [1, 0.5, 0], [np.nan, 0, 0]])
FACES = np.array([[0, 1, 2]])
UV = UVTexture(np.zeros((1, 3, 2)), np.ones((256, 128, 3)), "repeat")


@pytest.mark.parametrize(
    "mesh, text",
    [
        (
            SPHERE,
            "Mesh(642 float64 vertices from (-1, -1, -1) to (1, 1, 1), 1280 int32 "
            "faces, no texture)",
        ),
        (
            Mesh(VERTICES, FACES, UV),
            "Mesh(3 float64 vertices from (0, 0, 0) to (1, 0.5, 0), 1 not finite, 1 "
            "int64 faces, UVTexture 256 x 128 x 3, repeat)",
        ),
        (
            Mesh(jnp.zeros((8, 4, 3), jnp.bfloat16), np.zeros((8, 2, 3), np.int32)),
            "Mesh(8 x 4 bfloat16 vertices at (0, 0, 0), 8 x 2 int32 faces, no texture)",
        ),
        (
            Mesh(np.zeros((0, 3)), FACES[:0], VertexColors(np.ones((8, 0, 4)), True)),
            "Mesh(0 float64 vertices, 0 int64 faces, VertexColors 8 x 0 x 4, "
            "transparent)",
        ),
        (
            Mesh(
                np.zeros((3, 3)),
                FACES,
                UV._replace(image=(np.ones((2, 2, 3)),) * 2, image_index=FACES[:, 0]),
            ),
            "Mesh(3 float64 vertices at (0, 0, 0), 1 int64 faces, UVTexture 2 images, "
            "repeat)",
        ),
    ],
)
def test_mesh(mesh, text):
    assert repr(mesh) == str(mesh) == text


def test_mesh_of_leaves_that_are_no_arrays():
    axes: Any = Mesh(0, None)  # pyright: ignore[reportArgumentType]
    assert repr(axes) == "Mesh(vertices=0, faces=None, no texture)"
    shapes = jax.eval_shape(lambda mesh: mesh, SPHERE)
    assert repr(shapes) == "Mesh(642 float32 vertices, 1280 int32 faces, no texture)"
    deleted = jnp.ones((3, 3))
    deleted.delete()
    assert "3 float32 vertices, 1 int64" in repr(Mesh(deleted, FACES))


@pytest.mark.parametrize(
    "make, text",
    [
        (
            lambda: jaxsoftras.perspective_camera((0, 0, -3), fov=30),
            "Camera(perspective, float32, at (0, 0, -3) towards (0, 0, 1), fov 30)",
        ),
        (
            lambda: jaxsoftras.orthographic_camera(
                (0, 0, -3), scale=2, handedness="left"
            ),
            "Camera(orthographic, float32, at (0, 0, -3) towards (0, 0, 1), scale 2, "
            "left-handed)",
        ),
        (
            lambda: jaxsoftras.perspective_camera(
                np.array([[0, 0, -3.0], [0, 0, 3]]), fov=np.array([30, 45])
            ),
            "Camera(2 x perspective, float32, from (0, 0, -3) to (0, 0, 3), fov 30 to "
            "45)",
        ),
        (
            lambda: jaxsoftras.camera_from_axes(
                np.eye(3), (0, 0, 1), (1, 1), distortion=[0.1] * 5
            ),
            "Camera(perspective, float32, at (0, 0, 1) towards (0, 0, 1), fov 90, "
            "left-handed, with distortion)",
        ),
        (
            lambda: jaxsoftras.camera_from_axes(
                np.diag([-1, 1, 1]),
                (0, 0, 1),
                (1, 2 / np.pi),
                distortion=[0.1] * 4,
                skew=0.1,
                lens="fisheye",
            ),
            "Camera(perspective, float32, at (0, 0, 1) towards (0, 0, 1), fov 180, "
            "fisheye, with distortion, with skew)",
        ),
    ],
)
def test_camera(make, text):
    assert repr(make()) == text


def test_settings_show_what_differs():
    assert repr(Settings()) == "Settings()"
    assert (
        repr(Settings(sigma=jnp.float32(1e-4), gamma=np.float32(1e-4))) == "Settings()"
    )
    changed = Settings(
        image_size=64,
        sigma=jnp.float32(1e-3),
        background=np.array([1.0, 0, 0]),
        near=0.1,
    )
    assert repr(changed) == (
        "Settings(near=0.1, sigma=0.001, background=[1.0, 0.0, 0.0], image_size=64)"
    )
    assert eval(repr(changed), {"Settings": Settings}).near == 0.1
    picture = dataclasses.replace(changed, background=np.ones((64, 64, 3)))
    assert "background=float64[64,64,3]" in repr(picture)
    assert "Distribution(name='gamma'" in repr(Settings(distribution="gamma"))


def test_traced_values_are_not_shown():
    texts = []

    @jax.jit
    def run(mesh, camera, settings):
        texts.extend([repr(mesh), repr(camera), repr(settings)])

    camera = jaxsoftras.perspective_camera((0.0, 0.0, -3.0))
    run(SPHERE, camera, Settings(image_size=8))
    assert texts == [
        "Mesh(642 float32 vertices, 1280 int32 faces, no texture)",
        "Camera(perspective, float32)",
        "Settings(sigma=float32[], gamma=float32[], background=float32[], "
        "image_size=8)",
    ]
