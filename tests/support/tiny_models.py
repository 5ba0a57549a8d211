"""A tiny network with random parameters, 16 px and 42 vertices."""

import functools

import jax
import numpy as np

from jaxsoftras import config, models

CONFIG = config.Config(
    model=config.Model(
        image_size=16,
        channels=(4, 8),
        hidden=(16,),
        latent=8,
        decoder_hidden=(16,),
        template_level=1,
    ),
    # compiled in half the time of the others
    render=config.Render(sigma=1e-3, implementation="reference"),
)


@functools.cache
def make(step: int = 12) -> models.Trained:
    """A network whose meshes are far from spheres."""
    network = models.Network(CONFIG.model)
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {
        name: random.normal(scale=0.3, size=shape.shape).astype(np.float32)
        for name, shape in models.flatten(network.shapes).items()
    }
    for name in arrays:
        if name.endswith(".var"):
            arrays[name] = np.abs(arrays[name]) + 0.1
    variables = models.unflatten(network.shapes, jax.device_put(arrays))
    return models.Trained(CONFIG, network, variables, step)


@functools.cache
def images() -> np.ndarray:
    """Three images ``[3, 16, 16, 4]`` float32."""
    return np.random.default_rng(1).random((3, 16, 16, 4), np.float32)


@functools.cache
def vertices() -> np.ndarray:
    """What the network reconstructs from `images`."""
    model = make()
    return np.asarray(jax.jit(model.network.infer)(model.variables, images()))
