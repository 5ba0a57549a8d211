"""STL files, binary and text.

They are not left to trimesh, which needs the count of a binary file to agree with its
length, and takes some text for binary.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from jaxsoftras.meshfile import polygons, text
from jaxsoftras.meshfile.surface import Surface
from jaxsoftras.meshfile.weld import weld

_HEAD = 84  # bytes in front of the triangles, the last four of which are their number
_TRIANGLE = np.dtype(
    [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
)

# the name of a solid may hold any words
_TITLE = re.compile(
    rb"^[ \t]*(end[ \t]*)?solid\b((?!\bfacet\b)[^\r\n])*", re.IGNORECASE | re.MULTILINE
)
_VERTEX = re.compile(rb"\bvertex\b(?:\s+(\S+)\s+(\S+)\s+(\S+))?", re.IGNORECASE)
_FACET_END = re.compile(rb"\bend\s*facet\b", re.IGNORECASE)
_SOLID_END = re.compile(rb"\bend\s*solid\b", re.IGNORECASE)


def _read_binary(content: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads the corners ``[F, 3, 3]`` of a binary file."""
    if len(content) < _HEAD:
        raise ValueError(
            f"it is neither text nor binary: {len(content)} bytes are less than the "
            f"{_HEAD} that a binary file begins with"
        )
    count = int.from_bytes(content[_HEAD - 4 : _HEAD], "little")
    held, rest = divmod(len(content) - _HEAD, _TRIANGLE.itemsize)
    notes = ()
    # programs that write to a stream do not know the number in advance
    if count == 0 or (rest == 0 and held > count):
        if held != count:
            notes = (f"its head says {count} triangles; read by its length: {held}",)
            count = held
    elif held > count or rest:
        extra = len(content) - _HEAD - count * _TRIANGLE.itemsize
        notes = (f"bytes after the last triangle: {extra}, left out",)
    if held < count:
        raise ValueError(f"it should have {count} triangles, and ends after {held}")
    triangles = np.frombuffer(content, _TRIANGLE, count, _HEAD)
    return triangles["corners"].astype(float), notes


def _read_text(content: bytes) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Reads the corners ``[C, 3]`` of a text file, and their number in each facet."""

    def line(position: int) -> int:
        return (
            1
            + len(content[:position].splitlines())
            - (position > 0 and content[position - 1 : position] not in b"\r\n")
        )

    # of the same length, so that positions remain
    body = _TITLE.sub(lambda match: b" " * len(match[0]), content)
    corners, places = [], []
    for match in _VERTEX.finditer(body):
        try:
            corners.append([text.parse_float(word) for word in match.groups()])
        except (TypeError, ValueError):
            shown = text.show(b" ".join(match[0].split()))
            raise ValueError(
                f"the vertex in line {line(match.start())} is not understood: "
                f"{shown[:60]!r}"
            ) from None
        places.append(match.start())
    ends = [match.start() for match in _FACET_END.finditer(body)]
    before = np.searchsorted(places, ends)
    if len(places) > (before[-1] if len(before) else 0):
        raise ValueError(f"it ends within facet {len(ends)} (counted from 0)")
    notes = () if _SOLID_END.search(content) else ("it ends without 'endsolid'",)
    return np.array(corners).reshape(-1, 3), np.diff(before, prepend=0), notes


def _is_text(content: bytes) -> bool:
    """Tells text from binary, which may begin with ``solid``, too."""
    if content[:512].lstrip()[:5].lower() != b"solid":
        return False
    count = int.from_bytes(content[_HEAD - 4 : _HEAD], "little")
    if len(content) == _HEAD + count * _TRIANGLE.itemsize:
        return False
    return b"\0" not in content


def read(path: Path) -> Surface:
    """Reads an STL file; its normals and colours are left out.

    Returns:
        Triangles, in which vertices at the same position are merged.

    Raises:
        ValueError: invalid content; the message is meant to follow the name of the
            file.
    """
    content = path.read_bytes()
    decoded = text.read(path)
    if _is_text(decoded):
        corners, counts, notes = _read_text(decoded)
        triangles = polygons.triangulate(corners, np.arange(len(corners)), counts)
        faces, notes = triangles.corners, (*triangles.notes, *notes)
    else:
        triangles, notes = _read_binary(content)
        corners = triangles.reshape(-1, 3)
        faces = np.arange(len(corners)).reshape(-1, 3)
    return weld(Surface(corners, faces, notes=notes))
