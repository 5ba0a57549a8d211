"""The objects of each category: closed parts, variety, size and repeatability."""

import numpy as np
import pytest

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes.catalogue import KINDS, make_shape
from jaxsoftras.shapes.kinds import choose_kind
from tests.support.surfaces import assert_proper

ALL = [(category, kind) for category, kinds in KINDS.items() for kind in kinds]


@pytest.mark.parametrize(
    ("category", "kind"), ALL, ids=[f"{name}-{k.make.__name__}" for name, k in ALL]
)
def test_every_part_is_closed_and_outward(category, kind):
    sizes = set()
    for seed in range(4):
        parts = kind.make(np.random.default_rng(seed))
        assert len(parts) >= 2
        for solid in parts.values():
            assert_proper(solid)
        assert sum(len(solid.faces) for solid in parts.values()) <= 2000
        extents = np.ptp(np.concatenate([s.vertices for s in parts.values()]), axis=0)
        sizes.add(tuple(np.round(extents / extents.max(), 3)))
    assert len(sizes) == 4  # proportions vary within a kind


@pytest.mark.parametrize("category", CATEGORIES.values())
def test_every_category_has_kinds_and_some_that_are_held_out(category):
    common = [kind for kind in KINDS[category] if not kind.held_out]
    names = [kind.make.__name__ for kind in KINDS[category]]
    assert len(common) >= 4 and len(common) < len(names) == len(set(names))


def test_kinds_are_drawn_by_weight_and_held_out():
    rng, kinds = np.random.default_rng(0), KINDS["chair"]
    for held_out in (False, True):
        drawn = [choose_kind(rng, kinds, held_out=held_out) for _ in range(400)]
        assert {kind.make.__name__ for kind in drawn} == {
            kind.make.__name__ for kind in kinds if kind.held_out == held_out
        }


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
    for other in (make_shape(synset, 6, 2), make_shape(synset, 5, 2, held_out=True)):
        assert other.vertices.tobytes() != shape.vertices.tobytes()
