"""Public functions outside of `jax.jit`: each compiles once for each shape."""

import dataclasses
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from tests.support.compilations import compilations, count_of_second
from tests.support.public_calls import CALLS
from tests.support.public_calls.inputs import (
    CORNERS,
    SETTINGS,
    SPHERE,
    VERTICES,
    camera,
    gradient,
)
from tests.test_docstrings import FUNCTIONS


def render(vertices, faces=SPHERE.faces, lights=jaxsoftras.DEFAULT_LIGHTS):
    mesh = jaxsoftras.Mesh(vertices, faces)
    return jaxsoftras.render(
        mesh,
        camera(),
        lights,
        dataclasses.replace(SETTINGS, implementation="reference"),
    )


def test_every_public_function_is_here():
    assert set(CALLS) == set(FUNCTIONS)
    page = Path(__file__).parents[1] / "docs" / "performance.md"
    listed = set(re.findall(r"^\| `([\w.]+)` \|", page.read_text(), re.MULTILINE))
    assert listed == set(CALLS)


def test_a_compilation_is_counted():
    assert compilations(jax.jit(lambda x: x + 1), 1.0) == 1


@pytest.mark.parametrize("name", CALLS)
def test_second_call_compiles_nothing(name):
    assert count_of_second(CALLS[name].function, CALLS[name].argument) == 0


# the others are compiled in the same way, or are parts of these
QUICK = {
    "renderer.render",
    "rasterization.silhouette",
    "rasterization.interpolate",
    "lighting.illuminate",
    "normals.vertex_normals",
    "texture.sample",
    "camera.project",
    "losses.laplacian",
    "subdivision.subdivide",
    "surface_sampling.sample_points",
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name, call in CALLS.items()
        if call.smooth
    ],
)
def test_second_gradient_compiles_nothing(name):
    call = CALLS[name]
    assert count_of_second(gradient(call), call.argument) == 0


def test_changed_numbers_compile_nothing():
    def light(color):
        return [jaxsoftras.DirectionalLight(np.array([0.0, 1.0, color]), color)]

    first = render(VERTICES, lights=light(0.5))
    assert compilations(lambda: render(VERTICES, lights=light(0.25))) == 0
    assert np.abs(first - render(VERTICES, lights=light(0.25))).max() > 0.1


def test_another_topology_of_the_same_shape_is_another_mesh():
    fewer = np.where(np.arange(20)[:, None] < 10, SPHERE.faces, -1)
    for faces in (fewer, jnp.asarray(fewer)):
        image, whole = render(VERTICES, faces), render(VERTICES)
        assert image[..., 3].sum() < 0.9 * whole[..., 3].sum()
    topologies = np.stack([SPHERE.faces, fewer])
    both = render(VERTICES, topologies)
    np.testing.assert_allclose(both[0], render(VERTICES), atol=1e-6)
    np.testing.assert_allclose(both[1], render(VERTICES, fewer), atol=1e-6)


def test_values_are_checked_at_every_call():
    render(VERTICES)
    wrong = np.where(SPHERE.faces == 3, 12, SPHERE.faces)
    for faces in (wrong, jnp.asarray(wrong)):
        with pytest.raises(ValueError, match="indices of the 12 vertices"):
            render(VERTICES, faces)
    for sigma in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="sigma must be positive"):
            jaxsoftras.silhouette(CORNERS, 8, sigma=sigma)
    with pytest.raises(ValueError, match="direction of a light must not be zero"):
        render(VERTICES, lights=jaxsoftras.DirectionalLight(np.zeros(3), 1.0))
