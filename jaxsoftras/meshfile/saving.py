"""Saves meshes to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxsoftras import atomic, guesses
from jaxsoftras.mesh import Mesh, checked_mesh
from jaxsoftras.meshfile import atlas, colors, formats
from jaxsoftras.texture import FaceColors, SurfaceTexture, UVTexture, VertexColors


def _used_images(texture: UVTexture) -> UVTexture:
    """Leaves out images that no face shows."""
    used, index = np.unique(np.asarray(texture.image_index), return_inverse=True)
    if len(used) == 1:
        return texture._replace(image=texture.image[used[0]], image_index=None)
    images = tuple(texture.image[k] for k in used)
    return texture._replace(image=images, image_index=index)


def _take_faces(texture: Any, exists: np.ndarray) -> Any:
    """Leaves out padding, and converts texels to an image."""
    match texture:
        case FaceColors(values):
            return texture._replace(values=values[exists])
        case SurfaceTexture(texels):
            return atlas.unfold(texture._replace(texels=texels[exists]))
        case UVTexture(coordinates, image_index=index):
            coordinates = np.asarray(coordinates)[exists]
            if not np.all(np.isfinite(coordinates)):
                raise ValueError("The coordinates of UVTexture must be finite.")
            texture = texture._replace(coordinates=coordinates)
            if index is not None:
                index = np.asarray(index)[exists]
                return _used_images(texture._replace(image_index=index))
            if np.ndim(texture.image) != 3:
                raise ValueError(
                    "The UVTexture must have an image [H, W, C], not "
                    f"{list(np.shape(texture.image))}."
                )
    return texture


def simplify(mesh: Mesh) -> Mesh:
    """Converts one mesh to what the writers take.

    Returns:
        Numpy arrays without padding, colours of three channels and opacity if the
        texture is transparent; the image of a `SurfaceTexture`.

    Raises:
        ValueError: a batch, or an invalid mesh.
    """
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if vertices.ndim != 2 or faces.ndim != 2:
        raise ValueError(
            "A file holds one mesh, with vertices [V, 3] and faces [F, 3]; the given "
            f"arrays have the shapes {list(vertices.shape)} and {list(faces.shape)}."
        )
    exists = faces[:, 0] >= 0
    texture: Any = mesh.texture
    if texture is not None:
        count = len(vertices) if isinstance(texture, VertexColors) else len(faces)
        if len(texture[0]) != count:
            raise ValueError(
                f"The {type(texture).__name__} of the mesh should have {count} rows, "
                f"not {len(texture[0])}."
            )
        texture = colors.prepare(texture)
    formats.check_mesh("The mesh", vertices, faces[exists])
    texture = None if texture is None else _take_faces(texture, exists)
    # unused vertices may be anything
    return Mesh(np.where(np.isfinite(vertices), vertices, 0), faces[exists], texture)


@guesses.answers
def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Writes a mesh file in the format of its suffix.

    | format | textures |
    |---|---|
    | .obj | `VertexColors`, `FaceColors`, `UVTexture`, `SurfaceTexture` |
    | .glb | `VertexColors`, `UVTexture`, `SurfaceTexture` |
    | .ply, .off | `VertexColors`, `FaceColors` |
    | .stl | none |

    An OBJ file with a texture refers to a .mtl file of the same name beside it, which
    refers to .png files if there are images: of the same name, or numbered if there are
    several, and one more for the opacity of each. All of them are written or none is.
    Images, and all colours in PLY, have 8 bits a channel. The texels of a
    `SurfaceTexture` are converted to an image. Padding is left out. GLB lists the faces
    of each image together.

    An image without a ``wrap`` is clamped in the file, as `render` shows it.

    All of these formats hold opacity, except that of `VertexColors` in OBJ.

    Args:
        path: the file; its folder must exist.
        mesh: one mesh, vertices ``[V, 3]`` and faces ``[F, 3]``; floating-point colours
            with one or three channels, and opacity if the texture is transparent, which
            are clipped to [0, 1]; a warning says so.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: an unknown format, a texture that the format cannot hold, or an
            invalid mesh.
        MissingExtraError: PLY and STL files need trimesh, and images Pillow.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> import jaxsoftras
        >>> folder = tempfile.TemporaryDirectory()
        >>> sphere = jaxsoftras.icosphere(1)
        >>> orange = np.tile([1.0, 0.5, 0.0], (len(sphere.faces), 1))
        >>> colors = jaxsoftras.FaceColors(orange)
        >>> path = pathlib.Path(folder.name, "sphere.obj")
        >>> jaxsoftras.save_mesh(path, sphere._replace(texture=colors))
        >>> sorted(file.name for file in path.parent.iterdir())
        ['sphere.mtl', 'sphere.obj']
        >>> jaxsoftras.load_mesh(path).texture.values[0].tolist()
        [1.0, 0.5, 0.0]
        >>> folder.cleanup()
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError("save_mesh takes the path first: save_mesh(path, mesh).")
    path = Path(path)
    kind = formats.identify_format(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write to.")
    encode = formats.FORMATS[kind].encode
    if encode is None:
        raise ValueError(f"{kind.upper()} files are not written; save it as .glb.")
    mesh = checked_mesh(mesh, "save_mesh")
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(mesh)):
        raise ValueError(
            "The values of the mesh are not known while it is traced; return it from "
            "the compiled function first."
        )
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
    contents = encode(simplify(mesh), path.name)
    with atomic.files(path.parent / name for name in contents) as partials:
        for partial, content in zip(partials, contents.values(), strict=True):
            partial.write_bytes(content)
