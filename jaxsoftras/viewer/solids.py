"""Meshes of an exhibit, side by side, as binary glTF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxsoftras import looking
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import gltf_writing, saving
from jaxsoftras.texture import VertexColors
from jaxsoftras.viewer.exhibits import Solid

SPACING = 1.25
"""Distance between the centres of neighbours, of which the largest side is 1."""

_MANY = 1_000_000  # faces that browsers turn slowly
_FILE = "mesh.glb"


class Placed(NamedTuple):
    """A mesh in its place, its largest side at most 1.

    Attributes:
        label: see `Solid`.
        content: binary glTF.
        center: ``[3]`` middle of its place, in which it lies as in its own frame.
    """

    label: str
    content: bytes
    center: np.ndarray


def place(
    solids: Sequence[Solid], sideways: np.ndarray
) -> tuple[list[Placed], list[str]]:
    """Scales meshes by one factor and places them in a row.

    Args:
        solids: meshes that share a frame; their common bounding box is centred.
        sideways: ``[3]`` unit vector along the row.

    Returns:
        The meshes that can be drawn, and sentences about those that cannot be, or
        only in part.
    """
    drawn: list[Solid] = []
    notes: list[str] = []
    for solid in solids:
        mesh = looking.drawable(solid.mesh)
        count = int(np.sum(np.asarray(solid.mesh.faces)[:, 0] >= 0))
        notes += _describe(solid.label or "The mesh", len(mesh.faces), count)
        if len(mesh.faces):
            drawn.append(solid._replace(mesh=mesh))
    if not drawn:
        return [], notes
    corners = [_find_corners(solid.mesh) for solid in drawn]
    low = np.min([low for low, _ in corners], axis=0)
    high = np.max([high for _, high in corners], axis=0)
    scale = 1 / (np.max(high - low) or 1.0)
    placed = []
    for k, solid in enumerate(drawn):
        center = (k - (len(drawn) - 1) / 2) * SPACING * sideways
        vertices = (solid.mesh.vertices - (low + high) / 2) * scale + center
        mesh = solid.mesh._replace(vertices=vertices)
        placed.append(Placed(solid.label, encode(mesh, solid.color), center))
    return placed, notes


def _describe(name: str, drawn: int, count: int) -> list[str]:
    notes = []
    if drawn < count:
        notes.append(
            f"{name}: {count - drawn:,} of {count:,} faces have a corner that is not "
            "finite and are not drawn."
        )
    if drawn > _MANY:
        notes.append(
            f"{name}: all of its {drawn:,} faces are drawn, which turns slowly where "
            "the browser has no fast graphics card."
        )
    return notes


def _find_corners(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of the vertices that faces use."""
    used = np.zeros(len(mesh.vertices), bool)
    used[np.ravel(mesh.faces)] = True
    vertices = np.asarray(mesh.vertices)[used]
    return vertices.min(axis=0), vertices.max(axis=0)


def encode(mesh: Mesh, color: Sequence[float]) -> bytes:
    """Encodes a mesh with its colours and images, visible from both sides.

    Args:
        mesh: see `looking.drawable`.
        color: of a mesh without texture, red, green and blue from 0 to 1.
    """
    if mesh.texture is None:
        colors = np.tile(np.asarray(color, np.float32), (len(mesh.vertices), 1))
        mesh = mesh._replace(texture=VertexColors(colors))
    mesh = saving.simplify(mesh)
    return gltf_writing.encode(mesh, _FILE, material=True)[_FILE]
