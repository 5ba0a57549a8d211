"""Derivatives of a silhouette from a pair of kernels: of first order, and of second."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras.kernels.xla import silhouette as silhouette_xla
from jaxsoftras.kernels.xla import worklist


class Picture(NamedTuple):
    """What is asked of a kernel; static.

    Attributes:
        height: pixels.
        width: pixels.
        cutoff: squared radius of a face's influence, in units of sigma.
    """

    height: int
    width: int
    cutoff: float

    def for_xla(self) -> silhouette_xla.Picture:
        """The same, as `silhouette_xla` has it."""
        grid = worklist.Grid(self.height, self.width)
        return silhouette_xla.Picture(grid, self.cutoff)


OpticalDepth = Callable[[jax.Array, jax.Array, Picture], jax.Array]
Gradients = Callable[..., tuple[jax.Array, jax.Array]]


def differentiable(
    optical_depth: OpticalDepth, gradients: Gradients
) -> Callable[[jax.Array, jax.Array, Picture], jax.Array]:
    """Makes a differentiable silhouette of kernels that JAX cannot differentiate.

    Derivatives of second order, forward over reverse, are those of `silhouette_xla`.

    Args:
        optical_depth: of faces ``[B, F, 3, 2]``, sigma ``[B]`` and the picture:
            ``-log prod_j (1 - D_j)``, ``[B, H, W]``.
        gradients: of faces, sigma, depth, the cotangent of alpha ``[B, H, W]`` and the
            picture: the cotangents of faces and sigma.

    Returns:
        A function of faces, sigma and the picture that returns alpha ``[B, H, W]``.
    """

    @functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
    def depth_of(face_vertices, sigma, picture):
        return optical_depth(face_vertices, sigma, picture)

    @depth_of.defjvp
    def _(picture, primals, tangents):
        def by_xla(face_vertices, sigma):
            _, (_, _, depth) = silhouette_xla.forward(
                face_vertices, sigma, picture.for_xla()
            )
            return depth

        return depth_of(*primals, picture), jax.jvp(by_xla, primals, tangents)[1]

    @functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
    def gradients_of(face_vertices, sigma, depth, cotangent, picture):
        return gradients(face_vertices, sigma, depth, cotangent, picture)

    @gradients_of.defjvp
    def _(picture, primals, tangents):
        def by_xla(face_vertices, sigma, depth, cotangent):
            residuals = face_vertices, sigma, depth
            return silhouette_xla.backward(picture.for_xla(), residuals, cotangent)

        return gradients_of(*primals, picture), jax.jvp(by_xla, primals, tangents)[1]

    @functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
    def silhouette(face_vertices, sigma, picture):
        return -jnp.expm1(-depth_of(face_vertices, sigma, picture))

    def forward(face_vertices, sigma, picture):
        depth = depth_of(face_vertices, sigma, picture)
        return -jnp.expm1(-depth), (face_vertices, sigma, depth)

    def backward(picture, residuals, cotangent):
        return gradients_of(*residuals, cotangent, picture)

    silhouette.defvjp(forward, backward)
    return silhouette
