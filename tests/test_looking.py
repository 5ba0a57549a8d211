import sys
import types
from typing import Any

import numpy as np
import pytest

from jaxsoftras import looking, mesh, texture

SPHERE = mesh.icosphere(0)


class Notebook:
    """Stands for IPython in a notebook; collects what is displayed."""

    def __init__(self, kernel):
        self.shown: list[Any] = []
        shell = types.SimpleNamespace(kernel=1) if kernel else types.SimpleNamespace()
        self.get_ipython = lambda: shell
        self.display = types.SimpleNamespace(
            display=self.shown.append, HTML=lambda text: text
        )


@pytest.fixture
def shown(monkeypatch):
    notebook = Notebook(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook.display)
    return notebook.shown


def scene(*arguments):
    """Geometries of the scene of a mesh."""
    return list(looking._scene(mesh.Mesh(*arguments)).geometry.values())


def test_image_is_enlarged_and_laid_over_squares(shown):
    image = np.zeros((32, 16, 4))
    image[:16] = 1, 0, 0, 1
    looking.show(image)
    (picture,) = shown
    pixels = np.asarray(picture)
    assert pixels.shape == (256, 128, 3)
    assert np.all(pixels[:128] == [255, 0, 0])
    assert set(pixels[128:].ravel()) == {204, 255}


def test_image_over_a_background_and_scaled(shown):
    looking.show(np.zeros((2, 2, 4)), background=(0.0, 0.0, 1.0), scale=2)
    np.testing.assert_array_equal(np.asarray(shown[0]), np.full((4, 4, 3), [0, 0, 255]))
    looking.show(np.eye(300))
    assert np.asarray(shown[1]).shape == (300, 300)


def test_warnings_point_to_the_cell(shown):
    with pytest.warns(UserWarning, match="NaN") as caught:
        looking.show(np.full((2, 2), np.nan))
    assert caught[0].filename == __file__


def test_mesh_is_shown_by_the_viewer(shown):
    looking.show(SPHERE)
    (html,) = shown
    assert "<iframe" in html and "glTF" in html


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_faces_do_not_run_into_each_other(channels):
    colors = np.random.default_rng(0).integers(0, 256, (20, channels)) / 255
    skin = texture.FaceColors(colors, channels == 4)
    (solid,) = scene(SPHERE.vertices, SPHERE.faces, skin)
    assert solid.visual.kind == "vertex"
    corners = solid.visual.vertex_colors[solid.faces][..., :channels]
    expected = np.round(255 * colors)[:, None]
    np.testing.assert_array_equal(corners, np.broadcast_to(expected, corners.shape))


def test_several_images():
    images = (np.ones((2, 2, 3)), np.zeros((3, 1, 3)))
    index = np.arange(20) % 2
    skin = texture.UVTexture(np.full((20, 3, 2), 0.5), images, image_index=index)
    (solid,) = scene(SPHERE.vertices, SPHERE.faces, skin)
    seen = solid.visual.to_color().vertex_colors[solid.faces, 0]
    np.testing.assert_array_equal(seen, 255 * (1 - index)[:, None] * np.ones(3))


def test_faces_that_are_not_finite_are_left_out():
    vertices = np.array(SPHERE.vertices)
    vertices[3] = np.nan
    (solid,) = scene(vertices, np.concatenate([SPHERE.faces, [[-1] * 3]]))
    assert len(solid.faces) == 15 and np.all(np.isfinite(solid.vertices))
    with pytest.raises(ValueError, match="no face with finite vertices"):
        scene(np.full((12, 3), np.nan), SPHERE.faces)


def test_meshes_of_a_batch_lie_side_by_side():
    scales = np.array([1.0, 0.5, 2.0])[:, None, None]
    solids = scene(scales * SPHERE.vertices, SPHERE.faces)
    centers = np.array([solid.bounds.mean(axis=0) for solid in solids])
    np.testing.assert_allclose(
        centers[:, :2] / 4.8, [[0, 0], [1, 0], [0, -1]], atol=0.1
    )


@pytest.mark.parametrize("modules", [None, Notebook(kernel=False)])
def test_says_what_to_do_elsewhere(modules, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", modules)
    for thing in (SPHERE, np.ones((2, 2))):
        with pytest.raises(RuntimeError, match="needs a notebook.*save_image"):
            looking.show(thing)
