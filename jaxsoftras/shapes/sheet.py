"""Contact sheets: renders of many objects in one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxsoftras import extras
from jaxsoftras.data import zbuffer
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import catalogue

if TYPE_CHECKING:
    from PIL import Image


def contact_sheet(
    columns: int = 8, *, seed: int = 0, image_size: int = 96, view: int = 2
) -> Image.Image:
    """Renders the first objects of every category, one row each, on white.

    Args:
        columns: number of objects in each row.
        seed: seed of the data set.
        image_size: width and height of each render, pixels.
        view: number of the view, 0 to 23.

    Returns:
        An RGB image.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    rows = [
        [catalogue.make_shape(synset, index, seed) for index in range(columns)]
        for synset in CATEGORIES
    ]
    return draw_sheet(rows, image_size=image_size, view=view)


def draw_sheet(
    rows: Sequence[Sequence[catalogue.Shape]], *, image_size: int = 96, view: int = 2
) -> Image.Image:
    """Renders rows of shapes of one length, on white.

    Args:
        rows: the shapes.
        image_size: width and height of each render, pixels.
        view: number of the view, 0 to 23.

    Returns:
        An RGB image.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    extras.require("draw contact sheets", "PIL")
    from PIL import Image

    eye = zbuffer.view_eyes()[view]

    def draw(shape: catalogue.Shape) -> np.ndarray:
        vertices, faces, colors = shape
        return zbuffer.render(
            vertices, faces, eye, image_size=image_size, colors=colors, closed=True
        )

    sheet = np.concatenate([np.concatenate([*map(draw, row)], 2) for row in rows], 1)
    on_white = sheet[:3] + (255 - sheet[3:])
    return Image.fromarray(np.ascontiguousarray(on_white.transpose(1, 2, 0)))
