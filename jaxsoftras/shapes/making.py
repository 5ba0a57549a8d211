"""Images and voxels of one object, made without JAX, which workers need not start."""

from __future__ import annotations

import numpy as np

from jaxsoftras.data import solids, zbuffer
from jaxsoftras.shapes import catalogue


def make_object(
    synset: str, number: int, seed: int, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Renders and voxelizes one object.

    Args:
        synset: synset of its category.
        number: number of the object within its category.
        seed: seed of the data set.
        image_size: width and height of the images, pixels.

    Returns:
        ``[24, 4, image_size, image_size]`` uint8 and ``[32, 32, 32]`` bool, as the data
        set holds them.
    """
    vertices, faces, colors = catalogue.make_shape(synset, number, seed)
    # rendered and voxelized from the same single-precision vertices
    vertices = vertices.astype(np.float32)
    views = zbuffer.render_views(
        vertices,
        faces,
        zbuffer.view_eyes(),
        image_size=image_size,
        colors=colors,
        closed=True,
    )
    return views, solids.voxelize(vertices, faces)
