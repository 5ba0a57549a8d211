"""OFF files (Object File Format) with colours of vertices or faces.

They are not left to trimesh (5.2), which ignores colours, puts triangles before
polygons, and accepts files that end before their last face.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import polygons, text
from jaxsoftras.meshfile.surface import Surface, with_opacity
from jaxsoftras.texture import FaceColors, VertexColors

# In front of OFF: texture coordinates, colours, normals, a fourth coordinate. The
# counts may follow, in some collections without a space.
_HEADER = re.compile(
    rb"\s*((?:ST|C|N|4)*)OFF(?![A-Z])|\s*((?:st|c|n|4)*)off(?![a-z])(?=)"
)


class _Row(NamedTuple):
    """A line with content.

    Attributes:
        line: its number.
        words: its words.
    """

    line: int
    words: list[bytes]


def _error(subject: str, row: _Row) -> ValueError:
    shown = text.show(b" ".join(row.words))
    return ValueError(f"{subject} in line {row.line} is not understood: {shown[:60]!r}")


def _read_rows(path: Path) -> tuple[bytes, list[_Row]]:
    """Reads the prefix of the header, such as ``CN``, and the lines after it."""
    content = re.sub(rb"#[^\r\n]*", b"", text.read(path))
    header = _HEADER.match(content)
    if header is None:
        raise ValueError(
            "it does not begin with OFF, after ST, C, N or 4 for texture coordinates, "
            "colours, normals or a fourth coordinate"
        )
    before = len(content[: header.end()].splitlines())
    rest = content[header.end() :]
    if rest.split()[:1] == [b"BINARY"]:
        raise ValueError("it is a binary OFF file; save it as text")
    rows = [
        _Row(number, words)
        for number, line in enumerate(rest.splitlines(), before)
        if (words := line.split())
    ]
    for row in rows if b"_" in rest else ():
        if any(b"_" in word for word in row.words):  # which Python would skip
            raise _error("a number", row)
    return (header[1] or header[2] or b"").upper(), rows


def _parse_counts(rows: list[_Row]) -> tuple[int, int]:
    """Parses the numbers of vertices and faces."""
    try:
        vertices, faces = map(int, rows[0].words[:2])
        if min(vertices, faces) < 0:
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError("the numbers of vertices and faces are missing") from None
    if len(rows) < 1 + vertices + faces:
        raise ValueError(
            f"it should have {vertices} vertices and {faces} faces, and ends before"
        )
    return vertices, faces


def _parse_vertices(rows: Sequence[_Row], least: int) -> np.ndarray:
    """Parses the numbers of vertices; what short rows lack is NaN."""
    parsed = []
    for k, (line, words) in enumerate(rows):
        try:
            numbers = list(map(text.parse_float, words))
        except ValueError:
            raise _error(f"vertex {k}", rows[k]) from None
        if len(numbers) < least:
            raise ValueError(
                f"vertex {k} in line {line} has {len(numbers)} numbers, fewer than "
                f"{least}"
            )
        parsed.append(numbers)
    width = max(map(len, parsed), default=least)
    if all(len(numbers) == width for numbers in parsed):
        return np.array(parsed, float).reshape(-1, width)
    # no more than colours and texture coordinates may be missing
    width = min(width, least + 6)
    values = np.full((len(rows), width), np.nan)
    for value, numbers in zip(values, parsed, strict=True):
        value[: len(numbers)] = numbers[:width]
    return values


def _scale_colors(
    colors: np.ndarray, subject: str
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Scales colours ``[N, 4]`` to [0, 1]; NaN where there is none, or no opacity."""
    colors[np.any(np.isnan(colors[:, :3]), axis=1)] = np.nan
    if np.all(np.isnan(colors)):
        return None, ()
    # opacities up to 255 tell the range of dark colours, too; but they may also range
    # to 1 beside colours that range to 255
    whole = np.all(np.isnan(colors) | (colors == np.floor(colors)))
    scaled, notes = text.scale_colors(colors if whole else colors[:, :3], subject)
    alpha, more = text.scale_colors(colors[:, 3:], subject)
    return np.append(scaled[:, :3], alpha, axis=1), notes + more


