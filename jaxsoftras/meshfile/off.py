"""OFF files (Object File Format), with colours of vertices or faces."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.mesh import Mesh
from jaxsoftras.texture import FaceColors, Texture, VertexColors


def _colors(words: list[list[str]]) -> np.ndarray | None:
    """Rows of three or four numbers to ``[N, 3]`` in [0, 1]; None if any has fewer."""
    if not words or any(len(row) not in (3, 4) for row in words):
        return None
    colors = np.array([row[:3] for row in words], float)
    # whole numbers go up to 255
    return colors if any("." in word for row in words for word in row) else colors / 255


def read(path: Path) -> Mesh:
    """Reads a text OFF, COFF, NOFF or CNOFF file; polygons are cut into fans.

    Returns:
        Vertices ``[V, 3]`` and faces ``[F, 3]`` in the file's order, numpy arrays.

    Raises:
        ValueError: with what is wrong, to follow the file's name.
    """
    text = re.sub(r"#.*", "", path.read_text("utf-8", errors="replace"))
    # the counts may follow on the first line, in some collections without a space
    header = re.match(r"\s*(C?N?)OFF\b|\s*(C?)OFF(?=\d)", text)
    if header is None:
        raise ValueError("it does not begin with OFF, COFF, NOFF or CNOFF")
    prefix = header[1] or header[2] or ""
    rows = [line.split() for line in text[header.end() :].splitlines() if line.strip()]
    try:
        vertex_count, face_count = map(int, rows.pop(0)[:2])
    except (IndexError, ValueError):
        raise ValueError("it does not say how many vertices and faces it has") from None
    if len(rows) < vertex_count + face_count or min(vertex_count, face_count) < 0:
        raise ValueError(
            f"it should have {vertex_count} vertices and {face_count} faces, and ends "
            "before"
        )
    vertex_rows = rows[:vertex_count]
    polygons = rows[vertex_count : vertex_count + face_count]

    faces, owners, color_words = [], [], []
    for k, (size, *words) in enumerate(polygons):
        corners = [int(word) for word in words[: int(size)]]
        if len(corners) != int(size):
            raise ValueError(f"face {k} has fewer than its {size} corners")
        for b, c in zip(corners[1:-1], corners[2:], strict=True):
            faces.append((corners[0], b, c))
            owners.append(k)
        color_words.append(words[int(size) :])

    texture: Texture | None = None
    first_color = 6 if "N" in prefix else 3
    vertex_colors = _colors([row[first_color:] for row in vertex_rows])
    face_colors = _colors(color_words)
    if "C" in prefix and vertex_colors is not None:
        texture = VertexColors(vertex_colors)
    elif face_colors is not None:
        texture = FaceColors(face_colors[owners])
    return Mesh(
        np.array([row[:3] for row in vertex_rows], float).reshape(-1, 3),
        np.array(faces, int).reshape(-1, 3),
        texture,
    )


def _rows(numbers: np.ndarray) -> list[str]:
    return [" ".join(format(x, ".9g") for x in row) for row in numbers.tolist()]


def _color_rows(values: ArrayLike) -> list[str]:
    """Red, green, blue and opacity, with the points that tell them from 0 to 255."""
    return [
        " ".join(format(x, ".7f") for x in (*row, 1))
        for row in np.asarray(values).tolist()
    ]


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """The file of a mesh, by name.

    Args:
        mesh: numpy arrays; a texture of vertices or faces, of three channels.
        name: of the file.
    """
    faces = np.asarray(mesh.faces)
    header = "OFF"
    vertex_rows = _rows(np.asarray(mesh.vertices))
    face_rows = _rows(np.insert(faces, 0, 3, axis=1))
    match mesh.texture:
        case VertexColors(values):
            header = "COFF"
            vertex_rows = map(
                " ".join, zip(vertex_rows, _color_rows(values), strict=True)
            )
        case FaceColors(values):
            face_rows = map(" ".join, zip(face_rows, _color_rows(values), strict=True))
    counts = f"{len(mesh.vertices)} {len(faces)} 0"
    lines = [header, counts, *vertex_rows, *face_rows]
    return {name: "".join(f"{line}\n" for line in lines).encode()}
