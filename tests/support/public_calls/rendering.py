"""Calls of rasterization, shading, textures and images."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import images, texture
from tests.support.public_calls.inputs import (
    CORNERS,
    EYE,
    IMAGE,
    NUMBERS,
    SETTINGS,
    UV,
    VERTICES,
    Call,
    camera,
    make_mesh,
)

SURFACE_LIGHTS = (
    jaxsoftras.AmbientLight(0.3),
    jaxsoftras.DirectionalLight(np.array([0.0, 1.0, 0.0]), 0.5, 0.2),
    jaxsoftras.PointLight(np.array([0.0, 2.0, 0.0]), 0.5, 0.2),
)


@functools.cache
def _fragments() -> jaxsoftras.Fragments:
    return jaxsoftras.find_fragments(CORNERS, 8)


def _save_image(image: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jaxsoftras.save_image(Path(folder) / "image.png", image)


def _pixels(image: Any) -> np.ndarray:
    """Pixels that a notebook would show."""
    return images.to_pixels(image, background=(1.0, 1.0, 1.0), scale=1)


RENDERING = {
    "renderer.render": Call(
        lambda x: jaxsoftras.render(make_mesh(x), camera(), settings=SETTINGS), VERTICES
    ),
    "rasterization.rasterize": Call(
        lambda x: jaxsoftras.rasterize(x, x, 8, sigma=1e-3), CORNERS
    ),
    "rasterization.silhouette": Call(
        lambda x: jaxsoftras.silhouette(x, 8, sigma=1e-3), CORNERS
    ),
    "rasterization.find_fragments": Call(
        lambda x: jaxsoftras.find_fragments(x, 8).depth, CORNERS
    ),
    "rasterization.interpolate": Call(
        lambda x: jaxsoftras.interpolate(_fragments(), x), CORNERS
    ),
    "lighting.illuminate": Call(
        lambda x: jaxsoftras.illuminate(x, VERTICES, SURFACE_LIGHTS, EYE), VERTICES
    ),
}
TEXTURES = {
    "texture.sample": Call(lambda x: texture.sample(x, UV[:, 0]), IMAGE),
    "texture.bake": Call(
        lambda x: texture.bake(jaxsoftras.UVTexture(UV, x), 2).texels, IMAGE
    ),
    "texture.surface_cell": Call(
        lambda x: texture.surface_cell(x, x / 4, 3), NUMBERS, smooth=False
    ),
    "texture.texel_centers": Call(lambda x: x * texture.texel_centers(2), NUMBERS[0]),
    "texture.first_of_two": Call(
        lambda x: texture.first_of_two(jnp.asarray(x), jnp.zeros(9), 4, "repeat"),
        NUMBERS,
    ),
    "texture.with_places": Call(
        lambda x: texture.with_places(jnp.asarray(x).reshape(1, -1, 3), 12), IMAGE
    ),
}
IMAGES = {
    "images.save_image": Call(_save_image, IMAGE / 2, traced=False, smooth=False),
    "looking.show": Call(_pixels, IMAGE / 2, traced=False, smooth=False),
}
