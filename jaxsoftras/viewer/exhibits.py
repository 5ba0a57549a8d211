"""Exhibits: contents of a viewer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from jaxsoftras import clay
from jaxsoftras.mesh import Mesh

Up = Literal["+y", "+z"]
"""Axis of the viewer's frame that points up."""

REFERENCE_COLOR = (0.55, 0.68, 0.85)
"""Red, green and blue of true shapes without colours of their own, 0 to 1."""


class Solid(NamedTuple):
    """A mesh to turn.

    Attributes:
        label: text below it; empty for none.
        mesh: vertices ``[V, 3]``, faces ``[F, 3]`` and texture, in the viewer's frame.
        color: red, green and blue of a mesh without texture, 0 to 1.
    """

    label: str
    mesh: Mesh
    color: tuple[float, float, float] = clay.COLOR


class Exhibit(NamedTuple):
    """Meshes side by side, images, and facts about them.

    Attributes:
        title: heading of the card.
        solids: meshes that share a frame, from left to right.
        images: captions and images ``[S, S, 3]`` uint8.
        facts: names and values.
        notes: full sentences on what is left out or unusual.
        up: axis that points up.
        towards: ``[3]`` direction from the meshes to the camera; the camera moves when
            it changes.
    """

    title: str
    solids: Sequence[Solid] = ()
    images: Sequence[tuple[str, np.ndarray]] = ()
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    up: Up = "+y"
    towards: tuple[float, float, float] = (0.6, 0.4, 1.0)
