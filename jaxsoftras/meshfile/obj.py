"""Wavefront OBJ files, with the materials (MTL) and images that they name.

They are read and written here rather than by trimesh, which cuts meshes apart along the
seams of their textures: a closed surface would no longer be one.
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
    """Number, first word and the rest of each line of a file that says something."""
    text = path.read_text("utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        keyword, *rest = line.split(maxsplit=1)[:2] or ["#"]
        if not keyword.startswith("#"):
            yield number, keyword, rest[0].strip() if rest else ""


def _not_understood(path: Path, number: int, *words: str) -> ValueError:
    line = " ".join(words)
    return ValueError(f"line {number} of {path.name} is not understood: {line[:60]!r}")


def _beside(path: Path, name: str, what: str) -> Path | None:
    """The file that a file names; a warning if it is missing."""
    name = name.replace("\\", "/")
    # some programs write where the file lay on their machine
    for candidate in (path.parent / name, path.parent / Path(name).name):
        if candidate.is_file():
            return candidate
    warnings.warn(
        f"{path} names the {what} {name}, which is missing; loaded without it.",
        stacklevel=4,
    )
    return None


def _read_materials(path: Path) -> dict[str, np.ndarray]:
    """The materials of an MTL file as images ``[H, W, 3]``, those of colours 1 x 1."""
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
                raise _not_understood(path, number, keyword, rest) from None
        elif keyword == "map_Kd":
            # options stand before the name, which may have spaces without them
            name = rest.split()[-1] if rest.startswith("-") else rest
            image = _beside(path, name, "image")
            if image is not None:
                images[current] = imagefile.read(image)
    return materials | images


def _corner(word: str, vertices: int, uvs: int) -> tuple[int, int]:
    """Indices from 0 of a corner's vertex and UV, -1 without; ``1/1/1``, ``-1//1``."""
    indices = []
    for part, count in zip(word.split("/"), (vertices, uvs), strict=False):
        index = int(part) if part else 0
        # negative ones count from the newest
        indices.append(index - 1 if index >= 0 else max(count + index, -1))
    vertex, uv = (*indices, -1)[:2]
    if vertex < 0:
        raise ValueError(word)
    return vertex, uv


def _texture(
    colors: np.ndarray | None,
    uvs: np.ndarray,
    face_uvs: np.ndarray,
    face_materials: Sequence[str],
    materials: dict[str, np.ndarray],
) -> Texture | None:
    """What the file says of colours: images before those of vertices, then of faces."""
    names, index = np.unique(face_materials, return_inverse=True)
    images = [materials.get(name, np.ones((1, 1, 3))) for name in names]
    has_image = any(image.shape[:2] != (1, 1) for image in images)
    has_uvs = np.any(face_uvs >= 0)
    if has_image and has_uvs:
        return atlas.merge(uvs[face_uvs], index, images)
    if colors is not None:
        # some programs write them from 0 to 255
        return VertexColors(colors / (255 if colors.max() > 1 else 1))
    if any(name in materials for name in names):
        return FaceColors(
            np.stack([image.mean(axis=(0, 1)) for image in images])[index]
        )
    if has_uvs:  # for an image to come
        return UVTexture(uvs[face_uvs], np.ones((1, 1, 3)))
    return None


def read(path: Path) -> Mesh:
    """Reads an OBJ file.

    Polygons are cut into fans. Several images are placed on one; coordinates without an
    image get a white one of a single texel.

    Args:
        path: of the file; what it names is looked for beside it.

    Returns:
        Vertices ``[V, 3]`` and faces ``[F, 3]`` in the file's order, numpy arrays.

    Raises:
        ValueError: with what is wrong, to follow the file's name.
    """
    positions, colors, uvs = [], [], []
    faces, face_uvs, face_materials = [], [], []
    materials, material = {}, ""
    for number, keyword, rest in _lines(path):
        if keyword == "mtllib":
            library = _beside(path, rest, "material file")
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
                    corners = [_corner(w, len(positions), len(uvs)) for w in words]
                    for fan in zip(corners[1:-1], corners[2:], strict=True):
                        vertex, uv = zip(corners[0], *fan, strict=True)
                        faces.append(vertex)
                        face_uvs.append(uv)
                        face_materials.append(material)
            except ValueError:
                raise _not_understood(path, number, keyword, rest) from None
    if any(len(position) != 3 for position in positions):
        raise ValueError("a vertex has fewer than three coordinates")
    if np.max(face_uvs, initial=-1) >= len(uvs):
        raise ValueError("a face names texture coordinates that do not exist")
    texture = None
    if faces:
        texture = _texture(
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
    """One line for each row of numbers."""
    for row in values.tolist():
        yield " ".join([keyword, *(format(value, ".9g") for value in row)])


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """The files of a mesh by name, each after those that it names.

    Args:
        mesh: numpy arrays; a texture of vertices, faces or UV coordinates with values
            of three channels.
        name: of the OBJ file; the others are called like it.
    """
    stem = Path(name).stem
    vertices, faces, texture = mesh
    faces = np.asarray(faces)
    head, materials, images = [], [], {}
    words = (faces + 1).astype(str)
    start = {}  # what stands before a face
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
