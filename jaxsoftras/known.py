"""Arrays that a compiled function knows when it is traced."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np


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
