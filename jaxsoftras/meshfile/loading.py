"""Loads meshes from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import formats
from jaxsoftras.texture import Texture, UVTexture


def _to_single(texture: Texture | None) -> Texture | None:
    """Converts a texture to single precision and clips its colours to [0, 1]."""
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

    The objects of a scene are placed by their transforms and joined into one mesh;
    polygons are split into triangles. STL and GLB repeat vertices for each face or
    normal, so vertices of these formats at the same position (and, in GLB, with the
    same colour) are merged. The other formats keep their vertices in order.

    Args:
        path: the file; its suffix determines the format.
        normalize: whether to centre the bounding box at the origin and scale its
            longest side to the range from -1 to 1, as the loader of Soft Rasterizer
            does. Halve the vertices for the model frame of the data sets.

    Returns:
        Numpy arrays: vertices ``[V, 3]`` float32, faces ``[F, 3]`` int32, and a
        texture of red, green and blue in [0, 1], or None if the file has no colours.
        The texture is a `VertexColors`, a `FaceColors` (also for materials without
        images) or a `UVTexture`, for which several images are packed into one. Texture
        coordinates beyond [0, 1] mean that the image repeats: sample it with
        ``wrap="repeat"``.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a mesh, is damaged, or uses a feature that a `Mesh`
            cannot hold.

    Example:
        >>> import pathlib, tempfile
        >>> import jaxsoftras
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "square.obj")
        >>> lines = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0", "f 1 2 3 4"]
        >>> with path.open("w") as file:
        ...     print(*lines, sep=chr(10), file=file)
        >>> square = jaxsoftras.load_mesh(path)
        >>> square.vertices.shape, square.faces.tolist()
        ((4, 3), [[0, 1, 2], [0, 2, 3]])
        >>> folder.cleanup()
    """
    path = Path(path)
    kind = formats.identify_format(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        mesh = formats.FORMATS[kind].read(path)
    except Exception as error:  # the parsers of other libraries raise many types
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file cannot be read at all
        reason = str(error).partition("\n")[0].rstrip(".!") or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {kind.upper()}: {reason}."
        ) from error
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    formats.check_mesh(str(path), vertices, faces)
    if normalize:
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        extent = np.max(high - low)
        if extent == 0:
            raise ValueError(
                f"{path} has no extent to normalize: all vertices coincide."
            )
        vertices = (vertices - (low + high) / 2) * (2 / extent)
    return Mesh(
        vertices.astype(np.float32), faces.astype(np.int32), _to_single(mesh.texture)
    )
