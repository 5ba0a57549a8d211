"""PLY files: polygons and triangle strips with colours and texture coordinates.

The format declares properties by name but does not say what they mean; these are the
names that common programs write. Other elements and properties are ignored.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile import imagefile, polygons, text
from jaxsoftras.meshfile.ply_binary import read_binary
from jaxsoftras.meshfile.ply_header import Column, Data, Ragged, parse_header
from jaxsoftras.meshfile.ply_text import read_text
from jaxsoftras.meshfile.surface import Material, Surface

_CORNER_LISTS = ("vertex_indices", "vertex_index")
_COLORS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)
_OPACITIES = ("alpha", "a", "diffuse_alpha")
_COORDINATES = (
    ("s", "t"),
    ("u", "v"),
    ("texture_u", "texture_v"),
    ("texture_s", "texture_t"),
)


class _Corners(NamedTuple):
    """Triangles of a file and the corners that they are from.

    Attributes:
        faces: ``[F, 3]`` vertex indices.
        corners: ``[F, 3]`` indices into the values of the list of corners, or -1.
        owners: ``[F]`` number of the polygon, or -1 in a strip.
    """

    faces: np.ndarray
    corners: np.ndarray
    owners: np.ndarray


def _to_indices(values: np.ndarray, count: int, noun: str) -> np.ndarray:
    """Checks vertex indices and converts them to integers.

    Args:
        values: ``[N]`` of any type.
        count: number of vertices.
        noun: owner of the indices, for the message.
    """
    wrong = ~((values >= 0) & (values < count) & (values % 1 == 0))
    if np.any(wrong):
        raise ValueError(
            f"its {noun} refer to vertex {values[np.argmax(wrong)]:g}, which does not "
            f"exist; it has {count}"
        )
    return values.astype(np.int64)


def _find_list(columns: Mapping[str, Column], names: Iterable[str]) -> Ragged | None:
    """Finds the first list property of one of the names."""
    found = (columns.get(name) for name in names)
    return next((column for column in found if isinstance(column, Ragged)), None)


def _find_scalars(
    columns: Mapping[str, Column], names: Iterable[tuple[str, ...]]
) -> np.ndarray | None:
    """Finds the first group of scalar properties that is there: ``[N, len(group)]``."""
    for group in names:
        found = [columns.get(name) for name in group]
        if all(isinstance(column, np.ndarray) for column in found):
            return np.stack([np.asarray(column) for column in found], axis=-1)
    return None


def _split_strips(strips: Ragged, count: int) -> np.ndarray:
    """Splits triangle strips, which end at a -1 as well, to ``[F, 3]`` vertices."""
    faces = [np.zeros((0, 3), np.int64)]
    ends = np.cumsum(strips.counts)
    breaks = np.flatnonzero(strips.values == -1)
    for strip in np.split(strips.values, np.unique(np.concatenate([ends, breaks]))):
        strip = strip[strip != -1]
        if len(strip) < 3:
            continue
        strip = _to_indices(strip, count, "triangle strips")
        found = np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=-1)
        found[1::2, 1:] = found[1::2, :0:-1]
        a, b, c = found.T
        faces.append(found[(a != b) & (b != c) & (c != a)])
    return np.concatenate(faces)


def _read_corners(data: Data, vertices: np.ndarray) -> tuple[_Corners, tuple[str, ...]]:
    """Reads the faces and strips of a file; returns notes as well."""
    count, notes = len(vertices), ()
    faces = [np.zeros((0, 3), np.int64)]
    corners, owners = faces.copy(), [np.zeros(0, np.int64)]
    lists = _find_list(data.columns.get("face", {}), _CORNER_LISTS)
    if lists is not None:
        index = _to_indices(lists.values, count, "faces")
        split = polygons.triangulate(vertices, index, lists.counts)
        faces.append(index[split.corners])
        corners.append(split.corners)
        owners.append(split.owners)
        notes = split.notes
    elif data.columns.get("face"):
        raise ValueError(f"its faces have no list {' or '.join(_CORNER_LISTS)}")
    strips = _find_list(data.columns.get("tristrips", {}), _CORNER_LISTS)
    if strips is not None:
        faces.append(_split_strips(strips, count))
        corners.append(np.full_like(faces[-1], -1))
        owners.append(np.full(len(faces[-1]), -1))
    parts = (np.concatenate(part) for part in (faces, corners, owners))
    return _Corners(*parts), notes


def _scale_colors(
    values: np.ndarray, kind: str, subject: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales colours to [0, 1].

    Integers of 8 bits stand for 0 to 255, also if they are signed. Larger integers are
    commonly used for the same range, or for 0 to 65535, as floats are for 0 to 255.

    Args:
        values: ``[N, C]``.
        kind: type code as declared.
        subject: what has the colours, for messages.

    Returns:
        Colours, and notes.
    """
    values = np.asarray(values, float)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"its colours of {subject} are not all finite")
    if kind[0] == "f":
        return text.scale_colors(values, subject)
    if kind == "i1":
        values = values % 256
    most = np.max(values, initial=0)
    limits = [255, 65535, np.iinfo(kind).max]
    limit = 255 if kind[1] == "1" else next((m for m in limits if most <= m), most)
    return np.clip(values / limit, 0, 1), ()


