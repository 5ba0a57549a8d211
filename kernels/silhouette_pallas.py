"""A silhouette from a pair of Pallas kernels, for either backend of Pallas."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import batching, differentiation, partitioning, silhouette_xla


def _on_batches(kernel, interpret: bool, spread: bool, **ranks):
    def call(*arguments):
        *arrays, picture = arguments
        function = functools.partial(kernel, picture=picture, interpret=interpret)
        if spread:
            function = partitioning.by_image(function, **ranks)
        return batching.fold_batch(function)(*arrays)

    return call


def of_kernels(
    optical_depth: Callable[..., jax.Array],
    gradients: Callable[..., tuple[jax.Array, jax.Array]],
    *,
    effects: bool,
) -> Callable[..., jax.Array]:
    """A differentiable silhouette for any batch, on any number of devices.

    Args:
        optical_depth: see `differentiation.differentiable`; with ``picture`` and
            ``interpret``, whether Pallas interprets the kernel, as keywords.
        gradients: likewise.
        effects: whether Pallas' interpreter has side effects, which forbid
            partitioning.

    Returns:
        A function of the arguments of `silhouette_xla`, and of ``interpret``. It leaves
        double precision and empty batches to that.
    """
    draws = {
        interpret: differentiation.differentiable(
            *(
                _on_batches(kernel, interpret, not (interpret and effects), **ranks)
                for kernel, ranks in (
                    (optical_depth, {"inputs": (4, 1), "outputs": (3,)}),
                    (gradients, {"inputs": (4, 1, 3, 3), "outputs": (4, 1)}),
                )
            )
        )
        for interpret in (False, True)
    }

    def draw(face_vertices, sigma, *, height, width, cutoff, interpret=False):
        if face_vertices.dtype != jnp.float32 or 0 in face_vertices.shape:
            return silhouette_xla.silhouette_xla(
                face_vertices, sigma, height=height, width=width, cutoff=cutoff
            )
        picture = differentiation.Picture(height, width, cutoff)
        # Not weakly typed: among doubles a Python number would become one.
        face_vertices, sigma = (x.astype(jnp.float32) for x in (face_vertices, sigma))
        return draws[interpret](face_vertices, sigma, picture)

    return draw
