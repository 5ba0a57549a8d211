"""Checks of faces outside of traces, for corners far away and NaN."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.rasterization import known_faces

TRIANGLE = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], np.float32)
FACES = np.tile(TRIANGLE, (2, 3, 1, 1))
CALLS = {
    "silhouette": jaxsoftras.silhouette,
    "rasterize": lambda f, *size, **how: jaxsoftras.rasterize(
        f, np.ones((*f.shape[:-2], 1), np.float32), *size, **how
    ),
    "find_fragments": jaxsoftras.find_fragments,
}


@pytest.mark.parametrize(
    ("dtype", "far"), [(np.float32, True), (jnp.bfloat16, True), (np.float64, False)]
)
def test_corners_far_away_are_those_that_are_drawn(dtype, far, x64):
    faces = jnp.asarray(FACES, dtype)
    assert not known_faces.have_far_corners(faces)
    assert known_faces.have_far_corners(faces * 1e5) == far
    assert known_faces.have_far_corners(np.asarray(faces * 1e5)) == far
    assert not known_faces.have_far_corners(faces * 1e9)  # not drawn


def test_half_precision_may_be_unable_to_hold_the_limits():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not known_faces.have_far_corners(FACES.astype(np.float16))
        assert known_faces.have_far_corners((3e4 * FACES).astype(np.float16))


def test_values_are_known_outside_of_traces_and_within_gradients():
    known = []

    def look(faces):
        known.append(known_faces.have_far_corners(faces))
        return jnp.sum(faces)

    jax.grad(look)(1e5 * FACES)
    jax.jit(look)(1e5 * FACES)
    jax.vmap(look)(1e5 * FACES)
    assert known == [True, False, False]


@pytest.mark.parametrize("name", CALLS)
def test_warns_of_corners_that_are_nan(name):
    draw = functools.partial(CALLS[name], implementation="reference")
    faces = FACES.copy()
    faces[0, 0, 2, 1] = faces[1, 2, 1, 0] = faces[1, 2, 0, 1] = np.nan
    message = "2 of 6 faces have a corner that is NaN, and are not drawn"
    with pytest.warns(UserWarning, match=message) as caught:
        draw(faces, 4)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", CALLS)
def test_is_silent_of_faces_that_are_meant_not_to_be_drawn(name):
    """Padding is infinite, and projections of points at the camera may be NaN."""
    draw = functools.partial(CALLS[name], implementation="reference")
    faces = FACES.copy()
    faces[0, 0] = np.inf
    faces[1, 2, 0] = [np.nan, np.nan, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(faces, 4)


def test_warns_within_gradients():
    faces = FACES.copy()
    faces[0, 0, 0, 0] = np.nan

    def loss(faces):
        return jnp.sum(jaxsoftras.silhouette(faces, 4, implementation="reference"))

    with pytest.warns(UserWarning, match="1 of 6 faces"):
        gradient = jax.grad(loss)(faces)
    assert np.all(np.isfinite(gradient)) and np.all(gradient[0, 0] == 0)
