"""Writes Wavefront OBJ files with their materials (MTL) and images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors, Wrap


def _rows(keyword: str, values: np.ndarray) -> Iterator[str]:
    """Formats a line for each row of numbers."""
    for row in values.tolist():
        yield " ".join([keyword, *(format(value, ".9g") for value in row)])


def _changes(prefix: str, index: np.ndarray) -> dict[int, str]:
    """Lines that name the material of each face, in front of those where it changes."""
    first = np.flatnonzero(np.diff(index, prepend=-1))
    return {int(face): f"usemtl {prefix}{index[face]}" for face in first}


def _encode_colors(values: np.ndarray) -> tuple[list[str], dict[int, str]]:
    """Encodes colours of faces ``[F, 3 or 4]``: materials, and lines before faces."""
    colors, index = np.unique(values, axis=0, return_inverse=True)
    materials = []
    for k, line in enumerate(_rows("Kd", colors[:, :3])):
        materials += [f"newmtl color{k}", line]
        if np.any(colors[k, 3:] < 1):
            materials += _rows("d", colors[k : k + 1, 3:])
    return materials, _changes("color", index.reshape(-1))


def _encode_image(
    image: np.ndarray, file: str, wrap: Wrap | None
) -> tuple[list[str], dict[str, bytes]]:
    """Encodes an image ``[H, W, 3 or 4]``: lines of its material, and its files."""
    # what the renderer does with an image without a continuation
    option = "" if wrap == "repeat" else "-clamp on "
    place = "./" if file.startswith("-") else ""  # not an option
    lines = ["Kd 1 1 1", f"map_Kd {option}{place}{file}.png"]
    files = {f"{file}.png": imagefile.encode_png(image[..., :3])}
    alpha = image[..., 3:]
    if np.any(alpha < 1):
        if np.all(alpha == alpha[0, 0]):
            lines += _rows("d", alpha[0])
        else:
            lines.append(f"map_d {option}{place}{file}-opacity.png")
            content = imagefile.encode_png(alpha[..., 0])
            files[f"{file}-opacity.png"] = content
    return lines, files


def _encode_images(
    texture: UVTexture, stem: str
) -> tuple[list[str], dict[str, bytes], dict[int, str]]:
    """Encodes images: materials, files by name, and lines before faces."""
    if texture.image_index is None:
        lines, files = _encode_image(np.asarray(texture.image), stem, texture.wrap)
        return ["newmtl image", *lines], files, {0: "usemtl image"}
    materials, files = [], {}
    for k, image in enumerate(texture.image):
        lines, more = _encode_image(image, f"{stem}-{k}", texture.wrap)
        materials += [f"newmtl image{k}", *lines]
        files |= more
    return materials, files, _changes("image", np.asarray(texture.image_index))


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as an OBJ file with its MTL and PNG files.

    Args:
        mesh: numpy arrays; None, `VertexColors`, `FaceColors` or `UVTexture` with three
            channels, and opacity if it is transparent.
        name: name of the OBJ file; the others have the same stem.

    Returns:
        The contents by file name, each after the files that it refers to.

    Raises:
        ValueError: vertex colours with opacity.
    """
    stem = Path(name).stem
    vertices, faces, texture = mesh
    faces = np.asarray(faces)
    head, materials, images = [], [], {}
    words = (faces + 1).astype(str)
    start = {}  # line in front of a face
    match texture:
        case VertexColors(transparent=True):
            raise ValueError(
                "OBJ files cannot hold the opacity of vertices; save the mesh as .glb, "
                ".ply or .off, or without opacity."
            )
        case VertexColors(values):
            vertices = np.concatenate([vertices, values], axis=-1)
        case FaceColors(values):
            materials, start = _encode_colors(np.asarray(values))
        case UVTexture(coordinates):
            corners = np.asarray(coordinates).reshape(-1, 2)
            uvs, index = np.unique(corners, axis=0, return_inverse=True)
            words = words + np.array("/") + (index.reshape(-1, 3) + 1).astype(str)
            head = list(_rows("vt", uvs))
            materials, images, start = _encode_images(texture, stem)
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
