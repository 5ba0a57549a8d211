"""Images and voxels of one object, made without JAX, which workers need not start."""

from __future__ import annotations

import numpy as np

from jaxsoftras.data import solids, zbuffer
from jaxsoftras.shapes import catalogue
from jaxsoftras.shapes.catalogue import Shape


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
    return draw(
        catalogue.make_shape(synset, number, seed, held_out=held_out), image_size
    )


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
    return shade(catalogue.make_shape(synset, number, seed, held_out=held_out))


def draw(shape: Shape, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Renders and voxelizes a shape.

    Args:
        shape: the shape; its vertices are taken in single precision.
        image_size: width and height of the images, pixels.

    Returns:
        ``[24, 4, image_size, image_size]`` uint8 and ``[32, 32, 32]`` bool, as data
        sets hold them.
    """
    vertices = shape.vertices.astype(np.float32)
    views = zbuffer.render_views(
        vertices,
        shape.faces,
        zbuffer.view_eyes(),
        image_size=image_size,
        colors=shape.colors,
        closed=True,
    )
    return views, solids.voxelize(vertices, shape.faces)


def shade(shape: Shape) -> tuple[zbuffer.ShadedMesh, np.ndarray]:
    """Shades a shape for `jaxsoftras.data.accelerated`, and voxelizes it.

    Args:
        shape: the shape; its vertices are taken in single precision.

    Returns:
        The mesh, and ``[32, 32, 32]`` bool, as data sets hold them.
    """
    vertices = shape.vertices.astype(np.float32)
    normals = zbuffer.area_normals(vertices, shape.faces)
    shades = zbuffer.shade(normals, shape.colors).astype(np.float32)
    mesh = zbuffer.ShadedMesh(vertices, shape.faces, shades)
    return mesh, solids.voxelize(vertices, shape.faces)
