"""Conversion of meshes from and to trimesh."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.core import Tracer

from jaxsoftras import extras, guesses, texture_parts
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh
from jaxsoftras.meshfile import atlas, colors, imagefile, surface
from jaxsoftras.texture import (
    FaceColors,
    SurfaceTexture,
    UVTexture,
    VertexColors,
    Wrap,
)
from jaxsoftras.trimesh_visuals import read_visual

if TYPE_CHECKING:
    import trimesh


def _check_one(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces without padding, and a mask of the faces that exist."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(mesh)):
        raise ValueError(
            "The values of the mesh are not known while it is traced; call to_trimesh "
            "outside of jit."
        )
    shapes = np.shape(mesh.vertices), np.shape(mesh.faces)
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1] != 3:
        raise ValueError(
            "to_trimesh takes one mesh, with vertices [V, 3] and faces [F, 3], not "
            f"{list(shapes[0])} and {list(shapes[1])}; unstack_meshes splits a batch."
        )
    faces = np.asarray(checked_faces(mesh.faces, len(mesh.vertices)))
    exists = faces[:, 0] >= 0
    return np.asarray(mesh.vertices), faces[exists], exists


def _split(
    vertices: np.ndarray, faces: np.ndarray, coordinates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeats vertices at which faces have different texture coordinates.

    All vertices keep their place; repeated ones follow.

    Args:
        vertices: ``[V, 3]``.
        faces: ``[F, 3]``.
        coordinates: ``[F, 3, 2]``.

    Returns:
        Vertices, faces, and coordinates of the vertices ``[..., 2]``.
    """
    corners = np.concatenate(
        [faces.reshape(-1, 1), coordinates.reshape(-1, 2).astype(float)], axis=1
    )
    _, first, inverse = np.unique(
        corners, axis=0, return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    pairs = corners[first[order]]
    owner = pairs[:, 0].astype(int)
    again = np.ones(len(pairs), bool)
    again[np.unique(owner, return_index=True)[1]] = False
    place = np.where(again, len(vertices) + np.cumsum(again) - 1, owner)
    uv = np.zeros((len(vertices) + again.sum(), 2))
    uv[place] = pairs[:, 1:]
    index = place[np.argsort(order)][inverse.ravel()]
    return np.concatenate([vertices, vertices[owner[again]]]), index.reshape(-1, 3), uv


def _check_rows(texture: Any, mesh: Mesh) -> None:
    """Raises a ValueError unless the texture of one mesh fits it."""
    count = len(mesh.vertices if isinstance(texture, VertexColors) else mesh.faces)
    if not isinstance(texture, UVTexture):
        if len(texture[0]) != count:
            raise ValueError(
                f"The texture must have {count} rows, not {len(texture[0])}."
            )
        return
    shape, images = np.shape(texture.coordinates), texture_parts.get_images(texture)
    if shape != (count, 3, 2) or any(np.ndim(image) != 3 for image in images):
        raise ValueError(
            f"The UVTexture must have coordinates [{count}, 3, 2] and an image "
            f"[H, W, C], not {list(shape)} and {list(np.shape(images[0]))}."
        )


def _pack(texture: UVTexture) -> UVTexture:
    """Packs several images into one, which is all that trimesh has for a mesh."""
    coordinates = np.asarray(texture.coordinates, float)
    finite = np.isfinite(coordinates)
    wraps: list[Wrap] = [texture.wrap or "clamp"] * len(texture.image)
    index = np.asarray(texture.image_index)
    packed = atlas.merge(
        np.where(finite, coordinates, 0.5), index, texture.image, wraps
    )
    if packed.image_index is not None:
        raise ValueError(
            f"trimesh has one image for a mesh; the {len(texture.image)} of the texture"
            " repeat too often to be packed into one. Convert the faces of each image "
            "on their own."
        )
    coordinates = np.where(finite, packed.coordinates, np.nan)
    return packed._replace(coordinates=coordinates, transparent=texture.transparent)


def _simplify(mesh: Mesh, exists: np.ndarray) -> Any:
    """Converts texels to colours of faces or to an image; leaves out padding."""
    if mesh.texture is None:
        return None
    _check_rows(mesh.texture, mesh)
    texture = colors.prepare(mesh.texture)
    match texture:
        case FaceColors(values):
            return texture._replace(values=values[exists])
        case SurfaceTexture(texels) if texture.resolution == 1:
            return FaceColors(texels[exists, 0], texture.transparent)
        case SurfaceTexture(texels):
            image = atlas.unfold(texture._replace(texels=texels[exists]))
            return image._replace(wrap="clamp")
        case UVTexture(coordinates, image_index=index):
            coordinates = np.asarray(coordinates)[exists]
            texture = texture._replace(coordinates=coordinates)
            if index is not None:
                index = np.asarray(index)[exists]
                return _pack(texture._replace(image_index=index))
    return texture


def _picture(image: np.ndarray) -> Any:
    """Material that shows an image ``[H, W, 3 or 4]`` uint8, on both sides."""
    extras.require("convert images for trimesh", "PIL")
    from PIL import Image
    from trimesh.visual.material import PBRMaterial

    return PBRMaterial(
        baseColorTexture=Image.fromarray(image),
        metallicFactor=0.0,
        doubleSided=True,
        alphaMode="BLEND" if image.shape[-1] == 4 else "OPAQUE",
    )


@guesses.answers
def to_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    """Converts a mesh to a ``trimesh.Trimesh``, with its colours.

    Vertices keep their order. trimesh has texture coordinates by vertex, so vertices at
    which faces have different ones are repeated, after all others. Colours have 8 bits
    in trimesh and are clipped, with a warning. Padding is left out.

    Args:
        mesh: one mesh, vertices ``[V, 3]`` and faces ``[F, 3]``; colours in [0, 1] of
            1 or 3 channels, and opacity if the texture is transparent. Texels of a
            `SurfaceTexture` become an image; several images are packed into one.

    Returns:
        A ``trimesh.Trimesh``, with faces that are not processed.

    Raises:
        ValueError: a batch, traced arrays, a texture that does not fit, or several
            images that repeat too often to be packed into one.
        MissingExtraError: trimesh is not installed, or Pillow for images.

    Example:
        >>> solid = jaxsoftras.to_trimesh(jaxsoftras.icosphere(2))
        >>> print(len(solid.faces), solid.is_watertight)
        320 True
    """
    mesh = checked_mesh(mesh, "to_trimesh")
    vertices, faces, exists = _check_one(mesh)
    extras.require("convert meshes to trimesh", "trimesh")
    from trimesh import Trimesh
    from trimesh.visual import ColorVisuals, TextureVisuals

    visual: Any = None
    match _simplify(mesh, exists):
        case VertexColors(values):
            visual = ColorVisuals(vertex_colors=imagefile.to_bytes(values))
        case FaceColors(values):
            visual = ColorVisuals(face_colors=imagefile.to_bytes(values))
        case UVTexture(coordinates, image, wrap):
            coordinates = np.asarray(coordinates)
            if wrap != "repeat" and np.any(np.abs(coordinates - 0.5) > 0.5):
                warnings.warn(
                    "The image is clamped beyond its edges, which trimesh does not "
                    "know; other programs repeat it.",
                    stacklevel=3,
                )
            vertices, faces, uv = _split(vertices, faces, coordinates)
            visual = TextureVisuals(uv, material=_picture(imagefile.to_bytes(image)))
    return Trimesh(vertices, faces, process=False, visual=visual)


def _surfaces(source: Any) -> Iterator[surface.Surface]:
    """Surfaces of a ``trimesh.Trimesh``, or of all nodes of a scene, in place."""
    import trimesh

    if isinstance(source, trimesh.Trimesh):
        nodes = [(np.eye(4), source)]
    else:
        graph = source.graph
        nodes = [
            (transform, source.geometry[name])
            for transform, name in (graph[node] for node in graph.nodes_geometry)
        ]
    visuals: dict[int, dict[str, Any]] = {}  # of geometries that several nodes show
    for transform, geometry in nodes:
        if not isinstance(geometry, trimesh.Trimesh):
            kind = type(geometry).__name__
            note = f"a {kind} is left out, which has no triangles"
            yield surface.Surface(
                np.zeros((0, 3)), np.zeros((0, 3), int), notes=(note,)
            )
            continue
        if id(geometry) not in visuals:
            visuals[id(geometry)] = read_visual(geometry)
        fields = dict(visuals[id(geometry)])
        vertices = np.asarray(geometry.vertices) @ transform[:3, :3].T
        faces = np.asarray(checked_faces(geometry.faces, len(vertices)), int)
        if np.linalg.det(transform[:3, :3]) < 0:  # a mirrored surface is inside out
            faces = faces[:, ::-1]
            if "uvs" in fields:
                fields["uvs"] = fields["uvs"][:, ::-1]
        yield surface.Surface(vertices + transform[:3, 3], faces, **fields)


@guesses.answers
def from_trimesh(source: trimesh.Trimesh | trimesh.Scene) -> Mesh:
    """Converts a ``trimesh.Trimesh`` or ``trimesh.Scene`` to a mesh, with its colours.

    The objects of a scene are placed by their transforms and joined. Vertices keep
    their order, also those that trimesh repeats at seams of texture coordinates.
    trimesh does not know how an image continues beyond its edges: it repeats if a
    coordinate lies there, and is clamped otherwise. A warning names what a mesh cannot
    hold.

    Args:
        source: what ``trimesh.load`` returns, for example.

    Returns:
        Numpy arrays: vertices ``[V, 3]`` float32, faces ``[F, 3]`` int32 and a texture,
        of the simplest kind that shows the same colours; see `load_mesh`.

    Raises:
        ValueError: anything else, no triangles, or arrays that do not fit together.
        MissingExtraError: trimesh is not installed.

    Example:
        >>> import trimesh
        >>> box = jaxsoftras.from_trimesh(trimesh.creation.box())
        >>> print(box.vertices.shape, box.faces.shape)
        (8, 3) (12, 3)
    """
    extras.require("convert meshes of trimesh", "trimesh")
    import trimesh

    if not isinstance(source, (trimesh.Trimesh, trimesh.Scene)):
        raise ValueError(
            "from_trimesh takes a trimesh.Trimesh or a trimesh.Scene, not a "
            f"{type(source).__name__}."
        )
    whole = surface.join(list(_surfaces(source)))
    if not len(whole.faces):
        raise ValueError(f"The {type(source).__name__} has no triangles.")
    mesh, notes = surface.to_mesh(whole)
    if notes:
        warnings.warn(f"from_trimesh: {'; '.join(notes)}.", stacklevel=3)
    return jax.tree.map(
        lambda x: np.asarray(x, np.int32 if x.dtype.kind == "i" else np.float32), mesh
    )