class _Faces(NamedTuple):
    """Polygons.

    Attributes:
        corners: ``[C]`` vertex indices of all polygons.
        counts: ``[N]`` number of corners of each.
        colors: ``[N, 4]`` numbers that follow the corners; NaN where there are none.
        notes: what is left out.
    """

    corners: np.ndarray
    counts: np.ndarray
    colors: np.ndarray
    notes: list[str]


def _parse_faces(rows: Sequence[_Row]) -> _Faces:
    """Parses polygons and their colours."""
    corners, counts = [], []
    colors, odd = np.full((len(rows), 4), np.nan), 0
    for k, row in enumerate(rows):
        subject, words = "the number of corners of face", row.words
        try:
            count = int(words[0])
            subject = "face"
            indices = list(map(int, words[1 : 1 + max(count, 0)]))
            extra, subject = words[1 + max(count, 0) :], "the colour of face"
            if len(extra) >= 3:
                numbers = list(map(text.parse_float, extra[:4]))
                colors[k, : len(numbers)] = numbers
            elif extra:
                odd += 1
        except ValueError:
            raise _error(f"{subject} {k}", row) from None
        if len(indices) != count:
            raise ValueError(
                f"face {k} in line {row.line} has fewer than its "
                f"{text.show(words[0])} corners"
            )
        corners += indices
        counts.append(count)
    notes = []
    if odd:
        notes.append(
            f"colours of faces that are not red, green and blue: {odd}, left out"
        )
    return _Faces(text.as_indices(corners), np.array(counts, int), colors, notes)


def read(path: Path) -> Surface:
    """Reads a text OFF file.

    Returns:
        Vertices and faces in the file's order, with the colours of the vertices or
        else of the faces.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    prefix, rows = _read_rows(path)
    vertex_count, face_count = _parse_counts(rows)
    vertex_rows, face_rows = rows[1 : 1 + vertex_count], rows[1 + vertex_count :]
    size = 4 if b"4" in prefix else 3
    after = size + (size if b"N" in prefix else 0)
    st = 2 if b"ST" in prefix else 0
    values = _parse_vertices(vertex_rows, after + st)
    faces = _parse_faces(face_rows[:face_count])
    notes = faces.notes
    if extra := len(face_rows) - face_count:
        notes.append(f"lines after the last face: {extra}, left out")
    vertices = values[:, :3] / values[:, 3:4] if size == 4 else values[:, :3]

    colors = None
    if b"C" in prefix.replace(b"ST", b""):
        wide = min(values.shape[1] - after - st, 4)
        numbers = np.full((len(values), 4), np.nan)
        numbers[:, :wide] = values[:, after : after + wide]
        colors, more = _scale_colors(numbers, "vertices")
        notes.extend(more)
    face_colors, more = _scale_colors(faces.colors, "faces")
    notes.extend(more)
    triangles = polygons.triangulate(vertices, faces.corners, faces.counts)
    if colors is not None and face_colors is not None:
        notes.append("the colours of faces are left out beside those of vertices")
        face_colors = None
    index = faces.corners[triangles.corners]
    uvs = None
    if st:
        uvs = values[:, -2:][np.clip(index, 0, max(len(values) - 1, 0))]
    return Surface(
        vertices,
        index,
        colors,
        None if face_colors is None else face_colors[triangles.owners],
        uvs,
        notes=(*notes, *triangles.notes),
    )


def _rows(numbers: np.ndarray) -> list[str]:
    """Formats a line for each row of numbers."""
    return [" ".join(format(x, ".9g") for x in row) for row in numbers.tolist()]


def _color_rows(values: ArrayLike) -> list[str]:
    """Formats colours with opacity; decimal points distinguish them from 0 to 255."""
    colors = with_opacity(np.asarray(values))
    return [" ".join(format(x, ".7f") for x in row) for row in colors.tolist()]


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as an OFF file.

    Args:
        mesh: numpy arrays; None, `VertexColors` or `FaceColors` with three channels,
            and opacity if it is transparent.
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
