"""Images of any mesh by JAX against those in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.data import accelerated_meshes, build_images
from jaxsoftras.mesh import Mesh, icosphere
from jaxsoftras.texture import FaceColors, Texture, UVTexture, VertexColors

SIZE, VIEWS, ELEVATION = 8, 3, 20.0


@pytest.fixture(autouse=True)
def small_programs(monkeypatch):
    monkeypatch.setattr(accelerated_meshes, "_FACES", 128)
    monkeypatch.setattr(accelerated_meshes, "_TEXELS", 128)
    monkeypatch.setattr(accelerated_meshes, "_VIEWS", 2)


def textures() -> dict[str, Texture | None]:
    """For a mesh of 80 faces and 42 vertices."""
    rng = np.random.default_rng(0)
    vertices, faces = rng.random((42, 4)), rng.random((80, 3))
    uv = rng.uniform(-1, 2, (80, 3, 2)).astype(np.float32)
    images = tuple(rng.random((*size, 3), np.float32) for size in ((8, 5), (4, 9)))
    which = rng.integers(2, size=80)
    return {
        "none": None,
        "faces": FaceColors(faces.astype(np.float32)),
        "vertices": VertexColors(vertices.astype(np.float32), transparent=True),
        "one image": UVTexture(uv, images[0], "repeat"),
        "images": UVTexture(uv, images, "repeat", image_index=which),
        "clamped": UVTexture(uv, images, image_index=which),
    }


@pytest.mark.parametrize("kind", textures())
def test_pixels_equal_those_of_numpy_but_for_edges(kind):
    ball = icosphere(1)
    vertices = (0.5 * np.asarray(ball.vertices) * (0.7, 1.0, 0.4)).astype(np.float32)
    mesh = Mesh(vertices, np.asarray(ball.faces), textures()[kind])
    images = accelerated_meshes.render_views(mesh, VIEWS, ELEVATION, SIZE)
    eyes = build_images.orbit_eyes(VIEWS, ELEVATION)
    expected = build_images.render_views(mesh, eyes, SIZE)
    difference = np.abs(images.astype(int) - expected).max(1)
    assert difference.shape == (VIEWS, SIZE, SIZE) and expected[:, 3].any()
    assert np.mean(difference > 1) < 0.005 and difference.max() <= 16
