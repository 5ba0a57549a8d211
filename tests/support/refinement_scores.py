"""Silhouettes and voxels of predictions with refinement and without, on known objects.

Run as a program: ``python -m tests.support.refinement_scores --data FOLDER --split
test`` for objects of a folder in the Soft Rasterizer file format, one image of each;
without ``--data`` for embedded shapes, half of them of kinds that are held out, seen
from elevations of -10 to 50 degrees.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsoftras import camera, command_line, model_files, prediction, terminal, voxels
from jaxsoftras.data import solids, zbuffer
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import catalogue

_EACH = 4  # embedded shapes of a category
_DISTANCE = 2.732


class Known(NamedTuple):
    """An image of a known object.

    Attributes:
        image: ``[4, S, S]`` uint8, colours multiplied by coverage, and coverage.
        voxels: ``[32, 32, 32]`` bool, as in the data files.
    """

    image: np.ndarray
    voxels: np.ndarray


class Scores(NamedTuple):
    """Intersections over union of one object.

    Attributes:
        silhouettes: before refinement and after.
        voxels: before refinement and after.
    """

    silhouettes: tuple[float, float]
    voxels: tuple[float, float]


def load_known(folder: Path, split: str, count: int, seed: int) -> list[Known]:
    """Draws objects of a split, and one image of each."""
    random = np.random.default_rng(seed)
    known = []
    for synset in CATEGORIES:
        images, grids = (
            np.load(folder / f"{synset}_{split}_{kind}.npz")["arr_0"]
            for kind in ("images", "voxels")
        )
        known += [
            Known(views[random.integers(len(views))], grid)
            for views, grid in zip(images, grids, strict=True)
        ]
    if len(known) > count:
        known = [known[k] for k in np.sort(random.permutation(len(known))[:count])]
    return known


def make_known(seed: int) -> Iterator[Known]:
    """Makes embedded shapes, and an image of each from a camera of its own."""
    random = np.random.default_rng(seed)
    for synset, name in CATEGORIES.items():
        has_held_out = any(kind.held_out for kind in catalogue.KINDS[name])
        for number in range(_EACH):
            held_out = bool(number % 2) and has_held_out
            shape = catalogue.make_shape(synset, number, seed, held_out=held_out)
            vertices = shape.vertices.astype(np.float32)
            azimuth, elevation = random.uniform(0, 360), random.uniform(-10, 50)
            eye = np.asarray(camera.eye_from_angles(_DISTANCE, elevation, -azimuth))
            images = zbuffer.render_views(
                vertices, shape.faces, eye[None], colors=shape.colors, closed=True
            )
            yield Known(images[0], solids.voxelize(vertices, shape.faces))


def score(predictor: prediction.Predictor, known: Known, steps: int) -> Scores:
    """Predicts an object with refinement and without, and compares with the truth."""
    image = np.moveaxis(known.image, 0, -1).astype(np.float32) / 255
    picture = prediction.Picture(image, "opacity")
    before, after = predictor(picture), predictor(picture, refine=steps)

    def compare(found: prediction.Prediction) -> float:
        vertices = np.asarray(found.mesh.vertices) * np.array([1, 1, -1], np.float32)
        faces = np.asarray(found.mesh.faces)[:, ::-1]  # of the model frame
        occupied = voxels.voxelize(vertices, faces)
        return float(voxels.iou(occupied, jnp.asarray(known.voxels)))

    return Scores((before.iou, after.iou), (compare(before), compare(after)))


def describe(rows: list[Scores]) -> str:
    """Means of scores, and the change of voxels with its standard error."""
    change = np.diff([row.voxels for row in rows])[:, 0]
    shapes = (np.mean([row[part] for row in rows], axis=0) for part in (0, 1))
    silhouettes, grids = (f"{first:.3f}, {last:.3f}" for first, last in shapes)
    error = np.std(change, ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
    return (
        f"{len(rows)} objects: silhouette IoU {silhouettes}; voxel IoU {grids}; change "
        f"of voxel IoU {np.mean(change):+.3f}, standard error {error:.3f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the scores of the model that comes with the package.

    Args:
        arguments: words after the program's name; those of the process if None.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--split", default="test", metavar="SPLIT")
    parser.add_argument(
        "--objects", type=command_line.positive, default=40, metavar="N"
    )
    parser.add_argument("--steps", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options = parser.parse_args(arguments)

    def command() -> int:
        model = model_files.load(model_files.PRETRAINED)
        predictor = prediction.Predictor(model)
        if options.data:
            known = load_known(
                options.data, options.split, options.objects, options.seed
            )
        else:
            known = make_known(options.seed)
        print(describe([score(predictor, each, options.steps) for each in known]))
        return 0

    return terminal.run("refinement_scores", command)


if __name__ == "__main__":
    sys.exit(main())
