"""The scenes of the benchmark, as arrays on the device."""

from __future__ import annotations

import argparse
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras.kernels import bench_inputs


class Size(NamedTuple):
    """Images, faces of each, and pixels along a side."""

    images: int
    faces: int
    pixels: int

    def __str__(self) -> str:
        """The form of the command line."""
        return "x".join(map(str, self))


def parse_size(text: str) -> Size:
    """Reads a size of a command line, of the form images x faces x pixels."""
    try:
        size = Size(*map(int, text.split("x")))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form images x faces x pixels, such as 8x1280x64"
        ) from None
    if min(size) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: all three must be positive")
    return size


class Inputs(NamedTuple):
    """The differentiated arrays: corners and their colours, ``[B, F, 3, 3]`` each."""

    faces: jax.Array
    colors: jax.Array


class Draw(Protocol):
    """Renders the meshes of a batch."""

    def __call__(self, inputs: Inputs, pixels: int) -> jax.Array: ...  # noqa: D102


def make_inputs(size: Size) -> Inputs:
    """Makes meshes and colours of a size."""
    faces = bench_inputs.face_vertices(size.images, size.faces)
    colors = np.random.default_rng(0).uniform(size=faces.shape).astype(np.float32)
    return Inputs(jnp.asarray(faces), jnp.asarray(colors))
