"""The outer layer of glTF 2.0 files: GLB chunks, JSON, and the buffers they refer to.

The messages of all errors are meant to follow the name of the file.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import urllib.parse
from pathlib import Path

from jaxsoftras.meshfile import text
from jaxsoftras.meshfile.gltf_json import Item, show


def find_file(folder: Path, uri: str) -> Path | None:
    """Finds the file of a relative URI; None if it is missing.

    Names are percent-encoded by the standard, but many writers leave them as they are.
    """
    raw = uri.encode(errors="replace")
    names = (urllib.parse.unquote_to_bytes(raw), raw)
    paths = (text.find_file(folder, name) for name in names)
    return next((path for path in paths if path is not None), None)


def decode_data_uri(uri: str, place: str) -> bytes:
    """Decodes the content of a ``data:`` URI.

    Raises:
        ValueError: it is not valid base64.
    """
    head, comma, data = uri.partition(",")
    content = urllib.parse.unquote_to_bytes(data)
    if not comma or not head.lower().endswith(";base64"):
        return content
    try:
        content = b"".join(content.split())
        return base64.b64decode(content + b"=" * (-len(content) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"the data of {place} is not valid base64") from None


class Document:
    """A parsed file: its JSON, and its buffers, which are read when they are needed.

    Attributes:
        root: the JSON.
        folder: folder of the file, to which URIs are relative.
        notes: clauses about what is left out, as of a `Surface`; the keys of a dict,
            each once and in order.
        missing: names of images that are missing, likewise.
    """

    def __init__(self, root: Item, folder: Path, binary: bytes | None):
        """Keeps the parts of a file; ``binary`` is the BIN chunk of a GLB file."""
        self.root, self.folder = root, folder
        self.notes: dict[str, None] = {}
        self.missing: dict[str, None] = {}
        self._binary = binary
        self._buffers: dict[int, bytes] = {}
        self._arrays: dict[str, list[Item]] = {}

    @property
    def size(self) -> int:
        """Number of bytes of the buffers that are read so far."""
        return sum(map(len, self._buffers.values()))

    def array(self, name: str) -> list[Item]:
        """Top-level array of the JSON, such as all materials."""
        if name not in self._arrays:
            self._arrays[name] = self.root.items(name)
        return self._arrays[name]

    def look_up(self, name: str, index: int, place: str) -> Item:
        """Finds an element of a top-level array.

        Args:
            name: the array.
            index: its element.
            place: what refers to the element, for the message.

        Raises:
            ValueError: there is no such element.
        """
        array = self.array(name)
        if index >= len(array):
            raise ValueError(
                f"{place} refers to {name}[{index}], which does not exist; there are "
                f"{len(array)}"
            )
        return array[index]

    def refer(self, item: Item, key: str, name: str) -> Item:
        """Finds the element of a top-level array that a property refers to."""
        return self.look_up(name, item.integer(key), f"{item.place}.{key}")

    def view(self, item: Item, key: str = "bufferView") -> tuple[memoryview, int]:
        """Reads the buffer view that a property refers to.

        Returns:
            Its bytes, and its stride in bytes, 0 if it has none.

        Raises:
            ValueError: it ends outside of its buffer, or is compressed.
        """
        view = self.refer(item, key, "bufferViews")
        index = view.integer("buffer")
        content = self._buffer(index, f"{view.place}.buffer")
        start, length = view.integer("byteOffset", 0), view.integer("byteLength")
        if start + length > len(content):
            raise ValueError(
                f"{view.place} ends at byte {start + length} of buffers[{index}], "
                f"which has {len(content)}; export the file again"
            )
        stride = view.integer("byteStride", 0)
        return memoryview(content)[start : start + length], stride

    def _buffer(self, index: int, place: str) -> bytes:
        """Reads a buffer, cut to its length."""
        if index not in self._buffers:
            buffer = self.look_up("buffers", index, place)
            content, length = self._read_buffer(buffer), buffer.integer("byteLength")
            if len(content) < length:
                raise ValueError(
                    f"{buffer.place} should have {length} bytes and has {len(content)};"
                    " the file is cut off, export it again"
                )
            self._buffers[index] = content[:length]
        return self._buffers[index]

    def _read_buffer(self, buffer: Item) -> bytes:
        """Reads all bytes behind a buffer."""
        if "uri" not in buffer:
            if buffer.place == "buffers[0]" and self._binary is not None:
                return self._binary
            raise ValueError(
                f"{buffer.place} has no data, as in compressed files; export it "
                "without compression"
            )
        uri = buffer.text("uri")
        if uri.lower().startswith("data:"):
            return decode_data_uri(uri, buffer.place)
        path = find_file(self.folder, uri)
        if path is None:
            raise ValueError(
                f"{buffer.place} is the file {show(uri)}, which is missing; put it "
                "beside, or export as .glb"
            )
        return path.read_bytes()


def _split_chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """Splits a GLB file into its JSON and its binary chunk, if there is one."""
    if len(content) < 20:
        raise ValueError("it is cut off within its first 20 bytes")
    version, length = struct.unpack_from("<II", content, 4)
    if version != 2:
        raise ValueError(f"it has version {version} of glTF; convert it to version 2")
    if length > len(content):
        raise ValueError(
            f"it should have {length} bytes and has {len(content)}; it is cut off, "
            "export or download it again"
        )
    chunks: dict[bytes, bytes] = {}
    start = 12
    while start + 8 <= length:
        size, kind = struct.unpack_from("<I4s", content, start)
        if start + 8 + size > length:
            raise ValueError(
                f"its chunk at byte {start} should have {size} bytes, and "
                f"{length - start - 8} follow; export it again"
            )
        if not chunks and kind != b"JSON":
            raise ValueError("its first chunk is not JSON; export it again")
        # of chunks of unknown kinds, the standard asks to ignore them
        chunks.setdefault(kind, content[start + 8 : start + 8 + size])
        start += 8 + size
    if not chunks:
        raise ValueError("it has no chunk of JSON; export it again")
    return chunks[b"JSON"], chunks.get(b"BIN\0")


def _parse_json(content: bytes) -> Item:
    """Parses the JSON and checks the version of glTF."""
    try:
        values = json.loads(content.rstrip(b"\0").decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"its JSON is broken at line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        ) from None
    except (ValueError, RecursionError):  # another encoding; brackets in brackets
        raise ValueError("its JSON is broken; export it again") from None
    root = Item(values, "")
    version = root.item("asset").text("version")
    if version.partition(".")[0] != "2":
        raise ValueError(
            f"it has version {show(version)} of glTF; convert it to version 2"
        )
    return root


def read_document(path: Path) -> Document:
    """Reads a .glb or .gltf file, whichever its content is.

    Raises:
        ValueError: invalid content.
    """
    content = path.read_bytes()
    if content[:4] == b"glTF":
        chunk, binary = _split_chunks(content)
        return Document(_parse_json(chunk), path.parent, binary)
    if path.suffix.lower() == ".glb":
        raise ValueError("it does not begin with 'glTF'")
    return Document(_parse_json(content), path.parent, None)
