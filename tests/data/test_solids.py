"""The voxelizer of data sets against that of the library."""

import numpy as np
import pytest

from jaxsoftras.data import solids, writing
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes.catalogue import make_shape


@pytest.mark.parametrize("synset", CATEGORIES)
def test_equals_the_voxelizer_of_the_library(synset):
    vertices, faces, _ = make_shape(synset, 0)
    vertices = vertices.astype(np.float32)
    grid = solids.voxelize(vertices, faces)
    np.testing.assert_array_equal(grid, writing.solid_voxels(vertices, faces))
    assert 30 < np.count_nonzero(grid) < 32**3 / 2


def test_a_mesh_beyond_the_grid_is_cut_off():
    vertices, faces, _ = make_shape("03001627", 1)
    vertices = (2.5 * vertices + 0.2).astype(np.float32)
    grid = solids.voxelize(vertices, faces)
    np.testing.assert_array_equal(grid, writing.solid_voxels(vertices, faces))
