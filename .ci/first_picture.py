"""Draws an image and its gradient with the packages of the base installation alone.

    python .ci/first_picture.py

Run it by the Python of an environment into which ``jaxsoftras`` was installed without
an extra. Prints what the environment holds and how long the first image took.
"""

import time

START = time.perf_counter()

import importlib.metadata
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

import jaxsoftras
from jaxsoftras import extras


def measure_environment() -> tuple[int, float]:
    """Counts the distributions of the environment, and their size in MB."""
    found = list(importlib.metadata.distributions())
    files = (
        Path(str(distribution.locate_file(file)))
        for distribution in found
        for file in distribution.files or ()
    )
    return len(found), sum(f.stat().st_size for f in files if f.is_file()) / 1e6


def draw(vertices: jax.Array) -> jax.Array:
    """Renders a sphere, 64 x 64 RGBA."""
    sphere = jaxsoftras.icosphere(2)
    camera = jaxsoftras.perspective_camera((0.0, 1.0, 2.5), fov=30.0)
    settings = jaxsoftras.Settings(image_size=64)
    return jaxsoftras.render(
        jaxsoftras.Mesh(vertices, sphere.faces), camera, settings=settings
    )


def main() -> None:
    """Checks the image, its gradient, and the sentence on a missing extra."""
    assert Path(jaxsoftras.__file__).is_relative_to(sys.prefix), jaxsoftras.__file__
    vertices = 0.5 * jnp.asarray(jaxsoftras.icosphere(2).vertices)
    alpha = draw(vertices)[..., 3]
    seconds = time.perf_counter() - START
    assert alpha[32, 32] > 0.99 and alpha[0, 0] < 0.01
    gradient = jax.grad(lambda v: draw(v)[..., 3].sum())(vertices)
    assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0
    try:
        jaxsoftras.save_image("image.png", alpha)
    except extras.MissingExtraError as error:
        assert 'pip install "jaxsoftras[io]"' in str(error), error
    else:
        raise AssertionError("the environment holds more than the base installation")
    count, size = measure_environment()
    print(
        f"Python {sys.version.split()[0]}, jax {jax.__version__}, {count} packages, "
        f"{size:.0f} MB: first image after {seconds:.1f} s, import included"
    )


if __name__ == "__main__":
    main()
