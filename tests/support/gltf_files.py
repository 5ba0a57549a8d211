"""Small glTF files for tests, built of arrays and changed as JSON."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import load_mesh
from jaxsoftras.texture import UVTexture

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.uint16)
CORNERS = SQUARE[FACES]
UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # v runs down
# red, green / blue, white
FOUR = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]], np.float32)


def png(image: np.ndarray) -> bytes:
    """Encodes colours in [0, 1], with opacity or without."""
    file = io.BytesIO()
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class GltfFile:
    """A document of one node and one mesh; its JSON may be changed."""

    def __init__(self):
        self.binary = b""
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": []}],
            "accessors": [],
            "bufferViews": [],
        }

    def _append(self, key: str, value: dict) -> int:
        self.json.setdefault(key, []).append(value)
        return len(self.json[key]) - 1

    def view(self, content: bytes, **more) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        place = {"buffer": 0, "byteOffset": len(self.binary)}
        self.binary += content
        return self._append("bufferViews", place | {"byteLength": len(content)} | more)

    def accessor(self, values: Any, **more) -> int:
        values = np.asarray(values)
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        entry = {
            "bufferView": self.view(values.tobytes()),
            "componentType": COMPONENTS[values.dtype.str[1:]],
            "count": len(values),
            "type": KINDS[values.shape[1:]],
        }
        return self._append("accessors", entry | more)

    def primitive(
        self, positions: Any = SQUARE, faces: Any = FACES, *, more=(), **attributes: int
    ) -> dict:
        """Adds a primitive; attributes are accessors, ``more`` further properties."""
        entry: dict[str, Any] = {
            "attributes": {"POSITION": self.accessor(positions)} | attributes
        }
        if faces is not None:
            entry["indices"] = self.accessor(np.asarray(faces).ravel())
        self.json["meshes"][0]["primitives"].append(entry | dict(more))
        return entry | dict(more)

    def texture(self, image: np.ndarray = FOUR, **sampler: int) -> int:
        view = self.view(png(image))
        entry = {"bufferView": view, "mimeType": "image/png"}
        entry = {"source": self._append("images", entry)}
        if sampler:
            entry["sampler"] = self._append("samplers", sampler)
        return self._append("textures", entry)

    def material(self, texture: int | None = None, *, more=(), info=(), **pbr) -> int:
        """Adds a material; ``info`` are further properties of its texture's use."""
        if texture is not None:
            pbr["baseColorTexture"] = {"index": texture} | dict(info)
        return self._append("materials", {"pbrMetallicRoughness": pbr} | dict(more))

    def textured(self, texture: int, uv: Any = UV, *, more=(), info=(), **pbr):
        """Adds a primitive with a material."""
        material = self.material(texture, more=more, info=info, **pbr)
        coordinates = self.accessor(np.asarray(uv, np.float32))
        self.primitive(more={"material": material}, TEXCOORD_0=coordinates)

    def glb(self) -> bytes:
        binary = self.binary + b"\0" * (-len(self.binary) % 4)
        document = self.json | {"buffers": [{"byteLength": len(self.binary)}]}
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        return b"".join(
            [
                struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary)),
                struct.pack("<I4s", len(text), b"JSON") + text,
                struct.pack("<I4s", len(binary), b"BIN\0") + binary,
            ]
        )

    def gltf(self, uri: str | None = None) -> bytes:
        """JSON with the buffer in a file of the name ``uri``, or else within."""
        if uri is None:
            data = base64.b64encode(self.binary).decode()
            uri = f"data:application/octet-stream;base64,{data}"
        buffer = {"byteLength": len(self.binary), "uri": uri}
        return json.dumps(self.json | {"buffers": [buffer]}).encode()


def square(**attributes: Any) -> GltfFile:
    """A file with a square and further attributes of its vertices."""
    file = GltfFile()
    file.primitive(**{name: file.accessor(value) for name, value in attributes.items()})
    return file


def load(folder: Path, file: GltfFile) -> Mesh:
    """Loads a file as GLB."""
    (folder / "a.glb").write_bytes(file.glb())
    return load_mesh(folder / "a.glb")


def load_image(folder: Path, file: GltfFile) -> UVTexture:
    """Loads a file as GLB; returns its texture."""
    texture = load(folder, file).texture
    assert isinstance(texture, UVTexture)
    return texture


def corners(mesh: Mesh) -> np.ndarray:
    """Corners ``[F, 3, 3]`` of the faces of a loaded mesh."""
    return np.asarray(mesh.vertices[mesh.faces])


def _everything() -> GltfFile:
    """Images, colours, a skin, morph targets, instances, and sparse data."""
    file = GltfFile()
    transform = {"KHR_texture_transform": {"scale": [2, 1], "rotation": 1}}
    alpha = np.insert(FOUR, 3, 0.5, axis=-1)
    file.textured(
        file.texture(alpha, wrapS=33071, wrapT=33648),
        UV * 1.5,
        more={"alphaMode": "MASK", "alphaCutoff": 0.4},
        info={"extensions": transform},
        baseColorFactor=[1, 0.5, 0.5, 0.9],
    )
    moved = file.accessor(np.ones((4, 3)))
    file.primitive(
        faces=np.array([0, 1, 3, 2], np.uint8),
        more={"mode": 5, "targets": [{"POSITION": moved}]},
        COLOR_0=file.accessor(np.full((4, 4), 99, np.uint8), normalized=True),
        JOINTS_0=file.accessor(np.array([[0, 1, 0, 0]] * 4, np.uint8)),
        WEIGHTS_0=file.accessor(np.full((4, 4), 0.25)),
    )
    file.json["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": file.view(b"\2"), "componentType": 5121},
        "values": {"bufferView": file.view(SQUARE[:1].tobytes())},
    }
    instances = {"TRANSLATION": file.accessor(SQUARE[:2])}
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": instances}}
    bind = file.accessor(np.tile(np.eye(4), (2, 1, 1)))
    file.json["meshes"][0]["weights"] = [0.5]
    file.json["skins"] = [{"joints": [1, 2], "inverseBindMatrices": bind}]
    file.json["nodes"] = [
        {"mesh": 0, "skin": 0, "children": [1]},
        {"children": [2], "rotation": [0, 0, 1, 1], "translation": [1, 2, 3]},
        {"mesh": 0, "scale": [-1, 1, 1], "extensions": extensions},
    ]
    return file


def _simple() -> GltfFile:
    """An image in a file, and a material without one."""
    file = GltfFile()
    file.textured(file.texture())
    file.json["images"] = [{"uri": "a%20b.png"}]
    plain = file.material(baseColorFactor=[0.5, 0.2, 0.1, 1])
    file.primitive(SQUARE[:3] + 1, None, more={"material": plain})
    file.json["nodes"][0]["matrix"] = np.diag([1, -2, 3, 1]).ravel().tolist()
    return file


def glb_seeds() -> list[dict[str, bytes]]:
    """GLB files, with an image beside."""
    image = {"a b.png": png(FOUR)}
    return [{"a.glb": _everything().glb()}, {"a.glb": _simple().glb()} | image]


def gltf_seeds() -> list[dict[str, bytes]]:
    """JSON files with buffers within and beside."""
    file, other = _everything(), _simple()
    beside = {"a.bin": other.binary, "a b.png": png(FOUR)}
    return [
        {"a.gltf": file.gltf()},
        {"a.gltf": file.gltf("a.bin"), "a.bin": file.binary},
        {"a.gltf": other.gltf("a.bin")} | beside,
    ]
