"""Loads meshes from files."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import jax
import numpy as np

from jaxsoftras import extras, guesses
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import formats, surface


def _to_single(values: np.ndarray) -> np.ndarray:
    """Converts an array of a texture to single precision; indices to 32 bits."""
    return np.asarray(values, np.int32 if values.dtype.kind == "i" else np.float32)


@np.errstate(all="ignore")  # numbers out of range are refused, or have no use
def _convert(path: Path) -> tuple[Mesh, tuple[str, ...]]:
    """Reads a file and checks its mesh; returns the notes of the reader as well."""
    if path.stat().st_size == 0:
        raise ValueError("it is empty, 0 bytes long")
    content = formats.FORMATS[formats.identify_format(path)].read(path)
    if len(content.faces) == 0 and content.notes:
        raise ValueError(f"it has no faces, but {'; '.join(content.notes)}")
    formats.check_mesh("it", content.vertices, content.faces)
    mesh, notes = surface.to_mesh(content)
    return mesh._replace(texture=jax.tree.map(_to_single, mesh.texture)), notes


@np.errstate(over="ignore")  # of vertices that no face uses
def _normalize(path: Path, vertices: np.ndarray) -> np.ndarray:
    """Centres vertices ``[V, 3]``, and scales them to the range from -1 to 1."""
    known = np.all(np.abs(vertices) <= np.finfo(np.float32).max, axis=1)
    known = vertices[known]
    low, high = known.min(axis=0), known.max(axis=0)
    extent = np.max(high - low)
    if extent == 0:
        raise ValueError(f"{path} has no extent to normalize: all vertices coincide.")
    return (vertices - (low + high) / 2) * (2 / extent)


def _find_file(path: str | Path) -> Path:
    """Converts the argument of `load_mesh`; refuses what is no file."""
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(
            f"load_mesh takes the path of a file, not a {type(path).__name__}."
        )
    file = Path(path)
    # pathlib makes one of two slashes
    if re.match("[a-zA-Z][a-zA-Z0-9+.-]+:/", str(path)) and not file.exists():
        raise ValueError(
            f"load_mesh does not read URLs, such as {path}; download the file, and "
            "pass its path."
        )
    formats.identify_format(file)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder, not a mesh file.")
    if not file.exists():
        raise FileNotFoundError(f"There is no file {file}.")
    if not file.is_file():
        raise ValueError(f"{file} is not a regular file; copy its content to one.")
    return file


@guesses.answers
def load_mesh(path: str | Path, *, normalize: bool = False) -> Mesh:
    """Reads a mesh file: OBJ with its materials and images, glTF, GLB, OFF, PLY or STL.

    The objects of a scene are placed by their transforms and joined into one mesh;
    polygons are split into triangles. STL and glTF repeat vertices for each face or
    normal, so vertices of these formats at the same position (and, in glTF, with the
    same colour) are merged. The other formats keep their vertices in order.

    Colours in text files range to 255 if all are whole numbers and some are above 1;
    otherwise they range to 1, and are clipped. Opacity comes from glTF materials by
    their ``alphaMode``, from ``d``, ``Tr`` and ``map_d`` in OBJ, and from alpha columns
    in PLY and OFF. In OBJ, an alpha channel of ``map_Kd`` counts only if ``map_d``
    names the image, too.

    A file with contents that a `Mesh` cannot hold, or that refers to files that are
    missing, is loaded without them, and one warning names them all.

    Args:
        path: the file; its suffix determines the format.
        normalize: whether to centre the bounding box at the origin and scale its
            longest side to the range from -1 to 1, as the loader of Soft Rasterizer
            does. Halve the vertices for the model frame of the data sets.

    Returns:
        Numpy arrays: vertices ``[V, 3]`` float32, faces ``[F, 3]`` int32, and a
        texture of red, green and blue in [0, 1], with opacity if a face is not opaque,
        or None if the file has no colours. The texture is a `VertexColors`, a
        `FaceColors` (also for materials without images) or a `UVTexture`. For this,
        several images are packed into one, unless some repeat so often that it would
        have more than 2**24 texels; then it has several. Texture coordinates beyond
        [0, 1] continue the image as its ``wrap`` says.

    Raises:
        FileNotFoundError: the file does not exist.
        IsADirectoryError: it is a folder.
        ValueError: the file is not a mesh, is damaged, or uses a feature that a `Mesh`
            cannot hold; the path is a URL, or no path.
        MissingExtraError: the file has images and Pillow is not installed, or concave
            polygons and mapbox_earcut is not.

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
    path = _find_file(path)
    kind = formats.identify_format(path)
    try:
        mesh, notes = _convert(path)
    except extras.MissingExtraError:
        raise
    except Exception as error:  # the parsers of other libraries raise many types
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file cannot be read at all
        reason = str(error).partition("\n")[0].rstrip(".!") or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as {kind.upper()}: {reason}."
        ) from error
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}.", stacklevel=3)
    vertices = np.asarray(mesh.vertices, float)
    if normalize:
        vertices = _normalize(path, vertices)
    with np.errstate(over="ignore"):
        vertices = vertices.astype(np.float32)
    return mesh._replace(vertices=vertices, faces=np.asarray(mesh.faces, np.int32))
