"""GLB and glTF 2.0 files: scenes, joined into one surface.

`gltf_document` reads the file and its buffers, `gltf_json` checks the JSON,
`gltf_accessors` reads arrays, `gltf_scene` places meshes, `gltf_primitives` reads their
triangles, and `gltf_materials` their colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxsoftras.meshfile import srgb, text
from jaxsoftras.meshfile.gltf_accessors import read_accessor
from jaxsoftras.meshfile.gltf_document import Document, read_document
from jaxsoftras.meshfile.gltf_json import show
from jaxsoftras.meshfile.gltf_materials import BaseColor, Materials
from jaxsoftras.meshfile.gltf_primitives import (
    Primitive,
    check_count,
    read_attribute,
    read_primitive,
)
from jaxsoftras.meshfile.gltf_scene import Placement, place_meshes
from jaxsoftras.meshfile.surface import Surface, join, with_opacity
from jaxsoftras.meshfile.weld import weld

# extensions that are read, or that change neither shape nor base colour
_KNOWN = {
    "EXT_mesh_gpu_instancing",
    "EXT_texture_avif",
    "EXT_texture_webp",
    "KHR_animation_pointer",
    "KHR_lights_punctual",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_materials_unlit",
    "KHR_materials_variants",
    "KHR_mesh_quantization",
    "KHR_node_visibility",
    "KHR_texture_transform",
    "KHR_xmp_json_ld",
    "MSFT_texture_dds",
}
# compressed copies of data that are in the file as well, unless they are required
_COPIES = {
    "EXT_meshopt_compression",
    "KHR_draco_mesh_compression",
    "KHR_meshopt_compression",
    "KHR_texture_basisu",
}
# Vertices or faces that a file may show, besides one for each byte of its buffers. A
# small file could show a mesh a great many times.
_MOST_REPEATED = 2**21


def _check_extensions(document: Document) -> None:
    """Refuses files that need what is not supported; notes what is left out."""
    needed = document.root.texts("extensionsRequired")
    # effects on top of the base colour are left out
    refused = [
        show(name)
        for name in needed
        if name not in _KNOWN and not name.startswith("KHR_materials_")
    ]
    if refused:
        raise ValueError(f"it needs {text.list_names(refused)}; export it without")
    used = dict.fromkeys([*needed, *document.root.texts("extensionsUsed")])
    dropped = [show(name) for name in used if name not in _KNOWN | _COPIES]
    if dropped:
        names = text.list_names(dropped)
        document.notes[f"extensions that are not supported: {names}"] = None


def _skin(
    document: Document, primitive: Primitive, joints: np.ndarray
) -> np.ndarray | None:
    """Transforms ``[V, 4, 4]`` of the vertices of a skinned mesh; None without joints.

    Args:
        document: the file.
        primitive: the primitive.
        joints: ``[J, 4, 4]`` transforms of the joints.
    """
    item, count = primitive.item, len(primitive.vertices)
    attributes = item.item("attributes")
    transforms, total = np.zeros((count, 4, 4)), np.zeros(count)
    k = 0
    while f"JOINTS_{k}" in attributes:
        index = read_accessor(document, attributes, f"JOINTS_{k}", "VEC4").values
        accessor = read_accessor(document, attributes, f"WEIGHTS_{k}", "VEC4")
        weights = accessor.to_float(fractions=True)
        check_count(item, f"JOINTS_{k}", index, count)
        check_count(item, f"WEIGHTS_{k}", weights, count)
        if index.dtype.kind != "u" or (index.size and index.max() >= len(joints)):
            raise ValueError(
                f"{item.place} has joints that do not exist; its skin has {len(joints)}"
            )
        for c in range(4):
            transforms += weights[:, c, None, None] * joints[index[:, c]]
        total += weights.sum(axis=1)
        k += 1
    if k == 0:
        return None
    # vertices without weights stay at the first joint, as in viewers
    loose = total == 0
    transforms[loose] = joints[0] if len(joints) else np.eye(4)
    total[loose] = 1
    return transforms / total[:, None, None]


def _mirror(surface: Surface, mirrored: np.ndarray) -> Surface:
    """Reverses the faces that a transform has turned inside out, by ``[F]`` bool."""
    faces = np.where(mirrored[:, None], surface.faces[:, ::-1], surface.faces)
    uvs = surface.uvs
    if uvs is not None:
        uvs = np.where(mirrored[:, None, None], uvs[:, ::-1], uvs)
    return surface._replace(faces=faces, uvs=uvs)


def _bend(surface: Surface, transforms: np.ndarray) -> Surface:
    """Moves each vertex of a surface by its own transform ``[V, 4, 4]``."""
    linear = transforms[:, :3, :3]
    vertices = np.einsum("vij,vj->vi", linear, surface.vertices)
    inverted = np.linalg.det(linear) < 0
    mirrored = np.sum(inverted[surface.faces], axis=1) >= 2
    bent = surface._replace(vertices=vertices + transforms[:, :3, 3])
    return _mirror(bent, mirrored)


def _place(surface: Surface, transforms: np.ndarray) -> Surface:
    """Copies a surface to several places, by ``[N, 4, 4]`` transforms."""
    linear, count, size = transforms[:, :3, :3], len(transforms), len(surface.vertices)
    vertices = surface.vertices @ linear.swapaxes(1, 2) + transforms[:, None, :3, 3]
    faces = surface.faces + size * np.arange(count)[:, None, None]

    def tile(rows: np.ndarray | None) -> np.ndarray | None:
        return None if rows is None else np.tile(rows, (count, *[1] * (rows.ndim - 1)))

    copies = surface._replace(
        vertices=vertices.reshape(-1, 3),
        faces=faces.reshape(-1, 3),
        vertex_colors=tile(surface.vertex_colors),
        uvs=tile(surface.uvs),
        material_index=tile(surface.material_index),
    )
    mirrored = np.linalg.det(linear) < 0
    return _mirror(copies, np.repeat(mirrored, len(surface.faces)))


def _read_uv(
    document: Document, primitive: Primitive, base: BaseColor, weights: np.ndarray
) -> np.ndarray | None:
    """Reads texture coordinates ``[V, 2]``, v up, for the image of a material.

    Returns:
        None without an image, or without coordinates.
    """
    if base.use is None:
        return None
    item, key = primitive.item, f"TEXCOORD_{base.use.coordinate_set}"
    if key not in item.item("attributes"):
        return None
    uv = read_attribute(document, item, key, weights, "VEC2")
    check_count(item, key, uv, len(primitive.vertices))
    transform = base.use.transform
    return (uv @ transform[:, :2].T + transform[:, 2]) * [1, -1] + [0, 1]


def _color_vertices(
    document: Document, base: BaseColor, primitive: Primitive, colors: np.ndarray
) -> np.ndarray:
    """Multiplies vertex colours by the factor of a material.

    Args:
        document: the file.
        base: base colour of the material, of which the image is ignored.
        primitive: the primitive.
        colors: ``[V, 4]`` linear.

    Returns:
        ``[V, 4]`` sRGB-encoded, with opacity.
    """
    product = colors * base.factor
    alpha = base.opacity(product[:, 3])
    corners = alpha[primitive.faces]
    if base.alpha_mode == "MASK" and np.any(corners != corners[:, :1]):
        note = f"vertex colours cut {base.name} out with soft edges within faces"
        document.notes[note] = None
    return np.append(srgb.encode(product[:, :3]), alpha[:, None], axis=1)


def _color_primitive(
    document: Document, materials: Materials, primitive: Primitive, weights: np.ndarray
) -> Surface:
    """Makes a surface of a primitive, with its colours."""
    base = materials.read(primitive.item)
    uv = _read_uv(document, primitive, base, weights)
    used = np.flatnonzero(np.bincount(primitive.faces.ravel()))
    colors = primitive.colors
    if uv is not None and base.use is not None and colors is not None:
        image = base.use.image
        if len(used) and np.all(colors[used] == colors[used[0]]):
            base, colors = base._replace(factor=base.factor * colors[used[0]]), None
        elif np.all(image == image[0, 0]):
            texel = with_opacity(image[0, 0])
            texel = np.append(srgb.decode(texel[:3]), texel[3])
            base, uv = base._replace(factor=base.factor * texel), None
        else:
            document.notes["vertex colours of faces with an image are left out"] = None
            colors = None
    surface = Surface(primitive.vertices, primitive.faces)
    if colors is not None:
        values = _color_vertices(document, base, primitive, colors)
        return surface._replace(vertex_colors=values)
    if base.plain:
        return surface
    material, uv = materials.make(base, uv, used)
    return surface._replace(
        uvs=None if uv is None else uv[primitive.faces],
        material_index=np.zeros(len(primitive.faces), int),
        materials=(material,),
    )


def _build(
    document: Document, materials: Materials, placements: Sequence[Placement]
) -> Iterator[Surface]:
    """Makes the surfaces of all primitives of meshes in their places."""
    shown = 0
    for node, mesh, transforms, joints in placements:
        weights = mesh.numbers("weights", None, ())
        weights = node.numbers("weights", None, weights.tolist())
        for item in mesh.items("primitives"):
            primitive = read_primitive(document, item, weights)
            if primitive is None:
                continue
            size = max(len(primitive.vertices), len(primitive.faces))
            shown += size * len(transforms)
            if shown > _MOST_REPEATED + document.size:
                raise ValueError(
                    f"it shows {shown} vertices or faces, which are far fewer in the "
                    "file; export it with fewer instances"
                )
            surface = _color_primitive(document, materials, primitive, weights)
            skinned = None if joints is None else _skin(document, primitive, joints)
            if skinned is None:
                yield _place(surface, transforms)
            else:
                yield _bend(surface, skinned)


@np.errstate(all="ignore")  # what overflows is refused later, if a face uses it
def read(path: Path) -> Surface:
    """Reads a .glb or .gltf file.

    Args:
        path: the file.

    Returns:
        The default scene, or else the first, in which vertices at the same place and
        with the same colour are merged.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    document = read_document(path)
    _check_extensions(document)
    surfaces = _build(document, Materials(document), place_meshes(document))
    surface = weld(join(list(surfaces)))
    notes = list(document.notes)
    if document.missing:
        notes.append(f"missing images: {text.list_names(list(document.missing))}")
    if len(surface.faces) == 0 and notes:
        raise ValueError(f"it has no faces: {'; '.join(notes)}")
    return surface._replace(notes=tuple(notes))
