"""One variation of fits, made without JAX, which workers need not start."""

from __future__ import annotations

import numpy as np

from jaxsoftras.data import zbuffer
from jaxsoftras.shapes import making
from jaxsoftras.shapes.catalogue import Shape
from jaxsoftras.shapes.placement import Solid, volume
from jaxsoftras.variations import blending, coloring, deformation


def make_shape(
    parents: np.ndarray,
    weights: np.ndarray,
    faces: np.ndarray,
    seed: np.random.SeedSequence,
) -> Shape:
    """Makes an object, which the arguments alone determine.

    Args:
        parents: ``[k, V, 3]`` vertices of the fits that it combines, model frame.
        weights: ``[k]`` of sum 1.
        faces: ``[F, 3]`` vertex indices of all of them.
        seed: seed of its deformation and colours.

    Returns:
        The object, its bounding box centred at the origin and the longest side of that
        1.
    """
    rng = np.random.default_rng(seed)
    blended = Solid(blending.blend(parents, weights), faces)
    solid = deformation.deform(rng, blended)
    if volume(solid) < 0:
        solid = solid._replace(faces=solid.faces[:, ::-1])
    return Shape(*solid, coloring.draw_colors(rng, *solid))


def make_object(
    parents: np.ndarray,
    weights: np.ndarray,
    faces: np.ndarray,
    seed: np.random.SeedSequence,
    image_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Makes, renders and voxelizes an object.

    Args:
        parents: see `make_shape`.
        weights: see `make_shape`.
        faces: see `make_shape`.
        seed: see `make_shape`.
        image_size: width and height of the images, pixels.

    Returns:
        Images and voxels, as `jaxsoftras.shapes.making.draw` returns them.
    """
    return making.draw(make_shape(parents, weights, faces, seed), image_size)


def make_mesh(
    parents: np.ndarray,
    weights: np.ndarray,
    faces: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[zbuffer.ShadedMesh, np.ndarray]:
    """Makes, shades and voxelizes an object.

    Args:
        parents: see `make_shape`.
        weights: see `make_shape`.
        faces: see `make_shape`.
        seed: see `make_shape`.

    Returns:
        Mesh and voxels, as `jaxsoftras.shapes.making.shade` returns them.
    """
    return making.shade(make_shape(parents, weights, faces, seed))
