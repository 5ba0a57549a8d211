"""Renders a mesh from all around, and at several values of sigma and gamma.

Writes turntable.gif and sweep.png. Cameras and settings may be traced: one compilation
is enough. The mesh is an OBJ, OFF, PLY, STL or GLB file or, without one, a biplane.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxsoftras
from jaxsoftras.shapes.catalogue import make_shape

SIGMAS, GAMMAS = ("1e-6", "1e-4", "1e-3", "1e-2"), ("1e-6", "1e-4", "1e-3", "1e-1")


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mesh", nargs="?", help="mesh file (default: a biplane)")
    parser.add_argument("--out", type=Path, default=Path("runs/render_mesh"))
    parser.add_argument("--steps", type=int, default=36, help="pictures of the turn")
    parser.add_argument("--size", type=int, default=160, help="pixels of a picture")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    *shape, colors = make_shape("02691156", index=9)
    mesh = jaxsoftras.Mesh(*shape, jaxsoftras.FaceColors(colors))
    if options.mesh:
        mesh = jaxsoftras.load_mesh(options.mesh, normalize=True)
        mesh = mesh._replace(vertices=mesh.vertices / 2)
    sun = jaxsoftras.DirectionalLight(np.array([1.0, 2.0, -1.0]), 0.5)
    lights = jaxsoftras.AmbientLight(0.5), sun
    settings = jaxsoftras.Settings(
        background=1.0,
        image_size=options.size,
        shading="flat",
        double_sided=options.mesh is not None,  # files may have faces turned inwards
        front_face="counterclockwise",
        supersampling=2,
        wrap="repeat",
    )
    render = jax.jit(jaxsoftras.render)

    def picture(azimuth, sigma, gamma):
        eye = jaxsoftras.eye_from_angles(2.4, 30.0, azimuth)
        camera = jaxsoftras.perspective_camera(eye)
        look = dataclasses.replace(settings, sigma=float(sigma), gamma=float(gamma))
        image = render(mesh, camera, lights, look)
        image = image[..., 3:] * image[..., :3] + (1 - image[..., 3:])  # over white
        return Image.fromarray(np.uint8(255 * image.clip(0, 1)))

    first, start = picture(0.0, 1e-6, 1e-6), time.perf_counter()
    turn = np.arange(1, options.steps) * 360 / options.steps
    others = [picture(azimuth, 1e-6, 1e-6) for azimuth in turn]
    took = 1000 * (time.perf_counter() - start) / len(others)
    print(f"{len(mesh.faces)} faces at {options.size} px: {took:.0f} ms a picture")
    animation = {"append_images": others, "duration": 3600 / options.steps, "loop": 0}
    first.save(options.out / "turntable.gif", save_all=True, **animation)
    cell = options.size
    sheet = Image.new("RGB", (80 + 4 * cell, 24 + 4 * cell), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for k in range(4):
        middle = (k + 0.5) * cell
        draw.text((8, 24 + middle), f"sigma {SIGMAS[k]}", "black", font, "lm")
        draw.text((80 + middle, 12), f"gamma {GAMMAS[k]}", "black", font, "mm")
    for row, column in np.ndindex(4, 4):
        image = picture(330.0, SIGMAS[row], GAMMAS[column])
        sheet.paste(image, (80 + column * cell, 24 + row * cell))
    sheet.save(options.out / "sweep.png")


if __name__ == "__main__":
    main()
