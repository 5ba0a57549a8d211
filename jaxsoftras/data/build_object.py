"""One object of `jaxsoftras.data.build`: from a mesh file to images and voxels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from jaxsoftras.data import binvox, build_images, soups, zbuffer
from jaxsoftras.data.binvox import Frame
from jaxsoftras.data.writing import Example
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import load_mesh, references
from jaxsoftras.texture import UVTexture

AXES = ("+X", "-X", "+Y", "-Y", "+Z", "-Z")
"""Names of directions in a mesh file."""

# Of the longest side of all vertices together. A mesh that is smaller has lost the
# digits of its shape to single precision.
_SMALLEST = 5e-4
_LITTLE = 0.002  # of an image
_RANGES = {"views": (1, 10_000), "size": (1, 8192), "resolution": (2, 1024)}


@dataclass(frozen=True)
class Options:
    """Settings that determine the images and voxels of an object.

    Attributes:
        views: images of each object, all around it.
        elevation: of the camera above the horizon, degrees.
        size: width and height of the images, pixels.
        up: direction of the file that points up, one of `AXES`.
        front: direction of the file that the front of an object faces.
        resolution: cells along each side of the voxel grid.
        max_faces: triangles of a mesh; one that has more is left out.
        binvox: whether voxels are those of a binvox file beside the mesh, named
            ``MODEL.solid.binvox``, ``MODEL.binvox`` or ``MODEL.surface.binvox``, if
            there is one.
        renderer: what makes the images.
    """

    views: int = 24
    elevation: float = 30.0
    size: int = 64
    up: str = "+Y"
    front: str = "+Z"
    resolution: int = 32
    max_faces: int = 1_000_000
    binvox: bool = False
    renderer: zbuffer.Renderer = "numpy"

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"The {name} must be from {low} to {high}, not "
                    f"{getattr(self, name)}."
                )
        if self.max_faces < 1:
            raise ValueError(f"max_faces must be positive, not {self.max_faces}.")
        if not -90 < self.elevation < 90:
            raise ValueError(
                "The elevation must lie between -90 and 90 degrees, not "
                f"{self.elevation}."
            )
        for axis in (self.up, self.front):
            if axis not in AXES:
                raise ValueError(f"{axis!r} is not a direction: {', '.join(AXES)}.")
        if self.renderer not in get_args(zbuffer.Renderer):
            raise ValueError(
                f"The renderer must be numpy or jax, not {self.renderer!r}."
            )
        if self.up[1] == self.front[1]:
            raise ValueError(
                f"Up {self.up} and front {self.front} must be perpendicular."
            )


class Loaded(NamedTuple):
    """An object without its images.

    Attributes:
        mesh: in the model frame; numpy arrays.
        voxels: ``[R, R, R]`` bool.
        notes: what it lacks, such as materials that are missing.
        files: files that were looked for, but for the mesh file.
    """

    mesh: Mesh
    voxels: np.ndarray
    notes: tuple[str, ...]
    files: frozenset[Path] = frozenset()


def make_object(path: Path, options: Options) -> tuple[Example, list[str]]:
    """Makes the images and voxels of the mesh in a file, with numpy.

    Args:
        path: the file.
        options: how to.

    Returns:
        The object; and notes on what it lacks, such as materials that are missing.

    Raises:
        ValueError: the mesh is broken or too large; the message says why.
        OSError: the file cannot be read.
    """
    loaded = load_object(path, options)
    eyes = build_images.orbit_eyes(options.views, options.elevation)
    images = build_images.render_views(loaded.mesh, eyes, options.size)
    return complete_object(path, loaded, images)


def load_object(path: Path, options: Options) -> Loaded:
    """Reads the mesh in a file and makes its voxels.

    Args:
        path: the file.
        options: how to.

    Returns:
        The object without its images.

    Raises:
        ValueError: see `make_object`.
        OSError: see `make_object`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # voxels of a file lie where the mesh lies in its own
        mesh = load_mesh(path, normalize=not options.binvox)
        if len(mesh.faces) > options.max_faces:
            raise ValueError(
                f"it has {len(mesh.faces):,} faces, more than the "
                f"{options.max_faces:,} that --max-faces allows"
            )
        frame = find_frame(mesh, options.up, options.front)
        mesh = to_model_frame(mesh, options.up, options.front)
        voxels = _make_voxels(path, mesh, frame, options)
    notes = [str(warning.message) for warning in caught]
    if getattr(mesh.texture, "transparent", False):
        notes.append("it is not opaque everywhere, but drawn so")
    return Loaded(mesh, voxels, tuple(notes))


