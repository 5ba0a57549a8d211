"""Wavefront OBJ files with their materials (MTL) and images.

They are not left to trimesh, which splits vertices along the seams of textures: a
closed surface would no longer be closed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxsoftras.meshfile import mtl, polygons, text
from jaxsoftras.meshfile.surface import Material, Surface

# statements without effect on the faces and their colours
_IGNORED = frozenset(
    b"vn vp g s mg o bevel c_interp d_interp lod maplib shadow_obj trace_obj ctech "
    b"stech cstype deg bmat step parm trim hole scrv sp end con res".split()
)
_LOST = {
    b"p": "points",
    b"l": "lines",
    b"curv": "curves",
    b"curv2": "curves",
    b"surf": "curved surfaces",
    b"cdc": "curves",
    b"cdp": "patches",
    b"bsp": "patches",
    b"bzp": "patches",
    b"call": "other files that it includes",
    b"csh": "commands that it includes",
    b"usemap": "maps of `usemap`",
}


@dataclasses.dataclass
class _Statements:
    """Statements of an OBJ file, sorted by their kind.

    Attributes:
        vertices: words of each vertex.
        uvs: words of each pair of texture coordinates.
        lines: numbers of the lines of the vertices and of the texture coordinates.
        corners: vertex and texture coordinates of each corner of each face: from 1, or
            0 for none.
        counts: number of corners of each face.
        face_lines: number of the line of each face.
        face_materials: index in `names` of the material of each face, -1 for none.
        names: names of the materials.
        libraries: names of the material libraries.
        lost: what is left out.
    """

    vertices: list[list[bytes]]
    uvs: list[list[bytes]]
    lines: tuple[list[int], list[int]]
    corners: tuple[list[int], list[int]]
    counts: list[int]
    face_lines: list[int]
    face_materials: list[int]
    names: dict[bytes, int]
    libraries: list[bytes]
    lost: dict[str, None]


def _syntax_error(path: Path, number: int, statement: bytes) -> ValueError:
    shown = text.show(statement)[:60]
    return ValueError(f"line {number} of {path.name} is not understood: {shown!r}")


def _parse_face(words: Sequence[bytes], read: _Statements) -> None:
    """Parses the corners of a face, such as ``1/1/1`` or ``-1//1``.

    Raises:
        ValueError: a corner without a vertex, or that counts back to before the first.
    """
    vertices, uvs = read.corners
    for word in words:
        vertex, _, rest = word.partition(b"/")
        uv = rest.partition(b"/")[0]
        v, t = int(vertex), int(uv or 0)
        # negative indices count back from the newest entry
        if v < 0:
            v += len(read.vertices) + 1
        if t < 0:
            t += len(read.uvs) + 1
        if v <= 0 or t < (uv != b""):
            raise ValueError(word)
        vertices.append(v)
        uvs.append(t)


def _sort_statements(path: Path) -> _Statements:
    """Reads the statements of an OBJ file.

    Raises:
        ValueError: a face that is not understood.
    """
    read = _Statements([], [], ([], []), ([], []), [], [], [], {}, [], {})
    material, unknown = -1, []
    for number, statement in text.split_statements(text.read(path)):
        keyword, *rest = statement.split(maxsplit=1)
        keyword, rest = keyword.lower(), rest[0] if rest else b""
        if keyword in (b"v", b"vt", b"f", b"fo"):
            words = rest.partition(b"#")[0].split()
            if keyword == b"v":
                read.vertices.append(words)
                read.lines[0].append(number)
            elif keyword == b"vt":
                read.uvs.append(words if len(words) != 1 else [*words, b"0"])
                read.lines[1].append(number)
            else:
                try:
                    if b"_" in rest:  # which Python would skip
                        raise ValueError
                    _parse_face(words, read)
                except ValueError:
                    raise _syntax_error(path, number, statement) from None
                read.counts.append(len(words))
                read.face_lines.append(number)
                read.face_materials.append(material)
        elif keyword == b"usemtl":
            material = read.names.setdefault(rest, len(read.names))
        elif keyword == b"mtllib":
            read.libraries.append(rest)
        elif keyword in _LOST:
            read.lost[f"{_LOST[keyword]} are left out"] = None
        elif keyword not in _IGNORED:
            unknown.append((number, keyword))
    if unknown:
        number, keyword = unknown[0]
        more = f", and so do {len(unknown) - 1} more" if len(unknown) > 1 else ""
        word = text.show(keyword)[:60]
        read.lost[f"line {number} begins with an unknown word, {word!r}{more}"] = None
    return read


def _parse_rows(
    path: Path, keyword: bytes, rows: list[list[bytes]], lines: list[int], least: int
) -> np.ndarray:
    """Parses rows of numbers; those of short rows are NaN.

    Args:
        path: the file.
        keyword: first word of the statements.
        rows: the words of each row.
        lines: number of the line of each row.
        least: least number of words of a row.
    """
    width = max(map(len, rows), default=least)
    # fast, where all rows are alike; a word that is no number is looked for below
    with contextlib.suppress(ValueError):
        if least <= min(map(len, rows), default=least) == width <= 8:
            flat = list(itertools.chain.from_iterable(rows))
            if not any(b"_" in word for word in flat):
                return np.array(list(map(float, flat))).reshape(-1, width)
    values = np.full((len(rows), min(width, 8)), np.nan)
    for k, (row, number) in enumerate(zip(rows, lines, strict=True)):
        try:
            if len(row) < least:
                raise ValueError
            values[k, : len(row)] = [text.parse_float(word) for word in row[:8]]
        except ValueError:
            statement = b" ".join([keyword, *row])
            raise _syntax_error(path, number, statement) from None
    return values


def _vertex_colors(values: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Colours of vertices, which follow their positions; NaN where there are none."""
    if values.shape[1] < 6:  # one more number is a weight
        return None, ()
    colors = np.array(values[:, 3:6])
    colors[~np.all(np.isfinite(colors), axis=1)] = np.nan
    if np.all(np.isnan(colors)):
        return None, ()
    return text.scale_colors(colors, "vertices")


