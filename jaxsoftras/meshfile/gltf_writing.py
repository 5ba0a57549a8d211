"""Writes GLB files, glTF 2.0 in one binary file."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile, srgb
from jaxsoftras.texture import UVTexture, VertexColors

_COMPONENTS = {"float32": 5126, "uint32": 5125}
_CLAMP, _REPEAT = 33071, 10497


class _Writer:
    """The binary chunk of a file, and the parts of the JSON that refer to it."""

    def __init__(self):
        self.binary = b""
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add_view(self, content: bytes) -> int:
        """Appends bytes; returns the index of their buffer view."""
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content)}
        self.views.append(view)
        self.binary += content + b"\0" * (-len(content) % 4)
        return len(self.views) - 1

    def add_array(self, kind: str, values: np.ndarray, **more: Any) -> int:
        """Appends an array of float32 or uint32; returns the index of its accessor."""
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        self.accessors.append(
            {
                "bufferView": self.add_view(content),
                "componentType": _COMPONENTS[values.dtype.name],
                "count": len(values),
                "type": kind,
                **more,
            }
        )
        return len(self.accessors) - 1


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


def encode(mesh: Mesh, name: str) -> dict[str, bytes]:
    """Encodes a mesh as a GLB file.

    Vertex colours are stored as linear floats, as the standard asks.

    Args:
        mesh: numpy arrays; None, `VertexColors` or `UVTexture` with three channels.
        name: name of the file.

    Returns:
        The content by file name.
    """
    writer, more = _Writer(), {}
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    attributes, primitive = {}, {}
    match mesh.texture:
        case VertexColors(values):
            colors = srgb.decode(np.asarray(values, np.float32))
            attributes["COLOR_0"] = writer.add_array("VEC3", colors.astype(np.float32))
        case UVTexture(coordinates, image, wrap):
            old, uv, faces = _split_vertices(faces, np.asarray(coordinates))
            vertices = vertices[old]
            uv = (uv * [1, -1] + [0, 1]).astype(np.float32)  # v runs down
            attributes["TEXCOORD_0"] = writer.add_array("VEC2", uv)
            png = writer.add_view(imagefile.encode_png(np.asarray(image)))
            code = _CLAMP if wrap == "clamp" else _REPEAT
            pbr = {"baseColorTexture": {"index": 0}, "metallicFactor": 0}
            primitive["material"] = 0
            more = {
                "images": [{"bufferView": png, "mimeType": "image/png"}],
                "samplers": [{"wrapS": code, "wrapT": code}],
                "textures": [{"source": 0, "sampler": 0}],
                "materials": [{"pbrMetallicRoughness": pbr, "doubleSided": True}],
            }
    # those that no face uses may be anything
    positions = np.nan_to_num(vertices.astype(np.float32), posinf=0, neginf=0)
    attributes["POSITION"] = writer.add_array(
        "VEC3",
        positions,
        min=positions.min(axis=0).tolist(),
        max=positions.max(axis=0).tolist(),
    )
    index = writer.add_array("SCALAR", faces.astype(np.uint32).ravel())
    primitive |= {"attributes": attributes, "indices": index}
    document = {
        "asset": {"version": "2.0", "generator": "jaxsoftras"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": writer.accessors,
        "bufferViews": writer.views,
        "buffers": [{"byteLength": len(writer.binary)}],
        **more,
    }
    return {name: _pack(document, writer.binary)}
