"""Large layers divided among devices, along an axis ``"model"`` of the device mesh.

Device meshes have the axes ``("data", "model")``. Batches are divided along both, so
that every device has images of its own. A kernel of at least ``LARGE`` numbers is
divided along its inputs, if they divide evenly: before the layer, the devices of a row
exchange images for features, each then multiplies its part of the features of all
their images, and the sums go back to where the images are. For the paper's largest
layer, 16,384 x 1,024, two devices and 64 objects on each, a device sends about 9 MiB
in a step, where the sum of whole gradients sends 64 MiB.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

LARGE = 2**22
"""Numbers of a kernel from which on it is divided, 16 MiB in single precision."""

BATCH = P(("data", "model"))
"""How batches are divided, along their first axis."""


def is_divided(shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> bool:
    """Whether a kernel, or a moment of it, is divided along its first axis."""
    parts = mesh.shape.get("model", 1)
    if parts == 1 or len(shape) != 2 or shape[0] % parts:
        return False
    return shape[0] * shape[1] >= LARGE


def place(state: Any, mesh: Mesh) -> Any:
    """Shardings for the arrays of a state, or of the shapes in their place.

    Args:
        state: a pytree of arrays; kernels and moments are recognised by their shapes.
        mesh: the devices, with the axes ``("data", "model")``.
    """
    return jax.tree.map(
        lambda x: NamedSharding(mesh, P("model") if is_divided(x.shape, mesh) else P()),
        state,
    )


def check(placement: Any, mesh: Mesh) -> None:
    """Warns if devices are set apart to divide layers, and no layer is divided.

    Args:
        placement: shardings of a state; see `place`.
        mesh: see `place`.
    """
    parts = mesh.shape["model"]
    shardings = jax.tree.leaves(placement)
    if parts > 1 and all(each.is_fully_replicated for each in shardings):
        warnings.warn(
            f"devices.model={parts} divides no layer: none has a kernel of {LARGE:,} "
            f"numbers or more and a number of inputs that {parts} divides. Every "
            "device has the whole network.",
            stacklevel=2,
        )


def exchange(features: jax.Array, kernel: jax.Array) -> jax.Array:
    """Gives each device its part of the features ``[N, ..., C]`` before a layer.

    The mesh is that of `jax.sharding.use_abstract_mesh`. Where there is none, or the
    layer is not divided, nothing happens.
    """
    # otherwise XLA divides the convolution before the layer as well, by rows of pixels
    features = _constrain(features, kernel, BATCH)
    between = [None] * (features.ndim - 2)
    return _constrain(features, kernel, P("data", *between, "model"))


def give_back(features: jax.Array, kernel: jax.Array) -> jax.Array:
    """Gives each device the features ``[N, ..., D]`` of its images behind a layer."""
    return _constrain(features, kernel, BATCH)


def _constrain(features: jax.Array, kernel: jax.Array, spec: P) -> jax.Array:
    if not is_divided(kernel.shape, jax.sharding.get_abstract_mesh()):
        return features
    return jax.lax.with_sharding_constraint(features, spec)
