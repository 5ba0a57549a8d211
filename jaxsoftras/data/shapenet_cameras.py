"""Cameras of the PNG renderings, compared with the rig of Soft Rasterizer.

``cameras.npz`` of an object holds, for each picture i, ``world_mat_i`` (world to
camera; x right, y down, z forward) and ``camera_mat_i`` (to image coordinates from -1,
left and top, to 1). The world has the axes of ShapeNetCore v1.
"""

from __future__ import annotations

import functools
import itertools
import re
import zipfile
from pathlib import Path

import numpy as np

from jaxsoftras.data import build_images, damage, zbuffer
from jaxsoftras.data.rig import SOFTRAS_RIG

TO_MODEL = np.array([[0, 0, -1], [0, 1, 0], [-1, 0, 0]])
"""Model frame of the data sets from the axes of ShapeNetCore v1."""

_TOLERANCE = 0.1  # pixels
_MOST_BYTES = 10_000  # of a matrix, with its header
_CORNERS = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))


def order_views(path: Path, num_views: int, image_size: int) -> np.ndarray:
    """Finds which picture is which view of the rig.

    Cameras agree if they project the corners of the unit cube to the same places,
    within a tenth of a pixel.

    Args:
        path: the file ``cameras.npz``.
        num_views: number of pictures and of views.
        image_size: width and height of the pictures, pixels.

    Returns:
        ``[num_views]`` the picture of each view.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged; a camera is missing, is none, or is not the
            rig's; two are the same.
    """
    matrices = _read_matrices(path)
    worlds, cameras = (
        np.stack([_find(matrices, f"{kind}_{i}", path) for i in range(num_views)])
        for kind in ("world_mat", "camera_mat")
    )
    for name in matrices:
        scaled = name.startswith("scale_mat")
        if scaled and not np.allclose(_find(matrices, name, path), np.eye(4)):
            raise ValueError(f"{path} has a {name} that is not the identity")
    points = cameras[:, :3, :3] @ (
        worlds[:, :3, :3] @ _CORNERS.T + worlds[:, :3, 3:]
    )  # [views, 3, corners]
    with np.errstate(divide="ignore", invalid="ignore"):
        places = (points[:, :2] / points[:, 2:]).swapaxes(1, 2)
    gaps = np.abs(places[:, None] - _rig_places(num_views)).max((-1, -2))
    gaps = np.nan_to_num(gaps * image_size / 2, nan=np.inf)  # [picture, view] pixels
    worst = int(gaps.min(1).argmax())
    if gaps[worst].min() > _TOLERANCE:
        raise ValueError(
            f"{path} has a camera of picture {worst} that is {gaps[worst].min():.1f} "
            "pixels off the rig"
        )
    views = gaps.argmin(1)
    if len(set(views.tolist())) < num_views:
        raise ValueError(f"{path} has two pictures with the same camera")
    return np.argsort(views)


def _read_matrices(path: Path) -> dict[str, np.ndarray]:
    matrices = {}
    with damage.explain(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if not re.fullmatch(r"(world|camera|scale)_mat_\d+", name):
                continue
            if member.file_size > _MOST_BYTES:
                raise ValueError(f"its {member.filename} is larger than a matrix")
            with archive.open(member) as file:
                matrices[name] = np.lib.format.read_array(file, allow_pickle=False)
    return matrices


def _find(matrices: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """Finds a matrix ``[3, 3]``, ``[3, 4]`` or ``[4, 4]``; returns it as ``[4, 4]``."""
    if name not in matrices:
        raise ValueError(f"{path} has no {name}")
    found = matrices[name]
    if found.dtype.kind != "f" or found.shape not in [(3, 3), (3, 4), (4, 4)]:
        raise ValueError(f"{path} has {found.dtype} {list(found.shape)} as {name}")
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{path} has a {name} that is not finite")
    matrix = np.eye(4)
    matrix[: found.shape[0], : found.shape[1]] = found
    return matrix


@functools.cache
def _rig_places(num_views: int) -> np.ndarray:
    """Where the rig sees the corners of the unit cube, ``[views, 8, 2]``, y down."""
    eyes = build_images.orbit_eyes(num_views, SOFTRAS_RIG.elevation)
    corners = _CORNERS @ TO_MODEL.T
    places = [zbuffer.project(corners, eye, SOFTRAS_RIG.half_fov) for eye in eyes]
    return np.stack(places)[..., :2] * (1, -1)