def _read_colors(
    data: Data, name: str, subject: str
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Reads colours ``[N, 3 or 4]`` of an element in [0, 1], if any; and notes."""
    columns = data.columns.get(name, {})
    values = _find_scalars(columns, _COLORS)
    if values is None:
        return None, ()
    properties = data.header.elements[name].properties
    key = next(group[0] for group in _COLORS if set(group) <= columns.keys())
    colors, notes = _scale_colors(values, properties[key].type, subject)
    key = next((key for key in _OPACITIES if key in columns), None)
    opacity = None if key is None else _find_scalars(columns, [(key,)])
    if key is not None and opacity is not None:
        # integers that are 0 or 1 throughout say whether there is anything
        kind = "f8" if np.all((opacity == 0) | (opacity == 1)) else properties[key].type
        opacity, more = _scale_colors(opacity, kind, subject)
        notes += more
        colors = np.concatenate([colors, opacity], axis=-1)
    return colors, notes


def _read_uvs(data: Data, corners: _Corners) -> np.ndarray | None:
    """Reads texture coordinates ``[F, 3, 2]`` of faces or else of vertices, if any."""
    columns = data.columns.get("face", {})
    own, lists = _find_list(columns, ["texcoord"]), _find_list(columns, _CORNER_LISTS)
    if own is None or lists is None:
        uv = _find_scalars(data.columns["vertex"], _COORDINATES)
        return None if uv is None else uv.astype(float)[corners.faces]
    wrong = (own.counts != 2 * lists.counts) & (own.counts != 0)
    if np.any(wrong):
        k = np.argmax(wrong)
        raise ValueError(
            f"face {k} has {lists.counts[k]} corners and {own.counts[k]} numbers of "
            "texcoord, which should be two for each corner"
        )
    # corners are numbered by the lists of vertices, which begin elsewhere
    start = np.cumsum(lists.counts) - lists.counts
    own_start = np.cumsum(own.counts) - own.counts
    has = (corners.owners >= 0) & (own.counts[corners.owners] > 0)
    owners = corners.owners[has, None]
    first = own_start[owners] + 2 * (corners.corners[has] - start[owners])
    uvs = np.full((len(has), 3, 2), np.nan)
    uvs[has] = own.values[first[..., None] + np.arange(2)]
    return uvs


def _read_materials(
    path: Path, data: Data, owners: np.ndarray
) -> tuple[tuple[Material, ...], np.ndarray, tuple[str, ...]]:
    """Reads the images of a file.

    Args:
        path: the file.
        data: its content; faces may have the number of their image, ``texnumber``.
        owners: ``[F]`` polygon of each triangle, or -1.

    Returns:
        Materials, ``[F]`` the one of each triangle, and notes.
    """
    names = data.header.images
    number = np.zeros(len(owners), np.int64)
    column = data.columns.get("face", {}).get("texnumber")
    if isinstance(column, np.ndarray):
        wrong = ~((column >= -1) & (column < len(names)) & (column % 1 == 0))
        if np.any(wrong):
            raise ValueError(
                f"its faces have the texnumber {column[np.argmax(wrong)]:g}, and it "
                f"names {len(names)} images"
            )
        number = np.where(owners >= 0, column[owners], 0).astype(np.int64)
    materials, missing = [], []
    for name in names:
        file, shown = text.find_file(path.parent, name), text.show(name)
        if file is None:
            missing.append(shown)
        image = None if file is None else imagefile.read(file)
        materials.append(Material(shown, image=image))
    notes = (f"missing images: {text.list_names(missing)}",) if missing else ()
    return tuple(materials), number, notes


@np.errstate(all="ignore")  # numbers that are not finite are refused if they are used
def read(path: Path) -> Surface:
    """Reads a PLY file; vertices keep their order.

    Args:
        path: the file.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    header = parse_header(content)
    data = (read_binary if header.byte_order else read_text)(content, header)
    vertices = _find_scalars(data.columns.get("vertex", {}), [("x", "y", "z")])
    if vertices is None:
        raise ValueError("it has no vertices with properties x, y and z")
    vertices = vertices.astype(float)
    corners, notes = _read_corners(data, vertices)
    if len(corners.faces) == 0 and not notes:
        raise ValueError(
            f"it is a point cloud, with {len(vertices)} vertices and no faces; make a "
            "surface of it first, such as by Poisson reconstruction in MeshLab"
        )
    colors, more = _read_colors(data, "vertex", "vertices")
    face_colors, others = _read_colors(data, "face", "faces")
    notes += data.notes + more + others
    surface = Surface(vertices, corners.faces, colors)
    if face_colors is not None and colors is None:
        known = corners.owners[:, None] >= 0
        values = np.where(known, face_colors[corners.owners], np.nan)
        surface = surface._replace(face_colors=values)
    elif face_colors is not None and np.any(face_colors != 1):
        notes += ("the colours of faces beside those of vertices are left out",)
    uvs = _read_uvs(data, corners)
    surface = surface._replace(uvs=uvs)
    if uvs is None or not header.images:
        return surface._replace(notes=notes)
    materials, index, missing = _read_materials(path, data, corners.owners)
    if any(material.image is not None for material in materials):
        if colors is not None or face_colors is not None:
            notes += ("colours beside an image are left out",)
        surface = surface._replace(vertex_colors=None, face_colors=None)
    return surface._replace(
        material_index=index, materials=materials, notes=notes + missing
    )
