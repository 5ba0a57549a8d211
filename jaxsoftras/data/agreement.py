"""Whether the cameras of a data set can have seen its silhouettes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import camera
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.split import Split

_CELLS = 48  # along a side of the cube that the network's meshes lie in
_OBJECTS = 6  # that are looked at in a split
_VIEWS = 24  # of each object, at most
# Data sets agree with their own cameras by 1.00, and with those of other elevations by
# 0.43 to 0.95. Poor masks of photographs lie between.
_DOUBTFUL, _WRONG = 0.97, 0.7


class _Places(NamedTuple):
    """Pixels in which one camera sees the centres of cells.

    Attributes:
        rows: ``[N]``, 0 for cells outside the image.
        columns: ``[N]``, likewise.
        inside: ``[N]`` bool, whether the centre is in the image.
        front: ``[N]`` bool, whether it is in front of the camera.
        width: of a square of pixels that covers the image of a cell.
    """

    rows: np.ndarray
    columns: np.ndarray
    inside: np.ndarray
    front: np.ndarray
    width: int


def check_agreement(source: Split | Mixture) -> None:
    """Checks that a mesh could fill the silhouettes of a data set, seen by its cameras.

    A few objects are looked at, of different categories; see `measure_agreement`. A
    warning tells of cameras that explain the silhouettes in part: masks may be wrong.

    Args:
        source: the objects to train on.

    Raises:
        ValueError: the cameras contradict the silhouettes, or the images are empty.
    """
    for split in dict.fromkeys(split for split, _ in Mixture.of(source).groups):
        agreement = measure_agreement(split)
        found = (
            f"The cameras of the {split.name} split do not agree with its images: the "
            "largest mesh within the unit box and all silhouettes of an object fills "
            f"{agreement:.0%} of them"
        )
        cure = (
            "compare data.distance, data.elevation, data.azimuth_step and "
            "data.half_fov with how the images were rendered"
            if split.orbit
            else "check its cameras and masks, and whether its objects lie in the box"
        )
        if np.isnan(agreement):
            raise ValueError(
                f"The images of the {split.name} split are empty: no pixel of the "
                "objects looked at is covered by half or more."
            )
        if agreement < _WRONG:
            raise ValueError(f"{found}; {cure}.")
        if agreement < _DOUBTFUL:
            warnings.warn(f"{found}; {cure}.", stacklevel=2)


def measure_agreement(split: Split) -> float:
    """Measures how much of the silhouettes a mesh can fill.

    The points of the cube ``(-0.5, 0.5)^3`` that every camera sees within a silhouette
    are the largest mesh that no silhouette contradicts. If the cameras took the images,
    it fills the silhouettes. Cameras that are too near, or of too narrow a field of
    view, are not found: they see a smaller object.

    Args:
        split: the objects; the first ones of its categories are looked at.

    Returns:
        Part of the silhouettes' pixels that the mesh covers, mean over views and
        objects, 0 to 1; NaN if all silhouettes are empty.
    """
    chosen = split.categories[:: -(-len(split.categories) // _OBJECTS)]
    per_category = max(_OBJECTS // len(chosen), 1)
    shared: list[_Places] = []
    parts = []
    for category in chosen:
        for number in range(min(per_category, split.count(category))):
            count = int(split.view_counts(category)[number])
            views = np.unique(np.linspace(0, count - 1, min(count, _VIEWS)).astype(int))
            objects = np.full(len(views), number)
            alpha = split.images(category, objects, views)[:, 3]
            places = shared or list(
                _project(split.cameras(category, objects, views), split.image_size)
            )
            if split.orbit:
                shared = places
            parts += _cover(alpha, places)
    return float(np.mean(parts)) if parts else float("nan")


def _project(cameras: camera.Camera, image_size: int) -> Iterator[_Places]:
    """Projects the centres of all cells by each camera."""
    steps = ((np.arange(_CELLS) + 0.5) / _CELLS - 0.5).astype(np.float32)
    points = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    project, half = jax.jit(camera.project), image_size / 2
    for number in range(len(cameras.position)):
        one = jax.tree.map(lambda part: part[number], cameras)  # noqa: B023
        x, y, depth = np.asarray(project(one, points)).T
        front = depth > 0
        columns = np.floor(np.clip(half * (1 + x), -1, image_size)).astype(int)
        rows = np.floor(np.clip(half * (1 - y), -1, image_size)).astype(int)
        inside = front & (np.minimum(rows, columns) >= 0)
        inside &= np.maximum(rows, columns) < image_size
        # from the centre of a cell to its corner, seen from the nearest one
        corner = np.sqrt(3) / 2 / _CELLS / max(depth[front].min(initial=10), 0.1)
        reach = np.ceil(corner * np.max(one.focal_length) * half)
        width = 2 * min(int(reach), image_size) + 1
        yield _Places(rows * inside, columns * inside, inside, front, width)


def _cover(alpha: np.ndarray, places: list[_Places]) -> list[float]:
    """Parts of an object's silhouettes that the largest mesh within them covers.

    Thin parts that cover less than half of a pixel are seen, but need not be covered.
    """
    from scipy import ndimage  # takes a while

    kept = np.ones(_CELLS**3, bool)
    views = [pair for pair in zip(alpha, places, strict=True) if (pair[0] >= 128).any()]
    for image, place in views:
        mask = image > 0
        wide = ndimage.maximum_filter(mask, place.width)
        # an object that the border cuts off goes on beyond it
        beyond = mask[[0, -1]].any() or mask[:, [0, -1]].any()
        seen = wide[place.rows, place.columns]
        kept &= np.where(place.inside, seen, place.front & beyond)
    parts = []
    for image, place in views:
        drawn = kept & place.inside
        mesh = np.zeros(image.shape, bool)
        mesh[place.rows[drawn], place.columns[drawn]] = True
        covered = ndimage.maximum_filter(mesh, place.width)
        parts.append(float(np.mean(covered[image >= 128])))
    return parts
