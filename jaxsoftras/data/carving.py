"""Bounding box of an object from its silhouettes, by carving their visual hull.

The visual hull is the set of points that every camera sees within its silhouette. It
holds the object and may be larger: cameras that all look down leave a roof above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_ANGLE = 30.0  # degrees that the lines of sight must span
_CELLS, _LEVELS = 32, 2  # cells along a side, and how often they are then halved
_LARGEST = 20.0  # half a side of the first box, relative to the object's size


class DisagreementError(ValueError):
    """Silhouettes without a common point; the message is meant to follow a name."""


class Silhouette(NamedTuple):
    """A square image of coverage, and the camera that sees it.

    Attributes:
        mask: ``[S, S]`` bool, the object.
        known: ``[S, S]`` bool, pixels of the picture; or None if the object lies within
            it, and everything beyond is known to be background.
        intrinsics: ``[3, 3]`` K, pixels of the mask.
        rotation: ``[3, 3]`` R, world to camera, x right, y down, z forward.
        translation: ``[3]`` t.
    """

    mask: np.ndarray
    known: np.ndarray | None
    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


class _Box(NamedTuple):
    low: np.ndarray
    high: np.ndarray


def find_box(silhouettes: Sequence[Silhouette]) -> tuple[np.ndarray, np.ndarray]:
    """Finds the bounding box of a visual hull, to about a hundredth of its size.

    Args:
        silhouettes: at least two, none of them empty.

    Returns:
        Its lowest and its highest corner, ``[3]`` each, world space.

    Raises:
        ValueError: the cameras look from one direction only, or do not agree.
    """
    box, cell = _bound(silhouettes)
    for _ in range(2):  # the cells become as small as the object permits
        kept, cell = _carve(silhouettes, *_grid(box, _CELLS))
        box = _bounds(kept, cell)
    kept, cell = _grid(box, _CELLS)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for _ in range(_LEVELS):
        kept, cell = _carve(silhouettes, kept, cell)
        low, high = _widen(low, high, silhouettes, kept)
        # cells between points that are known to be inside do not move the bounds
        outer = np.any((kept - cell / 2 < low) | (kept + cell / 2 > high), axis=1)
        kept, cell = _halve(kept[outer], cell)
    low, high = _widen(low, high, silhouettes, kept)
    if np.any(low > high):  # thinner than the cells
        return _bounds(kept, cell)
    return low - cell / 2, high + cell / 2


def find_disagreeing(silhouettes: Sequence[Silhouette]) -> list[int]:
    """Finds silhouettes that do not see the points which most others see.

    Args:
        silhouettes: those without a common point, none of them empty, from directions
            that differ.

    Returns:
        Numbers of the silhouettes beside the largest set that has a common point, as
        far as a grid around the middle of their lines of sight tells; none if the set
        is not larger than the rest.
    """
    middle, half = _aim(_find_sights(silhouettes))
    points, _ = _grid(_Box(middle - 2 * half, middle + 2 * half), 2 * _CELLS)
    sees = np.array([_sees(s, points, 0.0) for s in silhouettes])
    common = sees[:, np.argmax(sees.sum(0))]
    return [] if 2 * common.sum() <= len(common) else np.flatnonzero(~common).tolist()


def find_inside(silhouettes: Sequence[Silhouette]) -> list[int]:
    """Finds cameras that lie within the visual hull of the others, three or more.

    Args:
        silhouettes: none of them empty.

    Returns:
        Numbers of the silhouettes of these cameras.
    """
    if len(silhouettes) < 4:
        return []
    eyes = np.array([-s.rotation.T @ s.translation for s in silhouettes])
    sees = np.array([_sees(s, eyes, 0.0) for s in silhouettes])
    np.fill_diagonal(sees, True)
    return np.flatnonzero(sees.all(0)).tolist()


def _widen(
    low: np.ndarray,
    high: np.ndarray,
    silhouettes: Sequence[Silhouette],
    points: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that hold the points within all silhouettes as well."""
    for silhouette in silhouettes:
        points = points[_sees(silhouette, points, 0.0)]
    return np.min([low, *points], axis=0), np.max([high, *points], axis=0)


class _Sights(NamedTuple):
    """Lines of sight to the middles of silhouettes, and angles that these span.

    Attributes:
        eyes: ``[N, 3]`` positions of the cameras.
        lines: ``[N, 3]`` directions of length 1.
        spreads: ``[N]`` tangents of the angles.
    """

    eyes: np.ndarray
    lines: np.ndarray
    spreads: np.ndarray


