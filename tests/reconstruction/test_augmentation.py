"""Random changes of training batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.reconstruction import augmentation
from jaxsoftras.shapes.catalogue import make_shape

MIRROR = config.Augment(mirror=True)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 40, 4, 4, 4), np.uint8)
    views = rng.integers(0, 24, (2, 40)).astype(np.int32)
    cameras = [rig.OrbitViews(numbers, rig.SOFTRAS_RIG) for numbers in views]
    return data.PairBatch(*images, *cameras)


def change(batch, settings, seed=0, step=0):
    return augmentation.augment(batch, settings, seed=seed, step=jnp.int32(step))


def find_mirrored(batch, changed):
    """Whether each object was mirrored: all of it, or nothing."""
    before = jax.tree.leaves(batch)
    mirrored = [part[..., ::-1] for part in before[:2]] + [-n for n in before[2:]]
    same = [
        [
            all((part[i] == other[i]).all() for part, other in zip(a, b, strict=True))
            for i in range(40)
        ]
        for a, b in [
            (before, jax.tree.leaves(changed)),
            (mirrored, jax.tree.leaves(changed)),
        ]
    ]
    assert (np.array(same).sum(0) == 1).all()
    return np.array(same[1])


def test_nothing_changes_by_default(batch):
    assert change(batch, config.Augment()) is batch


def test_half_of_the_objects_are_mirrored(batch):
    """By step and seed, and no others when the run is resumed."""
    first = find_mirrored(batch, change(batch, MIRROR, step=3))
    assert 10 <= first.sum() <= 30
    again = find_mirrored(batch, change(batch, MIRROR, step=3))
    np.testing.assert_array_equal(first, again)
    for other in ({"step": 4}, {"step": 3, "seed": 1}, {"step": 3, "seed": 2**32}):
        assert (find_mirrored(batch, change(batch, MIRROR, **other)) != first).any()


def test_mirrored_images_show_the_mirrored_object():
    vertices, faces, _ = make_shape("02691156", index=3)
    eyes = zbuffer.view_eyes()

    def coverage(points):
        return zbuffer.render_views(points, faces, eyes, image_size=32)[:, 3]

    got, expected = coverage(vertices), coverage(vertices * [-1, 1, 1])
    views = rig.mirror(rig.OrbitViews(np.arange(24), rig.SOFTRAS_RIG))
    seen = expected[views.numbers % 24][..., ::-1]
    # samples on an edge may fall to either side
    assert np.abs(got.astype(int) - seen).mean() < 0.1 < got.std()
