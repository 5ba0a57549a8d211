"""Contact sheets: many objects in one picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.zbuffer import render, view_eyes
from jaxsoftras.shapes.catalogue import make_shape


def contact_sheet(
    columns: int = 8, *, seed: int = 0, image_size: int = 128, view: int = 2
) -> Image.Image:
    """Draws the first objects of every category, a row each, on white.

    Args:
        columns: objects in each row.
        seed: seed of the data set.
        image_size: width and height of each picture, pixels.
        view: which of the 24 views.

    Returns:
        An RGB picture.
    """
    eye = view_eyes()[view]
    rows = []
    for synset in CATEGORIES:
        row = []
        for index in range(columns):
            vertices, faces, colors = make_shape(synset, index, seed)
            row.append(
                render(
                    vertices,
                    faces,
                    eye,
                    image_size=image_size,
                    colors=colors,
                    closed=True,
                )
            )
        rows.append(np.concatenate(row, 2))
    picture = np.concatenate(rows, 1)
    on_white = picture[:3] + (255 - picture[3:])
    return Image.fromarray(np.ascontiguousarray(on_white.transpose(1, 2, 0)))
