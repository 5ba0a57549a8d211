"""Recovers the colours of a known shape from pictures of 12 sides under known lights.

Once as colours of the vertices of a sphere, once as an image of 64 x 64 texels. Prints
the PSNR before and after; writes both to colors.png. --steps 30: a minute on a CPU.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image

import jaxsoftras


def painted(directions):
    """Spots on bands of colour: [..., 3] on the unit sphere to [..., 3]."""
    bands = 0.5 + 0.4 * np.sin(directions @ np.diag([5, 4, 4]) + [0, -1, 1])
    spots = np.prod(np.sin(9 * directions), -1, keepdims=True) > 0.15
    return np.where(spots, [0.95, 0.85, 0.2], bands)


def unwrapped(corners):
    """Longitude and latitude in [0, 1]: [F, 3, 3] on the unit sphere to [F, 3, 2]."""
    u = np.arctan2(corners[..., 0], -corners[..., 2]) / (2 * np.pi) + 0.5
    u = u + (u < u.max(1, keepdims=True) - 0.5)  # across the seam
    return np.stack([u, np.arcsin(corners[..., 1].clip(-1, 1)) / np.pi + 0.5], -1)


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/recover_colors"))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args(arguments)
    sphere, fine = jaxsoftras.icosphere(3), jaxsoftras.icosphere(5)
    eyes = jaxsoftras.eye_from_angles(2.732, np.tile([-35, 0, 35], 4), np.r_[:360:30])
    cameras = jaxsoftras.perspective_camera(eyes, half_fov=13.0)
    lights = jaxsoftras.AmbientLight(0.5), jaxsoftras.DirectionalLight(eyes, 0.5)
    look = jaxsoftras.Settings(image_size=options.size, sigma=1e-5, wrap="repeat")

    def pictures(sphere, texture):
        mesh = jaxsoftras.Mesh(jnp.asarray(sphere.vertices) / 2, sphere.faces, texture)
        image = jaxsoftras.render(mesh, cameras, lights, look)
        return image[..., :3] * image[..., 3:] + 1 - image[..., 3:]

    given = jax.jit(pictures)(fine, jaxsoftras.VertexColors(painted(fine.vertices)))
    uv, adam = unwrapped(np.asarray(sphere.vertices)[sphere.faces]), optax.adam(0.05)

    def recover(name, texture, values):
        def error(values):
            picture = pictures(sphere, texture(values))
            return jnp.mean((picture - given) ** 2), picture

        slope = jax.jit(jax.value_and_grad(error, has_aux=True))
        moments, losses = adam.init(values), []
        for _ in range(options.steps):
            (loss, _), gradient = slope(values)
            change, moments = adam.update(gradient, moments)
            values, losses = jnp.clip(values + change, 0, 1), [*losses, loss]
        psnr = -10 * np.log10(losses)
        print(f"{name}: PSNR {psnr[0]:.1f} dB before, {psnr[-1]:.1f} dB after")
        return slope(values)[0][1]

    by_vertex = recover("vertices", jaxsoftras.VertexColors, np.full((642, 3), 0.5))
    start = np.full((64, 64, 3), 0.5)
    by_image = recover("image", lambda i: jaxsoftras.UVTexture(uv, i), start)
    columns = given, by_vertex, by_image
    sheet = np.vstack([np.hstack([column[k] for column in columns]) for k in (1, 6)])
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255 * sheet.clip(0, 1))).save(options.out / "colors.png")


if __name__ == "__main__":
    main()
