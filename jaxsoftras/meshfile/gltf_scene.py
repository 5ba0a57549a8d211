"""Scene graph of glTF 2.0: where meshes are placed, with skins and instances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile.gltf_accessors import read_accessor
from jaxsoftras.meshfile.gltf_document import Document
from jaxsoftras.meshfile.gltf_json import Item


class Placement(NamedTuple):
    """A mesh at a node.

    Attributes:
        node: the node.
        mesh: the mesh.
        transforms: ``[N, 4, 4]`` from the mesh to the scene, one for each instance.
        joints: ``[J, 4, 4]`` from the mesh to the scene, one for each joint of the
            node's skin, which replace ``transforms``; None without a skin.
    """

    node: Item
    mesh: Item
    transforms: np.ndarray
    joints: np.ndarray | None


def _rotate(quaternions: np.ndarray, place: str) -> np.ndarray:
    """Converts quaternions ``[..., 4]`` (x, y, z, w) to matrices ``[..., 3, 3]``."""
    norm = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    if np.any(norm == 0):
        raise ValueError(f"{place} is no rotation: its quaternion is zero")
    x, y, z, w = np.moveaxis(quaternions / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _compose(
    translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray, place: str
) -> np.ndarray:
    """Composes transforms ``[..., 4, 4]``: scale, then rotate, then translate."""
    matrix = np.zeros((*translation.shape[:-1], 4, 4))
    matrix[..., :3, :3] = _rotate(rotation, place) * scale[..., None, :]
    matrix[..., :3, 3] = translation
    matrix[..., 3, 3] = 1
    return matrix


def _read_local(node: Item) -> np.ndarray:
    """Reads the transform ``[4, 4]`` of a node in its parent."""
    if "matrix" in node:
        return node.numbers("matrix", 16).reshape(4, 4).T
    return _compose(
        node.numbers("translation", 3, (0, 0, 0)),
        node.numbers("rotation", 4, (0, 0, 0, 1)),
        node.numbers("scale", 3, (1, 1, 1)),
        f"{node.place}.rotation",
    )


def _order_nodes(document: Document) -> list[tuple[int, int]]:
    """Lists nodes and their parents, parents first; -1 is the parent of roots.

    Raises:
        ValueError: a node has two parents, or is among its own descendants.
    """
    nodes = document.array("nodes")
    parents = [-1] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.indices("children"):
            document.look_up("nodes", child, f"{node.place}.children")
            if parents[child] >= 0:
                raise ValueError(
                    f"nodes[{child}] is a child of both nodes[{parents[child]}] and "
                    f"{node.place}; export the file again"
                )
            parents[child] = index
    order = [k for k, parent in enumerate(parents) if parent < 0]
    for index in order:  # grows while it is read
        order.extend(nodes[index].indices("children"))
    if len(order) < len(nodes):
        lost = min(set(range(len(nodes))) - set(order))
        raise ValueError(
            f"nodes[{lost}] is among its own descendants; export the file again"
        )
    return [(index, parents[index]) for index in order]


def _find_roots(document: Document) -> set[int] | None:
    """Nodes at the top of the scene; None stands for all without a parent."""
    scenes = document.array("scenes")
    if not scenes and "scene" not in document.root:
        return None
    index = document.root.integer("scene", 0)
    roots = document.look_up("scenes", index, "scene").indices("nodes")
    for root in roots:
        document.look_up("nodes", root, f"scenes[{index}].nodes")
    return set(roots)


def _read_instances(document: Document, node: Item) -> np.ndarray | None:
    """Reads the transforms ``[N, 4, 4]`` of EXT_mesh_gpu_instancing, if there are."""
    extension = node.extension("EXT_mesh_gpu_instancing")
    if extension is None:
        return None
    attributes = extension.item("attributes")
    parts: dict[str, np.ndarray] = {}
    for key, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3")):
        if key in attributes:
            accessor = read_accessor(document, attributes, key, kind)
            parts[key] = accessor.to_float()
    if not parts:
        return None
    counts = {len(values) for values in parts.values()}
    if len(counts) > 1:
        raise ValueError(f"{attributes.place} have different counts; export again")
    count = counts.pop()
    return _compose(
        parts.get("TRANSLATION", np.zeros((count, 3))),
        parts.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1))),
        parts.get("SCALE", np.ones((count, 3))),
        f"{attributes.place}.ROTATION",
    )


def _read_joints(document: Document, node: Item, places: np.ndarray) -> np.ndarray:
    """Reads the joints ``[J, 4, 4]`` of the skin of a node, at rest.

    Args:
        document: the file.
        node: node with a skin.
        places: ``[nodes, 4, 4]`` transforms of all nodes to the scene.
    """
    skin = document.refer(node, "skin", "skins")
    joints = skin.indices("joints")
    for joint in joints:
        document.look_up("nodes", joint, f"{skin.place}.joints")
    matrices = places[joints]
    if "inverseBindMatrices" not in skin:
        return matrices
    accessor = read_accessor(document, skin, "inverseBindMatrices", "MAT4")
    if len(accessor.values) < len(joints):
        raise ValueError(
            f"{skin.place} has {len(joints)} joints and {len(accessor.values)} "
            "inverseBindMatrices; export the file again"
        )
    return matrices @ accessor.to_float().swapaxes(1, 2)[: len(joints)]


def place_meshes(document: Document) -> list[Placement]:
    """Finds the meshes of the default scene, or else the first, or else all nodes.

    Raises:
        ValueError: the nodes are no trees, or refer to what does not exist.
    """
    nodes, roots = document.array("nodes"), _find_roots(document)
    places, shown = np.zeros((len(nodes), 4, 4)), np.zeros(len(nodes), bool)
    for index, parent in _order_nodes(document):
        node = nodes[index]
        local = _read_local(node)
        places[index] = local if parent < 0 else places[parent] @ local
        visibility = node.extension("KHR_node_visibility")
        top = parent < 0 if roots is None else index in roots
        shown[index] = (top or (parent >= 0 and shown[parent])) and (
            visibility is None or visibility.flag("visible", True)
        )
    placements = []
    for index in np.flatnonzero(shown):
        node = nodes[index]
        if "mesh" not in node:
            continue
        instances = _read_instances(document, node)
        transforms = places[index][None]
        if instances is not None:
            transforms = transforms @ instances
        joints = _read_joints(document, node, places) if "skin" in node else None
        mesh = document.refer(node, "mesh", "meshes")
        placements.append(Placement(node, mesh, transforms, joints))
    return placements
