"""A call of a public function, and the small inputs that calls share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras

SPHERE = jaxsoftras.icosphere(0)
FACES = SPHERE.faces
VERTICES = np.asarray(SPHERE.vertices, np.float32)
EYE = np.array([0.5, 0.3, 3.0], np.float32)
SETTINGS = jaxsoftras.Settings(image_size=8, sigma=1e-3)
# NDC, seen from afar
CORNERS = np.asarray(0.6 * VERTICES + [0, 0, 3], np.float32)[FACES]
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((12, 12, 3), np.float32)
POINTS = RANDOM.normal(size=(7, 3)).astype(np.float32)
UV = RANDOM.random((20, 3, 2), np.float32)
NUMBERS = np.linspace(0.1, 0.9, 9, dtype=np.float32)


class Call(NamedTuple):
    """A call of a public function.

    Attributes:
        function: maps one array to a pytree of arrays.
        argument: the array.
        traced: whether the function may be called within `jax.jit`. Others need values
            that are known, or are of numpy.
        smooth: whether the result has a derivative.
    """

    function: Callable[[Any], Any]
    argument: Any
    traced: bool = True
    smooth: bool = True


def gradient(call: Call) -> Callable[[Any], Any]:
    """The gradient of the sum of the results of a call."""

    def total(argument):
        results = jax.tree.leaves(call.function(argument))
        return sum(jnp.sum(x) for x in results if jnp.issubdtype(x.dtype, np.floating))

    return jax.grad(total)


# Each worker collects the tests: what must be compiled is made when a test needs it.
@functools.cache
def camera() -> jaxsoftras.Camera:
    """Sees the sphere."""
    return jaxsoftras.perspective_camera(EYE)


def make_mesh(vertices: Any) -> jaxsoftras.Mesh:
    """The sphere with other vertices."""
    return SPHERE._replace(vertices=vertices)
