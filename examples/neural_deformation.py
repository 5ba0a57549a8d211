"""Trains a network of Equinox that deforms a sphere until its silhouettes match.

The network, a multilayer perceptron, maps each vertex of the sphere to where it moves:
neighbours move alike, so that no other loss keeps the surface smooth. Its parameters
have gradients through the camera and the rasterizer as through any function of JAX.

Prints the mean IoU of the silhouettes, and writes ``neural.obj``, the result, and
``neural.png``, three views of it above the silhouettes that were given. Takes a minute
on a CPU.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import losses
from jaxsoftras.shapes.catalogue import make_shape

try:
    import equinox as eqx
    import optax
    from PIL import Image
except ModuleNotFoundError as error:
    sys.exit(
        f'This example needs {error.name}: pip install "jaxsoftras[train]" equinox'
    )

IMAGE_SIZE = 64
REPORTS = 5
VIEWS_SHOWN = (0, 3, 6)


class Deformation(eqx.Module):
    """Maps vertices ``[V, 3]`` of a sphere to those of a surface."""

    network: eqx.nn.MLP

    def __init__(self, key):
        """Starts close to the sphere itself.

        Args:
            key: of random numbers.
        """
        network = eqx.nn.MLP(3, 3, width_size=64, depth=3, key=key)
        last = network.layers[-1]
        small = last.weight / 10, jnp.zeros_like(last.bias)
        self.network = eqx.tree_at(
            lambda n: (n.layers[-1].weight, n.layers[-1].bias), network, small
        )

    def __call__(self, vertices):
        """Moves vertices ``[V, 3]``."""
        return vertices / 3 + jax.vmap(self.network)(4 * vertices)


def draw(vertices, faces, cameras, **options):
    """Silhouettes ``[views, IMAGE_SIZE, IMAGE_SIZE]``."""
    corners = jaxsoftras.face_vertices(jaxsoftras.project(cameras, vertices), faces)
    return jaxsoftras.silhouette(corners, IMAGE_SIZE, **options)


def fit(model, sphere, given, cameras, steps):
    """Trains the network; prints the progress."""
    vertices = jnp.asarray(sphere.vertices, jnp.float32)
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))
    moments = optimizer.init(eqx.filter(model, eqx.is_array))

    def measure(model, sigma):
        drawn = draw(model(vertices), sphere.faces, cameras, sigma=sigma)
        return 1 - losses.silhouette_iou(drawn, given).mean()

    @eqx.filter_jit
    def update(model, moments, sigma):
        loss, gradient = eqx.filter_value_and_grad(measure)(model, sigma)
        change, moments = optimizer.update(gradient, moments)
        return eqx.apply_updates(model, change), moments, loss

    reports = set(np.linspace(0, steps - 1, REPORTS).astype(int))
    # a traced sigma, so that its schedule compiles once
    for step, sigma in enumerate(np.geomspace(1e-3, 1e-5, steps).astype(np.float32)):
        model, moments, loss = update(model, moments, jnp.asarray(sigma))
        if step in reports:
            print(f"step {step:4}: IoU {1 - loss:.4f}")
    return model


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/neural_deformation"),
        help="folder for the results (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=300,
        help="steps of gradient descent (default: %(default)s)",
    )
    parser.add_argument(
        "--level",
        type=int,
        default=3,
        help="subdivisions of the sphere (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    vertices, faces, _ = make_shape("02691156", index=18)  # a jet
    azimuth = np.arange(0, 360, 40)
    elevation = np.tile([-20, 20, 50], 3)
    eyes = jaxsoftras.eye_from_angles(2.732, elevation, azimuth)
    cameras = jaxsoftras.perspective_camera(eyes)
    given = draw(np.float32(vertices), faces, cameras, distance="hard")

    sphere = jaxsoftras.icosphere(options.level)
    model = Deformation(jax.random.key(0))
    model = fit(model, sphere, given, cameras, options.steps)
    moved = model(jnp.asarray(sphere.vertices, jnp.float32))
    drawn = draw(moved, sphere.faces, cameras, distance="hard")

    options.out.mkdir(parents=True, exist_ok=True)
    jaxsoftras.save_mesh(
        options.out / "neural.obj", jaxsoftras.Mesh(moved, sphere.faces)
    )
    rows = [
        np.hstack([images[view] for view in VIEWS_SHOWN]) for images in (drawn, given)
    ]
    Image.fromarray(np.uint8(255 * np.vstack(rows))).save(options.out / "neural.png")


if __name__ == "__main__":
    main()
