"""Cameras with lenses outside of `jax.jit`; tests/test_compilation.py has others."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from tests.support.calibrations import POINTS
from tests.support.cameras import make_camera
from tests.support.compilations import count_of_second
from tests.support.public_calls.inputs import Call, gradient

VECTOR = np.array([1.0, 2, -3], np.float32)
LENS = jaxsoftras.camera_from_axes(
    np.diag([-1, 1, 1]), (0, 0, 3), (2, 1), distortion=[0.01] * 14, skew=0.1
)


def total(tree):
    return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree))


def round_trip(position):
    cam = dataclasses.replace(LENS, position=position)
    k, rotation, translation, lens = jaxsoftras.to_opencv(cam, 64)
    return total(jaxsoftras.from_opencv(k, rotation, translation, 64, lens))


CALLS = {
    "project": Call(lambda x: jaxsoftras.project(LENS, x), np.float32(POINTS)),
    "to_opencv, from_opencv": Call(round_trip, VECTOR),
    "project, five coefficients": Call(
        lambda x: jaxsoftras.project(make_camera(), x), np.float32(POINTS)
    ),
}
SLOW = {"to_opencv, from_opencv", "project, five coefficients"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CALLS],
)
def test_second_call_compiles_nothing(name):
    call = CALLS[name]
    for function in (call.function, gradient(call)):
        assert count_of_second(function, call.argument) == 0
