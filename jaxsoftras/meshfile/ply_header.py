"""Headers of PLY files, and types for their data.

Error messages are meant to follow the name of the file.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

import numpy as np

from jaxsoftras.meshfile import text

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "float32": "f4",
    "float64": "f8",
}
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class Property(NamedTuple):
    """A property of an element.

    Attributes:
        name: its name.
        type: numpy type code of its values.
        count_type: type code of the number of values; None unless it is a list.
    """

    name: str
    type: str
    count_type: str | None


class Element(NamedTuple):
    """An element as declared in the header, such as all vertices."""

    name: str
    count: int
    properties: dict[str, Property]


class Header(NamedTuple):
    """Header of a file.

    Attributes:
        byte_order: ``"<"``, ``">"`` or, for text, ``""``.
        elements: all elements by name, in order.
        images: names in comments ``TextureFile``.
        lines: number of lines.
        end: number of bytes.
    """

    byte_order: str
    elements: dict[str, Element]
    images: list[bytes]
    lines: int
    end: int


class Ragged(NamedTuple):
    """Values of a list property.

    Attributes:
        values: ``[C]`` all lists, one after the other.
        counts: ``[N]`` length of each.
    """

    values: np.ndarray
    counts: np.ndarray


Column: TypeAlias = np.ndarray | Ragged
"""Values of a property: ``[N]``, or lists."""


class Data(NamedTuple):
    """Content of a file.

    Attributes:
        header: the header.
        columns: values by element and property.
        notes: clauses about what is left out; see
            `jaxsoftras.meshfile.surface.Surface`.
    """

    header: Header
    columns: dict[str, dict[str, Column]]
    notes: tuple[str, ...]


def cut_off(element: Element, found: int) -> ValueError:
    """Makes the error about a file that ends after some rows of an element."""
    return ValueError(
        f"it should have {element.count} elements '{element.name}' and ends after "
        f"{found}; it is cut off, export or download it again"
    )


def _parse_property(words: list[str]) -> Property:
    """Parses the words of a property after its keyword."""
    match words:
        case ["list", count, kind, name]:
            count_type = _TYPES[count]
            if count_type[0] == "f":
                raise ValueError(count)
            return Property(name, _TYPES[kind], count_type)
        case [kind, name]:
            return Property(name, _TYPES[kind], None)
    raise ValueError("property")


def _add_line(words: list[str], elements: dict[str, Element]) -> str | None:
    """Adds a line of the header to the elements; returns the byte order of a format."""
    match words:
        case ["format", name, version] if float(version) == 1:
            return _FORMATS[name]
        case ["element", name, count]:
            if int(count) < 0 or name in elements:
                raise ValueError(name)
            elements[name] = Element(name, int(count), {})
        case ["property", *rest]:
            prop, last = _parse_property(rest), elements[next(reversed(elements), "")]
            if prop.name in last.properties:
                raise ValueError(prop.name)
            last.properties[prop.name] = prop
        case []:
            pass
        case _:
            raise ValueError(words[0])
    return None


def parse_header(content: bytes) -> Header:
    """Parses the header.

    Raises:
        ValueError: a line that is not understood, or no end.
    """
    byte_order: str | None = None
    elements: dict[str, Element] = {}
    images: list[bytes] = []
    first = re.match(rb"ply[ \t]*(\r(?!\n)|\r?\n)", content)
    if first is None:
        raise ValueError("it does not begin with a line 'ply'")
    line_end = b"\r" if first[1] == b"\r" else b"\n"
    start, number = first.end(), 1
    while (stop := content.find(line_end, start)) >= 0:
        line, start = content[start:stop].strip(), stop + 1
        number += 1
        words = line.decode("latin-1").split()
        if words == ["end_header"]:
            if byte_order is None:
                raise ValueError("its header has no line 'format'")
            return Header(byte_order, elements, images, number, start)
        if words[:1] == ["comment"]:
            if words[1:2] == ["TextureFile"]:
                images.append(line.partition(b"TextureFile")[2].strip())
        elif words[:1] != ["obj_info"]:
            try:
                order = _add_line(words, elements)
            except (ValueError, LookupError, OverflowError):
                raise ValueError(
                    f"line {number} of its header is not understood: "
                    f"'{text.show(line[:60])}'"
                ) from None
            byte_order = byte_order if order is None else order
    raise ValueError("its header does not end with 'end_header'; it is cut off")
