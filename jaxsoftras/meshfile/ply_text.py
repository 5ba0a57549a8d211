"""Data of text PLY files. Error messages are meant to follow the name of the file."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from jaxsoftras.meshfile import text
from jaxsoftras.meshfile.ply_header import (
    Column,
    Data,
    Element,
    Header,
    Ragged,
    cut_off,
)

_Rows: TypeAlias = list[tuple[int, list[bytes]]]
"""Number and words of lines."""


def _to_numbers(words: list[bytes], rows: _Rows) -> np.ndarray:
    """Parses words to ``[N]`` float64; ``rows`` are the lines that they are from."""
    try:
        if b"_" not in b"".join(words):  # which Python would skip
            return np.array(words, np.float64)
    except ValueError:
        pass
    values = np.zeros(len(words))
    for k, word in enumerate(words):
        try:
            values[k] = text.parse_float(word)
        except ValueError:
            number = next(number for number, row in rows if word in row)
            shown = text.show(word[:40])
            raise ValueError(f"line {number} has '{shown}' for a number") from None
    return values


def _refuse_length(number: int, row: list[bytes], element: Element) -> ValueError:
    return ValueError(
        f"line {number} has {len(row)} numbers, which do not fit the properties of an "
        f"element '{element.name}'"
    )


def _read_uniform(rows: _Rows, element: Element) -> dict[str, Column] | None:
    """Reads lines of the same length, whose lists have the same lengths.

    Returns:
        None if they have not.
    """
    size, start = len(rows[0][1]), 0
    if any(len(row) != size for _, row in rows):
        return None
    table = _to_numbers([word for _, row in rows for word in row], rows)
    table = table.reshape(-1, size)
    columns: dict[str, Column] = {}
    for prop in element.properties.values():
        if start >= size:
            return None
        if prop.count_type is None:
            columns[prop.name] = table[:, start]
            start += 1
            continue
        count, start = table[0, start], start + 1
        if count not in range(size - start + 1):
            return None
        if np.any(table[:, start - 1] != count):
            return None
        stop = start + int(count)
        lengths = np.full(len(table), int(count))
        columns[prop.name] = Ragged(table[:, start:stop].ravel(), lengths)
        start = stop
    return columns if start == size else None


def _read_mixed(rows: _Rows, element: Element) -> dict[str, Column]:
    """Reads lines whose lists have different lengths."""
    properties = list(element.properties.values())
    words: list[list[bytes]] = [[] for _ in properties]
    counts: list[list[int]] = [[] for _ in properties]
    for number, row in rows:
        start = 0
        for prop, found, lengths in zip(properties, words, counts, strict=True):
            count = 1
            if prop.count_type is not None:
                head = b"".join(row[start : start + 1])
                if not head.isdigit():
                    raise _refuse_length(number, row, element)
                count, start = int(head), start + 1
                lengths.append(count)
            found += row[start : start + count]
            start += count
        if start != len(row):
            raise _refuse_length(number, row, element)
    columns: dict[str, Column] = {}
    for prop, found, lengths in zip(properties, words, counts, strict=True):
        values = _to_numbers(found, rows)
        columns[prop.name] = Ragged(values, np.array(lengths)) if lengths else values
    return columns


def read_text(content: bytes, header: Header) -> Data:
    """Reads the data of a text file, a line for each element."""
    lines = content[header.end :].splitlines()
    split = ((header.lines + 1 + k, line.split()) for k, line in enumerate(lines))
    rows = [(number, row) for number, row in split if row]
    columns, start = {}, 0
    for name, element in header.elements.items():
        columns[name] = {}
        if not element.properties or element.count == 0:
            continue
        own = rows[start : start + element.count]
        if len(own) < element.count:
            raise cut_off(element, len(own))
        columns[name] = _read_uniform(own, element) or _read_mixed(own, element)
        start += element.count
    extra = len(rows) - start
    notes = (f"{extra} lines after its last element are ignored",) if extra else ()
    return Data(header, columns, notes)
