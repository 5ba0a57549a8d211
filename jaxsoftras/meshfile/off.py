"""OFF files (Object File Format) with colours of vertices or faces.

They are not left to trimesh (5.2), which ignores colours, puts triangles before
polygons, and accepts files that end before their last face.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.mesh import Mesh
from jaxsoftras.texture import FaceColors, Texture, VertexColors


def _parse(kind: str, number: int, words: Sequence[str], to: type) -> list:
    """Parses the numbers of a vertex or face; errors name it."""
    try:
        return [to(word) for word in words]
    except ValueError:
        line = " ".join(words)
        raise ValueError(f"{kind} {number} is not understood: {line[:60]!r}") from None


def _parse_colors(kind: str, rows: list[list[str]], name: str) -> np.ndarray | None:
    """Parses the colours of all vertices or faces.

    Args:
        kind: ``"vertex"`` or ``"face"``, for messages.
        rows: red, green, blue and perhaps opacity of each, as words.
        name: name of the file, for the warning.

    Returns:
        ``[N, 3]`` in [0, 1]; None if there are none.
    """
    if not any(rows):
        return None
    incomplete = sum(len(row) not in (3, 4) for row in rows)
    if incomplete:
        warnings.warn(
            f"{name} has no red, green and blue for {incomplete} of its {len(rows)} "
            f"{kind} colours; loaded without them.",
            stacklevel=5,
        )
        return None
    colors = np.array(
        [
            _parse(f"the colour of {kind}", k, row[:3], float)
            for k, row in enumerate(rows)
        ]
    )
    # integers range up to 255
    return colors if any("." in word for row in rows for word in row) else colors / 255


def read(path: Path) -> Mesh:
    """Reads a text OFF, COFF, NOFF or CNOFF file; polygons are split into fans.

    Returns:
        Vertices ``[V, 3]`` and faces ``[F, 3]`` in the file's order, numpy arrays, with
        the texture of the file.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    # some programs begin a file with a byte order mark
    text = re.sub(r"#.*", "", path.read_text("utf-8-sig", errors="replace"))
    # the counts may follow on the first line, in some collections without a space
    header = re.match(r"\s*(C?N?)OFF\b|\s*(C?)OFF(?=\d)", text)
    if header is None:
        raise ValueError("it does not begin with OFF, COFF, NOFF or CNOFF")
    prefix = header[1] or header[2] or ""
    rows = [line.split() for line in text[header.end() :].splitlines() if line.strip()]
    try:
        vertex_count, face_count = map(int, rows.pop(0)[:2])
    except (IndexError, ValueError):
        raise ValueError("the numbers of vertices and faces are missing") from None
    if len(rows) < vertex_count + face_count or min(vertex_count, face_count) < 0:
        raise ValueError(
            f"it should have {vertex_count} vertices and {face_count} faces, and ends "
            "before"
        )
    vertex_rows = rows[:vertex_count]
    polygons = rows[vertex_count : vertex_count + face_count]

    vertices = [
        _parse("vertex", k, row[:3], float) for k, row in enumerate(vertex_rows)
    ]
    for k, vertex in enumerate(vertices):
        if len(vertex) < 3:
            raise ValueError(f"vertex {k} has fewer than three coordinates")

    faces, owners, face_colors = [], [], []
    for k, (size, *words) in enumerate(polygons):
        [count] = _parse("the number of corners of face", k, [size], int)
        corners = _parse("face", k, words[:count], int)
        if len(corners) != count:
            raise ValueError(f"face {k} has fewer than its {size} corners")
        for b, c in zip(corners[1:-1], corners[2:], strict=True):
            faces.append((corners[0], b, c))
            owners.append(k)
        face_colors.append(words[count:])

    texture: Texture | None = None
    if "C" in prefix:
        start = 6 if "N" in prefix else 3
        colors = _parse_colors(
            "vertex", [row[start:] for row in vertex_rows], path.name
        )
        texture = None if colors is None else VertexColors(colors)
    if texture is None:
        colors = _parse_colors("face", face_colors, path.name)
        texture = None if colors is None else FaceColors(colors[owners])
    return Mesh(
        np.array(vertices, float).reshape(-1, 3),
        np.array(faces, int).reshape(-1, 3),
        texture,
    )


def _rows(numbers: np.ndarray) -> list[str]:
    """Formats a line for each row of numbers."""
    return [" ".join(format(x, ".9g") for x in row) for row in numbers.tolist()]


def _color_rows(values: ArrayLike) -> list[str]:
    """Formats colours with opacity; decimal points distinguish them from 0 to 255."""
    return [
        " ".join(format(x, ".7f") for x in (*row, 1))
        for row in np.asarray(values).tolist()
    ]


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as an OFF file.

    Args:
        mesh: numpy arrays; None, `VertexColors` or `FaceColors` with three channels.
        name: name of the file.

    Returns:
        The content by file name.
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
