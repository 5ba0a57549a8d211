"""Pictures of an ellipsoid with masks and cameras, and data sets of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxsoftras import config, data
from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.pictures import import_pictures
from jaxsoftras.data.pictures_writing import Report

CENTER, RADII = np.array([0.5, -1.0, 2.0]), np.array([1.5, 1.0, 0.5])
SIZE = 32  # of the images of data sets
KEEP = Options(size=SIZE, keep_frame=True)  # needs no carving
WIDTH, HEIGHT = 48, 40
INTRINSICS = np.array([[70.0, 0, 25.0], [0, 66.0, 18.0], [0, 0, 1]])


def pose(
    azimuth: float, elevation: float, distance: float = 7.0
) -> tuple[np.ndarray, np.ndarray]:
    """R and t of a camera that looks at the middle of the ellipsoid, x right, y down.

    Angles are in degrees. Azimuth 0 looks along +z, azimuth 90 along -x.
    """
    a, e = np.deg2rad([azimuth, elevation])
    backward = [np.cos(e) * np.sin(a), np.sin(e), -np.cos(e) * np.cos(a)]
    forward = -np.array(backward)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return rotation, -rotation @ (CENTER - distance * forward)


def mask(
    rotation: np.ndarray,
    translation: np.ndarray,
    *,
    intrinsics: np.ndarray = INTRINSICS,
    radial: float = 0.0,
) -> np.ndarray:
    """Pixels ``[H, W]`` whose ray meets the ellipsoid, of a lens with one k1."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    bent = pixels @ np.linalg.inv(intrinsics).T
    plane = bent[..., :2]
    for _ in range(50):  # the inverse of the lens
        plane = bent[..., :2] / (1 + radial * (plane**2).sum(-1, keepdims=True))
    rays = np.concatenate([plane, np.ones((*plane.shape[:2], 1))], axis=-1) @ rotation
    start = (-rotation.T @ translation - CENTER) / RADII
    rays = rays / RADII
    b, a = rays @ start, (rays**2).sum(-1)
    return b**2 > a * (start @ start - 1)


def entry(rotation: np.ndarray, translation: np.ndarray, **more: Any) -> dict[str, Any]:
    return {
        "K": INTRINSICS.tolist(),
        "R": rotation.tolist(),
        "t": translation.tolist(),
        **more,
    }


def save_rgba(path: Path, covered: np.ndarray) -> None:
    color = np.full((*covered.shape, 3), (200, 100, 0), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    alpha = 255 * covered[..., None].astype(np.uint8)
    Image.fromarray(np.concatenate([color, alpha], axis=-1)).save(path)


def write_object(
    folder: Path, count: int = 6, *, unit_box: bool = False
) -> dict[str, Any]:
    """Writes pictures from all around with a camera file; returns its entries.

    In the unit box, the ellipsoid is moved to the origin and made smaller: the pictures
    are the same.
    """
    entries = {}
    for number in range(count):
        view = pose(360 / count * number, 20 - 40 * (number % 2))
        save_rgba(folder / f"{number}.png", mask(*view))
        if unit_box:
            view = view[0], (view[1] + view[0] @ CENTER) / (2 * RADII.max())
        entries[f"{number}.png"] = entry(*view)
    write_cameras(folder, entries)
    return entries


def write_cameras(folder: Path, entries: dict[str, Any]) -> None:
    (folder / "cameras.json").write_text(json.dumps({"pictures": entries}))


def take(root: Path, options: Options = KEEP) -> tuple[Report, data.Split | None]:
    """Makes a data set of a folder beside it: what came of it, and the training set."""
    report = import_pictures(root, root.parent / "set", options)
    settings = config.Data(root=str(root.parent / "set"))
    return report, data.open_split(settings, "train") if report.objects else None
