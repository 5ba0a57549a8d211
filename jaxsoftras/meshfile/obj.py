"""Wavefront OBJ files with their materials (MTL) and images.

They are not left to trimesh, which splits vertices along the seams of textures: a
closed surface would no longer be closed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import atlas, imagefile
from jaxsoftras.texture import FaceColors, Texture, UVTexture, VertexColors


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yields number, first word and rest of each line with content."""
    text = path.read_text("utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        keyword, *rest = line.split(maxsplit=1)[:2] or ["#"]
        if not keyword.startswith("#"):
            yield number, keyword, rest[0].strip() if rest else ""


def _syntax_error(path: Path, number: int, *words: str) -> ValueError:
    line = " ".join(words)
    return ValueError(f"line {number} of {path.name} is not understood: {line[:60]!r}")


def _find_file(path: Path, name: str, role: str) -> Path | None:
    """Finds a file that another file refers to, or warns that it is missing.

    Args:
        path: the referring file.
        name: name of the file, absolute or relative to the referring file.
        role: role of the file, for the warning.
    """
    name = name.replace("\\", "/")
    # some programs write absolute paths of the machine that they ran on
    for candidate in (path.parent / name, path.parent / Path(name).name):
        if candidate.is_file():
            return candidate
    warnings.warn(
        f"{path} refers to the {role} {name}, which is missing; loaded without it.",
        stacklevel=4,
    )
    return None


def _read_materials(path: Path) -> dict[str, np.ndarray]:
    """Reads the materials of an MTL file as images ``[H, W, 3]``; a colour is 1 x 1."""
    materials, images, current = {}, {}, ""
    for number, keyword, rest in _lines(path):
        if keyword == "newmtl":
            current = rest
            materials[current] = np.ones((1, 1, 3))
        elif keyword == "Kd":
            try:
                color = np.array(rest.split()[:3], float)
                materials[current] = np.broadcast_to(color, (1, 1, 3))
            except ValueError:
                raise _syntax_error(path, number, keyword, rest) from None
        elif keyword == "map_Kd":
            # without options, the rest of the line is the name and may have spaces
            name = rest.split()[-1] if rest.startswith("-") else rest
            image = _find_file(path, name, "image")
            if image is not None:
                images[current] = imagefile.read(image)
    return materials | images


def _parse_corner(word: str, vertices: int, uvs: int) -> tuple[int, int]:
    """Parses a corner of a face, such as ``1/1/1`` or ``-1//1``.

    Args:
        word: the corner.
        vertices: number of vertices so far.
        uvs: number of texture coordinates so far.

    Returns:
        Index of the vertex from 0, and of the texture coordinates, -1 if there are
        none.
    """
    indices = []
    for part, count in zip(word.split("/"), (vertices, uvs), strict=False):
        index = int(part) if part else 0
        # negative indices count back from the newest entry
        indices.append(index - 1 if index >= 0 else max(count + index, -1))
    vertex, uv = (*indices, -1)[:2]
    if vertex < 0:
        raise ValueError(word)
    return vertex, uv


def _make_texture(
    colors: np.ndarray | None,
    uvs: np.ndarray,
    face_uvs: np.ndarray,
    face_materials: Sequence[str],
    materials: dict[str, np.ndarray],
) -> Texture | None:
    """Chooses among images, colours of vertices and colours of faces, in this order.

    Args:
        colors: ``[V, 3]``, or None if not all vertices have a colour.
        uvs: ``[U, 2]`` texture coordinates.
        face_uvs: ``[F, 3]`` indices of texture coordinates, -1 for none.
        face_materials: name of the material of each face.
        materials: images ``[H, W, 3]`` by name; a colour is 1 x 1.

    Returns:
        The texture; None if the file has no colours.
    """
    names, index = np.unique(face_materials, return_inverse=True)
    images = [materials.get(name, np.ones((1, 1, 3))) for name in names]
    has_image = any(image.shape[:2] != (1, 1) for image in images)
    has_uvs = np.any(face_uvs >= 0)
    if has_image and has_uvs:
        return atlas.merge(uvs[face_uvs], index, images)
    if colors is not None:
        # some programs write colours from 0 to 255
        return VertexColors(colors / (255 if colors.max() > 1 else 1))
    if any(name in materials for name in names):
        return FaceColors(
            np.stack([image.mean(axis=(0, 1)) for image in images])[index]
        )
    if has_uvs:  # keeps the coordinates for an image that is set later
        return UVTexture(uvs[face_uvs], np.ones((1, 1, 3)))
    return None


def read(path: Path) -> Mesh:
    """Reads an OBJ file.

    Polygons are split into fans. Several images are packed into one; texture
    coordinates without an image get a white image of a single texel.

    Args:
        path: the file; materials and images are expected beside it.

    Returns:
        Vertices ``[V, 3]`` and faces ``[F, 3]`` in the file's order, numpy arrays, with
        the texture of the file.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    positions, colors, uvs = [], [], []
    faces, face_uvs, face_materials = [], [], []
    materials, material = {}, ""
    for number, keyword, rest in _lines(path):
        if keyword == "mtllib":
            library = _find_file(path, rest, "material file")
            materials |= _read_materials(library) if library else {}
        elif keyword == "usemtl":
            material = rest
        elif keyword in ("v", "vt", "f"):
            words = rest.split("#")[0].split()
            try:
                if keyword == "v":
                    positions.append([float(word) for word in words[:3]])
                    colors.append([float(word) for word in words[3:6]])
                elif keyword == "vt":
                    uvs.append([float(word) for word in (*words, "0")[:2]])
                else:
                    corners = [
                        _parse_corner(w, len(positions), len(uvs)) for w in words
                    ]
                    for fan in zip(corners[1:-1], corners[2:], strict=True):
                        vertex, uv = zip(corners[0], *fan, strict=True)
                        faces.append(vertex)
                        face_uvs.append(uv)
                        face_materials.append(material)
            except ValueError:
                raise _syntax_error(path, number, keyword, rest) from None
    if any(len(position) != 3 for position in positions):
        raise ValueError("a vertex has fewer than three coordinates")
    if np.max(face_uvs, initial=-1) >= len(uvs):
        raise ValueError("a face names texture coordinates that do not exist")
    texture = None
    if faces:
        texture = _make_texture(
            np.array(colors) if all(len(color) == 3 for color in colors) else None,
            np.array(uvs or [[0.0, 0.0]]),
            np.array(face_uvs),
            face_materials,
            materials,
        )
    return Mesh(
        np.array(positions).reshape(-1, 3), np.array(faces, int).reshape(-1, 3), texture
    )


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
        case UVTexture(coordinates, image):
            corners = np.asarray(coordinates).reshape(-1, 2)
            uvs, index = np.unique(corners, axis=0, return_inverse=True)
            words = words + np.array("/") + (index.reshape(-1, 3) + 1).astype(str)
            head = list(_rows("vt", uvs))
            materials = ["newmtl image", "Kd 1 1 1", f"map_Kd {stem}.png"]
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
