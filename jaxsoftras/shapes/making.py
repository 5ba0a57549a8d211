"""Images and voxels of one object, made without JAX, which workers need not start."""

from __future__ import annotations

import numpy as np

from jaxsoftras.data import solids, zbuffer
from jaxsoftras.shapes import catalogue


def make_object(
    synset: str, number: int, seed: int, held_out: bool, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Renders and voxelizes one object.

    Args:
        synset: synset of its category.
        number: number of the object within its category.
        seed: seed of the data set.
        held_out: whether it is of a kind that is held out for the split ``style``.
        image_size: width and height of the images, pixels.

    Returns:
        ``[24, 4, image_size, image_size]`` uint8 and ``[32, 32, 32]`` bool, as the data
        set holds them.
    """
    vertices, faces, colors = _make_shape(synset, number, seed, held_out)
    views = zbuffer.render_views(
        vertices,
        faces,
        zbuffer.view_eyes(),
        image_size=image_size,
        colors=colors,
        closed=True,
    )
    return views, solids.voxelize(vertices, faces)


def make_mesh(
    synset: str, number: int, seed: int, held_out: bool
) -> tuple[zbuffer.ShadedMesh, np.ndarray]:
    """Voxelizes one object, and shades its mesh for `jaxsoftras.data.accelerated`.

    Args:
        synset: see `make_object`.
        number: see `make_object`.
        seed: see `make_object`.
        held_out: see `make_object`.

    Returns:
        The mesh, and ``[32, 32, 32]`` bool, as the data set holds them.
    """
    vertices, faces, colors = _make_shape(synset, number, seed, held_out)
    shades = zbuffer.shade(zbuffer.area_normals(vertices, faces), colors)
    mesh = zbuffer.ShadedMesh(vertices, faces, shades.astype(np.float32))
    return mesh, solids.voxelize(vertices, faces)


def _make_shape(
    synset: str, number: int, seed: int, held_out: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Float32 vertices, which images and voxels share, faces and colours."""
    shape = catalogue.make_shape(synset, number, seed, held_out=held_out)
    return shape.vertices.astype(np.float32), shape.faces, shape.colors
