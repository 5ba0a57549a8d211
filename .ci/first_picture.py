"""Draws an image and its gradient in an environment with the package installed.

    python .ci/first_picture.py [--with-extras] [--json]

Run it by the Python of the environment, away from the tree. Prints what the environment
holds and how long the first image took. Without ``--with-extras`` the environment must
hold the base installation alone, and the sentence on a missing extra is checked.
"""

import time

START = time.perf_counter()

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

import jaxsoftras
from jaxsoftras import extras

# what an empty environment holds
TOOLS = {"pip", "setuptools"}


def measure_environment() -> tuple[int, float]:
    """Counts the packages of the environment, and their size on disk in MB."""
    found = [
        distribution
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"] not in TOOLS
    ]
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


def check_refusal(alpha: jax.Array) -> None:
    """Checks that a feature of an extra names the extra."""
    try:
        jaxsoftras.save_image("image.png", alpha)
    except extras.MissingExtraError as error:
        assert 'pip install "jaxsoftras[io]"' in str(error), error
    else:
        raise AssertionError("the environment holds more than the base installation")


def main() -> None:
    """Checks the image and its gradient, and prints the figures."""
    parser = argparse.ArgumentParser(description="Draw a first image, and time it.")
    parser.add_argument("--with-extras", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    assert Path(jaxsoftras.__file__).is_relative_to(sys.prefix), jaxsoftras.__file__
    vertices = 0.5 * jnp.asarray(jaxsoftras.icosphere(2).vertices)
    alpha = draw(vertices)[..., 3]
    alpha.block_until_ready()
    seconds = time.perf_counter() - START
    assert alpha[32, 32] > 0.99 and alpha[0, 0] < 0.01
    gradient = jax.grad(lambda v: draw(v)[..., 3].sum())(vertices)
    assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0
    if not options.with_extras:
        check_refusal(alpha)
    count, size = measure_environment()
    figures = {
        "version": jaxsoftras.__version__,
        "python": sys.version.split()[0],
        "jax": jax.__version__,
        "packages": count,
        "megabytes": round(size),
        "first_image": round(seconds, 1),
    }
    if options.json:
        print(json.dumps(figures))
        return
    print(
        "jaxsoftras {version}, Python {python}, jax {jax}: {packages} packages, "
        "{megabytes} MB; first image after {first_image} s, import included".format(
            **figures
        )
    )


if __name__ == "__main__":
    main()
