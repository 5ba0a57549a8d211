"""PLY, STL and GLB files, read and written by trimesh."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import atlas, imagefile
from jaxsoftras.texture import FaceColors, Texture, UVTexture, VertexColors

# trimesh is imported where it is used, because its import is slow


class _Part(NamedTuple):
    """An object of a scene.

    Attributes:
        vertices: ``[V, 3]`` positions in the scene.
        faces: ``[F, 3]`` vertex indices.
        texture: texture of the object, if any.
        color: ``[3]`` uniform colour of an object without texture, if any.
    """

    vertices: np.ndarray
    faces: np.ndarray
    texture: Texture | None
    color: np.ndarray | None


def _as_float(colors: np.ndarray) -> np.ndarray:
    """Converts colours ``[..., 3 or 4]`` of any dtype to ``[..., 3]`` in [0, 1]."""
    colors = np.asarray(colors)[..., :3]
    return colors / (np.iinfo(colors.dtype).max if colors.dtype.kind in "iu" else 1)


def _extract_colors(geometry: Any) -> tuple[Texture | None, np.ndarray | None]:
    """Extracts the texture and colour of a `_Part` from a ``trimesh.Trimesh``."""
    visual = geometry.visual
    if visual.kind == "vertex":
        return VertexColors(_as_float(visual.vertex_colors)), None
    if visual.kind == "face":
        if len(visual.face_colors) != len(geometry.faces):
            raise ValueError(
                "it has colours of faces with more than three corners; split them into "
                "triangles in a 3D program"
            )
        return FaceColors(_as_float(visual.face_colors)), None
    if visual.kind != "texture":
        return None, None
    material = visual.material
    # materials of GLB have ``baseColorTexture``, those of PLY ``image``
    factor = getattr(material, "baseColorFactor", None)
    image = getattr(material, "baseColorTexture", getattr(material, "image", None))
    color = None if factor is None else _as_float(factor)
    scale = 1 if color is None else color
    if image is not None and visual.uv is not None:
        coordinates = np.asarray(visual.uv, float)[geometry.faces]
        return UVTexture(coordinates, imagefile.from_pillow(image) * scale), None
    if "color" in visual.vertex_attributes:
        values = _as_float(visual.vertex_attributes["color"])
        return VertexColors(values * scale), None
    return None, color


def _place(geometry: Any, transform: np.ndarray) -> _Part:
    """Applies the transform ``[4, 4]`` of a ``trimesh.Trimesh`` in the scene."""
    texture, color = _extract_colors(geometry)
    vertices = geometry.vertices @ transform[:3, :3].T + transform[:3, 3]
    faces = np.asarray(geometry.faces)
    if np.linalg.det(transform[:3, :3]) < 0:  # a mirrored surface is inside out
        faces = faces[:, ::-1]
        if isinstance(texture, UVTexture):
            texture = texture._replace(coordinates=texture.coordinates[:, ::-1])
    return _Part(vertices, faces, texture, color)


def _plain_texture(part: _Part, kind: type) -> Any:
    """Converts the colour of an object, or white, to a texture of the given type."""
    color = np.ones(3) if part.color is None else part.color
    if kind is UVTexture:
        return UVTexture(np.zeros((len(part.faces), 3, 2)), color[None, None])
    rows = part.vertices if kind is VertexColors else part.faces
    return kind(np.broadcast_to(color, (len(rows), 3)))


def _merge_textures(parts: Sequence[_Part]) -> Texture | None:
    """Concatenates the textures of all parts, in the order of their faces."""
    kinds = {type(part.texture) for part in parts if part.texture is not None}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(
            f"its objects have {names}; give them colours of one kind in a 3D program"
        )
    if not kinds and all(part.color is None for part in parts):
        return None
    kind: Any = kinds.pop() if kinds else FaceColors
    textures: list[Any] = [part.texture or _plain_texture(part, kind) for part in parts]
    if kind is not UVTexture:
        return kind(np.concatenate([texture[0] for texture in textures]))
    images, shown, coordinates = {}, [], []
    for corners, image in textures:
        coordinates.append(corners)
        # objects often share an image
        key = (image.shape, image.tobytes())
        images.setdefault(key, (len(images), image))
        shown.append(np.full(len(corners), images[key][0]))
    return atlas.merge(
        np.concatenate(coordinates),
        np.concatenate(shown),
        [image for _, image in images.values()],
    )


def _weld(mesh: Mesh) -> Mesh:
    """Merges vertices with the same position (and colour); keeps their order."""
    keys, texture = np.asarray(mesh.vertices), mesh.texture
    if isinstance(texture, VertexColors):
        keys = np.concatenate([keys, texture.values], axis=1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.argsort(order)
    if isinstance(texture, VertexColors):
        texture = VertexColors(texture.values[first[order]])
    return Mesh(mesh.vertices[first[order]], rank[inverse][mesh.faces], texture)


def _check_extensions(path: Path) -> None:
    """Refuses GLB files with compressed geometry, which trimesh would misread."""
    content = path.read_bytes()
    magic, _, _, length = struct.unpack("<4sIII", content[:16])
    if magic != b"glTF":
        raise ValueError("it does not begin with 'glTF'")
    needed = json.loads(content[20 : 20 + length]).get("extensionsRequired", [])
    needed = [name for name in needed if not name.startswith("KHR_materials_")]
    if needed:
        raise ValueError(f"it needs {', '.join(needed)}; export it without")


def read(path: Path, *, weld: bool = False) -> Mesh:
    """Reads a PLY, STL or GLB file.

    Args:
        path: the file; its suffix determines the format.
        weld: whether to merge vertices with the same position.

    Returns:
        Vertices ``[V, 3]`` and faces ``[F, 3]``, numpy arrays, with the texture of the
        file.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file. Damaged files also raise the errors of trimesh.
    """
    import trimesh

    kind = path.suffix.lower().removeprefix(".")
    if kind == "glb":
        _check_extensions(path)
    with path.open("rb") as file:
        scene: Any = trimesh.load(file, file_type=kind, force="scene", process=False)
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        if isinstance(scene.geometry[name], trimesh.Trimesh):
            parts.append(_place(scene.geometry[name], transform))
    if not parts:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), int))
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    mesh = Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(
            [part.faces + k for part, k in zip(parts, first[:-1], strict=True)]
        ),
        _merge_textures(parts),
    )
    return _weld(mesh) if weld else mesh


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as a PLY, STL or GLB file.

    Args:
        mesh: numpy arrays; a texture that the format holds, with three channels.
        name: name of the file; its suffix determines the format.

    Returns:
        The content by file name.
    """
    from trimesh import Trimesh
    from trimesh.visual import ColorVisuals, TextureVisuals
    from trimesh.visual.material import PBRMaterial

    vertices, faces, texture = mesh
    visual = None
    match texture:
        case VertexColors(values):
            colors = imagefile.to_bytes(np.asarray(values))
            visual = ColorVisuals(vertex_colors=colors)
        case FaceColors(values):
            colors = imagefile.to_bytes(np.asarray(values))
            visual = ColorVisuals(face_colors=colors)
        case UVTexture(coordinates, image):
            # a vertex for each pair of a vertex and its coordinates
            corners = np.concatenate(
                [np.reshape(faces, (-1, 1)), np.reshape(coordinates, (-1, 2))], axis=1
            )
            pairs, index = np.unique(corners, axis=0, return_inverse=True)
            vertices = vertices[pairs[:, 0].astype(int)]
            faces = index.reshape(-1, 3)
            material = PBRMaterial(
                baseColorTexture=imagefile.to_pillow(np.asarray(image)),
                metallicFactor=0.0,
            )
            visual = TextureVisuals(pairs[:, 1:], material=material)
    solid = Trimesh(vertices, faces, process=False, visual=visual)
    kind = Path(name).suffix.lower().removeprefix(".")
    content: Any = solid.export(file_type=kind)
    return {name: content}
