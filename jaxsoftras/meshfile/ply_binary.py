"""Data of binary PLY files. Error messages are meant to follow the name of the file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import numpy as np

from jaxsoftras.meshfile.ply_header import (
    Column,
    Data,
    Element,
    Header,
    Ragged,
    cut_off,
)

# codes of the module struct by those of numpy
_CODES: dict[str, str] = dict(
    zip(("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), "bBhHiIqQ", strict=True)
)


def _make_dtype(element: Element, counts: Iterable[int], order: str) -> np.dtype:
    """Layout of a row whose lists have the given lengths.

    Fields are numbered; that of the length of list k is ``n{k}``.
    """
    fields, lengths = [], iter(counts)
    for k, prop in enumerate(element.properties.values()):
        if prop.count_type is None:
            fields.append((f"{k}", order + prop.type))
        else:
            fields.append((f"n{k}", order + prop.count_type))
            fields.append((f"{k}", order + prop.type, (next(lengths),)))
    return np.dtype(fields)


def _make_walker(
    content: bytes, element: Element, order: str
) -> Callable[[int], tuple[tuple[int, ...], int]]:
    """Makes a function from the start of a row to its lists' lengths and its end."""
    steps, skip = [], 0
    for prop in element.properties.values():
        size = np.dtype(prop.type).itemsize
        if prop.count_type is None:
            skip += size
        else:
            unpack = struct.Struct(order + _CODES[prop.count_type]).unpack_from
            steps.append((skip, unpack, np.dtype(prop.count_type).itemsize, size))
            skip = 0

    def walk(position: int) -> tuple[tuple[int, ...], int]:
        counts = []
        for before, unpack, width, size in steps:
            [count] = unpack(content, position + before)
            if count < 0:
                raise ValueError(f"an element '{element.name}' has {count} values")
            counts.append(count)
            position += before + width + count * size
        return tuple(counts), position + skip

    return walk


def _find_rows(
    content: bytes, start: int, element: Element, order: str
) -> tuple[dict[tuple[int, ...], tuple[list[int], list[int]]], int]:
    """Finds the rows of an element with lists.

    Returns:
        The numbers and positions of rows, by the lengths of their lists; and their end.
    """
    walk = _make_walker(content, element, order)
    found: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
    for row in range(element.count):
        try:
            counts, end = walk(start)
        except struct.error:  # beyond the end
            raise cut_off(element, row) from None
        if end > len(content):
            raise cut_off(element, row)
        rows, positions = found.setdefault(counts, ([], []))
        rows.append(row)
        positions.append(start)
        start = end
    return found, start


def _read_mixed(
    content: bytes, start: int, element: Element, order: str
) -> tuple[dict[str, Column], int]:
    """Reads an element whose lists have different lengths."""
    found, end = _find_rows(content, start, element, order)
    raw = np.frombuffer(content, np.uint8)
    lengths = np.zeros((element.count, len(next(iter(found)))), int)
    for counts, (rows, _) in found.items():
        lengths[rows] = counts
    columns: dict[str, Column] = {}
    starts, which = [], 0
    for prop in element.properties.values():
        if prop.count_type is None:
            columns[prop.name] = np.zeros(element.count, prop.type)
            starts.append(np.arange(element.count))
        else:
            counts = lengths[:, which]
            columns[prop.name] = Ragged(np.zeros(counts.sum(), prop.type), counts)
            starts.append(np.cumsum(counts) - counts)
            which += 1
    for counts, (rows, positions) in found.items():
        dtype = _make_dtype(element, counts, order)
        windows = np.lib.stride_tricks.sliding_window_view(raw, dtype.itemsize)
        table = windows[positions].view(dtype)[:, 0]
        for k, column in enumerate(columns.values()):
            values, at = table[f"{k}"], starts[k][rows]
            if isinstance(column, Ragged):
                at = at[:, None] + np.arange(values.shape[1])
                column.values[at] = values
            else:
                column[at] = values
    return columns, end


def _read_element(
    content: bytes, start: int, element: Element, order: str
) -> tuple[dict[str, Column], int]:
    """Reads an element; returns its columns and its end."""
    if not element.properties or element.count == 0:
        return {}, start
    has_lists = any(prop.count_type for prop in element.properties.values())
    counts: tuple[int, ...] = ()
    if has_lists:
        try:
            counts, _ = _make_walker(content, element, order)(start)
        except struct.error:
            raise cut_off(element, 0) from None
    size = _row_size(element, counts)
    complete = start + element.count * size <= len(content)
    if not complete and not has_lists:
        raise cut_off(element, (len(content) - start) // size)
    if complete:
        dtype = _make_dtype(element, counts, order)
        table = np.frombuffer(content, dtype, element.count, start)
        lists = [name for name in dtype.names or () if name.startswith("n")]
        if all(np.all(table[n] == c) for n, c in zip(lists, counts, strict=True)):
            columns: dict[str, Column] = {}
            for k, prop in enumerate(element.properties.values()):
                values = table[f"{k}"]
                if prop.count_type is None:
                    columns[prop.name] = values
                else:
                    lengths = np.full(element.count, values.shape[1])
                    columns[prop.name] = Ragged(values.reshape(-1), lengths)
            return columns, start + element.count * size
    return _read_mixed(content, start, element, order)


def _row_size(element: Element, counts: Iterable[int]) -> int:
    """Number of bytes of a row whose lists have the given lengths."""
    size, lengths = 0, iter(counts)
    for prop in element.properties.values():
        each = np.dtype(prop.type).itemsize
        if prop.count_type is None:
            size += each
        else:
            size += np.dtype(prop.count_type).itemsize + next(lengths) * each
    return size


def read_binary(content: bytes, header: Header) -> Data:
    """Reads the data of a binary file.

    Args:
        content: the file.
        header: its header.

    Raises:
        ValueError: the file is cut off, or a list has a negative length.
    """
    columns, start = {}, header.end
    for name, element in header.elements.items():
        columns[name], start = _read_element(content, start, element, header.byte_order)
    extra = len(content) - start
    # many writers end with a line end or zeros
    if not content[start:].strip(b"\0 \t\r\n"):
        return Data(header, columns, ())
    return Data(header, columns, (f"{extra} bytes after its last element are ignored",))