def _look_up(
    path: Path, what: str, index: np.ndarray, count: int, read: _Statements
) -> np.ndarray:
    """Converts indices of corners to start from 0; -1 is none.

    Raises:
        ValueError: an index beyond the last entry.
    """
    wrong = np.flatnonzero(index > count)
    if len(wrong):
        face = np.searchsorted(np.cumsum(read.counts), wrong[0], "right")
        raise ValueError(
            f"line {read.face_lines[face]} of {path.name} refers to {what} "
            f"{index[wrong[0]]}, and the file has {count}"
        )
    return index - 1


def _name_materials(read: _Statements, defined: Sequence[bytes]) -> list[bytes]:
    """Names of the materials by the index of the faces.

    A library with a single material is meant to be used, if no material is named.
    """
    if not read.names and len(defined) == 1:
        read.face_materials[:] = [0] * len(read.face_materials)
        return list(defined)
    return list(read.names)


def _color_by_vertex(
    index: np.ndarray, materials: tuple[Material, ...], colored: np.ndarray
) -> tuple[np.ndarray, tuple[Material, ...]]:
    """Puts the colours of vertices in the place of those of materials without images.

    Args:
        index: ``[F]`` material of each face, -1 for none.
        materials: the materials.
        colored: ``[F]`` whether a face has vertex colours.

    Returns:
        Index and materials, to which the opacities of others may be added.
    """
    instead = [-1] * (len(materials) + 1)
    for k, material in enumerate(materials):
        opacity = material.color[3]
        if material.image is not None:
            instead[k] = k
        elif opacity < 1:
            instead[k] = len(materials)
            white = material._replace(color=np.array([1, 1, 1, opacity]))
            materials = (*materials, white)
    return np.where(colored, np.array(instead)[index], index), materials


def read(path: Path) -> Surface:
    """Reads an OBJ file with its materials.

    Vertex colours take the place of the colours of materials, but not of images. The
    texture coordinates of a material are multiplied by its option ``-s``, then moved by
    ``-o``.

    Args:
        path: the file; materials and images are expected beside it.

    Returns:
        Vertices and faces in the file's order.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    content = _sort_statements(path)
    lines = content.lines
    values = _parse_rows(path, b"v", content.vertices, lines[0], 3)
    uv_values = _parse_rows(path, b"vt", content.uvs, lines[1], 2)[:, :2]
    vertex, uv = map(text.as_indices, content.corners)
    vertex = _look_up(path, "vertex", vertex, len(values), content)
    uv = _look_up(path, "texture coordinates", uv, len(uv_values), content)
    libraries = mtl.read_libraries(path, content.libraries)
    names = _name_materials(content, list(libraries.materials))
    materials = mtl.load_materials(names, libraries.materials)
    colors, notes = _vertex_colors(values)
    triangles = polygons.triangulate(values[:, :3], vertex, content.counts)
    notes += (*triangles.notes, *content.lost, *libraries.notes, *materials.notes)

    faces = vertex[triangles.corners]
    index = np.array(content.face_materials, int)[triangles.owners]
    index = np.append(materials.index, -1)[index]
    uvs = None
    if len(uv_values):
        uv = uv[triangles.corners]
        uvs = np.where(uv[..., None] >= 0, uv_values[uv], np.nan)
        for k, placed in enumerate(materials.placed):
            if placed.scale != (1, 1) or placed.offset != (0, 0):
                uvs[index == k] = uvs[index == k] * placed.scale + placed.offset
    shown = materials.materials
    if colors is not None:
        colored = np.any(~np.isnan(colors[faces, 0]), axis=1)
        index, shown = _color_by_vertex(index, shown, colored)
    return Surface(values[:, :3], faces, colors, None, uvs, index, shown, notes)
