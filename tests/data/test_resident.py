"""Batches drawn on the device equal those of the host."""

import functools

import jax
import numpy as np
import pytest

from jaxsoftras.data import Mixture, Split, sample_views
from jaxsoftras.data.resident import image_bytes, make_resident
from jaxsoftras.data.rig import Orbit
from tests.data.test_mixture import NAMES, make_split
from tests.data.test_sampling import CodedStore, coded_cameras


def ragged_split():
    """Objects of 3, 1 and 24 pictures."""
    counts = {"03001627": [3, 1], "04379243": [24]}
    stores = {key: CodedStore(4, len(n)) for key, n in counts.items()}
    cameras = {key: coded_cameras(n) for key, n in counts.items()}
    return Split("train", stores, NAMES, cameras)


@pytest.mark.parametrize(
    ("kind", "views"),
    [("rig", 3), ("pictures", 2), ("two rigs", 2), ("rig and pictures", 1)],
)
def test_equals_the_host(kind, views):
    rig = make_split(1, {"03001627": 2, "04379243": 5}, Orbit())
    others = {
        "two rigs": make_split(2, {"chairs": 30, "mugs": 7}, Orbit(half_fov=20.0)),
        "rig and pictures": ragged_split(),
    }
    match kind:
        case "rig":
            source = rig
        case "pictures":
            source = ragged_split()
        case _:
            source = Mixture([rig, others[kind]], [1, 2])
    store = make_resident(source)
    assert store.images.nbytes == image_bytes(source)
    sample = functools.partial(type(store).sample_views, batch_size=20, views=views)
    run = jax.jit(functools.partial(sample, seed=5))
    for step in range(3):
        got = run(store, step=step)
        expected = sample_views(source, 20, seed=5, step=step, views=views)
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        jax.tree.map(np.testing.assert_array_equal, got, expected)
