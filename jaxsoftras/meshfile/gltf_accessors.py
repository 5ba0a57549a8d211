"""Accessors of glTF 2.0: typed arrays in buffers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile.gltf_document import Document
from jaxsoftras.meshfile.gltf_json import Item, show

_DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SHAPES: dict[str, tuple[int, ...]] = {
    "SCALAR": (),
    "VEC2": (2,),
    "VEC3": (3,),
    "VEC4": (4,),
    "MAT4": (4, 4),
}

# Elements of an accessor without data, all zero. The file does not limit them.
_MOST_ZEROS = 2**20


class Accessor(NamedTuple):
    """Elements of an accessor.

    Attributes:
        values: ``[N, ...]`` as stored, of the component type.
        normalized: whether integers stand for fractions of their range.
        place: where in the file the accessor stands.
    """

    values: np.ndarray
    normalized: bool
    place: str

    def to_float(self, *, fractions: bool = False) -> np.ndarray:
        """Converts the elements to float64.

        Args:
            fractions: whether integers are fractions of their range even if the file
                does not say so.
        """
        values = self.values.astype(np.float64)
        if self.values.dtype.kind == "f" or not (self.normalized or fractions):
            return values
        return np.maximum(values / np.iinfo(self.values.dtype).max, -1)


def _read_elements(
    document: Document, item: Item, dtype: np.dtype, shape: tuple[int, ...], count: int
) -> np.ndarray:
    """Reads elements from the buffer view of an accessor, or of a part of a sparse one.

    Returns:
        ``[count, *shape]``, possibly a read-only view of the buffer.
    """
    content, stride = document.view(item)
    start, size = item.integer("byteOffset", 0), dtype.itemsize * math.prod(shape)
    if stride and stride < size:
        raise ValueError(
            f"{item.place} has elements of {size} bytes, more than the byteStride "
            f"{stride} of its buffer view"
        )
    stride = stride or size
    end = start + (count - 1) * stride + size if count else start
    if end > len(content):
        raise ValueError(
            f"{item.place} has {count} elements, which end at byte {end} of a buffer "
            f"view of {len(content)}; export the file again"
        )
    inner = np.empty(shape, dtype).strides
    return np.ndarray((count, *shape), dtype, content, start, (stride, *inner))


def _substitute(document: Document, item: Item, values: np.ndarray) -> np.ndarray:
    """Replaces the elements that a sparse accessor lists."""
    sparse = item.item("sparse")
    count = sparse.integer("count")
    where, what = sparse.item("indices"), sparse.item("values")
    kind = where.integer("componentType")
    if kind not in (5121, 5123, 5125):
        raise ValueError(f"{where.place} should have unsigned integers, not {kind}")
    index = _read_elements(document, where, np.dtype(_DTYPES[kind]), (), count)
    if count and index.max() >= len(values):
        raise ValueError(
            f"{where.place} names element {index.max()} of {len(values)}; export the "
            "file again"
        )
    values = values.copy()
    values[index] = _read_elements(
        document, what, values.dtype, values.shape[1:], count
    )
    return values


def read_accessor(
    document: Document, item: Item, key: str, *kinds: str, name: str = "accessors"
) -> Accessor:
    """Reads the accessor that a property refers to.

    Args:
        document: the file.
        item: object with the property.
        key: the property, an index.
        kinds: types that it may have, such as ``"VEC3"``.
        name: the array of accessors.

    Raises:
        ValueError: another type, or data that is not there.
    """
    accessor = document.refer(item, key, name)
    kind, component = accessor.text("type"), accessor.integer("componentType")
    if kind not in kinds or component not in _DTYPES:
        raise ValueError(
            f"{accessor.place}, for {item.place}.{key}, should be a "
            f"{' or '.join(kinds)} of a known componentType, not {show(kind)} of "
            f"{component}"
        )
    dtype, shape = np.dtype(_DTYPES[component]), _SHAPES[kind]
    count = accessor.integer("count")
    if "bufferView" in accessor:
        values = _read_elements(document, accessor, dtype, shape, count)
    elif count > _MOST_ZEROS:
        raise ValueError(f"{accessor.place} has {count} elements, but no data")
    else:
        values = np.zeros((count, *shape), dtype)
    if "sparse" in accessor:
        values = _substitute(document, accessor, values)
    return Accessor(values, accessor.flag("normalized", False), accessor.place)
