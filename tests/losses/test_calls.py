"""Losses of batches of meshes outside of `jax.jit`; tests/test_compilation.py has all.

Topologies of a batch are arguments of the compiled losses, that of one mesh a constant.
"""

import functools

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import losses
from tests.support.compilations import compilations, count_of_second
from tests.support.public_calls.inputs import Call, gradient

SPHERE = jaxsoftras.icosphere(0)
VERTICES = np.float32(SPHERE.vertices)
POINTS = np.float32(np.random.default_rng(1).normal(size=(7, 3)))
TOPOLOGIES = np.stack([SPHERE.faces, np.where(SPHERE.faces > 9, -1, SPHERE.faces)])
TOPOLOGIES[1, np.any(TOPOLOGIES[1] < 0, axis=-1)] = -1
LOSSES = {
    "laplacian": losses.laplacian,
    "cotangent": functools.partial(losses.laplacian, weights="cotangent"),
    "normal_consistency": losses.normal_consistency,
    "edge_length": functools.partial(losses.edge_length, target=0.5),
    "flatten": losses.flatten,
}
QUICK = {"cotangent"}  # the others handle topologies by the same functions


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in LOSSES],
)
def test_second_call_compiles_nothing(name):
    call = Call(lambda v: LOSSES[name](v, TOPOLOGIES), VERTICES)
    for function in (call.function, gradient(call)):
        assert count_of_second(function, call.argument) == 0


def test_numbers_are_traced():
    for loss in (
        lambda x: losses.edge_length(VERTICES, SPHERE.faces, target=x),
        lambda x: losses.f_score(POINTS, VERTICES, x).score,
    ):
        loss(0.5)
        assert compilations(loss, 0.25) == 0


def test_topologies_of_a_batch_are_traced():
    losses.laplacian(VERTICES, TOPOLOGIES)
    other = TOPOLOGIES[::-1].copy()
    assert compilations(losses.laplacian, VERTICES, other) == 0


def test_another_topology_of_the_same_shape_is_another_mesh():
    whole, fewer = (losses.flatten(VERTICES, faces) for faces in TOPOLOGIES)
    assert fewer < 0.9 * whole
