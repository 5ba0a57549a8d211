"""A silhouette from a pair of Pallas kernels, for either backend of Pallas."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import batching, partitioning
from jaxsoftras.kernels.pallas import differentiation
from jaxsoftras.kernels.xla import silhouette as silhouette_xla


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
    """`silhouette_xla` by kernels, for any batch, on any number of devices.

    Args:
        optical_depth: see `differentiation.differentiable`; with ``picture`` and
            ``interpret``, whether Pallas interprets the kernel, as keywords.
        gradients: likewise.
        effects: whether Pallas' interpreter has side effects, which forbid
            partitioning.

    Returns:
        The differentiable function ``draw`` below.
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

    def draw(
        face_vertices: jax.Array,
        sigma: jax.Array,
        *,
        height: int,
        width: int,
        cutoff: float,
        interpret: bool = False,
    ) -> jax.Array:
        """Soft silhouettes, equal to `silhouette_reference` in value and gradient.

        Double precision and empty batches are left to `silhouette_xla`.

        Args:
            face_vertices: ``[B, F, 3, 2]`` NDC.
            sigma: ``[B]`` NDC squared.
            height: pixels.
            width: pixels.
            cutoff: squared radius of a face's influence, in units of sigma.
            interpret: run the kernels in Pallas' interpreter, on any device; for tests.

        Returns:
            ``[B, H, W]`` alpha.
        """
        if face_vertices.dtype != jnp.float32 or 0 in face_vertices.shape:
            return silhouette_xla.silhouette_xla(
                face_vertices, sigma, height=height, width=width, cutoff=cutoff
            )
        picture = differentiation.Picture(height, width, cutoff)
        # Not weakly typed: among doubles a Python number would become one.
        face_vertices, sigma = (x.astype(jnp.float32) for x in (face_vertices, sigma))
        return draws[interpret](face_vertices, sigma, picture)

    return draw
