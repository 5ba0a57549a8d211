"""Mesh files, by way of trimesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def save(path: str | Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Writes a mesh, in the format that the file's name ends in (obj, ply, stl, ...).

    Args:
        path: of the file; its folder must exist.
        vertices: ``[V, 3]`` positions.
        faces: ``[F, 3]`` vertex indices.

    Raises:
        ValueError: a format that cannot be written.
    """
    import trimesh  # only needed here, and not installed everywhere

    solid = trimesh.Trimesh(np.asarray(vertices), np.asarray(faces), process=False)
    solid.export(path)
