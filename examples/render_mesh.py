"""Renders a mesh from all around, and at several values of sigma and gamma.

Writes two files to the output folder: ``turntable.gif``, the mesh seen from a circle of
cameras, and ``sweep.png``, one view at 16 pairs of sigma (softness of silhouettes) and
gamma (softness of the choice among depths). Cameras and the numbers of the settings are
traced, hence all images of one size share one compilation.

The mesh is an OBJ, OFF, PLY, STL or GLB file or, by default, a biplane.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import jax
import numpy as np

import jaxsoftras
from jaxsoftras.shapes.catalogue import make_shape

try:
    from PIL import Image, ImageDraw, ImageFont
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[io]"')

SIGMAS = ("1e-6", "1e-4", "1e-3", "1e-2")
GAMMAS = ("1e-6", "1e-4", "1e-3", "1e-1")
SHARP = 1e-6  # sigma and gamma of the turntable

LIGHTS = (
    jaxsoftras.AmbientLight(0.5),
    jaxsoftras.DirectionalLight(np.array([1.0, 2.0, -1.0]), 0.5),
)

# width of the labels of rows, height of the labels of columns, pixels
LABEL_WIDTH, LABEL_HEIGHT = 80, 24


def load(path):
    """Loads a mesh file, scaled to a longest side of 1; without a path, a biplane."""
    if path is None:
        vertices, faces, colors = make_shape("02691156", index=1)
        return jaxsoftras.Mesh(vertices, faces, jaxsoftras.FaceColors(colors))
    mesh = jaxsoftras.load_mesh(path, normalize=True)
    return mesh._replace(vertices=mesh.vertices / 2)


def composite_over_white(image):
    """``[H, W, 4]`` colour and alpha to an 8-bit image on a white background."""
    color, alpha = image[..., :3], image[..., 3:]
    on_white = alpha * color + (1 - alpha)
    return Image.fromarray(np.uint8(255 * on_white.clip(0, 1)))


def save_turntable(path, photograph, count):
    """Turns the camera once around the mesh; returns seconds per image."""
    azimuths = np.arange(count) * 360 / count
    first = photograph(azimuths[0], SHARP, SHARP)  # compiles
    start = time.perf_counter()
    others = [photograph(azimuth, SHARP, SHARP) for azimuth in azimuths[1:]]
    seconds = time.perf_counter() - start
    first.save(path, save_all=True, append_images=others, duration=3600 / count, loop=0)
    return seconds / max(len(others), 1)


def save_sweep(path, photograph, size):
    """Draws a table of images: sigma by row, gamma by column."""
    sheet = Image.new(
        "RGB",
        (LABEL_WIDTH + len(GAMMAS) * size, LABEL_HEIGHT + len(SIGMAS) * size),
        "white",
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, gamma in enumerate(GAMMAS):
        center = LABEL_WIDTH + (column + 0.5) * size, LABEL_HEIGHT / 2
        draw.text(center, f"gamma {gamma}", "black", font, anchor="mm")
    for row, sigma in enumerate(SIGMAS):
        left = 8, LABEL_HEIGHT + (row + 0.5) * size
        draw.text(left, f"sigma {sigma}", "black", font, anchor="lm")
        for column, gamma in enumerate(GAMMAS):
            image = photograph(330.0, float(sigma), float(gamma))
            corner = LABEL_WIDTH + column * size, LABEL_HEIGHT + row * size
            sheet.paste(image, corner)
    sheet.save(path)


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mesh", nargs="?", help="mesh file (default: a biplane)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/render_mesh"),
        help="folder for the images (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=36,
        help="images of the turntable (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=160,
        help="side of an image, pixels (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    mesh = load(options.mesh)
    settings = jaxsoftras.Settings(
        image_size=options.size,
        background=1.0,
        shading="flat",
        double_sided=options.mesh is not None,  # faces in files may point inwards
        front_face="counterclockwise",  # the camera is traced, so that we must tell
        supersampling=2,
        wrap="repeat",
    )
    render = jax.jit(jaxsoftras.render)

    def photograph(azimuth, sigma, gamma):
        eye = jaxsoftras.eye_from_angles(
            distance=2.4, elevation=30.0, azimuth=float(azimuth)
        )
        camera = jaxsoftras.perspective_camera(eye)
        softness = dataclasses.replace(settings, sigma=sigma, gamma=gamma)
        return composite_over_white(render(mesh, camera, LIGHTS, softness))

    options.out.mkdir(parents=True, exist_ok=True)
    seconds = save_turntable(options.out / "turntable.gif", photograph, options.steps)
    milliseconds = f"{1000 * seconds:.0f} ms an image"
    print(f"{len(mesh.faces)} faces at {options.size} px: {milliseconds}")
    save_sweep(options.out / "sweep.png", photograph, options.size)


if __name__ == "__main__":
    main()
