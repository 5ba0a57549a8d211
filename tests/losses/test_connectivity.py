import jax
import numpy as np
import pytest

from jaxsoftras import topology
from jaxsoftras.losses import connectivity

TOPOLOGIES = {
    "random": np.random.default_rng(0).integers(0, 9, (40, 3)),
    "padded": np.array([[0, 1, 2], [-1, -1, -1], [2, 1, 3], [-1, -1, -1]]),
    "fan": np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4], [2, 1, 5]]),
    "repeated": np.array([[0, 1, 2], [0, 1, 2], [4, 4, 5], [6, 6, 6]]),
    "padding": np.full((3, 3), -1),
    "none": np.zeros((0, 3), int),
}


@pytest.mark.parametrize("faces", TOPOLOGIES.values(), ids=TOPOLOGIES)
@pytest.mark.parametrize("name", ["edges", "interior_edges"])
def test_traced_equals_known(name, faces):
    real = faces[[len(set(face)) == 3 for face in faces.tolist()]].reshape(-1, 3)
    expected = getattr(topology, name)(real)
    known = getattr(connectivity, name)(faces)
    if len(expected):
        np.testing.assert_array_equal(known.vertices, expected)
        assert known.exists is None
    else:
        assert not np.any(known.exists)
    vertices, exists = jax.jit(getattr(connectivity, name))(faces)
    assert vertices.shape == (3 * len(faces), expected.shape[1])
    np.testing.assert_array_equal(np.asarray(vertices)[exists], expected)
    assert np.all(np.asarray(vertices)[~exists] == 0)