def complete_object(
    path: Path, loaded: Loaded, images: np.ndarray
) -> tuple[Example, list[str]]:
    """Joins an object with its images ``[views, 4, S, S]``; see `make_object`.

    Raises:
        ValueError: the images are empty.
    """
    notes = list(loaded.notes)
    coverage = images[:, 3].mean((1, 2)).max() / 255
    if coverage == 0:
        raise ValueError("nothing of it can be seen in any image")
    if coverage < _LITTLE:
        notes.append(
            f"it covers no more than {coverage:.2%} of any image: a stray vertex may "
            "stretch its bounding box"
        )
    return Example(images, loaded.voxels), [_shorten(note, path) for note in notes]


def explain(error: Exception, path: Path) -> str:
    """Says in one line why an object could not be made."""
    text = str(error).partition("\n")[0]
    if isinstance(error, MemoryError):
        text = "it needs more memory than there is"
    elif not isinstance(error, (ValueError, OSError)):
        text = f"{type(error).__name__}: {text}"
    return _shorten(text, path) or type(error).__name__


def to_model_frame(mesh: Mesh, up: str, front: str) -> Mesh:
    """Turns a mesh to +y up and front -z, and scales it to a longest side of 1.

    The directions (up x front, up, -front) become x, y and z. That is a mirror image;
    the left-handed camera of the data sets mirrors it again, so that the images show
    the object as it is. Faces are turned over to be counter-clockwise from outside.

    Args:
        mesh: a mesh from a file.
        up: direction that points up, one of `AXES`.
        front: direction that the front faces.

    Returns:
        The mesh, with float32 vertices in ``[-0.5, 0.5]``.

    Raises:
        ValueError: all its faces lie in one point, or far from other vertices.
    """
    frame = find_frame(mesh, up, front)
    # vertices that no face uses may lie anywhere
    vertices = np.asarray(mesh.vertices, float)
    known = vertices[np.isfinite(vertices).all(1)]
    if frame.extent < _SMALLEST * np.ptp(known, 0).max():
        raise ValueError(
            "its faces fill too little of the space of its vertices: remove the "
            "vertices that no face uses"
        )
    scaled = ((vertices - frame.center) / frame.extent).clip(-0.5, 0.5) @ frame.axes.T
    turned = _turn_over(mesh)
    return turned._replace(vertices=scaled.astype(np.float32))


def find_frame(mesh: Mesh, up: str, front: str) -> Frame:
    """Finds what brings a mesh to the model frame; see `to_model_frame`.

    Raises:
        ValueError: all its faces lie in one point.
    """
    corners = np.asarray(mesh.vertices, float)[np.asarray(mesh.faces).ravel()]
    low, high = corners.min(0), corners.max(0)
    extent = (high - low).max()
    if extent == 0:
        raise ValueError("its faces have no extent")
    axes = np.stack([np.cross(_axis(up), _axis(front)), _axis(up), -_axis(front)])
    return Frame((low + high) / 2, extent, axes, low, high)


def _make_voxels(path: Path, mesh: Mesh, frame: Frame, options: Options) -> np.ndarray:
    """Reads the voxels of a mesh from its file, or makes them.

    Args:
        path: file of the mesh.
        mesh: in the model frame.
        frame: what brought it there from its file.
        options: whether to read them, and their resolution.
    """
    if options.binvox:
        try:
            return _read_voxels(path, frame, options.resolution)
        except (ValueError, FileNotFoundError) as error:
            warnings.warn(f"its voxels are made from the mesh: {error}", stacklevel=2)
    return soups.voxelize(mesh.vertices, mesh.faces, options.resolution)


def _read_voxels(path: Path, frame: Frame, resolution: int) -> np.ndarray:
    names = [path.with_suffix(f"{kind}.binvox") for kind in (".solid", "", ".surface")]
    references.add(*names)
    file = next((name for name in names if name.is_file()), None)
    if file is None:
        raise FileNotFoundError("there is no binvox file")
    try:
        return binvox.to_model_frame(binvox.read(file), frame, resolution)
    except ValueError as error:
        raise ValueError(f"{file.name}: {_shorten(str(error), file)}") from None


def _turn_over(mesh: Mesh) -> Mesh:
    """Reverses the order of the corners of all faces."""
    texture = mesh.texture
    if isinstance(texture, UVTexture):
        texture = texture._replace(coordinates=np.asarray(texture.coordinates)[:, ::-1])
    return mesh._replace(faces=np.asarray(mesh.faces)[:, ::-1], texture=texture)


def _axis(name: str) -> np.ndarray:
    sign = 1.0 if name[0] == "+" else -1.0
    return sign * np.eye(3)["XYZ".index(name[1])]


def _shorten(text: str, path: Path) -> str:
    """Takes the path out of a message that stands beside the name of the file."""
    for words in (f"{path}: ", f"{path} "):
        text = text.removeprefix(words)
    return text.rstrip(".")
