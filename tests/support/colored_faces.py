"""Faces and colours that the tests of soft images share, and how they draw them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import texture
from jaxsoftras.rasterization import attributes

SIZE = (6, 9)
RNG = np.random.default_rng(7)
FACES = np.array(
    [
        # overlapping at different depths, of both orientations, tilted
        [[-0.61, -0.52, 2.0], [0.57, -0.48, 2.4], [0.03, 0.71, 1.7]],
        [[-0.33, 0.42, 2.1], [0.66, 0.29, 1.9], [0.12, -0.77, 2.3]],
        [[-0.83, 0.62, 3.1], [-0.11, 0.77, 2.9], [-0.47, -0.13, 3.3]],
        [[0.21, 0.11, 1.3], [0.93, 0.81, 1.1], [0.97, 0.07, 0.85]],  # crosses near = 1
        [[-0.9, -0.8, 2.0], [0.9, -0.83, 2.0], [0.03, -0.812, 2.0]],  # a sliver
        [[-0.4, -0.6, 1.5], [0.4, -0.6, -0.5], [0.1, 0.6, 1.5]],  # behind the camera
    ]
)[None]
TEXTURES = {
    "corners": RNG.uniform(size=(1, 6, 3, 3)),
    "faces": RNG.uniform(size=(1, 6, 3)),
    "surface": texture.SurfaceTexture(RNG.uniform(size=(1, 6, 9, 3))),
    "image": texture.UVTexture(
        RNG.uniform(0.2, 0.8, size=(1, 6, 3, 2)), RNG.uniform(size=(5, 4, 3))
    ),
    "light": texture.UVTexture(
        RNG.uniform(0.2, 0.8, size=(1, 6, 3, 2)), RNG.uniform(size=(5, 4, 3))
    ),
}
LIGHT = attributes.FaceLight(
    RNG.uniform(0.2, 1, size=(1, 6, 3, 3)), RNG.uniform(size=(1, 6, 3, 3))
)
WEIGHT = RNG.normal(size=(1, *SIZE, 4))


def arguments(name, sigma=0.02, gamma=0.3):
    """Of the functions of `compiled`."""
    background = np.array([0.3, 0.1, 0.7])
    # of NumPy, whose sums and products need no compilation
    return jax.tree.map(
        np.asarray, (FACES, TEXTURES[name], LIGHT, sigma, gamma, background)
    )


@functools.cache
def compiled(name, implementation, **options: Any):
    """Image, and the gradients of sum(WEIGHT * image)."""
    options.setdefault("dist_eps", 1e-12)

    def draw(faces, colors, light, sigma, gamma, background):
        return jaxsoftras.rasterize(
            faces,
            colors,
            SIZE,
            sigma=sigma,
            gamma=gamma,
            background=background,
            face_light=light if name == "light" else None,
            implementation=implementation,
            **options,
        )

    @jax.jit
    def run(*arguments):
        image, pullback = jax.vjp(draw, *arguments)
        return image, pullback(jnp.asarray(WEIGHT, image.dtype))

    return run
