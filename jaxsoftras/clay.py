"""Shaded images of meshes without colours of their own, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import camera, lighting, mesh, renderer
from jaxsoftras.settings import Settings

COLOR = (0.93, 0.72, 0.46)
"""Red, green and blue of clay, 0 to 1."""


def render(
    solids: mesh.Mesh, cameras: camera.Camera, size: int, to_light: Sequence[float]
) -> jax.Array:
    """Renders flat-shaded meshes over white; for `jax.jit`.

    Args:
        solids: meshes with textures, with leading axes ``[...]``.
        cameras: cameras of the same leading axes.
        size: width and height of the images, pixels.
        to_light: direction of the light, world space. Its opposite shines as well, so
            that both sides of a surface are shaded alike.

    Returns:
        ``[..., size, size, 3]`` uint8.
    """
    direction = np.asarray(to_light)
    lights = (
        lighting.AmbientLight(0.45),
        lighting.DirectionalLight(direction, 0.6),
        lighting.DirectionalLight(-direction, 0.6),
    )
    settings = Settings(
        image_size=size,
        aggregation="hard",
        shading="flat",
        background=1.0,
        supersampling=2,
    )
    images = renderer.render(solids, cameras, lights, settings)[..., :3]
    return jnp.round(255 * jnp.clip(images, 0, 1)).astype(jnp.uint8)
