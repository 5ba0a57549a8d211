"""Folders of small meshes to build data sets from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh, icosphere
from jaxsoftras.meshfile import save_mesh
from jaxsoftras.texture import FaceColors, VertexColors

# a wedge: no two sides, and no image from another side, are alike
CORNERS = np.array(
    [[0, 0, 0], [4, 0, 0], [4, 0, 2], [0, 0, 2], [0, 1, 0], [0, 1, 1]], np.float32
)
FACES = np.array(
    [[0, 1, 2], [0, 2, 3], [0, 4, 1], [4, 5, 2], [4, 2, 1], [3, 2, 5], [0, 3, 5]]
    + [[0, 5, 4]],
    np.int32,
)


def wedge(shift: float = 0.0) -> Mesh:
    """The wedge, somewhere in space, with a colour for each face."""
    colors = np.linspace(0.2, 1, 3 * len(FACES), dtype=np.float32).reshape(-1, 3)
    return Mesh(3 * CORNERS + np.float32(shift), FACES, FaceColors(colors))


def ball() -> Mesh:
    """A coarse sphere with a colour for each vertex."""
    sphere = icosphere(0)
    colors = np.abs(sphere.vertices).clip(0, 1).astype(np.float32)
    return Mesh(sphere.vertices.astype(np.float32), sphere.faces, VertexColors(colors))


def write(folder: Path, meshes: dict[str, Mesh]) -> Path:
    """Writes meshes to files by their paths in a folder."""
    for name, mesh in meshes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_mesh(path, mesh)
    return folder
