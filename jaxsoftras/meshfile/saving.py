"""Saves meshes to files."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from jaxsoftras import atomic
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import atlas, formats
from jaxsoftras.texture import FaceColors, SurfaceTexture, UVTexture, VertexColors


def _check_colors(kind: str, colors: np.ndarray) -> None:
    """Raises ValueError unless colours are finite floats, as in `render`."""
    if not jnp.issubdtype(colors.dtype, jnp.floating):  # also knows bfloat16
        raise ValueError(
            f"The values of {kind} must be floating-point, not {colors.dtype}; divide "
            "8-bit colours by 255."
        )
    if wrong := np.sum(~np.isfinite(colors)):
        raise ValueError(
            f"The values of {kind} must be finite; {wrong} of {colors.size} are not."
        )


def _to_three_channels(colors: np.ndarray) -> np.ndarray:
    """Repeats a single channel, and clips; refuses other numbers of channels."""
    if colors.shape[-1] not in (1, 3):
        raise ValueError(
            "Mesh files hold colours of 1 or 3 channels; the texture has "
            f"{colors.shape[-1]}."
        )
    colors = np.clip(colors.astype(np.result_type(colors.dtype, np.float32)), 0, 1)
    return np.broadcast_to(colors, (*colors.shape[:-1], 3))


def _simplify(mesh: Mesh) -> Mesh:
    """Converts to numpy arrays without padding, with three channels of colour."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if vertices.ndim != 2 or faces.ndim != 2:
        raise ValueError(
            "A file holds one mesh, with vertices [V, 3] and faces [F, 3]; the given "
            f"arrays have the shapes {list(vertices.shape)} and {list(faces.shape)}."
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
        colors = texture.image if isinstance(texture, UVTexture) else texture[0]
        _check_colors(type(texture).__name__, np.asarray(colors))
    match texture:
        case VertexColors(values):
            texture = VertexColors(_to_three_channels(np.asarray(values)))
        case FaceColors(values):
            texture = FaceColors(_to_three_channels(np.asarray(values)[exists]))
        case SurfaceTexture(texels):
            texels = _to_three_channels(np.asarray(texels)[exists])
            texture = atlas.unfold(SurfaceTexture(texels))
        case UVTexture(coordinates, image, wrap):
            texture = UVTexture(
                np.asarray(coordinates)[exists],
                _to_three_channels(np.asarray(image)),
                wrap,
            )
            if not np.all(np.isfinite(texture.coordinates)):
                raise ValueError("The coordinates of UVTexture must be finite.")
    formats.check_mesh("The mesh", vertices, faces[exists])
    # unused vertices may be anything
    return Mesh(np.where(np.isfinite(vertices), vertices, 0), faces[exists], texture)


def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Writes a mesh file in the format of its suffix.

    | format | textures |
    |---|---|
    | .obj | `VertexColors`, `FaceColors`, `UVTexture`, `SurfaceTexture` |
    | .glb | `VertexColors`, `UVTexture`, `SurfaceTexture` |
    | .ply, .off | `VertexColors`, `FaceColors` |
    | .stl | none |

    An OBJ file with a texture refers to a .mtl file of the same name beside it, which
    refers to a .png file of the same name if there is an image. All of them are written
    or none is. Images, and all colours in PLY, have 8 bits a channel. The
    texels of a `SurfaceTexture` are converted to an image. Padding is left out.

    Args:
        path: the file; its folder must exist.
        mesh: one mesh, vertices ``[V, 3]`` and faces ``[F, 3]``; floating-point colours
            with one or three channels, which are clipped to [0, 1].

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: an unknown format, a texture that the format cannot hold, or an
            invalid mesh.

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
    path = Path(path)
    kind = formats.identify_format(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write to.")
    encode = formats.FORMATS[kind].encode
    if encode is None:
        raise ValueError(f"{kind.upper()} files are not written; save it as .glb.")
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
    contents = encode(_simplify(mesh), path.name)
    with atomic.files(path.parent / name for name in contents) as partials:
        for partial, content in zip(partials, contents.values(), strict=True):
            partial.write_bytes(content)
