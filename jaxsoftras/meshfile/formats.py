"""The formats of mesh files, by the ending of the name, and what a mesh in one is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import obj, off, scene
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors


class Format(NamedTuple):
    """How a kind of file is read and written, and the textures that it holds."""

    read: Callable[[Path], Mesh]
    encode: Callable[[Mesh, str], dict[str, bytes]]
    textures: tuple[type, ...]


FORMATS = {
    "obj": Format(obj.read, obj.encode, (VertexColors, FaceColors, UVTexture)),
    "off": Format(off.read, off.encode, (VertexColors, FaceColors)),
    "ply": Format(scene.read, scene.encode, (VertexColors, FaceColors)),
    "stl": Format(functools.partial(scene.read, weld=True), scene.encode, ()),
    "glb": Format(
        functools.partial(scene.read, weld=True),
        scene.encode,
        (VertexColors, UVTexture),
    ),
}


def of(path: Path) -> str:
    """The format of a file by its name, or an error that says which there are."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"{path} is not a mesh file by its name, which should end in one of "
            f"{', '.join(f'.{kind}' for kind in FORMATS)}."
        )
    return kind


def check(name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Refuses what is not a mesh."""
    if len(faces) == 0:
        raise ValueError(f"{name} has no faces.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"{name} has faces with vertices that do not exist: {faces.min()} to "
            f"{faces.max()} of {len(vertices)}."
        )
    # `not <=` also finds NaN
    if not np.all(np.abs(vertices) <= np.finfo(np.float32).max):
        raise ValueError(f"{name} has vertices that are not finite.")
