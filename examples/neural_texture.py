"""Trains a network of Flax that colours a sphere, from images of eight sides.

The network, a multilayer perceptron over sines of the position, gives the colour of a
point on the surface. It is evaluated at the vertices, and rendered with their colours.

Prints the PSNR before and after, and writes ``neural_texture.png``: two views of the
given images, before and after. Takes a minute on a CPU.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import losses

try:
    import optax
    from flax import nnx
    from PIL import Image
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[train]"')

FREQUENCIES = 2.0 ** np.arange(4)
VIEWS_SHOWN = (1, 4)


class Texture(nnx.Module):
    """Colours ``[V, 3]`` in (0, 1) of points ``[V, 3]``."""

    def __init__(self, rngs):
        """Makes the layers.

        Args:
            rngs: random numbers for the parameters.
        """
        self.inner = nnx.Linear(6 * len(FREQUENCIES), 64, rngs=rngs)
        self.middle = nnx.Linear(64, 64, rngs=rngs)
        self.outer = nnx.Linear(64, 3, rngs=rngs)

    def __call__(self, points):
        """Colours points ``[V, 3]``."""
        angles = (points[:, None] * FREQUENCIES[:, None]).reshape(len(points), -1)
        features = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        hidden = nnx.relu(self.middle(nnx.relu(self.inner(features))))
        return nnx.sigmoid(self.outer(hidden))


def paint(points):
    """The colours to be learnt: spots on bands, ``[V, 3]``."""
    bands = 0.5 + 0.4 * np.sin(np.array([5.0, 4.0, 4.0]) * points + [0.0, -1.0, 1.0])
    spots = np.prod(np.sin(7 * points), axis=-1, keepdims=True) > 0.2
    return np.where(spots, [0.95, 0.85, 0.2], bands)


def fit(network, draw, points, given, steps):
    """Trains the network; returns the images of the first and of the last step."""
    optimizer = nnx.Optimizer(network, optax.adam(5e-3), wrt=nnx.Param)

    @nnx.jit
    def update(network, optimizer):
        def measure(network):
            images = draw(network(points))
            return jnp.mean((images - given) ** 2), images

        gradient, images = nnx.grad(measure, has_aux=True)(network)
        optimizer.update(network, gradient)
        return images

    first = update(network, optimizer)
    for _ in range(steps - 1):
        update(network, optimizer)
    return first, jax.jit(draw)(network(points))


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/neural_texture"),
        help="folder for the image (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=100,
        help="steps of gradient descent (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=64,
        help="side of an image, pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--level",
        type=int,
        default=4,
        help="subdivisions of the sphere (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    sphere = jaxsoftras.icosphere(options.level)
    points = jnp.asarray(sphere.vertices, jnp.float32)
    elevation = np.tile([-30, 30], 4)
    eyes = jaxsoftras.eye_from_angles(2.732, elevation, np.arange(0, 360, 45))
    cameras = jaxsoftras.perspective_camera(eyes, fov=45.0)
    # the whole sphere lies in front of the cameras
    settings = jaxsoftras.Settings(image_size=options.size, sigma=1e-5, clip=False)

    def draw(colors):
        mesh = jaxsoftras.Mesh(points, sphere.faces, jaxsoftras.VertexColors(colors))
        image = jaxsoftras.render(mesh, cameras, None, settings)
        return image[..., 3:] * image[..., :3]  # over black

    given = jax.jit(draw)(jnp.asarray(paint(np.asarray(points)), jnp.float32))
    network = Texture(nnx.Rngs(0))
    images = fit(network, draw, points, given, options.steps)
    before, after = (float(losses.psnr(each, given).mean()) for each in images)
    print(f"PSNR {before:.1f} dB before, {after:.1f} dB after")

    columns = (given, *images)
    rows = [np.hstack([images[view] for images in columns]) for view in VIEWS_SHOWN]
    sheet = np.uint8(255 * np.vstack(rows).clip(0, 1))
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(options.out / "neural_texture.png")


if __name__ == "__main__":
    main()
