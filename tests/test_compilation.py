"""Public functions outside of `jax.jit`: each compiles once for each shape."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from tests.support.compilations import check_compiles_once, compilations

SPHERE = jaxsoftras.icosphere(0)
VERTICES = np.float32(SPHERE.vertices)
CAMERA = jaxsoftras.perspective_camera((0.5, 0.3, 3.0))
SETTINGS = jaxsoftras.Settings(image_size=8, sigma=1e-3)
CORNERS = jaxsoftras.face_vertices(jaxsoftras.project(CAMERA, VERTICES), SPHERE.faces)


def render(vertices, faces=SPHERE.faces, lights=jaxsoftras.DEFAULT_LIGHTS):
    mesh = jaxsoftras.Mesh(vertices, faces)
    return jaxsoftras.render(mesh, CAMERA, lights, SETTINGS)


FUNCTIONS = {
    "render": (render, VERTICES),
    "rasterize": (lambda f: jaxsoftras.rasterize(f, f, 8, sigma=1e-3), CORNERS),
    "silhouette": (lambda f: jaxsoftras.silhouette(f, 8, sigma=1e-3), CORNERS),
    "find_fragments": (lambda f: jaxsoftras.find_fragments(f, 8).depth, CORNERS),
}


@pytest.mark.parametrize(
    "name",
    [
        "render",
        "silhouette",
        "find_fragments",
        pytest.param("rasterize", marks=pytest.mark.slow),  # within `render`
    ],
)
def test_second_call_compiles_nothing(name, caplog):
    check_compiles_once(caplog, *FUNCTIONS[name])


def test_changed_numbers_compile_nothing(caplog):
    def light(color):
        return [jaxsoftras.DirectionalLight(np.array([0.0, 1.0, color]), color)]

    first = render(VERTICES, lights=light(0.5))
    assert compilations(caplog, lambda: render(VERTICES, lights=light(0.25))) == 0
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
