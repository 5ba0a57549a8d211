"""The renderer of data sets on accelerators against that in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.data import accelerated
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import making

SIZE = 8
CALLS = [(synset, 1, 0, False) for synset in CATEGORIES]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """One compiled program serves all tests."""
    monkeypatch.setattr(accelerated, "_BATCH", 2)
    monkeypatch.setattr(accelerated, "_FACES", 512)


@pytest.fixture(scope="module")
def made():
    """Calls, meshes and voxels of small objects, an odd number of them."""
    made = [(call, *making.make_mesh(*call)) for call in CALLS]
    made = [each for each in made if len(each[1].faces) <= 512]
    assert len(made) > 7
    return made[: len(made) // 2 * 2 - 1]


def test_pixels_equal_those_of_numpy_but_for_edges(made):
    rendered = accelerated.render_in_order([each[1:] for each in made], SIZE)
    differences = []
    for (views, voxels), (call, *_) in zip(rendered, made, strict=True):
        expected, expected_voxels = making.make_object(*call, image_size=SIZE)
        np.testing.assert_array_equal(voxels, expected_voxels)
        differences.append(np.abs(views.astype(int) - expected).max(1))
    # one of the 16 samples of a pixel changes it by 16 at most
    assert np.max(differences) <= 2 * 16
    assert np.mean(np.array(differences) > 1) < 1e-3


def test_meshes_are_rendered_in_order_and_few_ahead(made):
    _, mesh, _ = made[0]
    meshes = iter([(mesh._replace(shades=mesh.shades * k / 11), k) for k in range(11)])
    rendered = accelerated.render_in_order(meshes, SIZE)
    brightness = [int(next(rendered)[0][:, :3].max())]
    assert next(meshes)[1] == 8
    for number, (views, belongs) in enumerate(rendered, 1):
        brightness.append(int(views[:, :3].max()))
        assert belongs == number + (number >= 8)
    assert brightness == sorted(set(brightness)) and brightness[0] == 0


def test_back_faces_are_not_seen(made):
    _, mesh, _ = made[0]
    turned = mesh._replace(faces=mesh.faces[:, ::-1])
    inside, outside = np.asarray(accelerated.render_views([turned, mesh], SIZE))
    assert np.mean(inside[:, 3] != outside[:, 3]) < 1e-3
    assert np.mean(inside != outside) > 0.01


@pytest.mark.parametrize(("faces", "padded"), [(12, 512), (512, 512), (513, 1024)])
def test_few_numbers_of_faces_are_compiled(made, faces, padded, monkeypatch):
    monkeypatch.setattr(accelerated, "_render", lambda corners, *_: corners)
    _, mesh, _ = made[0]
    longer = mesh._replace(
        faces=np.resize(mesh.faces, (faces, 3)),
        shades=np.resize(mesh.shades, (faces, 3)),
    )
    corners = accelerated.render_views([mesh, longer], SIZE, batch=3)
    assert corners.shape == (3, padded, 3, 3)
    np.testing.assert_array_equal(corners[1, 0], mesh.vertices[mesh.faces[0]])
