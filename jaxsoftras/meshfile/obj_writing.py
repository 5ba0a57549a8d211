"""Writes Wavefront OBJ files with their materials (MTL) and images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors


def _rows(keyword: str, values: np.ndarray) -> Iterator[str]:
    """Formats a line for each row of numbers."""
    for row in values.tolist():
        yield " ".join([keyword, *(format(value, ".9g") for value in row)])


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as an OBJ file with its MTL and PNG files.

    Args:
        mesh: numpy arrays; None, `VertexColors`, `FaceColors` or `UVTexture` with three
            channels.
        name: name of the OBJ file; the others have the same stem.

    Returns:
        The contents by file name, each after the files that it refers to.
    """
    stem = Path(name).stem
    vertices, faces, texture = mesh
    faces = np.asarray(faces)
    head, materials, images = [], [], {}
    words = (faces + 1).astype(str)
    start = {}  # line in front of a face
    match texture:
        case VertexColors(values):
            vertices = np.concatenate([vertices, values], axis=-1)
        case FaceColors(values):
            colors, index = np.unique(values, axis=0, return_inverse=True)
            for k, line in enumerate(_rows("Kd", colors)):
                materials += [f"newmtl color{k}", line]
            start = {
                int(face): f"usemtl color{index[face]}"
                for face in np.flatnonzero(np.diff(index, prepend=-1))
            }
        case UVTexture(coordinates, image, wrap):
            corners = np.asarray(coordinates).reshape(-1, 2)
            uvs, index = np.unique(corners, axis=0, return_inverse=True)
            words = words + np.array("/") + (index.reshape(-1, 3) + 1).astype(str)
            head = list(_rows("vt", uvs))
            option = "-clamp on " if wrap == "clamp" else ""
            materials = ["newmtl image", "Kd 1 1 1", f"map_Kd {option}{stem}.png"]
            images = {f"{stem}.png": imagefile.encode_png(np.asarray(image))}
            start = {0: "usemtl image"}
    lines = [f"mtllib {stem}.mtl"] if materials else []
    lines += [*_rows("v", np.asarray(vertices)), *head]
    for face, corners in enumerate(words.tolist()):
        if face in start:
            lines.append(start[face])
        lines.append(" ".join(["f", *corners]))
    files = {f"{stem}.mtl": materials} if materials else {}
    files[name] = lines
    return images | {
        file: "".join(f"{line}\n" for line in text).encode()
        for file, text in files.items()
    }
