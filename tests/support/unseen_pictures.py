"""Predictions from pictures that belong to no data set, with a table and a sheet.

Run as a program: ``python -m tests.support.unseen_pictures --meshes FOLDER --out
FOLDER``. The first folder is that of the sample meshes, ``shared/data/meshes/samples``,
which have +y up and the front at +z. Each is photographed from a side, a height and a
distance of its own, at a size of its own, before another background. Photographs of
scikit-image and Matplotlib are added where these are installed. All go through
``jaxsoftras predict``; meshes are compared with the true ones by voxels, as
``eval.py`` compares them with those of a data set.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxsoftras
from jaxsoftras import mesh, terminal, texture, voxels
from jaxsoftras.data import build_object
from jaxsoftras.prediction import predict_run

PIXELS = 640
"""Width and height of the renders, which are scaled to the sizes of the pictures."""

_FACES = 4096  # of all meshes, padded, so that one program renders them
_SEED = 0

PHOTOGRAPHS = {
    "skimage": ("data", "coffee.png", "horse.png", "motorcycle_left.png", "rocket.jpg"),
    "matplotlib": ("mpl-data/sample_data", "grace_hopper.jpg"),
}
"""A folder of photographs of each package, and their names there."""

Background = Callable[[int, int], np.ndarray]
"""``(height, width)`` to ``[height, width, 3]`` colours in [0, 1]."""


def plain(*color: float) -> Background:
    """A single colour."""
    return lambda height, width: np.full((height, width, 3), color)


def sweep(*color: float, to: tuple[float, float, float]) -> Background:
    """A gradient from the top to the bottom, as behind products."""

    def draw(height: int, width: int) -> np.ndarray:
        down = np.linspace(0, 1, height)[:, None, None]
        return np.broadcast_to((1 - down) * color + down * to, (height, width, 3))

    return draw


def vignette(*color: float, loss: float) -> Background:
    """A single colour that loses light towards the corners."""

    def draw(height: int, width: int) -> np.ndarray:
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        return np.multiply(1 - loss * (x**2 + y**2)[..., None] / 2, color)

    return draw


def wallpaper(height: int, width: int) -> np.ndarray:
    """Blotches of many colours."""
    coarse = np.random.default_rng(_SEED).integers(0, 256, (9, 12, 3), np.uint8)
    size = width, height
    return (
        np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)) / 255
    )


class Shot(NamedTuple):
    """A photograph of a mesh.

    Attributes:
        mesh: file below the folder of meshes.
        size: width and height, pixels.
        angles: azimuth and elevation of the camera, degrees.
        background: what is behind; None for transparency.
        suffix: format of the file.
        color: of the mesh.
        fov: of the camera, degrees; a wider one is nearer.
        light: direction to the light.
        noise: standard deviation of the sensor's noise.
        mask: whether a mask lies beside the picture.
    """

    mesh: str
    size: tuple[int, int]
    angles: tuple[float, float]
    background: Background | None
    suffix: str = "png"
    color: tuple[float, float, float] = (0.6, 0.4, 0.3)
    fov: float = 30.0
    light: tuple[float, float, float] = (1.0, 2.0, 1.5)
    noise: float = 0.0
    mask: bool = False


WHITE = plain(1.0, 1.0, 1.0)
SHOTS = [
    Shot(
        "airplane/commercial_airplane_504.ply",
        (640, 360),
        (60, 15),
        sweep(0.35, 0.55, 0.85, to=(0.75, 0.85, 0.95)),
        color=(0.9, 0.9, 0.92),
    ),
    Shot("bench/bench_315.off", (250, 250), (-40, 40), None),
    Shot(
        "cabinet/bookcasebooks_479.glb", (300, 420), (25, 5), WHITE, "jpg", noise=0.01
    ),
    Shot(
        "car/taxi_514.stl",
        (1200, 800),
        (-55, 12),
        plain(0.5, 0.5, 0.52),
        "jpg",
        (0.9, 0.7, 0.1),
        fov=60,
        noise=0.015,
    ),
    Shot("chair/chair_4_326.ply", (64, 64), (35, 30), WHITE, light=(-1, 1, 0.5)),
    Shot(
        "display/televisionvintage_273.ply",
        (333, 250),
        (15, 20),
        plain(0.7, 0.85, 0.95),
        "webp",
    ),
    Shot(
        "lamp/light_ceilingsingle_370.ply",
        (200, 500),
        (0, -20),
        plain(0.08, 0.08, 0.1),
        color=(0.95, 0.9, 0.7),
    ),
    Shot(
        "loudspeaker/speakersmall_259.glb",
        (500, 500),
        (-20, 25),
        vignette(0.95, 0.95, 0.93, loss=0.15),
        color=(0.25, 0.25, 0.27),
    ),
    Shot(
        "rifle/sniper_rifle_458.off",
        (800, 300),
        (90, 0),
        WHITE,
        color=(0.3, 0.32, 0.25),
    ),
    Shot(
        "sofa/couch_32.stl",
        (900, 600),
        (-30, 15),
        vignette(0.8, 0.78, 0.75, loss=0.5),
        color=(0.2, 0.35, 0.5),
    ),
    Shot("table/coffeetable_487.off", (400, 300), (20, 35), wallpaper, mask=True),
    Shot("telephone/apple_iphone_21.ply", (240, 320), (30, 50), wallpaper, "jpg"),
    Shot(
        "vessel/boat_418.ply",
        (720, 480),
        (70, 20),
        sweep(0.9, 0.9, 0.92, to=(0.55, 0.55, 0.6)),
        noise=0.01,
    ),
]


def render(solid: mesh.Mesh, shot: Shot) -> np.ndarray:
    """Renders a mesh, ``[640, 640, 4]``: colours multiplied by coverage, and coverage.

    Args:
        solid: the mesh, centred, with a longest side of 1.
        shot: how it is photographed.
    """
    azimuth, elevation = np.radians(shot.angles)
    height, across = np.sin(elevation), np.cos(elevation)
    ahead = np.array([np.sin(azimuth) * across, height, np.cos(azimuth) * across])
    distance = 0.75 / np.tan(np.radians(shot.fov / 2))
    faces = np.full((_FACES, 3), -1, np.int32)
    faces[: len(solid.faces)] = solid.faces
    vertices = np.zeros((3 * _FACES, 3), np.float32)
    vertices[: len(solid.vertices)] = solid.vertices
    painted = np.broadcast_to(np.array(shot.color, np.float32), (_FACES, 3))
    image = jaxsoftras.render(
        mesh.Mesh(vertices, faces, texture.FaceColors(painted)),
        jaxsoftras.perspective_camera(eye=distance * ahead, fov=shot.fov),
        (
            jaxsoftras.AmbientLight(0.4),
            jaxsoftras.DirectionalLight(np.array(shot.light), 0.6),
        ),
        jaxsoftras.Settings(
            image_size=PIXELS,
            aggregation="hard",
            distance="hard",
            shading="flat",
            supersampling=2,
        ),
    )
    return np.asarray(image)


def develop(image: np.ndarray, shot: Shot) -> tuple[Image.Image, Image.Image]:
    """Scales a render to a picture with its background; returns it and its mask."""
    width, height = shot.size
    side = max(shot.size)
    layers = Image.fromarray(np.uint8(255 * image.clip(0, 1) + 0.5))
    scaled = np.asarray(layers.resize((side, side), Image.Resampling.BOX)) / 255
    top, left = (side - height) // 2, (side - width) // 2
    cut = scaled[top : top + height, left : left + width]
    colors, cover = cut[..., :3], cut[..., 3:]
    mask = Image.fromarray(np.uint8(255 * cover[..., 0] + 0.5))
    if shot.background is None:
        straight = (colors / np.maximum(cover, 1e-3)).clip(0, 1)
        layers = np.concatenate([straight, cover], -1)
        return Image.fromarray(np.uint8(255 * layers + 0.5)), mask
    whole = colors + (1 - cover) * shot.background(height, width)
    grain = np.random.default_rng(_SEED).normal(scale=shot.noise, size=whole.shape)
    return Image.fromarray(np.uint8(255 * (whole + grain).clip(0, 1) + 0.5)), mask


def take(folder: Path, meshes: Path) -> dict[str, Path]:
    """Writes the pictures of all meshes; returns the files of the meshes by name."""
    sources = {}
    for shot in SHOTS:
        path = meshes / shot.mesh
        name = path.parent.name
        solid = jaxsoftras.load_mesh(path, normalize=True)
        solid = solid._replace(vertices=np.asarray(solid.vertices) / 2, texture=None)
        picture, mask = develop(render(solid, shot), shot)
        picture.save(folder / f"{name}.{shot.suffix}")
        if shot.mask:
            mask.save(folder / f"{name}_mask.png")
        sources[name] = path
    return sources


def add_photographs(folder: Path) -> None:
    """Copies the photographs of the packages that are installed."""
    for package, (below, *names) in PHOTOGRAPHS.items():
        found = importlib.util.find_spec(package)
        for place in (found and found.submodule_search_locations) or ():
            for name in names:
                shutil.copy(Path(place) / below / name, folder / name)


def compare_voxels(predicted: Path, truth: Path) -> float:
    """IoU of the voxels of a prediction and of those of a mesh in a data set."""
    solid = jaxsoftras.load_mesh(predicted)
    mirrored = np.asarray(solid.vertices) * (1, 1, -1)  # to the model frame
    occupied = voxels.voxelize(mirrored, np.asarray(solid.faces)[:, ::-1])
    known = build_object.load_object(truth, build_object.Options()).voxels
    return float(voxels.iou(occupied, jnp.asarray(known)))


def draw_sheet(
    out: Path, rows: list[dict[str, Any]], ious: dict[str, float]
) -> Image.Image:
    """Draws the sheets of all predictions in two columns, under their names."""
    font = ImageFont.load_default(14)
    sheets = [Image.open(out / f"{Path(p['mesh']).stem}_views.png") for p in rows]
    width, height = sheets[0].width + 12, sheets[0].height + 26
    half = -(-len(sheets) // 2)
    page = Image.new("RGB", (2 * width, half * height), "white")
    pen = ImageDraw.Draw(page)
    for number, (sheet, row) in enumerate(zip(sheets, rows, strict=True)):
        x, y = number // half * width, number % half * height
        name = Path(row["picture"]).name
        known = ious.get(Path(name).stem)
        text = name if known is None else f"{name}, voxel IoU {known:.2f}"
        pen.text((x + 6, y + 6), text, "black", font)
        page.paste(sheet, (x + 6, y + 26))
    return page


def print_table(summary: dict[str, Any], ious: dict[str, float]) -> None:
    """Prints the scores of the pictures, as Markdown, and those that were left out."""
    print("| picture | mask | azimuth | silhouette IoU | voxel IoU |")
    print("|---|---|---|---|---|")
    for row in summary["predictions"]:
        name = Path(row["picture"]).name
        known = ious.get(Path(name).stem)
        last = "" if known is None else f"{known:.3f}"
        print(
            f"| `{name}` | {row['mask']} | {row['azimuth']:.0f} "
            f"| {row['silhouette_iou']:.3f} | {last} |"
        )
    fits = [row["silhouette_iou"] for row in summary["predictions"]]
    print(f"| mean | | | {np.mean(fits):.3f} | {np.mean(list(ious.values())):.3f} |")
    for row in summary["left_out"]:
        print(f"Left out: {Path(row['picture']).name}: {row['reason']}.")


def main(arguments: list[str] | None = None) -> int:
    """Takes the pictures, predicts their meshes, and shows the results.

    Args:
        arguments: words after the program's name; those of the process if None.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("words", nargs="*", help="further options of predict, after --")
    options = parser.parse_args(arguments)

    def command() -> int:
        pictures, results = options.out / "pictures", options.out / "meshes"
        pictures.mkdir(parents=True, exist_ok=True)
        sources = take(pictures, options.meshes)
        add_photographs(pictures)
        code = predict_run.main([str(pictures), "--out", str(results), *options.words])
        if code == 2:
            return code
        summary = json.loads((results / "predictions.json").read_text())
        ious = {
            name: compare_voxels(results / row["mesh"], sources[name])
            for row in summary["predictions"]
            if (name := Path(row["picture"]).stem) in sources
        }
        if not ious:
            raise terminal.ProgramError("No mesh was predicted of a known one.")
        print_table(summary, ious)
        draw_sheet(results, summary["predictions"], ious).save(
            options.out / "sheet.png"
        )
        return 0

    return terminal.run("unseen_pictures", command)


if __name__ == "__main__":
    sys.exit(main())
