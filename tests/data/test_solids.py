"""The voxelizer of data sets against that of the library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import voxels
from jaxsoftras.data import solids
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes.catalogue import make_shape

STEP = 512
compiled = jax.jit(voxels.voxelize)


def voxelize(vertices, faces):
    """By the library, padded: meshes of many sizes share a few programs."""
    size = STEP * -(-max(len(faces), len(vertices)) // STEP)
    # repeated vertices mark their cell again; a face with equal corners has no area
    more_vertices = np.repeat(vertices[:1], size - len(vertices), 0)
    more_faces = np.zeros((size - len(faces), 3), faces.dtype)
    return compiled(
        np.concatenate([vertices, more_vertices]).astype(np.float32),
        np.concatenate([faces, more_faces]),
    )


def test_padding_does_not_change_the_voxels():
    vertices, faces, _ = make_shape("03636649", 1)
    plain = compiled(jnp.asarray(vertices, jnp.float32), jnp.asarray(faces))
    assert len(faces) % STEP and len(vertices) < len(faces)
    np.testing.assert_array_equal(voxelize(vertices, faces), plain)


@pytest.mark.parametrize("synset", CATEGORIES)
def test_equals_the_voxelizer_of_the_library(synset):
    vertices, faces, _ = make_shape(synset, 0)
    vertices = vertices.astype(np.float32)
    grid = solids.voxelize(vertices, faces)
    np.testing.assert_array_equal(grid, voxelize(vertices, faces))
    assert 30 < np.count_nonzero(grid) < 32**3 / 2


def test_a_mesh_beyond_the_grid_is_cut_off():
    vertices, faces, _ = make_shape("03001627", 1)
    vertices = (2.5 * vertices + 0.2).astype(np.float32)
    grid = solids.voxelize(vertices, faces)
    np.testing.assert_array_equal(grid, voxelize(vertices, faces))
