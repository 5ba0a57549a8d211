"""Recovers the colours of a known shape from images of 12 sides under known lights.

Twice: as colours of the vertices of a sphere, and as a texture image of 64 x 64 texels.
The given images show a finer sphere, so that neither can match them exactly.

Prints the PSNR before and after, and writes ``colors.png``: two views of the given
images, the vertex colours, and the texture. On a CPU, ``--steps 30`` takes a minute.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras

try:
    import optax
    from PIL import Image
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[train]"')

TEXTURE_SIZE = 64
VIEWS_SHOWN = (1, 6)


def paint(directions):
    """Spots on bands of colour: ``[..., 3]`` on the unit sphere to ``[..., 3]``."""
    frequency, phase = np.array([5.0, 4.0, 4.0]), np.array([0.0, -1.0, 1.0])
    bands = 0.5 + 0.4 * np.sin(frequency * directions + phase)
    spots = np.prod(np.sin(9 * directions), axis=-1, keepdims=True) > 0.15
    return np.where(spots, [0.95, 0.85, 0.2], bands)


def unwrap(corners):
    """Longitude and latitude: ``[F, 3, 3]`` on the unit sphere to UV ``[F, 3, 2]``."""
    longitude = np.arctan2(corners[..., 0], -corners[..., 2])
    latitude = np.arcsin(corners[..., 1].clip(-1, 1))
    u, v = longitude / (2 * np.pi) + 0.5, latitude / np.pi + 0.5
    # a face across the seam continues beyond u = 1, where the image repeats
    u = u + (u < u.max(axis=1, keepdims=True) - 0.5)
    return np.stack([u, v], axis=-1)


def place_cameras():
    """Cameras all around, at three elevations in turn; returns their positions too."""
    azimuth = np.arange(0, 360, 30)
    elevation = np.tile([-35, 0, 35], 4)
    eyes = jaxsoftras.eye_from_angles(2.732, elevation, azimuth)
    return jaxsoftras.perspective_camera(eyes, fov=26.0), eyes


def recover(draw, given, make_texture, values, steps):
    """Fits the values of a texture to the given images.

    Args:
        draw: function from a texture to images ``[views, H, W, 3]``.
        given: the images to match.
        make_texture: function from values to a texture.
        values: the first guess.
        steps: number of steps of gradient descent.

    Returns:
        The images of the result, and the PSNR before and after, dB.
    """

    def loss(values):
        images = draw(make_texture(values))
        return jnp.mean((images - given) ** 2), images

    optimizer = optax.adam(0.05)
    evaluate = jax.jit(jax.value_and_grad(loss, has_aux=True))
    moments = optimizer.init(values)
    errors = []
    for _ in range(steps):
        (error, _), gradient = evaluate(values)
        errors.append(error)
        change, moments = optimizer.update(gradient, moments)
        values = jnp.clip(values + change, 0, 1)
    (error, images), _ = evaluate(values)
    errors.append(error)
    psnr = -10 * np.log10(np.array(errors))
    return images, psnr[0], psnr[-1]


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/recover_colors"),
        help="folder for the image (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=200,
        help="steps of gradient descent (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=64,
        help="side of an image, pixels (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    cameras, eyes = place_cameras()
    # a lamp at each camera
    lights = jaxsoftras.AmbientLight(0.5), jaxsoftras.DirectionalLight(eyes, 0.5)
    settings = jaxsoftras.Settings(image_size=options.size, sigma=1e-5, wrap="repeat")

    def draw(sphere, texture):
        mesh = jaxsoftras.Mesh(jnp.asarray(sphere.vertices) / 2, sphere.faces, texture)
        image = jaxsoftras.render(mesh, cameras, lights, settings)
        color, alpha = image[..., :3], image[..., 3:]
        return alpha * color + (1 - alpha)  # over white

    fine, coarse = jaxsoftras.icosphere(5), jaxsoftras.icosphere(3)
    truth = jaxsoftras.VertexColors(paint(np.asarray(fine.vertices)))
    given = jax.jit(draw)(fine, truth)
    corners = np.asarray(coarse.vertices)[coarse.faces]
    coordinates = unwrap(corners)

    def make_image_texture(image):
        return jaxsoftras.UVTexture(coordinates, image)

    grey_vertices = np.full((len(coarse.vertices), 3), 0.5)
    grey_image = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 0.5)
    columns = [given]
    for name, make_texture, start in (
        ("vertices", jaxsoftras.VertexColors, grey_vertices),
        ("image", make_image_texture, grey_image),
    ):
        images, before, after = recover(
            lambda texture: draw(coarse, texture),
            given,
            make_texture,
            start,
            options.steps,
        )
        print(f"{name}: PSNR {before:.1f} dB before, {after:.1f} dB after")
        columns.append(images)

    rows = [np.hstack([images[view] for images in columns]) for view in VIEWS_SHOWN]
    sheet = np.uint8(255 * np.vstack(rows).clip(0, 1))
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(options.out / "colors.png")


if __name__ == "__main__":
    main()
