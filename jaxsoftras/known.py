"""Arrays that a compiled function knows when it is traced."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

Array = jax.Array | np.ndarray


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class KnownArray:
    """A numpy array that is compared by value: a pytree without leaves.

    `jax.jit` would trace a numpy array among its arguments. It compiles again for each
    value of this one, which it treats as a constant.
    """

    shape: tuple[int, ...]
    dtype: str
    content: bytes

    @classmethod
    def of(cls, array: np.ndarray) -> KnownArray:
        """Copies an array."""
        return cls(array.shape, array.dtype.str, array.tobytes())

    @property
    def array(self) -> np.ndarray:
        """The array, read-only."""
        return np.frombuffer(self.content, self.dtype).reshape(self.shape)


def as_topology(faces: Array, *values: Any) -> KnownArray | Array:
    """Makes checked faces an argument of a compiled function.

    The topology of one mesh in a numpy array becomes a constant, for faster gradients.
    Topologies of a batch may change from call to call; they become one only where
    somebody else compiles the call.

    Args:
        faces: ``[F, 3]`` or ``[..., F, 3]``.
        values: the other arrays of the call.
    """
    if not isinstance(faces, np.ndarray):
        return faces
    traced = any(isinstance(value, Tracer) for value in values)
    return KnownArray.of(faces) if faces.ndim == 2 or traced else faces


def as_faces(faces: KnownArray | Array) -> Array:
    """The faces from `as_topology`, within the compiled function."""
    return faces.array if isinstance(faces, KnownArray) else faces
