"""Scenes that several tests draw, and how they draw them."""

import functools

import jax
import numpy as np

from jaxsoftras import mesh, rasterization

SCENES = {
    # [2, 3, 2] NDC, none of them symmetric about a pixel centre; of one shape, which
    # is compiled once
    "overlapping": [
        [[-0.61, -0.52], [0.57, -0.48], [0.03, 0.71]],
        [[-0.33, 0.42], [0.66, 0.29], [0.12, -0.77]],
    ],
    "sliver": [
        [[-0.71, -0.53], [0.64, 0.41], [-0.02, -0.0501]],
        [[-0.62, 0.81], [0.71, 0.33], [0.0492, 0.57]],
    ],
    "coincident vertices": [
        [[-0.41, -0.33], [-0.41, -0.33], [0.52, 0.47]],
        [[0.31, -0.21], [0.31, -0.21], [0.31, -0.21]],
    ],
    "shared vertex": [
        [[-0.61, -0.52], [0.07, 0.13], [-0.53, 0.61]],
        [[0.07, 0.13], [0.57, -0.48], [0.63, 0.71]],
    ],
    "off-screen": [
        [[1.61, -0.52], [2.57, -0.48], [1.93, 0.71]],
        [[0.91, -0.52], [2.57, -0.48], [1.93, 0.71]],
    ],
    "huge": [
        [[-31.7, -22.3], [0.23, 0.37], [-25.1, 41.3]],
        [[-91.3, -72.1], [88.7, -67.9], [3.1, 95.3]],
    ],
    "inside out": [
        [[-0.61, -0.52], [0.03, 0.71], [0.57, -0.48]],
        [[-0.33, 0.42], [0.12, -0.77], [0.66, 0.29]],
    ],
}


def scene(name: str) -> np.ndarray:
    """``[1, F, 3, 2]`` float64."""
    return np.array(SCENES[name])[None]


def sphere(batch: int, level: int = 1, size: float = 0.6, seed: int = 0) -> np.ndarray:
    """``[B, F, 3, 2]`` bumpy spheres, seen orthographically."""
    template = mesh.icosphere(level)
    rng = np.random.default_rng(seed)
    vertices = np.asarray(template.vertices)[None] * size
    vertices = vertices + rng.normal(0, 0.05, (batch, *vertices.shape[1:]))
    return vertices[:, template.faces, :2]


def random_like(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@functools.cache
def _compiled(size, dist_eps, implementation):
    @jax.jit
    def run(faces, sigma, weight):
        alpha, pullback = jax.vjp(
            lambda f: rasterization.silhouette(
                f, size, sigma=sigma, dist_eps=dist_eps, implementation=implementation
            ),
            faces,
        )
        return alpha, pullback(weight)[0]

    return run


def silhouette_and_gradient(
    faces, weight, *, sigma=1e-4, dist_eps=1e-4, implementation="xla"
):
    """Alpha, and the gradient of sum(weight * alpha) to the faces."""
    run = _compiled(weight.shape[-2:], dist_eps, implementation)
    return jax.device_get(run(faces, sigma, weight))
