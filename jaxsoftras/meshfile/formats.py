"""The formats of mesh files by suffix, and the checks common to all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import (
    gltf,
    gltf_writing,
    obj,
    obj_writing,
    off,
    ply,
    stl,
    trimesh_writing,
)
from jaxsoftras.meshfile.surface import Surface
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors


class Format(NamedTuple):
    """Reader and writer of a file format.

    Attributes:
        read: reads a file; see `jaxsoftras.meshfile.obj.read`.
        encode: makes the content of all files of a mesh, by name, each after the files
            that it refers to; None if the format is not written.
        textures: types of texture that the format holds.
    """

    read: Callable[[Path], Surface]
    encode: Callable[[Mesh, str], dict[str, bytes]] | None
    textures: tuple[type, ...]


FORMATS: dict[str, Format] = {
    "obj": Format(obj.read, obj_writing.encode, (VertexColors, FaceColors, UVTexture)),
    "off": Format(off.read, off.encode, (VertexColors, FaceColors)),
    "ply": Format(ply.read, trimesh_writing.encode, (VertexColors, FaceColors)),
    "stl": Format(stl.read, trimesh_writing.encode, ()),
    "glb": Format(gltf.read, gltf_writing.encode, (VertexColors, UVTexture)),
    "gltf": Format(gltf.read, None, ()),
}
"""Formats by suffix, in lower case and without the dot."""


def identify_format(path: Path) -> str:
    """Finds the format of a file by its suffix.

    Returns:
        A key of `FORMATS`.

    Raises:
        ValueError: another suffix.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"{path} does not have the name of a mesh file, which ends in one of "
            f"{', '.join(f'.{kind}' for kind in FORMATS)}."
        )
    return kind


def check_mesh(name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raises ValueError unless faces exist, are in range, and have finite corners.

    Args:
        name: subject of the error messages.
        vertices: ``[V, 3]``.
        faces: ``[F, 3]`` vertex indices.
    """
    if len(faces) == 0:
        raise ValueError(f"{name} has no faces.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"{name} has faces with vertices that do not exist: {faces.min()} to "
            f"{faces.max()} of {len(vertices)}."
        )
    # `not <=` also finds NaN
    finite = np.abs(vertices) <= np.finfo(np.float32).max
    if np.all(finite):
        return
    used = np.bincount(np.ravel(faces), minlength=len(vertices)) > 0
    wrong = np.flatnonzero(used & ~np.all(finite, axis=1))
    if len(wrong):
        raise ValueError(
            f"{name} has faces with vertices that are not finite numbers of single "
            f"precision: {len(wrong)}, the first of which is vertex {wrong[0]} "
            f"(counted from 0), at {vertices[wrong[0]].tolist()}."
        )
