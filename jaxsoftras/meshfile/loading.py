"""Mesh files to meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import formats
from jaxsoftras.texture import Texture, UVTexture


def _to_single(texture: Texture | None) -> Texture | None:
    """A texture with single precision values, its colours clipped to [0, 1]."""
    match texture:
        case None:
            return None
        case UVTexture(coordinates, image):
            return UVTexture(
                np.asarray(coordinates, np.float32),
                np.clip(image, 0, 1).astype(np.float32),
            )
        case _:
            return type(texture)(np.clip(texture[0], 0, 1).astype(np.float32))


def load_mesh(path: str | Path, *, normalize: bool = False) -> Mesh:
    """Reads a mesh file: OBJ with its materials and images, OFF, PLY, STL or GLB.

    The objects of a scene become one mesh, where the scene puts them; polygons are cut
    into triangles. Vertices of STL and GLB files at one place (and, in GLB, of one
    colour) become one, as these formats repeat them for each face or normal; the other
    formats keep vertices and their order.

    Args:
        path: of the file; its ending says which format it has.
        normalize: whether to move and scale the mesh as the loader of Soft Rasterizer
            does: centred, the longest side of its box from -1 to 1. Halve the vertices
            for the model frame of the data sets.

    Returns:
        Numpy arrays: vertices ``[V, 3]`` float32 and faces ``[F, 3]`` int32, with the
        texture that the file has, of red, green and blue in [0, 1], or None:
        `VertexColors`, `FaceColors` (also of materials without images) or `UVTexture`.
        Several images are placed on one. Coordinates beyond [0, 1] mean that the image
        repeats: sample it with ``wrap="repeat"``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a mesh, is damaged, or has what cannot be held here.
    """
    path = Path(path)
    kind = formats.of(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        mesh = formats.FORMATS[kind].read(path)
    except Exception as error:  # the parsers of other libraries raise all kinds
        if isinstance(error, OSError) and error.errno is not None:
            raise  # not about the content
        reason = str(error).partition("\n")[0].rstrip(".!") or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {kind.upper()}: {reason}."
        ) from error
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    formats.check(str(path), vertices, faces)
    if normalize:
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        extent = np.max(high - low)
        if extent == 0:
            raise ValueError(f"{path} has no extent to normalize: it is a point.")
        vertices = (vertices - (low + high) / 2) * (2 / extent)
    return Mesh(
        vertices.astype(np.float32), faces.astype(np.int32), _to_single(mesh.texture)
    )
