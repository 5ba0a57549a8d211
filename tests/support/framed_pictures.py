"""Pictures of known masks in frames of many kinds, and how well the masks are found.

Run as a program: ``python -m tests.support.framed_pictures``. Embedded shapes are
rendered before backgrounds of their own, on which a frame is laid; a third has none.
Half are JPEG files of qualities from 30 to 95. The table compares masks that are found
with frames and without.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from jaxsoftras import mesh, terminal
from jaxsoftras.prediction import masks
from jaxsoftras.shapes import catalogue
from tests.support import unseen_pictures
from tests.support.unseen_pictures import Background, Shot, plain, sweep, vignette

Paint = Callable[[Image.Image], None]
"""Draws a frame on a picture, in place."""


class Case(NamedTuple):
    """A picture and its mask.

    Attributes:
        kind: of the frame.
        image: ``[H, W, 3]`` float32 in [0, 1], as a file of it is read.
        mask: ``[H, W]`` bool, the object but for what the frame hides of it.
    """

    kind: str
    image: np.ndarray
    mask: np.ndarray


def border(color: str, *widths: float) -> Paint:
    """Bands of a color on the left, at the top, on the right and at the bottom.

    Args:
        color: a name of Pillow.
        widths: relative to the shorter side.
    """

    def paint(image: Image.Image) -> None:
        (width, height), pen = image.size, ImageDraw.Draw(image)
        sizes = [round(part * min(image.size)) for part in widths]
        left, top, right, bottom = sizes
        for box in (
            (0, 0, left - 1, height),
            (0, 0, width, top - 1),
            (width - right, 0, width, height),
            (0, height - bottom, width, height),
        ):
            if (
                box[0] <= box[2]
                and box[1] <= box[3]
                and box[0] < width
                and box[1] < height
            ):
                pen.rectangle(box, color)

    return paint


def round_corners(color: str, width: float, radius: float) -> Paint:
    """A border of which the inside has rounded corners."""

    def paint(image: Image.Image) -> None:
        side = min(image.size)
        inset = round(width * side)
        cover = Image.new("L", [4 * n for n in image.size], 255)
        box = [4 * n for n in (inset, inset, *(n - inset for n in image.size))]
        ImageDraw.Draw(cover).rounded_rectangle(box, 4 * radius * side, 0)
        cover = cover.resize(image.size, Image.Resampling.BOX)
        image.paste(color, (0, 0), cover)

    return paint


def screenshot(image: Image.Image) -> None:
    """A title bar with three buttons, and thin lines on the other sides."""
    border("#d8d8dc", 0.01, 0.09, 0.01, 0.01)(image)
    border("#404046", 0, 0.07, 0, 0)(image)
    side, pen = min(image.size), ImageDraw.Draw(image)
    for number, color in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        pen.circle((side * (0.04 + 0.05 * number), side * 0.035), side * 0.015, color)


def wood(image: Image.Image) -> None:
    """A textured border with a dark line along the inside."""
    grain = np.random.default_rng(1).normal(0, 12, (image.height, image.width, 1))
    texture = np.clip((120, 80, 45) + grain, 0, 255).astype(np.uint8)
    inside = image.copy()
    image.paste(Image.fromarray(texture), (0, 0))
    width, line = (round(part * min(image.size)) for part in (0.09, 0.015))
    box = width, width, image.width - width, image.height - width
    ImageDraw.Draw(image).rectangle(box, "#2a1a0e")
    box = (box[0] + line, box[1] + line, box[2] - line, box[3] - line)
    image.paste(inside.crop(box), box[:2])


def mat(image: Image.Image) -> None:
    """A black border, and a white mat within it."""
    border("#f4f2ea", 0.12, 0.12, 0.12, 0.12)(image)
    border("black", 0.04, 0.04, 0.04, 0.04)(image)


FRAMES: dict[str, Paint] = {
    "left": border("black", 0.1, 0, 0, 0),
    "top": border("#203060", 0, 0.12, 0, 0),
    "right": border("white", 0, 0, 0.05, 0),
    "bottom": border("#802020", 0, 0, 0, 0.15),
    "letterbox": border("black", 0, 0.15, 0, 0.15),
    "pillarbox": border("black", 0.2, 0, 0.2, 0),
    "three sides": border("#111111", 0.06, 0.06, 0.06, 0),
    "thin": border("black", 0.012, 0.012, 0.012, 0.012),
    "wide": border("#c02020", 0.15, 0.15, 0.15, 0.15),
    "white": border("white", 0.08, 0.08, 0.08, 0.08),
    "polaroid": border("#fbfaf5", 0.06, 0.06, 0.06, 0.22),
    "rounded": round_corners("black", 0.05, 0.08),
    "white, rounded": round_corners("white", 0.06, 0.1),
    "screenshot": screenshot,
    "wood": wood,
    "mat": mat,
}
"""Frames by kind."""

BACKGROUNDS: tuple[Background, ...] = (
    plain(0.6, 0.7, 0.75),
    sweep(0.85, 0.75, 0.6, to=(0.6, 0.5, 0.4)),
    vignette(0.75, 0.78, 0.72, loss=0.2),
    plain(0.3, 0.32, 0.4),
)
SIZES = (320, 240), (200, 300), (128, 128), (500, 400)
QUALITIES = None, 95, None, 75, None, 50, 30
SYNSETS = "02691156", "02933112", "03001627", "03636649", "04256520", "04530566"
EACH = 4  # pictures of a kind of frame
UNFRAMED = 32
_SEED = 903


def draw_objects() -> list[np.ndarray]:
    """Renders shapes, ``[640, 640, 4]`` each; see `unseen_pictures.render`."""
    images = []
    for number, synset in enumerate(SYNSETS):
        shape = catalogue.make_shape(synset, 0, _SEED)
        vertices = (shape.vertices * (1, 1, -1)).astype(np.float32)
        solid = mesh.Mesh(vertices, shape.faces[:, ::-1])
        angles = 50.0 * number + 25, 10.0 * (number % 3) + 5
        color = [(0.75, 0.2, 0.15), (0.1, 0.2, 0.55), (0.95, 0.9, 0.8)][number % 3]
        shot = Shot("", (0, 0), angles, None, color=color)
        images.append(unseen_pictures.render(solid, shot))
    return images


def make_cases(objects: list[np.ndarray]) -> Iterator[Case]:
    """Makes pictures with frames of all kinds, then some without.

    Args:
        objects: ``[S, S, 4]`` colours multiplied by coverage, and coverage.
    """
    kinds = [kind for kind in FRAMES for _ in range(EACH)] + UNFRAMED * [""]
    for number, kind in enumerate(kinds):
        shot = Shot(
            "",
            SIZES[number % len(SIZES)],
            (0, 0),
            BACKGROUNDS[(number // 4 + number) % len(BACKGROUNDS)],
            noise=(0.0, 0.01, 0.02)[number % 3],
        )
        # unframed objects come nearer, until the border cuts them
        near = 1 if kind else 1 + 0.15 * (number % 4)
        scaled = _enlarge(objects[number % len(objects)], 0.8 * near)
        yield make_case(kind, scaled, shot, QUALITIES[number % len(QUALITIES)])


def make_case(
    kind: str, rendered: np.ndarray, shot: Shot, quality: int | None = None
) -> Case:
    """Makes a picture.

    Args:
        kind: one of `FRAMES`; empty for none.
        rendered: ``[S, S, 4]`` colours multiplied by coverage, and coverage.
        shot: size, background and noise.
        quality: of a JPEG file; None for a PNG file.
    """
    picture, mask = unseen_pictures.develop(rendered, shot)
    covered = np.asarray(mask) >= 128
    if kind:
        FRAMES[kind](picture)
        covered &= ~_hidden(FRAMES[kind], picture.size)
    return Case(kind, _save(picture, quality), covered)


def _enlarge(image: np.ndarray, factor: float) -> np.ndarray:
    """Scales an object around the middle of its image."""
    layers = Image.fromarray(np.uint8(255 * image.clip(0, 1) + 0.5))
    width, height = layers.size
    box = [
        middle + sign * middle / factor
        for sign, middle in itertools.product((-1, 1), (width / 2, height / 2))
    ]
    moved = layers.transform(
        layers.size, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
    )
    return np.asarray(moved) / 255


def _hidden(paint: Paint, size: tuple[int, int]) -> np.ndarray:
    """Pixels that a frame covers at least by half."""
    light, dark = Image.new("RGB", size, "#fe01fe"), Image.new("RGB", size, "#01fe01")
    paint(light)
    paint(dark)
    change = np.abs(np.subtract(np.asarray(light), np.asarray(dark), dtype=int)).max(-1)
    return change < 127


def _save(picture: Image.Image, quality: int | None) -> np.ndarray:
    """Writes a picture as PNG, or JPEG of some quality, and reads it."""
    file = io.BytesIO()
    if quality is None:
        picture.save(file, "PNG")
    else:
        picture.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"), np.float32) / 255


def measure_iou(found: np.ndarray | None, truth: np.ndarray) -> float:
    """Intersection over union of masks; 0 if none is found."""
    if found is None:
        return 0.0
    return float(np.sum(found & truth) / np.sum(found | truth))


def compare(case: Case) -> tuple[float, float, bool]:
    """Intersection over union without frames and with, and whether one is found."""
    found = masks.find_object(case.image)
    mask = None if found is None else found.mask >= 0.5
    return (
        measure_iou(masks.cut_out(case.image), case.mask),
        measure_iou(mask, case.mask),
        found is not None and found.frame is not None,
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints a table of mean IoU by kind of frame.

    Args:
        arguments: words after the program's name; those of the process if None.

    Returns:
        The exit code; see `terminal.run`.
    """
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)

    def command() -> int:
        results: dict[str, list[tuple[float, float, bool]]] = {}
        for case in make_cases(draw_objects()):
            results.setdefault(case.kind or "no frame", []).append(compare(case))
        framed = [row for kind in FRAMES for row in results[kind]]
        print("| frame | pictures | found | IoU without the rule | with it |")
        print("|---|---|---|---|---|")
        for kind, rows in [*results.items(), ("all frames", framed)]:
            before, after, found = np.mean(rows, axis=0)
            print(
                f"| {kind} | {len(rows)} | {found * len(rows):.0f} | {before:.3f} "
                f"| {after:.3f} |"
            )
        return 0

    return terminal.run("framed_pictures", command)


if __name__ == "__main__":
    sys.exit(main())
