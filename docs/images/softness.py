"""Draws the pictures of docs/softness.md: ``python docs/images/softness.py``.

``sigma.png``: a triangle's alpha for several sigma and, below, the derivative of alpha
as the triangle grows. ``gamma.png``: two overlapping sheets for several gamma.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxsoftras

SIGMAS = ("1e-5", "1e-4", "1e-3", "1e-2", "1e-1")
GAMMAS = ("1e-5", "1e-4", "1e-3", "1e-2", "1e-1")
TRIANGLE = np.array([[[-0.5, -0.4], [0.5, -0.4], [0.0, 0.5]]], np.float32)
GAP, LABEL = 8, 26  # between images, height of their labels; pixels


def alphas_and_derivatives(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Alpha of the triangle, and its derivative by a factor on the corners.

    Returns:
        Two arrays ``[len(SIGMAS), size, size]``.
    """

    @jax.jit
    def derive(sigma):
        def draw(factor):
            return jaxsoftras.silhouette(factor * TRIANGLE, size, sigma=sigma)

        return jax.jvp(draw, (jnp.float32(1),), (jnp.float32(1),))

    pairs = [derive(float(sigma)) for sigma in SIGMAS]
    alphas, derivatives = map(np.array, zip(*pairs, strict=True))
    return alphas, derivatives


def sheets(size: int) -> np.ndarray:
    """Colours ``[len(GAMMAS), size, size, 3]`` of an orange sheet before a blue one."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])

    def place(center, depth):
        corners = np.column_stack([0.45 * square + center, np.full(4, depth)])
        return corners[faces]

    corners = np.concatenate([place([-0.25, 0.25], 2.0), place([0.25, -0.25], 2.1)])
    colors = np.repeat([[1.0, 0.55, 0.1], [0.1, 0.4, 0.9]], 2, axis=0)
    draw = jax.jit(
        lambda gamma: jaxsoftras.rasterize(
            corners.astype(np.float32), colors, size, gamma=gamma, background=1.0
        )
    )
    return np.array([draw(float(gamma))[..., :3] for gamma in GAMMAS])


def to_heat(derivatives: np.ndarray) -> np.ndarray:
    """White for 0 to dark red for the largest of each image, ``[..., 3]``."""
    largest = derivatives.max(axis=(-2, -1), keepdims=True)
    part = np.sqrt(np.maximum(derivatives / largest, 0))[..., None]
    return 1 - part * (1 - np.array([0.7, 0.1, 0.15]))


def tile(rows: list[np.ndarray], labels: list[str], scale: int) -> Image.Image:
    """A table of images ``[columns, S, S, 3]``, a row each, with a label a column."""
    side = scale * rows[0].shape[1]
    width = len(labels) * (side + GAP) + GAP
    sheet = Image.new("RGB", (width, LABEL + len(rows) * (side + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, label in enumerate(labels):
        left = GAP + column * (side + GAP)
        draw.text((left + side / 2, LABEL / 2), label, "black", font, anchor="mm")
        for number, row in enumerate(rows):
            pixels = np.uint8(np.round(255 * row[column].clip(0, 1)))
            image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
            top = LABEL + number * (side + GAP)
            sheet.paste(image, (left, top))
            frame = (left, top, left + side - 1, top + side - 1)
            draw.rectangle(frame, outline="lightgrey")
    return sheet


def main(arguments: list[str] | None = None) -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--size", type=int, default=36, help="pixels of an image")
    options = parser.parse_args(arguments)

    alphas, derivatives = alphas_and_derivatives(options.size)
    grey = np.repeat(1 - alphas[..., None], 3, axis=-1)
    labels = [f"sigma = {sigma}" for sigma in SIGMAS]
    sheet = tile([grey, to_heat(derivatives)], labels, 4)
    sheet.save(options.out / "sigma.png", optimize=True)
    labels = [f"gamma = {gamma}" for gamma in GAMMAS]
    tile([sheets(options.size)], labels, 4).save(
        options.out / "gamma.png", optimize=True
    )


if __name__ == "__main__":
    main()
