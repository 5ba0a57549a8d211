"""Writes PLY and STL files by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import extras
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile
from jaxsoftras.texture import FaceColors, VertexColors


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as a PLY or STL file.

    Args:
        mesh: numpy arrays; None, or for PLY `VertexColors` or `FaceColors` with three
            channels, and opacity if it is transparent.
        name: name of the file; its suffix determines the format.

    Returns:
        The content by file name.

    Raises:
        MissingExtraError: trimesh is not installed.
    """
    extras.require("write PLY and STL files", "trimesh")
    # trimesh is imported where it is used, because its import is slow
    from trimesh import Trimesh
    from trimesh.visual import ColorVisuals

    visual = None
    match mesh.texture:
        case VertexColors(values):
            colors = imagefile.to_bytes(np.asarray(values))
            visual = ColorVisuals(vertex_colors=colors)
        case FaceColors(values):
            colors = imagefile.to_bytes(np.asarray(values))
            visual = ColorVisuals(face_colors=colors)
    solid = Trimesh(mesh.vertices, mesh.faces, process=False, visual=visual)
    kind = Path(name).suffix.lower().removeprefix(".")
    content: Any = solid.export(file_type=kind)
    return {name: content}
