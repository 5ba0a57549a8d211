"""Writes GLB files, glTF 2.0 in one binary file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile, srgb
from jaxsoftras.texture import UVTexture, VertexColors, Wrap

_COMPONENTS = {"float32": 5126, "uint32": 5125}
_KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4"}
_CLAMP, _REPEAT = 33071, 10497
_PNG = "image/png"


class _Writer:
    """The binary chunk of a file, and the parts of the JSON that refer to it."""

    def __init__(self):
        self.chunks: list[bytes] = []
        self.length = 0
        self.json: dict[str, list[dict[str, Any]]] = {}

    def append(self, key: str, value: dict[str, Any]) -> int:
        """Appends an object to an array of the JSON; returns its index."""
        self.json.setdefault(key, []).append(value)
        return len(self.json[key]) - 1

    def add_view(self, content: bytes) -> int:
        """Appends bytes; returns the index of their buffer view."""
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": len(content)}
        self.chunks.append(content + b"\0" * (-len(content) % 4))
        self.length += len(self.chunks[-1])
        return self.append("bufferViews", view)

    def add_array(self, values: np.ndarray, **more: Any) -> int:
        """Appends an array of float32 or uint32; returns the index of its accessor."""
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        accessor = {
            "bufferView": self.add_view(content),
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": _KINDS[values.shape[1:]],
        }
        return self.append("accessors", accessor | more)

    def add_positions(self, vertices: np.ndarray) -> int:
        """Appends vertices; returns the index of their accessor."""
        # those that no face uses may be anything
        positions = np.nan_to_num(vertices.astype(np.float32), posinf=0, neginf=0)
        low, high = positions.min(axis=0).tolist(), positions.max(axis=0).tolist()
        return self.add_array(positions, min=low, max=high)

    def add_material(self, opaque: bool, **base: Any) -> int:
        """Appends a material; returns its index."""
        material: dict[str, Any] = {
            "pbrMetallicRoughness": {"metallicFactor": 0} | base,
            "doubleSided": True,
        }
        if not opaque:
            material["alphaMode"] = "BLEND"
        return self.append("materials", material)

    def add_image(self, image: np.ndarray, wrap: Wrap | None) -> int:
        """Appends an image ``[H, W, 3 or 4]``; returns the index of its material."""
        opaque = bool(np.all(image[..., 3:] == 1))
        png = self.add_view(imagefile.encode_png(image[..., :3] if opaque else image))
        # what the renderer does with an image without a continuation
        code = _REPEAT if wrap == "repeat" else _CLAMP
        texture = {
            "source": self.append("images", {"bufferView": png, "mimeType": _PNG}),
            "sampler": self.append("samplers", {"wrapS": code, "wrapT": code}),
        }
        index = self.append("textures", texture)
        return self.add_material(opaque, baseColorTexture={"index": index})


def _split_vertices(
    faces: np.ndarray, coordinates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds a vertex for each pair of a vertex and its texture coordinates.

    Returns:
        The old vertex of each new one, its coordinates ``[N, 2]``, and ``[F, 3]`` new
        vertices of the faces.
    """
    corners = np.concatenate(
        [np.reshape(faces, (-1, 1)), np.reshape(coordinates, (-1, 2))], axis=1
    )
    pairs, index = np.unique(corners, axis=0, return_inverse=True)
    return pairs[:, 0].astype(int), pairs[:, 1:], index.reshape(-1, 3)


def _pack(document: dict[str, Any], binary: bytes) -> bytes:
    """Packs JSON and binary data into the chunks of a file."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary))
    first = struct.pack("<I4s", len(text), b"JSON") + text
    return head + first + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def _add_textured(
    writer: _Writer, mesh: Mesh, texture: UVTexture
) -> Iterator[dict[str, Any]]:
    """Adds a primitive for each image."""
    images, index = (texture.image,), np.zeros(len(mesh.faces), int)
    if texture.image_index is not None:
        images, index = texture.image, np.asarray(texture.image_index)
    coordinates = np.asarray(texture.coordinates)
    for k, image in enumerate(images):
        own = index == k
        faces = np.asarray(mesh.faces)[own]
        old, uv, faces = _split_vertices(faces, coordinates[own])
        uv = (uv * [1, -1] + [0, 1]).astype(np.float32)  # v runs down
        yield {
            "attributes": {
                "TEXCOORD_0": writer.add_array(uv),
                "POSITION": writer.add_positions(np.asarray(mesh.vertices)[old]),
            },
            "indices": writer.add_array(faces.astype(np.uint32).ravel()),
            "material": writer.add_image(np.asarray(image), texture.wrap),
        }


def _add_plain(writer: _Writer, mesh: Mesh, material: bool) -> dict[str, Any]:
    """Adds a primitive with vertex colours, or none."""
    attributes, primitive = {}, {}
    if isinstance(mesh.texture, VertexColors):
        colors = np.array(mesh.texture.values, np.float32)
        colors[:, :3] = srgb.decode(colors[:, :3])
        attributes["COLOR_0"] = writer.add_array(colors)
        if material or mesh.texture.transparent:
            opaque = not mesh.texture.transparent
            primitive["material"] = writer.add_material(opaque)
    attributes["POSITION"] = writer.add_positions(np.asarray(mesh.vertices))
    index = writer.add_array(np.asarray(mesh.faces).astype(np.uint32).ravel())
    return primitive | {"attributes": attributes, "indices": index}


def encode(mesh: Mesh, name: str, *, material: bool = False) -> dict[str, bytes]:
    """Encodes a mesh as a GLB file.

    Vertex colours are stored as linear floats, as the standard asks.

    Args:
        mesh: numpy arrays; None, `VertexColors` or `UVTexture` with three channels, and
            opacity if it is transparent.
        name: name of the file.
        material: whether opaque vertex colours have a material, too. The standard's
            own is of metal and invisible from behind, which most programs overlook;
            trimesh does not take colours for plain ones beside a material.

    Returns:
        The content by file name.
    """
    writer = _Writer()
    if isinstance(mesh.texture, UVTexture):
        primitives = list(_add_textured(writer, mesh, mesh.texture))
    else:
        primitives = [_add_plain(writer, mesh, material)]
    document = {
        "asset": {"version": "2.0", "generator": "jaxsoftras"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "buffers": [{"byteLength": writer.length}],
        **writer.json,
    }
    return {name: _pack(document, b"".join(writer.chunks))}
