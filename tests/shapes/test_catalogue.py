"""The objects of each category: closed parts, variety, size and repeatability."""

import numpy as np
import pytest

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes.catalogue import GENERATORS, make_shape
from tests.support.surfaces import assert_proper


@pytest.mark.parametrize("category", CATEGORIES.values())
def test_every_part_is_closed_and_outward(category):
    shapes = set()
    for seed in range(12):
        parts = GENERATORS[category](np.random.default_rng(seed))
        assert len(parts) >= 2
        for solid in parts.values():
            assert_proper(solid)
        faces = sum(len(solid.faces) for solid in parts.values())
        assert faces <= 1500
        shapes.add((tuple(parts), faces))
    assert len(shapes) >= 4  # the structure varies, not only the sizes


@pytest.mark.parametrize("synset", CATEGORIES)
def test_shapes_are_normalized_and_repeatable(synset):
    shape, again = make_shape(synset, 5, 2), make_shape(synset, 5, 2)
    for first, second in zip(shape, again, strict=True):
        assert first.tobytes() == second.tobytes()
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    np.testing.assert_allclose(low, -high, atol=1e-12)
    assert np.max(high - low) == pytest.approx(1, abs=1e-12)
    assert shape.colors.shape == shape.faces.shape
    assert 0 <= shape.colors.min() and shape.colors.max() <= 1
    other = make_shape(synset, 6, 2)
    assert other.vertices.tobytes() != shape.vertices.tobytes()
