"""Meshes to mesh files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import atlas, formats
from jaxsoftras.texture import FaceColors, SurfaceTexture, UVTexture, VertexColors


def _three_channels(colors: np.ndarray) -> np.ndarray:
    if colors.shape[-1] not in (1, 3):
        raise ValueError(
            "Mesh files hold colours of 1 or 3 channels; the texture has "
            f"{colors.shape[-1]}."
        )
    return np.broadcast_to(colors, (*colors.shape[:-1], 3))


def _plain(mesh: Mesh) -> Mesh:
    """A mesh as files hold it: numpy arrays, without padding, in three channels."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if vertices.ndim != 2 or faces.ndim != 2:
        raise ValueError(
            "A file holds one mesh, with vertices [V, 3] and faces [F, 3]; these have "
            f"the shapes {list(vertices.shape)} and {list(faces.shape)}."
        )
    exists = faces[:, 0] >= 0
    texture = mesh.texture
    if texture is not None:
        values = np.asarray(texture[0])
        count = len(vertices) if isinstance(texture, VertexColors) else len(faces)
        if len(values) != count:
            raise ValueError(
                f"The {type(texture).__name__} of the mesh should have {count} rows, "
                f"not {len(values)}."
            )
    match texture:
        case VertexColors(values):
            texture = VertexColors(_three_channels(np.asarray(values)))
        case FaceColors(values):
            texture = FaceColors(_three_channels(np.asarray(values)[exists]))
        case SurfaceTexture(texels):
            texels = _three_channels(np.asarray(texels)[exists])
            texture = atlas.unfold(SurfaceTexture(texels))
        case UVTexture(coordinates, image):
            texture = UVTexture(
                np.asarray(coordinates)[exists], _three_channels(np.asarray(image))
            )
    formats.check("The mesh", vertices, faces[exists])
    return Mesh(vertices, faces[exists], texture)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files, each whole or not at all, in their order."""
    temporary = {name: folder / f".{name}.{os.getpid()}" for name in files}
    try:
        for name, content in files.items():
            temporary[name].write_bytes(content)
        for name, file in temporary.items():
            file.replace(folder / name)
    finally:
        for file in temporary.values():
            file.unlink(missing_ok=True)


def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Writes a mesh file, in the format that its name ends in.

    | format | textures |
    |---|---|
    | .obj | `VertexColors`, `FaceColors`, `UVTexture`, `SurfaceTexture` |
    | .glb | `VertexColors`, `UVTexture`, `SurfaceTexture` |
    | .ply, .off | `VertexColors`, `FaceColors` |
    | .stl | none |

    An OBJ file with a texture names a .mtl file beside it, and that a .png file, both
    called like it. Images, and all colours in PLY and GLB, have 8 bits a channel. The
    texels of a `SurfaceTexture` are drawn on an image. Padding is left out.

    Args:
        path: of the file; its folder must exist.
        mesh: one mesh, vertices ``[V, 3]`` and faces ``[F, 3]``; colours in [0, 1], of
            one channel or three.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: an unknown format, one that cannot hold the texture, or not a mesh.
    """
    path = Path(path)
    kind = formats.of(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write to.")
    wanted = type(mesh.texture)
    held = UVTexture if wanted is SurfaceTexture else wanted
    if mesh.texture is not None and held not in formats.FORMATS[kind].textures:
        others = [
            f".{k}" for k, other in formats.FORMATS.items() if held in other.textures
        ]
        raise ValueError(
            f"{kind.upper()} files cannot hold a {wanted.__name__}; save the mesh as "
            f"{' or '.join(others)}, or with texture=None."
        )
    _write(path.parent, formats.FORMATS[kind].encode(_plain(mesh), path.name))