def _find_sights(silhouettes: Sequence[Silhouette]) -> _Sights:
    eyes, lines, spreads = [], [], []
    for s in silhouettes:
        rows, columns = np.nonzero(s.mask)
        middle = np.array([columns.mean(), rows.mean(), 1])
        ray = s.rotation.T @ np.linalg.solve(s.intrinsics, middle)
        eyes.append(-s.rotation.T @ s.translation)
        lines.append(ray / np.linalg.norm(ray))
        longest = max(np.ptp(rows), np.ptp(columns)) + 1
        spreads.append(longest / min(s.intrinsics[0, 0], s.intrinsics[1, 1]))
    return _Sights(*map(np.array, (eyes, lines, spreads)))


def _aim(sights: _Sights) -> tuple[np.ndarray, float]:
    """The point nearest to all lines of sight, and half the size of the object there.

    The lines are not parallel.
    """
    eyes, lines, spreads = sights
    across = np.eye(3) - lines[:, :, None] * lines[:, None]
    middle = np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, eyes))
    half = float(np.max(spreads * np.linalg.norm(eyes - middle, axis=1))) / 2
    return middle, half


def _bound(silhouettes: Sequence[Silhouette]) -> tuple[_Box, np.ndarray]:
    """A box that holds the hull, and its cells."""
    sights = _find_sights(silhouettes)
    if np.abs(sights.lines @ sights.lines.T).min() > np.cos(np.deg2rad(_ANGLE)):
        raise ValueError(
            f"its cameras look from directions within {_ANGLE:.0f} degrees, which do "
            "not tell its size; add pictures from the side, or use --keep-frame"
        )
    middle, half = _aim(sights)
    largest = _LARGEST * half
    while half < largest:
        half *= 2
        kept, cell = _carve(
            silhouettes, *_grid(_Box(middle - half, middle + half), _CELLS)
        )
        box = _bounds(kept, cell)
        if np.all(box.low > middle - half) and np.all(box.high < middle + half):
            return box, cell
    raise ValueError(
        "its silhouettes do not bound it: too many are cut off by the border"
    )


def _grid(box: _Box, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres ``[count^3, 3]`` and size ``[3]`` of the cells of a box."""
    cell = (box.high - box.low) / count
    steps = np.stack(np.meshgrid(*[np.arange(count) + 0.5] * 3, indexing="ij"), -1)
    return box.low + steps.reshape(-1, 3) * cell, cell


def _halve(centers: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    corners = np.stack(np.meshgrid(*[[-0.25, 0.25]] * 3, indexing="ij"), -1)
    children = centers[:, None] + corners.reshape(-1, 3) * cell
    return children.reshape(-1, 3), cell / 2


def _bounds(centers: np.ndarray, cell: np.ndarray) -> _Box:
    return _Box(centers.min(0) - cell / 2, centers.max(0) + cell / 2)


def _carve(
    silhouettes: Sequence[Silhouette], centers: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the cells that may hold a point of the hull."""
    radius = float(np.linalg.norm(cell)) / 2
    for silhouette in silhouettes:
        centers = centers[_sees(silhouette, centers, radius)]
        if not centers.size:
            raise DisagreementError(
                "its silhouettes and cameras do not agree: no point lies in all of them"
            )
    return centers, cell


def _sees(silhouette: Silhouette, points: np.ndarray, radius: float) -> np.ndarray:
    """Tells which balls may reach into a silhouette, ``[M]`` bool."""
    seen = points @ silhouette.rotation.T + silhouette.translation
    depth = seen[:, 2]
    front = depth > radius
    if not front.any():
        return depth > -radius
    k = silhouette.intrinsics
    # the largest reach of a ball in pixels, at the nearest one
    nearest = float(depth[front].min())
    off_axis = np.linalg.norm(seen[front, :2], axis=1) / depth[front]
    stretch = 1 + float(off_axis.max()) ** 2
    reach = max(k[0, 0], k[1, 1]) * radius / max(nearest - radius, 1e-9) * stretch
    size = len(silhouette.mask)
    pad = int(min(np.ceil(reach), size))
    # what lies beyond the square is background, or unknown
    mask = np.pad(silhouette.mask, pad + 1)
    unknown = np.zeros_like(mask)
    beyond = False
    if silhouette.known is not None:
        unknown = np.pad(~silhouette.known, pad + 1, constant_values=True)
        beyond = True
    if pad:
        mask = ndimage.maximum_filter(mask, 2 * pad + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = seen @ k.T
        pixels = pixels[:, :2] / pixels[:, 2:]
    places = np.floor(np.nan_to_num(pixels, nan=-1e9) + 0.5) + pad + 1
    within = np.all((places >= 0) & (places < len(mask)), axis=1)
    columns, rows = places[within].astype(int).T
    result = np.full(len(points), beyond)
    result[within] = mask[rows, columns] | unknown[rows, columns]
    # a ball that the camera's plane cuts may reach anywhere
    return np.where(front, result, depth > -radius if radius else False)
