"""Random numbers and draws: known answers, numpy and JAX alike."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from jaxsoftras.data import Mixture, drawing
from jaxsoftras.data.rig import Orbit
from jaxsoftras.data.threefry import random_bits
from tests.data.test_mixture import make_split


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # published with the generator
        ([0, 0], [0, 0], [0x6B200159, 0x99BA4EFE]),
        ([0xFFFFFFFF] * 2, [0xFFFFFFFF] * 2, [0x1CB996FC, 0xBB002BE7]),
        (
            [0x243F6A88, 0x85A308D3],
            [0x13198A2E, 0x03707344],
            [0xC4923A9C, 0x483DF7A0],
        ),
    ],
)
def test_known_answers(counter, key, expected):
    def words(pair):
        return [np.array([word], np.uint32) for word in pair]

    assert [int(x[0]) for x in random_bits(words(key), words(counter), np)] == expected
    joined = np.concatenate(words(counter))
    same = threefry_2x32(jnp.array(key, jnp.uint32), jnp.asarray(joined))
    assert same.tolist() == expected


@pytest.fixture(scope="module")
def tables():
    splits = [
        make_split(1, {"03001627": 2, "04379243": 5}, Orbit()),
        make_split(2, {"chairs": 30, "mugs": 7}, Orbit()),
        make_split(3, {"03001627": 9}, Orbit()),
    ]
    return Mixture(splits, [1, 3, 0.5]).tables


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**40 + 3])
def test_numpy_and_jax_draw_the_same(tables, seed):
    on_device = jax.tree.map(jnp.asarray, tables)
    run = jax.jit(
        functools.partial(drawing.draw, on_device, seed, batch_size=33, xp=jnp, views=3)
    )
    for step in (0, 1, 2**31 + 5):
        got = run(jnp.uint32(step))
        expected = drawing.draw(tables, seed, step, 33, np, views=3)
        for one, other in zip(got, expected, strict=True):
            assert one.dtype == other.dtype == np.int32
            np.testing.assert_array_equal(one, other)


def test_seeds_and_steps_differ(tables):
    draws = {
        drawing.draw(tables, seed, step, 16, np).objects.tobytes()
        for seed in (0, 1, 2**32)
        for step in (0, 1, 2)
    }
    assert len(draws) == 9
