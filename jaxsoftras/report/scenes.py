"""Reconstructions and their references, ready for the page and its 3D view."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import voxels
from jaxsoftras.report import embedding, examples

FACES = "template"
"""Name of the faces that all reconstructions share."""


class Card(NamedTuple):
    """One object, as the page shows it.

    Attributes:
        name: identifier in the page.
        rank: heading.
        number: number of the object in the split, from 0.
        score: what it is ranked by, in words.
        input: ``data:`` address of the input image.
        renders: of the mesh, from the input's view and another.
        references: of the reference, from these views.
        reference: what the reference is.
        solid: whether it can be turned as well.
        scene: contents for the 3D view; None if the mesh is not finite.
    """

    name: str
    rank: str
    number: int
    score: str
    input: str
    renders: list[str]
    references: list[str]
    reference: str
    solid: bool
    scene: dict[str, Any] | None


def make_cards(shown: examples.Examples) -> dict[str, list[Card]]:
    """Makes the cards of each category, by its key."""
    cards: dict[str, list[Card]] = {}
    for number in range(len(shown.categories)):
        cards.setdefault(str(shown.categories[number]), []).append(
            _make_card(shown, number)
        )
    return cards


def _make_card(shown: examples.Examples, k: int) -> Card:
    has_voxels = bool(shown.has_voxels[k])
    return Card(
        name=f"object-{k}",
        rank=examples.RANKS[str(shown.ranks[k])],
        number=int(shown.objects[k]),
        score=_describe_score(shown, k),
        input=embedding.encode_image(shown.inputs[k]),
        renders=[embedding.encode_image(image) for image in shown.renders[k]],
        references=[embedding.encode_image(image) for image in shown.references[k]],
        reference="true voxels" if has_voxels else "image",
        solid=has_voxels,
        scene=_make_scene(shown, k),
    )


def _describe_score(shown: examples.Examples, k: int) -> str:
    score, here = float(shown.scores[k]), float(shown.view_scores[k])
    if not math.isfinite(score):
        return "no score"
    text = f"{examples.MEASURES[str(shown.measures[k])]} {score:.3f}"
    return f"{text} (from this input {here:.3f})" if math.isfinite(here) else text


def encode_faces(shown: examples.Examples) -> str:
    """Encodes the faces that all reconstructions share."""
    return embedding.encode_array(shown.faces, "<u4")


def _make_scene(shown: examples.Examples, k: int) -> dict[str, Any] | None:
    vertices = shown.vertices[k]
    if not np.isfinite(vertices).all():
        return None
    frame = choose_frame(shown.axes[k])
    solids = [(vertices @ frame.T, FACES)]
    if shown.has_voxels[k]:
        surface = voxels.voxel_surface(shown.occupied[k])
        faces = embedding.encode_array(surface.faces, "<u4")
        solids.append((surface.vertices @ frame.T, faces))
    corners = np.concatenate([points for points, _ in solids])
    low, high = corners.min(0), corners.max(0)
    center, reach = (low + high) / 2, float((high - low).max()) / 2 or 1.0
    eye = shown.eyes[k].astype(float)
    eye = frame @ np.where(np.isfinite(eye), eye, 0) - center
    if not eye.any():
        eye = np.ones(3)
    return {
        # the same cube for both, around all of them
        "cube": [[float(c - 1.02 * reach), float(c + 1.02 * reach)] for c in center],
        "eye": [round(float(part), 5) for part in eye / np.linalg.norm(eye)],
        "solids": [
            {"vertices": embedding.encode_array(points, "<f4"), "faces": faces}
            for points, faces in solids
        ],
    }


def choose_frame(axes: np.ndarray) -> np.ndarray:
    """Orthogonal matrix ``[3, 3]`` from the model frame to that of the 3D view.

    The 3D view turns about z, to which the axis nearest to the camera's up is turned.
    It is not mirrored, so that solids are for cameras whose images are.

    Args:
        axes: ``[3, 3]`` rows right, up and forward of the camera.
    """
    axes = np.nan_to_num(axes)
    up = axes[1]
    axis = int(np.argmax(np.abs(up)))
    frame = np.roll(np.eye(3), axis - 2, axis=1)  # x, y, z in turn
    if up[axis] < 0:
        frame = np.diag([1.0, -1.0, -1.0]) @ frame
    if np.linalg.det(axes) > 0:
        frame = np.diag([-1.0, 1.0, 1.0]) @ frame
    return frame


def list_names(cards: dict[str, list[Card]]) -> Iterator[str]:
    """Identifiers of all cards, in their order."""
    for row in cards.values():
        yield from (card.name for card in row)
