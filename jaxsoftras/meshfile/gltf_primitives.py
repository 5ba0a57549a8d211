"""Primitives of glTF 2.0 meshes: their triangles and vertex attributes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile.gltf_accessors import Accessor, read_accessor
from jaxsoftras.meshfile.gltf_document import Document
from jaxsoftras.meshfile.gltf_json import Item

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


class Primitive(NamedTuple):
    """Triangles of a mesh, before it is placed.

    Attributes:
        item: the primitive in the file.
        vertices: ``[V, 3]`` float64.
        faces: ``[F, 3]`` vertex indices.
        colors: ``[V, 4]`` linear vertex colours and opacities in [0, 1], if any.
    """

    item: Item
    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None


def _split_run(run: np.ndarray, mode: int, place: str) -> np.ndarray:
    """Splits a run of vertices into triangles ``[F, 3]``."""
    if mode == _TRIANGLES:
        if len(run) % 3:
            raise ValueError(
                f"{place} lists {len(run)} vertices of triangles, which is no multiple "
                "of 3; export the file again"
            )
        return run.reshape(-1, 3)
    if len(run) < 3:
        return np.zeros((0, 3), int)
    if mode == _FAN:
        first = np.broadcast_to(run[0], len(run) - 2)
        return np.stack([run[1:-1], run[2:], first], axis=1)
    faces = np.stack([run[:-2], run[1:-1], run[2:]], axis=1)
    faces[1::2, 1:] = faces[1::2, :0:-1]
    # strips are continued elsewhere by way of triangles without an area
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]


def _read_faces(document: Document, item: Item, mode: int, count: int) -> np.ndarray:
    """Reads the triangles of a primitive of ``count`` vertices."""
    if "indices" not in item:
        return _split_run(np.arange(count), mode, item.place)
    accessor = read_accessor(document, item, "indices", "SCALAR")
    values = accessor.values
    if values.dtype.kind != "u":
        raise ValueError(
            f"{accessor.place} should have unsigned integers, as indices of vertices"
        )
    index = values.astype(np.int64)
    # a restart, which graphics hardware knows, begins a new strip or fan
    restarts = np.flatnonzero((values == np.iinfo(values.dtype).max) & (index >= count))
    runs = np.split(index, restarts)
    runs = [runs[0], *(run[1:] for run in runs[1:])]
    faces = np.concatenate([_split_run(run, mode, item.place) for run in runs])
    if len(faces) and faces.max() >= count:
        raise ValueError(
            f"{accessor.place} refers to vertex {faces.max()} of {count}; export the "
            "file again"
        )
    return faces


def _check_compression(document: Document, item: Item) -> None:
    """Refuses a primitive whose only data are compressed."""
    if item.extension("KHR_draco_mesh_compression") is None:
        return
    position = document.refer(item.item("attributes"), "POSITION", "accessors")
    if "bufferView" not in position:
        raise ValueError(
            f"{item.place} is compressed (KHR_draco_mesh_compression); export it "
            "without"
        )


def read_attribute(
    document: Document,
    item: Item,
    key: str,
    weights: np.ndarray,
    *kinds: str,
    fractions: bool = False,
) -> np.ndarray:
    """Reads a vertex attribute of a primitive, with its morph targets.

    Args:
        document: the file.
        item: the primitive.
        key: the attribute, such as ``"POSITION"``.
        weights: ``[targets]`` weights of the morph targets.
        kinds: types that it may have.
        fractions: whether integers are fractions of their range in any case.

    Returns:
        ``[V, ...]`` float64.
    """

    def read(source: Item) -> np.ndarray:
        accessor: Accessor = read_accessor(document, source, key, *kinds)
        return accessor.to_float(fractions=fractions)

    values = read(item.item("attributes"))
    targets = item.items("targets")
    if targets and len(weights) not in (0, len(targets)):
        raise ValueError(
            f"{item.place} has {len(targets)} morph targets, and its mesh "
            f"{len(weights)} weights; export the file again"
        )
    for target, weight in zip(targets, weights, strict=False):
        if weight == 0 or key not in target:
            continue
        moved = read(target)
        if moved.shape != values.shape:
            raise ValueError(
                f"{target.place}.{key} has the shape {list(moved.shape)}, not "
                f"{list(values.shape)}; export the file again"
            )
        values = values + weight * moved
    return values


def read_primitive(
    document: Document, item: Item, weights: np.ndarray
) -> Primitive | None:
    """Reads the shape and the vertex colours of a primitive.

    Args:
        document: the file.
        item: the primitive.
        weights: weights of the morph targets.

    Returns:
        None if it has points or lines, which is noted.
    """
    mode, attributes = item.integer("mode", _TRIANGLES), item.item("attributes")
    if mode < _TRIANGLES:
        document.notes["points and lines are left out"] = None
        return None
    if mode > _FAN:
        raise ValueError(f"{item.place}.mode should be from 0 to 6, not {mode}")
    if "POSITION" not in attributes:  # allowed, and nothing to be shown
        return None
    _check_compression(document, item)
    vertices = read_attribute(document, item, "POSITION", weights, "VEC3")
    faces = _read_faces(document, item, mode, len(vertices))
    colors = None
    if "COLOR_0" in attributes:
        values = read_attribute(
            document, item, "COLOR_0", weights, "VEC3", "VEC4", fractions=True
        )
        check_count(item, "COLOR_0", values, len(vertices))
        colors = np.ones((len(values), 4))
        colors[:, : values.shape[1]] = np.clip(values, 0, 1)
        if not np.all(np.isfinite(colors[faces])):
            raise ValueError(f"{item.place} has colours that are not finite")
    return Primitive(item, vertices, faces, colors)


def check_count(item: Item, key: str, values: np.ndarray, count: int) -> None:
    """Raises ValueError unless an attribute has a row for each vertex."""
    if len(values) != count:
        raise ValueError(
            f"{item.place} has {count} vertices and {len(values)} values of {key}; "
            "export the file again"
        )
