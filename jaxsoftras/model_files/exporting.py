"""The network as a portable function: StableHLO, serialised by `jax.export`."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from jaxsoftras import models

PLATFORMS = ("cpu", "cuda", "tpu")


def serialize(trained: models.Trained, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Serialises a function ``(arrays, images [N, S, S, 4]) -> vertices [N, V, 3]``.

    The arrays are an argument, so that they are stored once, beside the function, and
    the number N of images is free. `jax.export.deserialize` reads the result; nothing
    of this package is needed then.

    Args:
        trained: the network.
        arrays: its arrays by name, as they are stored; see `jaxsoftras.models.flatten`.
    """

    def reconstruct(arrays: dict[str, jax.Array], images: jax.Array) -> jax.Array:
        single = {name: array.astype(jnp.float32) for name, array in arrays.items()}
        variables = models.unflatten(trained.variables, single)
        return trained.network.infer(variables, images)

    size = trained.config.model.image_size
    (count,) = jax.export.symbolic_shape("n")
    images = jax.ShapeDtypeStruct((count, size, size, 4), jnp.float32)
    shapes = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype)
        for name, array in arrays.items()
    }
    exported = jax.export.export(jax.jit(reconstruct), platforms=PLATFORMS)(
        shapes, images
    )
    return bytes(exported.serialize())
